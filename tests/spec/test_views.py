"""What others see of a spec: matrices, graphs, counts, selections, reach, the schema; numbers by hand."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import jsonschema
import networkx as nx
import numpy as np
import pytest
from columns import CELLS, EDGES, NETWORKS, ROOT, network_data, twelve_cells

from connectome2net.errors import SpecError
from connectome2net.spec import load_preset, preset_names, validate
from connectome2net.spec.graph import to_networkx, to_scipy
from connectome2net.spec.network import Selector
from connectome2net.spec.pairs import count_pairs
from connectome2net.spec.reach import reachable
from connectome2net.spec.schema import json_schema, schema_text
from connectome2net.spec.select import population_cells, projection_cells, resolve, select
from connectome2net.spec.summary import summarise
from connectome2net.spec.write import document_text

REPOSITORY = Path(__file__).parents[2]


def test_rows_of_the_matrix_are_postsynaptic() -> None:
    matrix = to_scipy(twelve_cells())
    assert matrix.shape == (12, 12)
    assert matrix[9, 2] == 6  # the basket cell 2 sends six synapses to the 4P cell 9
    assert matrix[2, 9] == 2
    assert matrix[3, 1] == 5
    assert matrix[1, 3] == 0
    assert matrix.sum() == 63
    assert matrix.nnz == 37
    assert matrix.sum(axis=1)[9] == 2 + 6 + 1  # inputs
    assert matrix.sum(axis=0)[9] == 2 + 2  # outputs
    assert to_scipy(twelve_cells(), weight="total_size_vx")[9, 2] == 14_000


def test_arrows_of_the_graph_go_from_pre_to_post() -> None:
    graph = to_networkx(twelve_cells())
    assert graph.name == "twelve_cells_column"
    assert (graph.number_of_nodes(), graph.number_of_edges()) == (12, 37)
    assert graph.edges[2, 9] == {"synapse_count": 6, "total_size_vx": 14_000}
    assert graph.edges[9, 2] == {"synapse_count": 2, "total_size_vx": 5_500}
    assert graph.nodes[4] == {
        "cell_index": 4,
        "nucleus_id": "1005",
        "root_id": "864691135000000009",
        "source_id": "1005",
        "cell_type": "4P",
        "ei_class": "excitatory",
        "lamina": "L4",
        "soma_x_nm": 760_000.0,
        "soma_y_nm": 505_000.0,
        "soma_z_nm": 845_000.0,
        "soma_depth_um": 295.0,
    }
    assert "soma_x_nm" not in graph.nodes[11]


def test_edges_without_a_size_have_none_in_the_graph() -> None:
    assert to_networkx(twelve_cells(sizes=False)).edges[2, 9] == {"synapse_count": 6}


def test_graphml_keeps_ids_above_2_to_the_53(tmp_path: Path) -> None:
    nx.write_graphml(to_networkx(twelve_cells()), tmp_path / "column.graphml")
    graph = nx.read_graphml(tmp_path / "column.graphml", node_type=int)
    assert [int(graph.nodes[at]["root_id"]) for at in range(12)] == [ROOT + 2 * at for at in range(12)]
    assert float(ROOT) != ROOT
    assert graph.nodes[0]["axon_proofread"] is True
    edges = [(post, pre, row["synapse_count"], row["total_size_vx"]) for pre, post, row in graph.edges(data=True)]
    assert sorted(edges) == list(EDGES)


def test_select_takes_cells_that_fit_every_condition() -> None:
    cells = twelve_cells().cells
    assert select(cells, Selector()).tolist() == list(range(12))
    assert select(cells, Selector(cell_type=("4P", "BC"))).tolist() == [0, 2, 4, 9]
    assert select(cells, Selector(lamina=("L4",))).tolist() == [0, 2, 4, 9]
    assert select(cells, Selector(lamina=("L4",), ei_class=("inhibitory",))).tolist() == [2]
    assert select(cells, Selector(cell_type=("4P",), lamina=("L5",))).tolist() == []
    assert select(cells, Selector(cell_type=())).tolist() == []


def test_populations_and_projections_of_the_column() -> None:
    spec = twelve_cells("pairs")
    members = population_cells(spec)
    assert {name: cells.tolist() for name, cells in members.items()} == {
        "L4E": [0, 4, 9],
        "E": [1, 3, 5, 7, 8, 11],
        "I": [2, 6, 10],
    }
    send, receive = projection_cells(spec, members)["to_I"]
    assert np.flatnonzero(send).tolist() == [0, 1, 3, 4, 5, 7, 8, 9, 11]
    assert np.flatnonzero(receive).tolist() == [2, 6, 10]
    assert resolve(("*",), spec.network) == ("L4E", "E", "I")
    assert resolve(("I", "E"), spec.network) == ("I", "E")


def by_hand(group_of: dict[int, int]) -> tuple[np.ndarray, np.ndarray]:
    edges, synapses = np.zeros((3, 3), int), np.zeros((3, 3), int)
    for post, pre, count, _ in EDGES:
        if pre in group_of and post in group_of:
            edges[group_of[pre], group_of[post]] += 1
            synapses[group_of[pre], group_of[post]] += count
    return edges, synapses


def test_pairs_are_counted_by_pre_and_post() -> None:
    edges, synapses = count_pairs(twelve_cells("pairs"))
    assert edges.tolist() == [[3, 4, 2], [1, 12, 4], [4, 5, 2]]
    wanted = by_hand({0: 0, 4: 0, 9: 0, 1: 1, 3: 1, 5: 1, 7: 1, 8: 1, 11: 1, 2: 2, 6: 2, 10: 2})
    assert (edges == wanted[0]).all()
    assert (synapses == wanted[1]).all()


def test_cells_in_no_population_are_not_counted() -> None:
    edges, synapses = count_pairs(twelve_cells("feedforward"))
    wanted = by_hand({0: 0, 4: 0, 9: 0, 1: 1, 7: 1, 11: 1, 3: 2, 5: 2, 8: 2})
    assert (edges == wanted[0]).all()
    assert (synapses == wanted[1]).all()


def test_summary_of_the_twelve_cells() -> None:
    summary = summarise(twelve_cells("pairs"))
    counts = ("cells", "excitatory", "inhibitory", "unknown", "edges", "synapses")
    assert [summary[key] for key in counts] == [12, 9, 3, 0, 37, 63]
    assert summary["laminae"] == {"L1": 1, "L2/3": 2, "L4": 4, "L5": 2, "L6": 1, "WM": 1, "unknown": 1}
    assert list(summary["laminae"]) == ["L1", "L2/3", "L4", "L5", "L6", "WM", "unknown"]
    assert summary["cell_types"] == {
        **{"23P": 2, "4P": 3, "5P-IT": 1, "6P-CT": 1, "BC": 1, "MC": 1, "NGC": 1, "Unsure E": 1, "WM-P": 1}
    }
    assert summary["populations"] == {"L4E": 3, "E": 6, "I": 3}
    rows = [tuple(row[key] for key in ("projection", "pre", "post", "edges", "sign")) for row in summary["projections"]]
    assert rows == [
        ("L4E_E", "L4E", "E", 4, "excitatory"),
        ("E_E", "E", "E", 12, "excitatory"),
        ("to_I", "L4E", "I", 2, "excitatory"),
        ("to_I", "E", "I", 4, "excitatory"),
        ("from_I", "I", "L4E", 4, "inhibitory"),
        ("from_I", "I", "E", 5, "inhibitory"),
        ("I_I", "I", "I", 2, "inhibitory"),
    ]
    assert summary["projections"][0]["synapses"] == 3 + 1 + 2 + 1
    step = {"name": "cells", "rows_in": 13, "kept": 12, "lost": 1, "why": "one is not there"}
    assert summary["steps"] == [step]
    json.dumps(summary)


def test_summary_tells_free_and_mixed_signs() -> None:
    assert {row["sign"] for row in summarise(twelve_cells("feedforward"))["projections"]} == {"free"}
    everybody = [{"name": "all", "select": {}}, {"name": "MC", "select": {"cell_type": ["none"]}}]
    mixed = summarise(twelve_cells("column", populations=everybody, readout={"populations": ["all"]}))
    assert [row["sign"] for row in mixed["projections"]] == ["excitatory and inhibitory"]


def test_reach_follows_the_schedule_step_by_step() -> None:
    def reached(*phases: tuple[list[str], int]) -> set[str]:
        schedule = [{"populations": names, "steps": steps} for names, steps in phases]
        return reachable(twelve_cells("feedforward", schedule=schedule))

    assert reached((["A"], 1)) == {"A"}
    assert reached((["B"], 4)) == set()
    assert reached((["B"], 1), (["A"], 1)) == {"A"}
    assert reached((["A"], 1), (["B"], 1)) == {"A", "B"}
    assert reached((["*"], 2)) == {"A", "B"}
    assert reached((["*"], 3)) == {"A", "B", "D"}
    assert reached((["A", "D"], 9)) == {"A"}


def test_reach_waits_for_delays() -> None:
    def reached(delay_steps: int, *phases: tuple[list[str], int]) -> set[str]:
        slow = {"A_B": delay_steps}
        projections = [
            item | {"delay_steps": slow.get(item["name"], 0)} for item in network_data("feedforward")["projections"]
        ]
        schedule = [{"populations": names, "steps": steps} for names, steps in phases]
        return reachable(twelve_cells("feedforward", projections=projections, schedule=schedule))

    assert reached(3, (["*"], 4)) == {"A"}
    assert reached(3, (["*"], 5)) == {"A", "B"}
    assert reached(3, (["A"], 1), (["D"], 2), (["B"], 1)) == {"A"}
    assert reached(3, (["A"], 1), (["D"], 3), (["B"], 1)) == {"A", "B"}
    assert reached(3000, (["*"], 3002)) == {"A", "B"}


def test_reach_needs_an_edge_not_only_a_projection() -> None:
    spec = twelve_cells("pairs", projections=[{"name": "every"}], schedule=[{"populations": ["*"], "steps": 1}])
    assert reachable(spec) == {"L4E"}
    populations = [
        {"name": "L4E", "select": {"cell_type": ["4P"]}},
        {"name": "E", "select": {"cell_type": ["WM-P"]}},
        {"name": "I", "select": {"ei_class": ["inhibitory"]}},
    ]
    spec = twelve_cells("pairs", populations=populations, projections=[{"name": "every"}])
    assert reachable(spec) == {"L4E", "I"}  # no edge of the twelve cells enters the WM-P cell from these
    assert [issue.found for issue in validate(spec)] == ["'E', which no activity reaches"]


def test_presets_come_with_the_package() -> None:
    assert preset_names() == ("bionic", "column", "column_deep")
    assert load_preset("bionic").reference == "Prasanth and Tivnan 2026, arXiv 2601.20876"
    with pytest.raises(SpecError, match=r"no such network\n  found:  colum\n  wanted: bionic or column or column_deep"):
        load_preset("colum")


def test_a_preset_takes_from_another_what_it_does_not_say() -> None:
    column, deep = (load_preset(name).model_dump() for name in ("column", "column_deep"))
    assert {key for key in column if column[key] != deep[key]} == {"name", "why", "front_end", "readout"}
    assert deep["readout"] | {"dropout": 0.0} == column["readout"]


def test_the_stored_schema_is_that_of_the_models() -> None:
    assert (REPOSITORY / "schemas" / "spec.schema.json").read_text(encoding="utf-8") == schema_text()


@pytest.mark.parametrize("network", NETWORKS)
def test_the_schema_accepts_what_the_models_write(network: str) -> None:
    schema = json_schema()
    jsonschema.Draft202012Validator.check_schema(schema)
    jsonschema.validate(json.loads(document_text(twelve_cells(network).document)), schema)


@pytest.mark.parametrize("name", preset_names())
def test_the_schema_accepts_the_presets(name: str) -> None:
    preset = load_preset(name).model_dump(mode="json")
    jsonschema.validate(json.loads(document_text(twelve_cells(**preset).document)), json_schema())


@pytest.mark.parametrize(
    ("key", "value"),
    [("neighbourhood", 4), ("kind", "optic"), ("population", "a-b"), ("neighbourhood", 0), ("extra", 1)],
)
def test_the_schema_refuses_what_the_models_refuse(key: str, value: Any) -> None:
    document = json.loads(document_text(twelve_cells("column").document))
    document["network"]["input"][key] = value
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(document, json_schema())


def test_the_schema_wants_format_and_version() -> None:
    assert {"format", "format_version"} < set(json_schema()["required"])


def test_the_twelve_cells_are_what_they_say() -> None:
    assert len(CELLS) == 12
    assert len(EDGES) == 37
    assert sum(row[2] for row in EDGES) == 63
    assert list(EDGES) == sorted(EDGES)
    for network in NETWORKS:
        assert validate(twelve_cells(network)) == []
