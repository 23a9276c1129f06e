"""A recording is what every cell did: equal to a dense loop, step by step, and nothing is left of it afterwards."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from columns import twelve_cells
from dense import SCHEDULES, image, members, model_of, run, updated
from torch.utils.checkpoint import checkpoint

import connectome2net as c2n
from connectome2net.errors import InsideError

NAMES = ("L23E", "L4E", "L5E", "L6E", "E", "I")


@pytest.mark.parametrize("schedule", SCHEDULES)
def test_every_step_of_every_cell_equals_the_dense_loop(schedule: str, tmp_path: Path) -> None:
    model = model_of(tmp_path, schedule)
    with c2n.record(model) as activity:
        model(image())
    steps, _ = run(model, image(), schedule)
    phases = [phase for phase in SCHEDULES[schedule] for _ in range(phase["steps"])]
    for name in NAMES:
        cells = members(name)
        assert activity.cell_index(name).tolist() == cells
        wanted = [
            step[cells]
            for step, phase in zip(steps, phases, strict=True)
            if set(cells) <= set(updated(phase["populations"]))
        ]
        assert np.ptp(wanted) > 1e-3, "rates that never change prove nothing"
        np.testing.assert_allclose(activity[name].numpy(), wanted, rtol=0, atol=1e-12)


def test_passes_are_kept_apart_and_only_those_inside(tmp_path: Path) -> None:
    model = model_of(tmp_path)
    with c2n.record(model, "I") as activity:
        for count in (2, 5):
            model(image(count))
    model(image(4))
    assert [one["I"].shape for one in activity.passes] == [(4, 3, 2), (4, 3, 5)]
    assert activity["I"].equal(activity.passes[1]["I"])
    torch.testing.assert_close(activity.passes[0]["I"], activity["I"][:, :, :2], rtol=0, atol=1e-12)


def test_only_what_is_asked_for_is_kept(tmp_path: Path) -> None:
    model = model_of(tmp_path)
    with c2n.record(model, ["L23E"]) as activity:
        model(image(5))
    (steps,) = activity.passes[0]._steps.values()
    assert [step.untyped_storage().nbytes() for step in steps] == [2 * 5 * 8] * 4
    message = r"(?s)not recorded.*found:  I, rate_NB.*wanted: L23E, rate_NB.*fix:.*populations"
    with pytest.raises(InsideError, match=message):
        activity["I"]


def test_the_graph_is_kept_where_it_is_wanted(tmp_path: Path) -> None:
    model = model_of(tmp_path)
    with c2n.record(model, "L5E") as detached, c2n.record(model, "L5E", detach=False) as activity:
        model(image())
    assert not detached["L5E"].requires_grad
    activity["L5E"][-1].sum().backward()
    found = model.W_recurrent.theta_E.grad
    assert found.abs().sum() > 0
    strength, moved = model.W_recurrent.theta_E, 1e-6
    at = int(found.abs().argmax())
    values = []
    for change in (moved, -2 * moved):
        strength.data[at] += change
        values.append(run_rate(model))
    assert float(found[at]) == pytest.approx((values[0] - values[1]) / (2 * moved), rel=1e-5)


def run_rate(model: Any) -> float:
    with c2n.record(model, "L5E") as activity:
        model(image())
    return float(activity["L5E"][-1].sum())


def test_nothing_of_it_is_left_and_the_answer_is_the_same(tmp_path: Path) -> None:
    model = model_of(tmp_path)
    before, state, modules = model(image()), dict(model.state_dict()), [dict(item.__dict__) for item in model.modules()]
    with c2n.record(model) as activity:
        assert model(image()).equal(before)
        assert model.state_dict().keys() == state.keys()
    assert [dict(item.__dict__) for item in model.modules()] == modules
    activity.remove()  # a second time does nothing
    assert "rest" not in model.cells_all.__dict__


def test_a_checkpoint_is_recorded_once(tmp_path: Path) -> None:
    """What is computed again for the backward pass was recorded before."""
    model = model_of(tmp_path)
    cells, calls = model.cells_all, []

    class Checkpointed(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.rest = cells.rest

        def forward(self, *arguments: Any) -> Any:
            return checkpoint(lambda *given: calls.append(1) or cells(*given), *arguments, use_reentrant=False)

    with c2n.record(model, "I") as activity:
        del model.cells_all
        model.cells_all = Checkpointed()
        model(image()).sum().backward()
    assert len(calls) == 8, "it was computed again"
    assert activity["I"].shape == (4, 3, 3)


def test_phases_that_settle_or_keep_few_states(tmp_path: Path) -> None:
    """The same numbers, for as many steps as the phase took, and not again in the backward pass."""
    whole = model_of(tmp_path / "whole", phases=[{"populations": ["*"], "steps": 40}])
    with c2n.record(whole) as wanted:
        whole(image())
    change = torch.stack([wanted[name].diff(dim=0).abs().amax((1, 2)) for name in NAMES]).amax(0)
    taken = int((change <= 1e-3).nonzero()[0]) + 2
    assert 5 < taken < 40
    for form, steps in (
        ({"checkpoint": 3}, 40),
        ({"tolerance": 1e-3}, taken),
        ({"tolerance": 1e-3, "checkpoint": 4}, taken),
    ):
        folder = tmp_path / "_".join([*form])
        model = model_of(folder, phases=[{"populations": ["*"], "steps": 40, **form}])
        with c2n.record(model) as activity:
            model(image()).sum().backward()
        for name in NAMES:
            torch.testing.assert_close(activity[name], wanted[name][:steps], rtol=0, atol=1e-12)


def test_a_pass_that_fails_does_not_run_on(tmp_path: Path) -> None:
    model = model_of(tmp_path)
    with c2n.record(model, "I") as activity:
        with pytest.raises(ValueError, match="not the images of this network"):
            model(image()[:, :, 1:])
        model.cells_all(model.cells_all.rest(image()), torch.zeros(12, 3))  # no pass of the network
    with pytest.raises(InsideError, match=r"(?s)not recorded.*a population that this pass has updated"):
        activity["I"]


def test_clear_errors(tmp_path: Path) -> None:
    model = model_of(tmp_path)
    with pytest.raises(InsideError, match=r"no such population\n  found:  L9, V1\n  wanted: L23E, L4E, L5E, L6E, E, I"):
        c2n.record(model, ["L9", "I", "V1"])
    with pytest.raises(
        InsideError, match=r"no such variable of these cells\n  found:  voltage\n  wanted: rate_NB, read"
    ):
        c2n.record(model, variables=["voltage"])
    with pytest.raises(InsideError, match=r"no compiled network\n  found:  Linear\n  wanted: what connectome2net.load"):
        c2n.record(torch.nn.Linear(1, 1))
    with c2n.record(model) as activity, pytest.raises(InsideError, match=r"nothing was recorded\n.*\n.*model\(image\)"):
        activity["I"]
    assert not any(item._forward_hooks or item._forward_pre_hooks for item in model.modules())


@pytest.mark.parametrize("network", ["feedforward", "pairs"])
def test_the_last_step_is_what_the_rules_and_the_readout_see(network: str, tmp_path: Path) -> None:
    spec = twelve_cells(network)
    model: Any = c2n.load(c2n.compile_spec(spec, out=tmp_path / "compiled"))
    with c2n.record(model, variables=["rate_NB", "read_NB"]) as activity:
        model(torch.rand(4, 1, spec.network.front_end.height, spec.network.front_end.width))
    for group in model.program.groups:
        last = torch.cat([activity.of(name, "read_NB")[-1] for name in group.populations])
        assert last.equal(model.activity[group.name].read_NB)
