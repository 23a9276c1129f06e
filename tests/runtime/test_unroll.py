"""Settling and forgetting: when a phase ends, and that what is computed again is the same."""

from __future__ import annotations

import weakref
from typing import Any

import pytest
import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from connectome2net.runtime.dynamics import Rates
from connectome2net.runtime.unroll import largest_change, repeat


def halving(state: Rates, drive_NB: Tensor) -> list[Any]:
    """Half of the way to the drive."""
    return [Rates((state.rate_NB + drive_NB) / 2)]


START, DRIVE = Rates(torch.zeros(2, 1, dtype=torch.float64)), torch.tensor([[1.0], [0.25]], dtype=torch.float64)


@pytest.mark.parametrize(("tolerance", "steps"), [(0.25, 2), (0.24, 3), (2.0**-6, 6), (1.0, 1), (None, 80)])
def test_a_phase_ends_where_no_cell_changes_by_more_than_the_tolerance(tolerance: float | None, steps: int) -> None:
    """The first cell changes by 1/2, 1/4, 1/8, ..., the second by a quarter of that."""
    taken = 0

    def counted(state: Rates, drive_NB: Tensor) -> list[Any]:
        nonlocal taken
        taken += 1
        return halving(state, drive_NB)

    (state,) = repeat(counted, [START], [DRIVE], steps=80, tolerance=tolerance)
    assert taken == steps
    torch.testing.assert_close(state.rate_NB, DRIVE * (1 - 0.5**taken), rtol=1e-15, atol=0)


def test_every_number_of_every_state_counts_and_the_past_does_not() -> None:
    one, two = Rates(torch.zeros(3, 2)), Rates(torch.tensor([[0.0, 0.0], [0.0, -0.5], [0.0, 0.0]]))
    assert largest_change([one, one, []], [one, two, [torch.ones(3, 2)]]) == 0.5
    assert not largest_change([one], [Rates(one.rate_NB * float("nan"))]) <= 1e9


def noisy(state: Rates, past: list[Tensor], weight: Tensor) -> list[Any]:
    rate_NB = torch.tanh(weight @ state.rate_NB + 0.3 * torch.randn_like(state.rate_NB) + past[max(0, len(past) - 3)])
    return [Rates(rate_NB), [*past, rate_NB]]


def gradient(checkpoint: int | None, tolerance: float | None = None) -> tuple[Tensor, list[Tensor], Tensor]:
    """The last rate, all rates, and the gradient of both, of nine noisy steps that look three steps back."""
    torch.manual_seed(3)
    weight = (torch.randn(4, 4, dtype=torch.float64) / 2).requires_grad_()
    rest = torch.zeros(4, 5, dtype=torch.float64)
    state, past = repeat(noisy, [Rates(rest), [rest]], [weight], steps=9, tolerance=tolerance, checkpoint=checkpoint)
    (state.rate_NB.square().sum() + torch.stack(past).sum()).backward()
    return state.rate_NB.detach(), past, weight.grad


@pytest.mark.parametrize("checkpoint", [1, 2, 4, 8, 9, 100])
def test_what_is_computed_again_is_the_same_noise_and_the_same_past(checkpoint: int) -> None:
    rate, past, of_weight = gradient(None)
    again, past_again, of_weight_again = gradient(checkpoint)
    assert len(past) == len(past_again) == 10
    assert torch.equal(rate, again)
    torch.testing.assert_close(of_weight_again, of_weight, rtol=1e-13, atol=0)


@pytest.mark.parametrize("checkpoint", [1, 2, 3, 4, 10])
def test_checkpoints_do_not_change_when_a_phase_ends(checkpoint: int) -> None:
    values = []
    for every in (None, checkpoint):
        drive = DRIVE.clone().requires_grad_()
        (state,) = repeat(halving, [START], [drive], steps=20, tolerance=2.0**-7, checkpoint=every)
        state.rate_NB.sum().backward()
        values.append((state.rate_NB.detach(), drive.grad))
    assert torch.equal(values[0][0], DRIVE * (1 - 0.5**7))
    assert torch.equal(values[0][0], values[1][0])
    torch.testing.assert_close(values[1][1], torch.full((2, 1), 1 - 0.5**7, dtype=torch.float64), rtol=1e-14, atol=0)


def test_a_traced_phase_takes_all_steps() -> None:
    class Phase(torch.nn.Module):
        def forward(self, drive_NB: Tensor) -> Tensor:
            start = Rates(torch.zeros_like(drive_NB))
            return repeat(halving, [start], [drive_NB], steps=7, tolerance=0.1, checkpoint=2)[0].rate_NB

    assert torch.equal(Phase()(DRIVE), DRIVE * (1 - 0.5**4))
    traced = torch.export.export(Phase(), (DRIVE,)).module()
    assert torch.equal(traced(DRIVE), DRIVE * (1 - 0.5**7))


class Live(TorchDispatchMode):
    """Counts the bytes of all tensors that are alive."""

    def __init__(self) -> None:
        super().__init__()
        self.alive: dict[int, int] = {}
        self.most = 0

    def __torch_dispatch__(self, function: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        result = function(*args, **(kwargs or {}))
        for tensor in tree_leaves(result):
            storage = tensor.untyped_storage()
            if storage._cdata not in self.alive:
                self.alive[storage._cdata] = storage.nbytes()
                weakref.finalize(storage, self.alive.pop, storage._cdata)
                self.most = max(self.most, sum(self.alive.values()))
        return result


@pytest.mark.parametrize(("checkpoint", "kept"), [(None, 600), (14, 15 + 3 * 14), (50, 4 + 3 * 50), (1, 200 + 3)])
def test_memory_of_a_long_unroll_is_that_of_the_kept_states(checkpoint: int | None, kept: int) -> None:
    """200 steps, each with three tensors for the backward pass: 600, or some states and what one part needs."""

    def step(state: Rates, scale: Tensor) -> list[Any]:
        return [Rates(torch.tanh(state.rate_NB * scale).mul(scale).sin())]

    with Live() as live:
        scale = torch.ones(1, 1, requires_grad=True)
        (state,) = repeat(step, [Rates(torch.rand(32, 32))], [scale], steps=200, checkpoint=checkpoint)
        state.rate_NB.sum().backward()
    assert kept <= live.most / (32 * 32 * 4) <= kept + 4
