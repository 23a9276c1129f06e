"""Writing: all or nothing, nobody's work is lost, equal specs give equal bytes."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path

import pyarrow as pa
import pytest
from columns import NETWORKS, edges_table, network_data, twelve_cells

from connectome2net.errors import SpecError
from connectome2net.spec import read_spec, write_spec

NAMES = ["cells.parquet", "edges.parquet", "spec.json"]


def contents(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in sorted(folder.iterdir())}


@pytest.mark.parametrize("network", NETWORKS)
def test_write_then_read_is_equal(tmp_path: Path, network: str) -> None:
    spec = twelve_cells(network)
    path = write_spec(spec, tmp_path / "a" / "b")
    assert path == tmp_path / "a" / "b" / "spec.json"
    assert sorted(contents(path.parent)) == NAMES
    assert read_spec(path) == read_spec(path.parent) == spec
    assert repr(spec) == f"Spec('twelve_cells_{network}', 12 cells, 37 edges)"


def test_a_path_of_spec_json_stands_for_its_folder(tmp_path: Path) -> None:
    assert write_spec(twelve_cells(), tmp_path / "a" / "spec.json") == tmp_path / "a" / "spec.json"
    assert sorted(contents(tmp_path / "a")) == NAMES


def test_specs_that_differ_are_not_equal() -> None:
    spec = twelve_cells()
    assert spec == twelve_cells()
    assert spec != twelve_cells(noise={"sigma": 0.1})
    assert spec != twelve_cells(sizes=False)
    assert spec != "spec"


def test_equal_specs_give_equal_bytes(tmp_path: Path) -> None:
    rules = network_data("pairs")["plasticity"]
    turned = twelve_cells("pairs", plasticity=dict(reversed(rules.items())))
    edges = edges_table()
    in_pieces = pa.concat_tables([edges.slice(0, 5), edges.slice(5)]).replace_schema_metadata({"made": "elsewhere"})
    turned = dataclasses.replace(turned, edges=in_pieces)
    spec = twelve_cells("pairs")
    assert turned == spec
    write_spec(spec, tmp_path / "a")
    write_spec(turned, tmp_path / "b")
    assert contents(tmp_path / "a") == contents(tmp_path / "b")


def test_a_spec_with_other_tables_is_written_with_their_digests(tmp_path: Path) -> None:
    spec = twelve_cells()
    fewer = dataclasses.replace(spec, edges=spec.edges.slice(0, 36))
    write_spec(fewer, tmp_path)
    again = read_spec(tmp_path)
    assert again.edges.equals(spec.edges.slice(0, 36))
    assert again.anatomy.edges.rows == 36


def test_the_same_spec_may_be_written_again(tmp_path: Path) -> None:
    write_spec(twelve_cells(), tmp_path)
    before = contents(tmp_path)
    write_spec(twelve_cells(), tmp_path)
    assert contents(tmp_path) == before


@pytest.mark.parametrize("name", NAMES)
def test_another_file_is_not_overwritten_without_force(tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_bytes(b"somebody's \xff work")
    with pytest.raises(SpecError, match=r"another spec lies here\n  where:  .*\n  wanted: an empty place.*\n.*--force"):
        write_spec(twelve_cells(), tmp_path)
    assert contents(tmp_path) == {name: b"somebody's \xff work"}
    write_spec(twelve_cells(), tmp_path, force=True)
    assert read_spec(tmp_path) == twelve_cells()


def test_an_edited_spec_is_not_overwritten(tmp_path: Path) -> None:
    path = write_spec(twelve_cells(), tmp_path)
    edited = path.read_text().replace('"leak": 0.5', '"leak": 0.75')
    path.write_text(edited)
    with pytest.raises(SpecError, match="another spec lies here"):
        write_spec(twelve_cells(), tmp_path)
    assert path.read_text() == edited
    assert read_spec(path).network.dynamics.leak == 0.75


def test_a_file_is_no_folder(tmp_path: Path) -> None:
    (tmp_path / "out").write_text("")
    with pytest.raises(SpecError, match=r"a file lies here\n  where:  .*\n  wanted: a folder"):
        write_spec(twelve_cells(), tmp_path / "out", force=True)


@pytest.mark.parametrize("name", NAMES)
def test_a_failure_leaves_what_was_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    write_spec(twelve_cells("column"), tmp_path)
    before = contents(tmp_path)
    write_bytes = Path.write_bytes

    def full(path: Path, content: bytes) -> int:
        if path.name == f".{name}.part":
            write_bytes(path, content[:10])
            raise OSError("no space left")
        return write_bytes(path, content)

    monkeypatch.setattr(Path, "write_bytes", full)
    with pytest.raises(OSError, match="no space left"):
        write_spec(twelve_cells("pairs", noise={"sigma": 0.2}), tmp_path, force=True)
    assert contents(tmp_path) == before


def test_spec_json_tells_every_assumption_and_no_blanks(tmp_path: Path) -> None:
    data = json.loads(write_spec(twelve_cells("feedforward"), tmp_path).read_text())
    network = data["network"]
    assert network["front_end"]["blocks"][1] == {"channels": 6, "kernel": 3, "pool": 2, "norm": "none"}
    assert network["readout"] == {"populations": ["D"], "classes": 7, "dropout": 0.0, "bypass": False}
    assert network["inhibition"]["count"] == "edges"
    assert network["populations"][0] == {"name": "A", "select": {"cell_type": ["4P"]}, "plasticity": []}
    assert network["why"] == "As BioNIC, with three populations of three cells; inhibitory cells are no units."


def test_a_rule_that_is_switched_off_stays_so(tmp_path: Path) -> None:
    rules = network_data("feedforward")["plasticity"] | {"hebbian": None}
    spec = twelve_cells("feedforward", plasticity=rules)
    write_spec(spec, tmp_path)
    assert read_spec(tmp_path).network.plasticity["hebbian"] is None
    assert read_spec(tmp_path) == spec
