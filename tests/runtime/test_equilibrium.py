"""Equilibrium propagation against the implicit gradient, in closed form, and against backpropagation through time."""

from __future__ import annotations

import math
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
import torch
from columns import network_data, twelve_cells
from torch import Tensor, nn
from torch.nn import functional as F

from connectome2net import compile_spec, load
from connectome2net.runtime.dynamics import RateCells, Rates
from connectome2net.runtime.equilibrium import settle
from connectome2net.runtime.gradients import exact_gradients, gradient_angles
from connectome2net.spec import Spec, make_spec
from connectome2net.spec.tables import EDGES_SCHEMA

CELLS, BATCH = 8, 6


class SmoothCells(nn.Module):
    """Leaky cells with a smooth response, so that an error has an order in the nudge."""

    def __init__(self) -> None:
        super().__init__()
        self.threshold_N = nn.Parameter(torch.zeros(CELLS, dtype=torch.float64))

    def forward(self, state: Rates, *drives_NB: Tensor) -> Rates:
        new_NB = F.softplus(sum(drives_NB) - self.threshold_N[:, None])
        return Rates((state.rate_NB + new_NB) / 2)


def rate_cells() -> RateCells:
    gain = torch.linspace(0.5, 1, CELLS, dtype=torch.float64)
    return RateCells(populations=[CELLS], leak=0.5, norm="none", noise=0.0, gain=gain).double()


class Problem:
    """Cells with weights, an input, and a loss that is linear in the rates: ``c rate``.

    Args:
        cells: with a threshold.
        symmetric: whether the weights are.
    """

    def __init__(self, cells: nn.Module, *, symmetric: bool = True) -> None:
        draw = torch.Generator().manual_seed(5)
        square = torch.randn(CELLS, CELLS, generator=draw, dtype=torch.float64)
        square = (square + square.T) / 2 if symmetric else square
        self.weight = (0.6 * square / torch.linalg.matrix_norm(square, 2)).requires_grad_()
        self.input = torch.randn(CELLS, BATCH, generator=draw, dtype=torch.float64).requires_grad_()
        self.c = torch.randn(CELLS, BATCH, generator=draw, dtype=torch.float64)
        self.cells = cells

    def gradients(self, **settings: Any) -> list[Tensor]:
        """Those of the weights, the input and the thresholds."""
        settings = {"steps": 500, "tolerance": 1e-15, "nudging": "symmetric", "direction": "forward"} | settings
        rest = Rates(torch.zeros(CELLS, BATCH, dtype=torch.float64))

        def drives(state: Rates) -> list[list[Tensor]]:
            return [[self.input, self.weight @ state.rate_NB]]

        (state,) = settle([self.cells], drives, [rest], **settings)
        self.rate_NB = state.rate_NB.detach()
        return [*torch.autograd.grad((self.c * state.rate_NB).sum(), [self.weight, self.input, self.cells.threshold_N])]

    def implicit(self, slope: Callable[[Tensor], Tensor], *, forwards: bool = False) -> list[Tensor]:
        """The same by the implicit function theorem, one image at a time, with matrices."""
        with torch.no_grad():
            driven_NB = self.input + self.weight @ self.rate_NB
            of_drive = torch.empty_like(self.input)
            for image in range(BATCH):
                D = torch.diag(slope(driven_NB[:, image]))
                back = self.weight if forwards else self.weight.T
                of_drive[:, image] = D @ torch.linalg.solve(torch.eye(CELLS) - back @ D, self.c[:, image])
        return [of_drive @ self.rate_NB.T, of_drive, -of_drive.sum(1)]


def error(found: list[Tensor], wanted: list[Tensor]) -> float:
    return max(float((one - other).norm() / other.norm()) for one, other in zip(found, wanted, strict=True))


@pytest.mark.parametrize("nudging", ["symmetric", "one_sided"])
def test_with_symmetric_weights_a_small_nudge_gives_the_implicit_gradient(nudging: str) -> None:
    """Rectified cells are linear between their thresholds, so a nudge that crosses none has no error but rounding."""
    problem = Problem(cells := rate_cells())
    found = problem.gradients(nudge=1e-4, nudging=nudging)
    assert error(found, problem.implicit(lambda driven: cells.gain_N * (driven > 0))) < 1e-9
    with exact_gradients():
        assert error(found, problem.gradients(nudge=1e-4)) < 1e-9


@pytest.mark.parametrize(("nudging", "order"), [("one_sided", 1), ("symmetric", 2)])
def test_the_error_falls_with_the_nudge_and_with_its_square(nudging: str, order: int) -> None:
    problem = Problem(SmoothCells())
    errors = []
    for nudge in (0.4, 0.2, 0.1, 0.05):
        found = problem.gradients(nudge=nudge, nudging=nudging)
        errors.append(error(found, problem.implicit(torch.sigmoid)))
    orders = [math.log2(more / less) for more, less in pairwise(errors)]
    assert errors[0] > 1e-3
    assert orders == pytest.approx([order] * 3, abs=0.12)


def test_with_directed_weights_the_error_crosses_them_in_the_wrong_direction() -> None:
    """``(1 - D W)^-1 D c`` in place of ``(1 - D W^T)^-1 D c`` (Scellier et al. 2018, arXiv 1808.04873)."""
    problem = Problem(SmoothCells(), symmetric=False)
    found = problem.gradients(nudge=1e-3)
    assert error(found, problem.implicit(torch.sigmoid)) > 0.2
    assert error(found, problem.implicit(torch.sigmoid, forwards=True)) < 1e-6
    against = problem.gradients(nudge=1e-3, direction="backward")
    assert error(against, problem.implicit(torch.sigmoid)) < 1e-6


