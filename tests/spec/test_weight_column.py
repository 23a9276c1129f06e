"""The column ``weight`` of edges, ``anatomy: weight`` and ``scale``: what is said of each fault, and what they do."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from columns import twelve_cells
from corrupting import CHANGE, Case, both, check, put, table

from connectome2net.spec import make_spec, open_spec, read_spec, write_spec
from connectome2net.spec.read import AGAIN
from connectome2net.spec.tables import EDGES_OPTIONAL
from connectome2net.spec.weights import weights_before_learning


def with_weight(found: pa.Table, *, at: int = 0, value: float | None = 0.5) -> pa.Table:
    weights = [0.25] * found.num_rows
    weights[at] = value
    return found.append_column("weight", pa.array(weights, pa.float64()))


def weight(at: int, value: float | None, projection: int = 0):
    """Give the edges a weight, one of them another, and let a projection use it."""
    use = put(f"/network/projections/{projection}/anatomy", "weight")
    unnormalised = put(f"/network/projections/{projection}/normalise", "none")
    return both(table("edges", lambda found: with_weight(found, at=at, value=value)), use, unnormalised)


CASES = [
    Case(
        "no column",
        "column",
        put("/network/projections/0/anatomy", "weight"),
        "/network/projections/0/anatomy",
        "weight, and edges without such a column",
        "a column weight in the edges table",
        "use synapse_count",
    ),
    Case(
        "null",
        "column",
        weight(7, None),
        "edges.parquet/weight",
        "null for the edge (post 1, pre 10), which recurrent uses",
        "a weight",
        "make the control again",
    ),
    Case("negative", "column", weight(7, -0.5), "edges.parquet/weight", "-0.5", "at least 0", AGAIN),
    Case("infinite", "column", weight(7, float("inf")), "edges.parquet/weight", "inf", "at least 0", AGAIN),
    Case(
        "whole numbers",
        "column",
        table("edges", lambda found: found.append_column("weight", pa.array([1] * 37))),
        "edges.parquet/weight",
        "a column of int64",
        "a column of double",
        AGAIN,
    ),
    Case(
        "all inputs",
        "column",
        both(weight(7, 0.5), put("/network/projections/0/normalise", "all_inputs")),
        "/network/projections/0/normalise",
        "all_inputs of weight",
        "all_inputs of synapse_count or total_size",
        "use sum, norm or none",
    ),
    Case(
        "scale 0",
        "column",
        put("/network/projections/0/scale", 0),
        "/network/projections/0/scale",
        "0",
        "greater than 0",
        CHANGE,
    ),
    Case(
        "control without its radius",
        "column",
        put(
            "/provenance/transforms",
            [
                {
                    "name": "degree",
                    "seed": 0,
                    "text": "",
                    "keeps": [],
                    "destroys": [],
                    "spectral_radius_before": -1,
                    "spectral_radius_after": 1,
                    "edges_changed": 0,
                }
            ],
        ),
        "/provenance/transforms/0/spectral_radius_before",
        "-1",
        "greater than or equal to 0",
        CHANGE,
    ),
]


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_one_corruption_one_issue(case: Case, tmp_path: Path) -> None:
    check(case, tmp_path)


def test_a_null_where_no_projection_uses_the_edge_is_fine(tmp_path: Path) -> None:
    write_spec(twelve_cells("pairs"), tmp_path)
    weight(0, None, projection=1)(tmp_path)  # 2 -> 0, from an inhibitory cell; E_E uses others
    assert open_spec(tmp_path)[1] == []
    assert read_spec(tmp_path).edges.column("weight")[0].as_py() is None


def test_scale_multiplies_what_the_normalisation_leaves() -> None:
    spec = twelve_cells("pairs")
    weights = 0.1 * np.arange(1, 38)
    edges = spec.edges.append_column(EDGES_OPTIONAL.field("weight"), pa.array(weights))
    spec = make_spec(spec.document, cells=spec.cells, edges=edges)
    projection = spec.network.projections[1]
    chosen = np.array([6, 13, 14])  # 7 -> 1; 5 -> 3 and 7 -> 3, wherever they come from
    for update, expected in (
        ({"anatomy": "weight", "normalise": "none"}, weights[chosen]),
        ({"anatomy": "weight", "normalise": "none", "scale": 3.0}, 3 * weights[chosen]),
        ({"anatomy": "weight", "normalise": "sum", "scale": 2.0}, [2, 2 * 1.4 / 2.9, 2 * 1.5 / 2.9]),
    ):
        found = weights_before_learning(spec, projection.model_copy(update=update), chosen)
        assert np.allclose(found, expected, rtol=1e-12), update
