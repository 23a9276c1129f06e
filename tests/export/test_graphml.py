"""GraphML holds the connectome: cells, edges, the columns of both, ids as text."""

from __future__ import annotations

from pathlib import Path

import networkx as nx
import pytest
from click.testing import CliRunner
from columns import CELLS, EDGES, ROOT, twelve_cells

from connectome2net.cli import c2n
from connectome2net.errors import ExportError, SpecError
from connectome2net.export import export_graphml
from connectome2net.spec import write_spec


@pytest.fixture
def spec(tmp_path: Path) -> Path:
    return write_spec(twelve_cells("pairs"), tmp_path)


def test_graphml_is_the_connectome(spec: Path, tmp_path: Path) -> None:
    graph = nx.read_graphml(export_graphml(spec, tmp_path / "graph.graphml"))
    assert graph.is_directed()
    assert len(graph) == len(CELLS)
    assert {(int(post), int(pre), data["synapse_count"]) for pre, post, data in graph.edges(data=True)} == {
        (post, pre, count) for post, pre, count, _ in EDGES
    }
    assert graph.nodes["0"]["root_id"] == str(ROOT)
    assert graph.nodes["0"]["cell_type"] == "4P"
    assert graph.nodes["0"]["soma_x_nm"] == 700_000.0
    assert "soma_x_nm" not in graph.nodes["11"]


def test_a_spec_that_is_not_valid(tmp_path: Path) -> None:
    (tmp_path / "spec.json").write_text("{}")
    with pytest.raises(SpecError, match="is not valid"):
        export_graphml(tmp_path / "spec.json", tmp_path / "graph.graphml")


@pytest.mark.parametrize(("file", "words"), [("run.json", "a run"), ("program.json", "a compiled folder")])
def test_what_is_no_spec_says_what_to_name(tmp_path: Path, file: str, words: str) -> None:
    (tmp_path / file).write_text("{}")
    with pytest.raises(ExportError, match=rf"(?s)GraphML is of a spec.*{words}\n.*c2n export spec.json --to graphml"):
        export_graphml(tmp_path, tmp_path / "graph.graphml")


def test_files_are_not_written_over(spec: Path, tmp_path: Path) -> None:
    there = tmp_path / "graph.graphml"
    there.write_text("mine")
    with pytest.raises(ExportError, match=r"(?s)something lies here.*graph.graphml.*--force"):
        export_graphml(spec, there)
    assert there.read_text() == "mine"
    export_graphml(spec, there, force=True)
    assert there.read_text() != "mine"
    with pytest.raises(ExportError, match=r"(?s)something lies here.*choose another place with --out$"):
        export_graphml(spec, tmp_path, force=True)
    with pytest.raises(ExportError, match=r"(?s)no such folder.*nowhere"):
        export_graphml(spec, tmp_path / "nowhere" / "graph.graphml")


def test_the_command_names_the_file(spec: Path) -> None:
    done = CliRunner().invoke(c2n, ["export", str(spec), "--to", "graphml"])
    assert done.output.strip() == str(spec.with_name("spec.graphml"))
    assert len(nx.read_graphml(spec.with_name("spec.graphml"))) == 12
    wrong = CliRunner().invoke(c2n, ["export", str(spec), "--to", "graphml", "--trust"])
    assert wrong.exit_code == 2
    assert "--trust is about a model.py" in wrong.output