def test_a_batch_is_as_its_images_one_by_one() -> None:
    """The nudge is scaled for each image by itself, also where an image has no error at all."""
    problem = Problem(rate_cells())
    problem.c[:, 1] = 0
    problem.c[:, 2] *= 1e-6
    _, together, _ = problem.gradients(nudge=1e-3)
    assert not together[:, 1].any()
    whole, of_loss = problem.input, problem.c
    for image in range(BATCH):
        problem.input = whole.detach()[:, [image]].expand(-1, BATCH).clone().requires_grad_()
        problem.c = of_loss[:, [image]].expand(-1, BATCH)
        torch.testing.assert_close(problem.gradients(nudge=1e-3)[1][:, 0], together[:, image], rtol=1e-8, atol=1e-18)


def both_ways() -> Spec:
    """The twelve cells with every edge in both directions, free signs, and nothing that makes a direction stronger."""
    data = network_data("pairs")
    spec = twelve_cells(
        "pairs",
        projections=[{"name": "all", "sign": "free", "anatomy": "binary", "normalise": "none"}],
        front_end={"height": 8, "width": 8, "blocks": [{"channels": 3, "pool": 2}]},
        readout={"populations": ["E", "I"], "classes": data["readout"]["classes"]},
        schedule=[{"populations": ["*"], "steps": 400, "tolerance": 1e-14}],
        learning={"kind": "equilibrium", "nudge": 1e-3},
    )
    rows = spec.edges.to_pylist()
    pairs = {(row["post_index"], row["pre_index"]) for row in rows}
    pairs |= {(pre, post) for post, pre in pairs}
    edges = [
        {"post_index": post, "pre_index": pre, "synapse_count": 1, "total_size_vx": 1} for post, pre in sorted(pairs)
    ]
    return make_spec(spec.document, cells=spec.cells, edges=pa.Table.from_pylist(edges, schema=EDGES_SCHEMA))


def reciprocal(model: Any) -> None:
    """Make the one matrix of a model symmetric, and small enough to settle; no cell is at its threshold."""
    matrix = model.W_all
    post, pre = matrix.pattern.row_of_edge().long(), matrix.pre_index.long()
    cells = matrix.pattern.shape[0]
    square = torch.randn(cells, cells, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    with torch.no_grad():
        matrix.theta_E.copy_(0.1 * (square + square.T)[post, pre])
        model.cells_all.threshold_N.copy_(0.2 * square[0] - 0.3)


def gradients(model: nn.Module, image: Tensor, label: Tensor) -> dict[str, Tensor]:
    model.zero_grad()
    F.cross_entropy(model(image), label).backward()
    return {name: parameter.grad.clone() for name, parameter in model.named_parameters()}


def test_a_compiled_network_of_reciprocal_edges_learns_by_the_exact_gradient(tmp_path: Path) -> None:
    model = load(compile_spec(both_ways(), out=tmp_path / "compiled"), seed=1).double().eval()
    reciprocal(model)
    image = torch.rand(5, 1, 8, 8, dtype=torch.float64, generator=torch.Generator().manual_seed(2))
    label = torch.arange(5) % 3
    found = gradients(model, image, label)
    with exact_gradients():
        wanted = gradients(model, image, label)
    for name, gradient in wanted.items():
        assert gradient.any(), name
        torch.testing.assert_close(found[name], gradient, rtol=1e-7, atol=1e-12, msg=name)
    angles = gradient_angles(model, image, label)
    assert angles.keys() == {"front_end", "input", "cells_all", "W_all", "readout", "all"}
    assert max(angles.values()) < 1e-5


@pytest.mark.parametrize("direction", ["forward", "backward"])
def test_on_directed_edges_there_is_an_angle_unless_errors_go_backward(direction: str, tmp_path: Path) -> None:
    spec = twelve_cells(
        "column",
        dynamics={"leak": 0.5, "norm": "none"},
        schedule=[{"populations": ["*"], "steps": 300, "tolerance": 1e-14}],
        learning={"kind": "equilibrium", "nudge": 1e-5, "direction": direction},
    )
    model = load(compile_spec(spec, out=tmp_path / "compiled"), seed=1).double()
    model.cells_all.threshold_N.data.uniform_(-0.4, -0.1)  # no cell is at its threshold
    image = torch.rand(8, 1, 48, 48, dtype=torch.float64, generator=torch.Generator().manual_seed(2))
    angles = gradient_angles(model, image, torch.arange(8) % 7)
    assert model.training
    assert angles["readout"] < 1e-6
    if direction == "forward":
        assert 1 < angles["W_recurrent"] < 90
    else:
        assert max(angles.values()) < 1e-4


def test_evaluation_takes_no_nudge_and_keeps_no_graph(tmp_path: Path) -> None:
    model = load(compile_spec(both_ways(), out=tmp_path / "compiled"), seed=1).double().eval()
    reciprocal(model)
    image = torch.rand(5, 1, 8, 8, dtype=torch.float64)
    with torch.no_grad():
        quiet = model(image)
    assert not quiet.requires_grad
    torch.testing.assert_close(quiet, model(image), rtol=0, atol=0)
    assert np.ptp(quiet.numpy(), axis=0).max() > 1e-3
