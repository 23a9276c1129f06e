"""Lesions and clamps: equal to a dense loop in which the cells are held, and gone without a trace afterwards."""

from __future__ import annotations

import contextlib
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from dense import SCHEDULES, image, members, model_of, run

import connectome2net as c2n
from connectome2net.errors import InsideError
from connectome2net.runtime.gradients import exact_gradients
from connectome2net.spec.network import Projection


@pytest.mark.parametrize("schedule", SCHEDULES)
@pytest.mark.parametrize(
    ("cells", "held"),
    [([1, 10, 2], (1, 10, 2)), ("I", (2, 6, 10)), (["L4E", "E"], (0, 4, 9, 11)), (np.array([], dtype=int), ())],
)
def test_a_lesion_equals_the_dense_loop_without_the_cells(
    cells: Any, held: tuple[int, ...], schedule: str, tmp_path: Path
) -> None:
    model = model_of(tmp_path, schedule)
    intact = model(image())
    with c2n.lesion(model, cells) as lesioned, c2n.record(model) as activity:
        found = model(image())
    steps, logits = run(model, image(), schedule, {cell: 0 for cell in held})
    assert sorted(lesioned.cell_index) == sorted(held)
    np.testing.assert_allclose(found.detach(), logits, rtol=0, atol=1e-12)
    np.testing.assert_allclose(
        activity["I"][-1], [step[members("I")] for step in steps][4 if schedule == "phases" else -1], rtol=0, atol=1e-12
    )
    assert bool((found != intact).any()) == bool(held)
    assert model(image()).equal(intact)


@pytest.mark.parametrize("schedule", SCHEDULES)
@pytest.mark.parametrize(
    ("cells", "rate", "held"),
    [
        ("L23E", 0.7, {1: 0.7, 7: 0.7}),
        ([9, 1, 6], [0.1, 0.2, 0.3], {9: 0.1, 1: 0.2, 6: 0.3}),
        ([5, 0], np.array([[1.0, 2, 3], [4, 5, 6]]), {5: [1, 2, 3], 0: [4, 5, 6]}),
    ],
)
def test_a_clamp_equals_the_dense_loop_with_the_cells_held(
    cells: Any, rate: Any, held: dict[int, Any], schedule: str, tmp_path: Path
) -> None:
    """In every step: cells are held too before the first phase that updates them."""
    model = model_of(tmp_path, schedule)
    intact = model(image())
    handle = c2n.clamp(model, cells, rate)
    found = model(image())
    handle.remove()
    np.testing.assert_allclose(found.detach(), run(model, image(), schedule, held)[1], rtol=0, atol=1e-12)
    assert model(image()).equal(intact)


def test_the_later_one_decides_and_they_go_in_any_order(tmp_path: Path) -> None:
    model = model_of(tmp_path)
    modules = [dict(item.__dict__) for item in model.modules()]

    def logits(held: dict[int, float]) -> np.ndarray:
        return run(model, image(), held=held)[1]

    outer = c2n.clamp(model, [1, 2, 3], 0.5)
    inner = c2n.lesion(model, [2, 6])
    last = c2n.clamp(model, [6], 0.9)
    np.testing.assert_allclose(model(image()).detach(), logits({1: 0.5, 2: 0, 3: 0.5, 6: 0.9}), rtol=0, atol=1e-12)
    inner.remove()
    inner.remove()  # a second time does nothing
    np.testing.assert_allclose(model(image()).detach(), logits({1: 0.5, 2: 0.5, 3: 0.5, 6: 0.9}), rtol=0, atol=1e-12)
    outer.remove()
    np.testing.assert_allclose(model(image()).detach(), logits({6: 0.9}), rtol=0, atol=1e-12)
    last.remove()
    assert [dict(item.__dict__) for item in model.modules()] == modules


def test_what_is_recorded_is_what_the_network_sees_whichever_came_first(tmp_path: Path) -> None:
    model = model_of(tmp_path)
    with c2n.record(model, "L23E") as first, c2n.lesion(model, [7]), c2n.record(model, "L23E") as second:
        model(image())
    assert first["L23E"].equal(second["L23E"])
    assert not first["L23E"][:, 1].any()
    assert first["L23E"][:, 0].all()


