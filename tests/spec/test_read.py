"""Reading: what is accepted, what is said of several faults at once, archives."""

from __future__ import annotations

import json
from pathlib import Path

import pyarrow as pa
import pytest
from columns import CELLS, EDGES, NETWORKS, network_data, twelve_cells
from corrupting import both, cell, drop, edge, put, read_json, table, write_json

from connectome2net.errors import SpecError
from connectome2net.spec import digest_document, load_preset, open_spec, read_spec, write_spec

ARCHIVES = Path(__file__).parents[1] / "archives"


def test_there_is_no_spec(tmp_path: Path) -> None:
    with pytest.raises(
        SpecError, match=r"there is no spec here\n  where:  .*spec.json\n  fix:    make one with: c2n ext"
    ):
        read_spec(tmp_path)
    with pytest.raises(SpecError, match="there is no spec here"):
        open_spec(tmp_path / "elsewhere.json")


def test_all_issues_come_at_once(tmp_path: Path) -> None:
    write_spec(twelve_cells("pairs"), tmp_path)
    both(
        cell("lamina", 0, "four"),
        edge("synapse_count", 5, -1),
        put("/anatomy/steps/0/kept", 13),
        put("/network/input/population", "L4"),
        put("/network/projections/0/plasticity/0", "stdp"),
    )(tmp_path)
    spec, issues = open_spec(tmp_path)
    assert spec is not None
    assert [issue.path for issue in issues] == [
        "/anatomy/steps/0",
        "cells.parquet/lamina",
        "edges.parquet/synapse_count",
        "/network/projections/0/plasticity",
        "/network/input/population",
    ]
    with pytest.raises(SpecError, match=r"is not valid: 5 issues\n  /anatomy/steps/0: found 13 kept and 1 lost; w"):
        read_spec(tmp_path)


def test_a_fault_in_the_tables_does_not_hide_one_in_the_network(tmp_path: Path) -> None:
    write_spec(twelve_cells("pairs"), tmp_path)
    both(edge("post_index", 36, 12), put("/network/schedule/1/populations", ["L4E", "E"]))(tmp_path)
    _, issues = open_spec(tmp_path)
    assert [issue.path for issue in issues] == ["edges.parquet/post_index", "/network/populations/2"]


def test_every_wrong_place_of_the_shape_is_told(tmp_path: Path) -> None:
    write_spec(twelve_cells("pairs"), tmp_path)
    both(put("/network/dynamics/leak", 2), drop("/network/readout"), put("/name", None), put("/x", 1))(tmp_path)
    spec, issues = open_spec(tmp_path)
    assert spec is None
    assert sorted(issue.path for issue in issues) == ["/name", "/network/dynamics/leak", "/network/readout", "/x"]


def test_a_byte_order_mark_is_read_over(tmp_path: Path) -> None:
    path = write_spec(twelve_cells(), tmp_path)
    path.write_bytes(b"\xef\xbb\xbf" + path.read_bytes())
    assert read_spec(path) == twelve_cells()


def test_whole_numbers_stand_for_decimals(tmp_path: Path) -> None:
    write_spec(twelve_cells("pairs"), tmp_path)
    put("/network/dynamics/leak", 1)(tmp_path)
    assert read_spec(tmp_path).network.dynamics.leak == 1.0


def test_columns_of_ones_own_and_large_strings_are_read(tmp_path: Path) -> None:
    write_spec(twelve_cells(), tmp_path)

    def widen(found: pa.Table) -> pa.Table:
        at = found.column_names.index("cell_type")
        found = found.set_column(at, "cell_type", found.column(at).cast(pa.large_string()))
        return found.append_column("my_note", pa.array(["?"] * 12))

    table("cells", widen)(tmp_path)
    spec = read_spec(tmp_path)
    assert spec.cells.column("my_note").to_pylist() == ["?"] * 12
    assert spec.cells.drop_columns("my_note").equals(twelve_cells().cells)


@pytest.mark.parametrize("network", ["column", "bionic"])
@pytest.mark.parametrize("part", ["noise", "inhibition", "attention", "lateral_inhibition", "hebbian", "homeostatic"])
def test_each_optional_part_of_a_preset_can_be_switched_off(tmp_path: Path, network: str, part: str) -> None:
    preset = load_preset(network).model_dump(mode="json", exclude_none=True)
    preset["projections"] = [item for item in preset["projections"] if item["name"] != "C_C"]  # one cell, no edge
    write_spec(twelve_cells(**preset), tmp_path)
    assert open_spec(tmp_path)[1] == []
    data = read_json(tmp_path)
    section = data["network"]
    if part in section.get("plasticity", {}):
        section["plasticity"][part] = None
    elif part == "lateral_inhibition":
        section["front_end"]["blocks"][0][part] = None
    elif part == "attention":
        section["front_end"][part] = None
    elif part in ("noise", "inhibition"):
        section[part] = None
    write_json(tmp_path, data)
    assert open_spec(tmp_path)[1] == []


@pytest.mark.parametrize("network", NETWORKS)
def test_a_spec_of_format_version_1_is_read_for_ever(network: str) -> None:
    folder = ARCHIVES / "spec_v1" / network
    spec = read_spec(folder)
    assert json.loads((folder / "spec.json").read_text())["format_version"] == 1
    assert spec.cells.column("nucleus_id").to_pylist() == [row[0] for row in CELLS]
    assert spec.cells.column("root_id").to_pylist() == [864691135000000001 + 2 * at for at in range(12)]
    assert list(zip(*spec.edges.to_pydict().values(), strict=True)) == list(EDGES)
    assert spec.network.name == network_data(network)["name"]
    assert digest_document(spec.document) == (folder / "digest.txt").read_text().strip()
