"""Cells that strive for a mean rate: by hand, in a network of rate cells, and what they remember."""

from __future__ import annotations

import pytest
import torch

from connectome2net.runtime.dynamics import RateCells
from connectome2net.runtime.plasticity import Activity, CellRules, Intrinsic


def cells_of(count: int) -> RateCells:
    return RateCells(populations=[count], leak=1.0, norm="none", noise=0.0)


def test_intrinsic_homeostasis_by_hand() -> None:
    """Four cells, of which the last three have the rule; two batches of two images; the target is 1.

    Means of the first batch 1, 2, 0; of both, plain: 1.5, 1.5, 0.
    """
    cells = cells_of(4)
    rules = CellRules(Intrinsic(rows_before=1, cells=3, rate=0.1, target=1.0, memory_batches=10))
    rules(cells, Activity(torch.tensor([[9.0, 9.0], [0.0, 2.0], [1.0, 3.0], [0.0, 0.0]])))
    assert cells.threshold_N.tolist() == pytest.approx([0.0, 0.0, 0.1, -0.1])
    rules(cells, Activity(torch.tensor([[9.0, 9.0], [1.0, 3.0], [0.0, 2.0], [0.0, 0.0]])))
    assert cells.threshold_N.tolist() == pytest.approx([0.0, 0.05, 0.1 + 0.05, -0.2])
    assert cells.threshold_N.is_leaf
    assert cells.threshold_N.grad is None


def test_rate_zero_changes_no_bit() -> None:
    cells = cells_of(3)
    cells.threshold_N.data = torch.tensor([0.1, -0.3, 1e-30])
    before = cells.threshold_N.clone()
    rule = Intrinsic(rows_before=0, cells=3, rate=0.0, target=1.0, memory_batches=10)
    for _ in range(10):
        rule(cells, Activity(torch.rand(3, 5)))
    assert cells.threshold_N.equal(before)


def test_mean_rates_come_near_the_target() -> None:
    """Drives of very different sizes, some of them below rest; every cell ends at its target."""
    torch.manual_seed(0)
    cells = cells_of(5)
    rule = Intrinsic(rows_before=0, cells=5, rate=0.05, target=0.7, memory_batches=10)
    drive_N = torch.tensor([-2.0, 0.0, 0.5, 1.0, 4.0])[:, None]
    means = []
    for _ in range(600):
        with torch.no_grad():
            state = cells(cells.rest(torch.zeros(32, 1)), drive_N + torch.randn(5, 32))
        means.append(state.read_NB.mean(1))
        rule(cells, Activity(state.read_NB))
    assert (means[0] - 0.7).abs().max() > 3
    torch.testing.assert_close(torch.stack(means[-100:]).mean(0), torch.full((5,), 0.7), rtol=0, atol=0.05)


def test_the_mean_is_remembered_and_not_trained() -> None:
    rule = Intrinsic(rows_before=0, cells=2, rate=0.1, target=1.0, memory_batches=10).double()
    assert not list(rule.parameters())
    cells = cells_of(2).double()
    rule(cells, Activity(torch.rand(2, 3, dtype=torch.float64)))
    state = rule.state_dict()
    assert state.keys() == {"mean.mean_N", "mean.batches"}
    assert state["mean.mean_N"].dtype == torch.float64
    other = Intrinsic(rows_before=0, cells=2, rate=0.1, target=1.0, memory_batches=10).double()
    other.load_state_dict(state)
    again = cells_of(2).double()
    again.load_state_dict(cells.state_dict())
    did = Activity(torch.rand(2, 3, dtype=torch.float64))
    rule(cells, did)
    other(again, did)
    assert again.threshold_N.equal(cells.threshold_N)
