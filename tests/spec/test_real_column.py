"""The spec of the real V1 column: the counts that a right extraction must give."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from connectome2net.extract import extract
from connectome2net.sources import open_source
from connectome2net.spec import Spec, load_preset, read_spec, validate, write_spec
from connectome2net.spec.network import Network
from connectome2net.spec.pairs import count_pairs
from connectome2net.spec.summary import summarise

GROUPS = {
    "A": {"cell_type": ["4P"]},
    "B": {"cell_type": ["23P"]},
    "C": {"cell_type": ["5P-IT", "5P-PT", "5P-NP"]},
    "D": {"cell_type": ["6P-IT", "6P-CT", "6P-U", "WM-P"]},
    "I": {"ei_class": ["inhibitory"]},
}
BETWEEN = [
    [3233, 2689, 2406, 1042, 4524],
    [1163, 5750, 2289, 732, 6116],
    [751, 1731, 1479, 1429, 2447],
    [391, 315, 727, 2855, 2548],
    [6906, 10678, 4934, 4164, 3576],
]
"""Edges from A, B, C, D, I (rows) to A, B, C, D, I."""


@pytest.fixture(scope="module")
def column(shared_data: Path) -> Spec:
    return extract(open_source(str(shared_data / "microns" / "v1_column")))


def with_populations(spec: Spec, populations: dict[str, dict[str, list[str]]]) -> Spec:
    section = spec.network.model_dump(mode="json", exclude_none=True) | {
        "populations": [{"name": name, "select": chosen} for name, chosen in populations.items()],
        "input": {"kind": "dense", "population": "A"},
        "readout": {"populations": ["D"]},
    }
    network = Network.model_validate_json(json.dumps(section), strict=True)
    return Spec(spec.document.model_copy(update={"network": network}), spec.cells, spec.edges)


def test_cells_edges_and_synapses(column: Spec, tmp_path: Path) -> None:
    summary = summarise(column)
    counts = ("cells", "excitatory", "inhibitory", "unknown", "edges", "synapses")
    assert [summary[key] for key in counts] == [1351, 1188, 163, 0, 75251, 141452]
    assert summary["populations"] == {"L23E": 349, "L4E": 266, "L5E": 185, "L6E": 383, "E": 5, "I": 163}
    assert sum(row["edges"] for row in summary["projections"]) == 75251
    assert sum(row["synapses"] for row in summary["projections"]) == 141452
    write_spec(column, tmp_path)
    assert read_spec(tmp_path) == column


def test_what_a_network_leaves_out_is_said(column: Spec) -> None:
    bionic = replace(column, document=column.document.model_copy(update={"network": load_preset("bionic")}))
    summary = summarise(bionic)
    assert summary["outside"] == {"BC": 59, "BPC": 33, "MC": 41, "NGC": 17, "Unsure E": 5, "Unsure I": 13}
    assert summary["edges_used"] == 2689 + 2289 + 1429 + 3233 + 5750 + 1479 + 2855
    assert summarise(column)["outside"] == {}


def test_edges_between_the_five_groups(column: Spec) -> None:
    spec = with_populations(column, GROUPS)
    assert validate(spec) == []
    edges, _ = count_pairs(spec)
    assert edges.tolist() == BETWEEN
    assert 75251 - edges.sum() == 376  # from or to the five cells of unsure type
