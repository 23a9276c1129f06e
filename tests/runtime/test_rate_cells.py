"""Rate cells and the readout against their equations."""

from __future__ import annotations

import pytest
import torch

from connectome2net.runtime.dynamics import RateCells, Rates, sent, total
from connectome2net.runtime.readout import LinearReadout


class Plain(RateCells):
    """Rates in, rates out."""

    def __call__(self, rate: torch.Tensor, *drives: torch.Tensor) -> torch.Tensor:
        return super().__call__(Rates(rate), *drives).rate_NB


def cells(*populations: int, **changes: object) -> Plain:
    arguments = {"leak": 1.0, "norm": "none", "noise": 0.0} | changes
    return Plain(populations=populations, **arguments).double()


def numbers(*shape: int, seed: int = 0) -> torch.Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def test_one_step_by_hand() -> None:
    """drive 2 - 0.5 + 1 = 2.5, threshold 0.5, gain 0.8: 1.6; rate 0.75 * 4 + 0.25 * 1.6 = 3.4."""
    unit = cells(2, leak=0.25, gain=torch.tensor([0.8, 1.0]))
    unit.threshold_N.data[:] = torch.tensor([0.5, 0.0])
    rate = torch.tensor([[4.0], [8.0]]).double()
    drives = [torch.tensor([[x], [y]]).double() for x, y in ((2.0, -3.0), (-0.5, 1.0), (1.0, 1.0))]
    torch.testing.assert_close(unit(rate, *drives), torch.tensor([[3.4], [6.0]]).double())


def test_a_leak_of_one_forgets() -> None:
    drive = numbers(3, 4)
    assert cells(3)(1e6 * torch.ones(3, 4), drive).equal(drive.clamp_min(0))


def test_norm_is_the_layer_norm_of_each_population() -> None:
    unit = cells(3, 5, norm="layer")
    unit.scale_N.data[:] = numbers(8, seed=1)
    unit.threshold_N.data[:] = numbers(8, seed=2)
    drive = 10 * numbers(8, 6) + 3
    expected = [
        torch.nn.functional.layer_norm(part.T, (len(part),), scale, -threshold).T
        for part, scale, threshold in zip(
            drive.split([3, 5]), unit.scale_N.split([3, 5]), unit.threshold_N.split([3, 5]), strict=True
        )
    ]
    torch.testing.assert_close(unit(torch.zeros(8, 6).double(), drive), torch.cat(expected).clamp_min(0))


def test_the_norm_of_one_image_does_not_depend_on_the_batch() -> None:
    unit, drive = cells(4, 4, norm="layer"), numbers(8, 6)
    rest = torch.zeros(8, 6).double()
    torch.testing.assert_close(unit(rest, drive)[:, 2:3], unit(rest[:, :1], drive[:, 2:3]), rtol=0, atol=1e-15)


def test_noise_has_its_sigma_in_training_and_is_absent_after() -> None:
    torch.manual_seed(0)
    unit, rest = cells(2000, noise=0.25), torch.zeros(2000, 50).double()
    drive = torch.full((2000, 50), 10.0).double()
    noisy = unit(rest, drive).detach()
    assert float((noisy - 10).mean()) == pytest.approx(0, abs=0.005)
    assert float(noisy.std()) == pytest.approx(0.25, abs=0.005)
    assert unit.eval()(rest, drive).equal(drive)


def test_cells_without_a_drive() -> None:
    """A population may be updated and have no projection onto it; this was an IndexError."""
    unit = cells(3, leak=0.5)
    unit.threshold_N.data[:] = torch.tensor([1.0, -1.0, -2.0])
    assert unit(torch.full((3, 2), 4.0).double()).tolist() == [[2.0, 2.0], [2.5, 2.5], [3.0, 3.0]]


def test_rest_is_zero_on_the_device_and_in_the_type_of_the_input() -> None:
    state = cells(3).rest(numbers(5, 1, 4, 4))
    rest = state.rate_NB
    assert state.read_NB is rest
    assert rest.shape == (3, 5)
    assert rest.dtype == torch.float64
    assert rest.count_nonzero() == 0


def test_total() -> None:
    drives = [numbers(2, 3, seed=seed) for seed in range(3)]
    torch.testing.assert_close(total(*drives), torch.stack(drives).sum(0))
    assert total(drives[0]).equal(drives[0])


def test_what_was_sent_some_steps_ago() -> None:
    past = [numbers(2, 3, seed=seed) for seed in range(4)]
    assert [sent(past, steps) is past[at] for steps, at in ((0, 3), (1, 2), (3, 0), (9, 0))] == [True] * 4


def test_readout_reads_its_rows_of_all_groups() -> None:
    readout = LinearReadout(torch.tensor([4, 0], dtype=torch.int32), classes=3, dropout=0.0).double()
    first, second = numbers(2, 5), numbers(3, 5, seed=1)
    seen = torch.stack([second[2], first[0]])
    expected = (readout.linear.weight @ seen).T + readout.linear.bias
    torch.testing.assert_close(readout(first, second), expected)


def test_readout_drops_rates_in_training_only() -> None:
    torch.manual_seed(0)
    readout = LinearReadout(torch.arange(1000), classes=1, dropout=0.4)
    readout.linear.weight.data[:], readout.linear.bias.data[:] = 1.0, 0.0
    rate = torch.ones(1000, 64)
    assert float(readout(rate).detach().std()) == pytest.approx((1000 * 0.4 / 0.6) ** 0.5, rel=0.3)
    assert float(readout(rate).detach().mean()) == pytest.approx(1000, rel=0.02)
    assert readout.eval()(rate).unique().tolist() == [1000.0]