def test_lesioned_cells_have_no_gradient_and_nothing_of_them_reaches_others(tmp_path: Path) -> None:
    """With a norm over the population too, where a drive of one cell moves all others."""
    model = model_of(tmp_path, dynamics={"leak": 0.5, "norm": "layer"})
    dead = [0, 1, 10]
    units = [int(np.flatnonzero(model.cell_index == cell)[0]) for cell in dead]
    matrix = model.W_recurrent
    post, pre = matrix.pattern.row_of_edge(), matrix.pre_index
    touched = torch.isin(post, torch.tensor(units)) | torch.isin(pre, torch.tensor(units))
    with c2n.lesion(model, dead):
        before = model(image())
        before.square().sum().backward()
        grad = matrix.theta_E.grad
        assert not grad[touched].any()
        assert grad[~touched].any()
        for parameter in (model.cells_all.threshold_N, model.cells_all.scale_N):
            assert not parameter.grad[units].any()
            assert parameter.grad.any()
        model.input.weight_NF.data[0] += 1.0  # cell 0 is the first of L4E
        matrix.theta_E.data[touched] += 1.0
        assert model(image()).equal(before)
    assert not model(image()).equal(before)


@pytest.mark.parametrize("form", [{"checkpoint": 2}, {"tolerance": 1e-9}])
def test_lesions_hold_where_steps_are_taken_again(form: dict[str, float], tmp_path: Path) -> None:
    """In the backward pass too: gradients are those of a network that keeps all states."""
    gradients = []
    for name, phase in (("plain", {}), ("other", form)):
        model = model_of(tmp_path / name, phases=[{"populations": ["*"], "steps": 60, **phase}])
        with c2n.lesion(model, [0, 2, 7]):
            model(image()).square().sum().backward()
        gradients.append(model.W_recurrent.theta_E.grad)
    assert gradients[0].any()
    torch.testing.assert_close(gradients[1], gradients[0], rtol=1e-6, atol=1e-9)


def test_equilibrium_propagation_learns_without_the_lesioned_cells(tmp_path: Path) -> None:
    """Its gradient, of the fixed point, is near that of backpropagation; edges of lesioned cells have none."""
    phases = [{"populations": ["*"], "steps": 300, "tolerance": 1e-12}]
    model = model_of(tmp_path, phases=phases, learning={"kind": "equilibrium", "nudge": 1e-4})
    units = torch.tensor([int(np.flatnonzero(model.cell_index == cell)[0]) for cell in (0, 2, 7)])
    matrix = model.W_recurrent
    touched = torch.isin(matrix.pattern.row_of_edge(), units) | torch.isin(matrix.pre_index, units)
    gradients = []
    with c2n.lesion(model, [0, 2, 7]):
        for context in (contextlib.nullcontext(), exact_gradients()):
            model.zero_grad()
            with context:
                model(image()).square().sum().backward()
            gradients.append(matrix.theta_E.grad.clone())
    for grad in gradients:
        assert not grad[touched].any()
        assert grad[~touched].any()
    cosine = torch.nn.functional.cosine_similarity(*gradients, dim=0)
    assert cosine > 0.7


@pytest.mark.skipif("synapse" not in Projection.model_fields, reason="no gap junctions in this format")
def test_gap_junctions_of_lesioned_cells_conduct_nothing(tmp_path: Path) -> None:
    """Cell 6 is coupled to cell 10 only: without it, its voltage is that of a network without gap junctions."""
    chemical = {"name": "chemical"}
    electrical = {"name": "gaps", "pre": ["I"], "post": ["I"], "synapse": "electrical", "anatomy": "binary"}

    def voltage(projections: list[dict[str, Any]], *lesions: Any) -> torch.Tensor:
        model = model_of(tmp_path / str(len(projections)), projections=projections, dynamics={"model": "conductance"})
        modules = [dict(item.__dict__) for item in model.modules()]
        handles = [c2n.lesion(model, cells) for cells in lesions]
        with c2n.record(model, "I", variables=["v_NB"]) as activity:
            model(image())
        for handle in handles:
            handle.remove()
        assert [dict(item.__dict__) for item in model.modules()] == modules
        return activity.of("I", "v_NB")

    coupled, alone = voltage([chemical, electrical]), voltage([chemical])
    assert not coupled.equal(alone), "gap junctions that do nothing prove nothing"
    assert not voltage([chemical, electrical], [0]).equal(voltage([chemical], [0]))
    torch.testing.assert_close(voltage([chemical, electrical], "I"), voltage([chemical], "I"), rtol=0, atol=1e-12)
    torch.testing.assert_close(
        voltage([chemical, electrical], [2, 6], [10]), voltage([chemical], [2, 6, 10]), rtol=0, atol=1e-12
    )


