"""The recurrent network as one matrix: equal to the spec's edges, and its numbers to those of dense linear algebra."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from columns import CELLS, EDGES, twelve_cells
from dense import POPULATION, model_of, weights
from scipy import sparse
from scipy.sparse.linalg import ArpackNoConvergence

import connectome2net as c2n
from connectome2net.inside import spectral_report, spectrum, weight_matrix

SIGNS = [-1 if cell[2] == "inhibitory" else 1 for cell in CELLS]


def of_cells(model: Any) -> np.ndarray:
    """The matrix with its rows and columns in the order of the cells table."""
    order = np.argsort(model.cell_index)
    return weight_matrix(model).toarray()[np.ix_(order, order)]


@pytest.mark.parametrize("schedule", ["together", "phases"])
def test_the_matrix_is_that_of_the_spec(schedule: str, tmp_path: Path) -> None:
    np.testing.assert_allclose(of_cells(model_of(tmp_path, schedule)), weights(), rtol=1e-6, atol=0)


def test_edges_of_several_projections_are_added(tmp_path: Path) -> None:
    """In `pairs` every edge is in one projection, each with its own anatomy and norm; here two have the same edges."""
    both = [{"name": name, "anatomy": "binary", "normalise": "none"} for name in ("one", "two")]
    model = c2n.load(c2n.compile_spec(twelve_cells("column", projections=both), out=tmp_path / "compiled"))
    wanted = np.zeros((12, 12))
    for post, pre, *_ in EDGES:
        wanted[post, pre] = 2 * SIGNS[pre]
    np.testing.assert_allclose(of_cells(model), wanted, rtol=1e-6, atol=0)
    assert spectral_report(model)["edges"] == 2 * len(EDGES)


def test_the_numbers_are_those_of_dense_linear_algebra(tmp_path: Path) -> None:
    report, matrix = spectral_report(model_of(tmp_path)), weights()
    singular = np.linalg.svd(matrix, compute_uv=False)
    rank = np.linalg.matrix_rank(matrix)
    commutator = matrix @ matrix.T - matrix.T @ matrix
    wanted = {
        "spectral_radius": abs(np.linalg.eigvals(matrix)).max(),
        "largest_singular_value": singular[0],
        "rank": rank,
        "smallest_singular_value": singular[rank - 1],
        "condition": singular[0] / singular[rank - 1],
        "non_normality": np.linalg.norm(commutator) / np.linalg.norm(matrix) ** 2,
        "excitation": matrix[matrix > 0].sum(),
        "inhibition": -matrix[matrix < 0].sum(),
        "units": 12,
        "edges": len(EDGES),
        "cells_without_edges_in": 0,
        "cells_without_input": 0,
    }
    assert {name: report[name] for name in wanted} == pytest.approx(wanted, rel=1e-6)
    assert report["notes"] == []


def test_the_balance_of_each_pair_of_populations(tmp_path: Path) -> None:
    matrix = weights()
    found = {(row["pre"], row["post"]): row for row in spectral_report(model_of(tmp_path, "phases"))["pairs"]}
    for pre in set(POPULATION):
        for post in set(POPULATION):
            chosen = np.ix_([name == post for name in POPULATION], [name == pre for name in POPULATION])
            part = matrix[chosen]
            if not part.any():
                assert (pre, post) not in found
                continue
            row = found[pre, post]
            assert row["edges"] == (part != 0).sum()
            assert row["excitation"] == pytest.approx(part[part > 0].sum(), abs=1e-6)
            assert row["inhibition"] == pytest.approx(-part[part < 0].sum(), abs=1e-6)


def gives_up(*_: Any, **__: Any) -> None:
    raise ArpackNoConvergence("no", np.zeros(0), np.zeros((0, 0)))


def test_where_arpack_does_not_converge(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("scipy.sparse.linalg.svds", gives_up)
    notes: list[str] = []
    assert spectrum._largest_singular_value(sparse.csr_array(np.eye(3)), notes) is None
    assert notes == ["ARPACK did not converge: no singular value"]


def test_a_quick_report_leaves_out_what_takes_long(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(spectrum, "SMALL", 10)
    model = model_of(tmp_path)
    quick, whole = spectral_report(model, quick=True), spectral_report(model)
    assert quick["largest_singular_value"] == pytest.approx(whole["largest_singular_value"])
    assert quick["spectral_radius"] == pytest.approx(whole["spectral_radius"])
    assert quick["condition"] is quick["rank"] is quick["non_normality"] is None
    assert quick["notes"] == ["no condition number and no departure from normality: c2n inspect has them"]


def test_a_weight_that_is_no_number_has_no_spectrum(tmp_path: Path) -> None:
    model = model_of(tmp_path)
    model.W_recurrent.theta_E.data[0] = float("nan")
    report = spectral_report(model)
    assert report["spectral_radius"] is report["condition"] is None
    assert report["notes"] == ["a weight is not finite: there is no spectrum"]


def test_cells_that_nothing_reaches(tmp_path: Path) -> None:
    """From L4E to I only: L4E sees the image, nothing reaches the other six excitatory cells."""
    only = [{"name": "only", "pre": ["L4E"], "post": ["I"]}]
    model = model_of(tmp_path, projections=only)
    reached = {post for post, pre, *_ in EDGES if POPULATION[post] == "I" and POPULATION[pre] == "L4E"}
    report = spectral_report(model)
    assert report["cells_without_edges_in"] == 12 - len(reached)
    assert report["cells_without_input"] == 12 - len(reached | {at for at in range(12) if POPULATION[at] == "L4E"})
    assert report["spectral_radius"] == 0


def test_without_any_edge(tmp_path: Path) -> None:
    report = spectral_report(model_of(tmp_path, projections=[]))
    assert (report["spectral_radius"], report["largest_singular_value"], report["rank"]) == (0, 0, 0)
    assert report["condition"] is None
    assert report["non_normality"] == 0