def test_a_rate_that_wants_a_gradient_gets_it(tmp_path: Path) -> None:
    model = model_of(tmp_path)
    rate = torch.tensor([0.4, 0.6], dtype=torch.float64, requires_grad=True)
    with c2n.clamp(model, "L23E", rate):
        model(image()).sum().backward()

    def total(*rates: float) -> float:
        return float(run(model, image(), held=dict(zip((1, 7), rates, strict=True)))[1].sum())

    slope = [
        (total(0.4 + 1e-6, 0.6) - total(0.4 - 1e-6, 0.6)) / 2e-6,
        (total(0.4, 0.6 + 1e-6) - total(0.4, 0.6 - 1e-6)) / 2e-6,
    ]
    assert rate.grad.tolist() == pytest.approx(slope, rel=1e-6)


def test_it_works_after_a_move_and_leaves_the_state_alone(tmp_path: Path) -> None:
    model = model_of(tmp_path)
    state = model.state_dict().keys()
    handle = c2n.lesion(model, "I")
    assert model.state_dict().keys() == state
    dead = model(image()).detach()
    model.to(torch.float32)
    torch.testing.assert_close(model(image().float()).double(), dead, rtol=0, atol=1e-5)
    cells = model.cells_all.to("meta")
    assert cells(cells.rest(torch.empty(3, device="meta"))).rate_NB.device.type == "meta"
    handle.remove()


@pytest.mark.parametrize(
    ("cells", "message"),
    [
        ([3, 12, 99], r"not of this network\n  found:  12, 99\n  wanted: 12 cells with cell_index from 0 to 11, in"),
        ([-1], "not of this network\n  found:  -1"),
        ("L9", "no such population\n  found:  L9\n  wanted: L23E, L4E, L5E, L6E, E, I"),
        ([3, 4, 3], "cells are named twice\n  found:  3\n  wanted: each cell once"),
        (["I", "I"], "cells are named twice\n  found:  2, 6, 10"),
        (np.ones(12, dtype=bool), r"(?s)these are no cells\n  found:  bool of shape \(12,\).*numpy.flatnonzero"),
        ([0.5], "these are no cells\n  found:  float64"),
        (["I", 3], "these are no cells"),
    ],
)  # fmt: skip
def test_wrong_cells_are_one_clear_error(cells: Any, message: str, tmp_path: Path) -> None:
    model = model_of(tmp_path)
    for hold in (lambda: c2n.lesion(model, cells), lambda: c2n.clamp(model, cells, 0.5)):
        with pytest.raises(InsideError, match=message):
            hold()
    assert "tap" not in model.cells_all.__dict__


def test_a_cell_outside_the_populations_is_no_unit(tmp_path: Path) -> None:
    from columns import twelve_cells

    model = c2n.load(c2n.compile_spec(twelve_cells("feedforward"), out=tmp_path / "compiled"))
    with pytest.raises(InsideError, match=r"not of this network\n  found:  2, 6, 10\n  wanted: 9 cells.*A, B, D"):
        c2n.lesion(model, [0, 2, 6, 10])


@pytest.mark.parametrize(
    ("rate", "message"),
    [
        (
            [0.1, 0.2],
            r"no rate to hold cells at\n  where:  rate\n  found:  shape \(2,\)\n  wanted: a number, \(3,\) or",
        ),
        (-0.5, "found:  -0.5\n  wanted: a finite number from 0 up"),
        (float("nan"), "found:  nan"),
    ],
)
def test_wrong_rates_are_one_clear_error(rate: Any, message: str, tmp_path: Path) -> None:
    with pytest.raises(InsideError, match=message):
        c2n.clamp(model_of(tmp_path), "I", rate)


def test_rates_for_another_batch(tmp_path: Path) -> None:
    model = model_of(tmp_path)
    with (
        c2n.clamp(model, [0], [[0.1, 0.2]]),
        pytest.raises(InsideError, match=r"found:  rates for a batch of 2\n  wanted: one for each of the 3 images"),
    ):
        model(image())
