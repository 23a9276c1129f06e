"""Any connectome goes in by a mapping: its words become ours, its ids stay exact, and each mistake has its message."""

from __future__ import annotations

import csv
import gzip
import json
import re
from pathlib import Path

import pyarrow as pa
import pyarrow.feather
import pyarrow.parquet
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from connectome2net.errors import SourceError
from connectome2net.sources.mapping import CELLS, open_mapping
from connectome2net.sources.source import Kept

ID = 720575940600000001
"""Ids of the size that FlyWire has: above 2^53."""

CELL_ROWS = [
    # name, kind, word, layer, x, y, z, depth, checked
    {"name": "a", "kind": "KC", "word": "ACH", "layer": "2", "x": 1.0, "y": 2.0, "z": 3.0, "deep": 100.0, "ok": "t"},
    {"name": "b", "kind": "KC", "word": "ACH", "layer": "3", "x": 4.0, "y": 5.0, "z": 6.0, "deep": 200.0, "ok": "f"},
    {"name": "c", "kind": "APL", "word": "GABA", "layer": "4", "x": 7.0, "y": 8.0, "z": 9.0, "deep": 300.0, "ok": ""},
    {"name": "d", "kind": "", "word": "", "layer": "", "x": None, "y": None, "z": None, "deep": None, "ok": None},
]
EDGE_ROWS = [
    {"from": "a", "to": "b", "n": 2, "vx": 500},
    {"from": "a", "to": "c", "n": 3, "vx": 800},
    {"from": "c", "to": "a", "n": 1, "vx": 90},
    {"from": "d", "to": "a", "n": 4, "vx": 70},
]
SAID = {
    "dataset": "tiny",
    "version": 7,
    "citation": "somebody",
    "cells": {
        "file": "cells.csv",
        "id": "name",
        "type": "kind",
        "class": "word",
        "classes": {"ACH": "excitatory", "GABA": "inhibitory"},
        "other_class": "unknown",
    },
    "edges": {"file": "edges.csv", "pre": "from", "post": "to", "count": "n"},
}


def toml_of(said: dict, prefix: str = "") -> str:
    """A mapping as TOML; JSON's scalars and lists are TOML's too."""
    plain = {key: value for key, value in said.items() if not isinstance(value, dict)}
    lines = [f"{json.dumps(key)} = {inline(value)}" for key, value in plain.items()]
    for key, value in said.items():
        if isinstance(value, dict):
            lines += [f"[{prefix}{json.dumps(key)}]", toml_of(value, f"{prefix}{json.dumps(key)}.")]
    return "\n".join(lines)


def inline(value: object) -> str:
    if isinstance(value, dict):
        return "{" + ", ".join(f"{json.dumps(key)} = {inline(item)}" for key, item in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(map(inline, value)) + "]"
    return json.dumps(value)


def write(path: Path, rows: list[dict], *, delimiter: str = ",") -> None:
    """Write rows in the form that the ending says; text forms as people write them: nothing where nothing is known."""
    if path.suffix in (".parquet", ".feather"):
        table = pa.Table.from_pylist(rows)
        if path.suffix == ".parquet":
            pyarrow.parquet.write_table(table, path)
        else:
            pyarrow.feather.write_feather(table, path)
        return
    with (gzip.open if path.suffix == ".gz" else open)(path, "wt", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, list(rows[0]), delimiter=delimiter)
        writer.writeheader()
        writer.writerows(rows)


def tiny(folder: Path, *, cell_rows=CELL_ROWS, edge_rows=EDGE_ROWS, **sections):
    """Write the tiny connectome with some keys of some sections changed; None takes a key or section away."""
    said = json.loads(json.dumps(SAID))
    for name, keys in sections.items():
        if isinstance(keys, dict):
            said[name] = {key: value for key, value in (said.get(name, {}) | keys).items() if value is not None}
        else:
            said[name] = keys
    said = {name: value for name, value in said.items() if value is not None}
    folder.mkdir(exist_ok=True)
    write(folder / "cells.csv", cell_rows)
    write(folder / "edges.csv", edge_rows)
    (folder / "mapping.toml").write_text(toml_of(said))
    return folder


def opened(folder: Path, **sections):
    return open_mapping(tiny(folder, **sections), folder / "mapping.toml")


def rows_of(source, name="cells"):
    return source[name].read().to_pylist()


def column(source, name, table="cells"):
    return source[table].read().column(name).to_pylist()


def test_words_and_columns_become_ours(tmp_path):
    source = opened(tmp_path)
    assert (source.dataset, source.materialization, source.citation) == ("tiny", "7", ("somebody",))
    assert source["cells"].read().schema.equals(CELLS)
    assert column(source, "source_id") == ["a", "b", "c", "d"]
    assert column(source, "cell_type") == ["KC", "KC", "APL", ""]
    assert column(source, "ei_class") == ["excitatory", "excitatory", "inhibitory", "unknown"]
    assert column(source, "lamina") == [""] * 4
    assert column(source, "x") == [None] * 4, "nobody said where positions are"
    assert rows_of(source, "edges") == [
        {"pre": row["from"], "post": row["to"], "synapse_count": row["n"], "total_size_vx": None} for row in EDGE_ROWS
    ]
    assert source.notes == ("cells.csv: 1 cells are unknown by other_class: no word (1)",)
    assert (source.axis, source.input_types) == (None, ())


def test_laminae_proofreading_area_size_and_depth(tmp_path):
    source = opened(
        tmp_path,
        cells={"layer": "layer", "laminae": {"2": "L2/3", "3": "L2/3", "4": "L4"}, "proofread": "ok", "area": "layer"},
        edges={"size": "vx"},
        depth={"column": "deep", "unit": "nm"},
        network={"input": "K*"},
    )
    assert column(source, "lamina") == ["L2/3", "L2/3", "L4", ""]
    assert column(source, "axon_proofread") == [True, False, None, None]
    assert column(source, "area") == ["2", "3", "4", None]
    assert column(source, "depth_um") == [0.1, 0.2, 0.3, None]
    assert column(source, "total_size_vx", "edges") == [500, 800, 90, 70]
    assert source.input_types == ("K*",)


@pytest.mark.parametrize(
    ("unit", "nm"),
    [
        ({"position_unit": "nm"}, (1, 1, 1)),
        ({"position_unit": "um"}, (1000, 1000, 1000)),
        ({"position_unit": "voxel", "voxel_nm": [4, 4, 40]}, (4, 4, 40)),
    ],
    ids=["nm", "um", "voxel"],
)
@pytest.mark.parametrize("form", ["three columns", "list", "text"])
def test_positions_in_any_form_and_unit(tmp_path, unit, nm, form):
    rows, names = [dict(row) for row in CELL_ROWS], ["x", "y", "z"]
    if form != "three columns":
        for row in rows:
            place = [row.pop(axis) for axis in "xyz"]
            text = f"[{place[0]} {place[1]}  {place[2]}]"
            row["place"] = None if None in place else place if form == "list" else text
        names = ["place"]
    file = "cells.parquet" if form == "list" else "cells.csv"
    tiny(tmp_path, cells={"position": names, "file": file} | unit)
    write(tmp_path / file, rows)
    source = open_mapping(tmp_path, tmp_path / "mapping.toml")
    for axis, size in zip("xyz", nm, strict=True):
        assert column(source, axis) == [None if row[axis] is None else row[axis] * size for row in CELL_ROWS]


def test_an_axis_is_handed_on(tmp_path):
    source = opened(
        tmp_path,
        cells={"position": ["x", "y", "z"], "position_unit": "um"},
        depth={"axis": [0, 3, 4], "pia": [0, 1, 0]},
    )
    assert column(source, "depth_um") == [None] * 4, "extract reads it off the axis"
    assert (source.axis.direction, source.axis.pia_nm) == ((0, 3, 4), (0, 1000, 0))


def test_type_speaks_where_the_class_is_silent_and_the_id_where_the_type_is(tmp_path):
    source = opened(
        tmp_path,
        cells={
            "classes": {"ACH": "excitatory", "GABA": "unknown"},
            "type_classes": {"K*": "inhibitory", "APL": "inhibitory", "*": "nonneuron"},
            "id_classes": {"[cd]": "excitatory"},
            "id_types": {"a": "not asked", "d": "told by name"},
            "other_class": None,
        },
    )
    assert column(source, "ei_class") == ["excitatory", "excitatory", "inhibitory", "nonneuron"]
    assert column(source, "cell_type") == ["KC", "KC", "APL", "told by name"]


def test_cells_can_be_dropped_by_class_and_rows_by_word(tmp_path):
    source = opened(
        tmp_path,
        cells={"classes": {"ACH": "excitatory", "GABA": "drop"}, "leave_out": {"kind": [""]}},
        edges={"leave_out": {"from": ["d"], "n": ["3"]}},
    )
    assert column(source, "source_id") == ["a", "b"]
    assert source["cells"].rows == 2
    assert [(row["pre"], row["post"]) for row in rows_of(source, "edges")] == [("a", "b"), ("c", "a")]
    assert source.kept == (
        Kept("rows of cells.csv that the mapping takes", 4, 3, "left out, because kind is ''"),
        Kept("cells that the mapping takes", 3, 2, "their class is one that it drops"),
        Kept("rows of edges.csv that the mapping takes", 4, 2, "left out, because from is 'd'; n is '3'"),
    )
    assert source.notes == ("edges.csv: 1 of 2 rows have both ends among the cells",)


def test_more_tables_of_labels_add_what_the_first_does_not_say(tmp_path):
    write(tmp_path / "more.tsv", [{"cell": "d", "t": "LN", "nucleus": "9"}, {"cell": "a", "t": "x"}], delimiter="\t")
    labels = [{"file": "more.tsv", "id": "cell", "type": "t", "nucleus_id": "nucleus"}]
    source = opened(tmp_path, labels=labels)
    assert column(source, "cell_type") == ["KC", "KC", "APL", "LN"]
    assert column(source, "nucleus_id") == [None, None, None, 9]


def test_labels_say_of_how_many_cells_they_speak(tmp_path):
    rows = [{"cell": name, "t": "LN"} for name in ("d", "a", "zz")]
    write(tmp_path / "more.csv", rows)
    labels = [{"file": "more.csv", "id": "cell", "type": "t"}]
    assert (
        "more.csv: 2 of 4 cells have no row in it, 1 of its 3 rows is of no cell"
        in opened(tmp_path, labels=labels).notes
    )
    write(tmp_path / "more.csv", rows[2:])
    message = r"No row of \[\[labels\]\] is of a cell[\s\S]*more\.csv, column cell[\s\S]*ids such as a and zz"
    with pytest.raises(SourceError, match=message):
        opened(tmp_path, labels=labels)
    write(tmp_path / "more.csv", [{"cell": name, "t": "LN"} for name in "abcd"])
    assert not any("more.csv" in note for note in opened(tmp_path, labels=labels).notes)


def test_the_first_of_several_columns_that_says_something(tmp_path):
    source = opened(tmp_path, cells={"type": ["layer", "word", "kind"]})
    assert column(source, "cell_type") == ["2", "3", "4", ""]
    source = opened(tmp_path, cells={"area": ["ok", "kind"]})
    assert column(source, "area") == ["t", "f", "APL", None]


def test_without_a_table_of_cells_they_are_the_ends_of_the_edges(tmp_path):
    words = {"id_classes": {"c": "inhibitory"}, "other_class": "unknown"}
    source = opened(tmp_path, cells=dict.fromkeys(SAID["cells"]) | words)
    assert column(source, "source_id") == ["a", "b", "c", "d"]
    assert column(source, "ei_class") == ["unknown", "unknown", "inhibitory", "unknown"]
    assert source.notes[0] == "no table lists the cells: they are the 4 ends of the edges"
    assert source["cells"].file == "edges.csv"


def test_rows_that_reach_no_cell_are_counted(tmp_path):
    """The ends of these rows are as in a table of another version."""
    more = [*EDGE_ROWS, {"from": "a", "to": "A", "n": 1, "vx": 1}, {"from": "A", "to": "B", "n": 1, "vx": 1}]
    assert "edges.csv: 4 of 6 rows have both ends among the cells" in opened(tmp_path, edge_rows=more).notes
    assert not any("both ends" in note for note in opened(tmp_path).notes)


def test_synapses_row_by_row(tmp_path):
    rows = [{"from": "a", "to": "b", "syn": f"s{at}", "vx": 10 * at} for at in range(3)]
    tiny(tmp_path, edges=None, synapses={"file": "syn.parquet", "pre": "from", "post": "to", "id": "syn", "size": "vx"})
    write(tmp_path / "syn.parquet", rows)
    source = open_mapping(tmp_path, tmp_path / "mapping.toml")
    assert rows_of(source, "synapses") == [
        {"pre": "a", "post": "b", "size": 10 * at, "id": f"s{at}"} for at in range(3)
    ]
    tiny(tmp_path, edges=None, synapses={"file": "syn.parquet", "pre": "from", "post": "to"})
    source = open_mapping(tmp_path, tmp_path / "mapping.toml")
    assert rows_of(source, "synapses") == [{"pre": "a", "post": "b", "size": None}] * 3


def test_rows_of_one_pair_are_summed_on_request_only(tmp_path):
    more = [*EDGE_ROWS, {"from": "a", "to": "b", "n": 5, "vx": None}, {"from": "a", "to": "c", "n": 1, "vx": 6}]
    message = (
        r"a pair of cells stands in several rows[\s\S]*a -> b 2 times; 6 rows, 4 pairs[\s\S]*repeated_pairs = \"sum\""
    )
    with pytest.raises(SourceError, match=message):
        opened(tmp_path, edge_rows=more, edges={"size": "vx"})
    source = opened(tmp_path, edge_rows=more, edges={"size": "vx", "repeated_pairs": "sum"})
    found = {
        (row["pre"], row["post"]): (row["synapse_count"], row["total_size_vx"]) for row in rows_of(source, "edges")
    }
    assert found == {("a", "b"): (7, None), ("a", "c"): (4, 806), ("c", "a"): (1, 90), ("d", "a"): (4, 70)}
    assert source["edges"].rows == 4
    assert "edges.csv: 6 rows are 4 pairs; the rows of a pair are summed" in source.notes


def test_cells_in_several_rows_are_left_out_on_request_only(tmp_path):
    more = [*CELL_ROWS, CELL_ROWS[1], CELL_ROWS[3]]
    with pytest.raises(
        SourceError, match=r"a cell stands in several rows[\s\S]*column name[\s\S]*b, d[\s\S]*repeated_cells"
    ):
        opened(tmp_path, cell_rows=more)
    source = opened(tmp_path, cell_rows=more, cells={"repeated_cells": "drop"})
    assert column(source, "source_id") == ["a", "c"]
    assert source.kept == (Kept("cells in one row of cells.csv", 6, 2, "their cell stands in several"),)


def numbered(rows, *names):
    """The same rows with the letters of cells as large numbers."""
    return [row | {name: ID + ord(row[name]) for name in names} for row in rows]


FORMS = ("csv", "csv.gz", "tsv", "parquet", "feather")


@pytest.mark.parametrize("form", FORMS)
def test_large_ids_survive_in_every_form_as_numbers_and_as_text(tmp_path, form):
    cells, edges = numbered(CELL_ROWS, "name"), numbered(EDGE_ROWS, "from", "to")
    sections = {"cells": {"file": f"c.{form}", "root_id": "name"}, "edges": {"file": f"e.{form}"}}
    found = []
    for kind in (int, str):
        folder = tiny(tmp_path / kind.__name__, **sections)
        for rows, file, names in ((cells, f"c.{form}", ("name",)), (edges, f"e.{form}", ("from", "to"))):
            typed = [row | {name: kind(row[name]) for name in names} for row in rows]
            write(folder / file, typed, delimiter="\t" if form == "tsv" else ",")
        found.append(open_mapping(folder, folder / "mapping.toml"))
    assert column(found[0], "source_id") == [str(ID + ord(name)) for name in "abcd"]
    assert column(found[0], "root_id") == [ID + ord(name) for name in "abcd"]
    for name in ("cells", "edges"):
        assert found[0][name].read().equals(found[1][name].read())


def test_any_delimiter_and_blanks_around_words(tmp_path):
    tiny(tmp_path, edges={"delimiter": ";"})
    (tmp_path / "edges.csv").write_text(" from ; to; n\n a; b ;2\n")
    source = open_mapping(tmp_path, tmp_path / "mapping.toml")
    assert rows_of(source, "edges") == [{"pre": "a", "post": "b", "synapse_count": 2, "total_size_vx": None}]


def test_text_of_any_ending_and_place(tmp_path):
    """A file whose ending does not say what it is, and tables on object storage."""
    fsspec = pytest.importorskip("fsspec")
    pytest.importorskip("upath")
    tiny(tmp_path, cells={"file": "cells.txt", "delimiter": ","}, edges={"file": "edges.tsv.gz"})
    write(tmp_path / "cells.txt", CELL_ROWS)
    write(tmp_path / "edges.tsv.gz", EDGE_ROWS, delimiter="\t")
    storage = fsspec.filesystem("memory")
    for name in ("cells.txt", "edges.tsv.gz"):
        storage.pipe(f"/mapped/{name}", (tmp_path / name).read_bytes())
    for place in (tmp_path, "memory://mapped"):
        source = open_mapping(place, tmp_path / "mapping.toml")
        assert column(source, "source_id") == ["a", "b", "c", "d"]
        assert column(source, "synapse_count", "edges") == [row["n"] for row in EDGE_ROWS]


@pytest.mark.parametrize("sign", [";", "\t", "|"])
def test_a_delimiter_that_nobody_named(tmp_path, sign):
    tiny(tmp_path, edges={"pre": "von", "post": "nach", "count": "Anzahl"})
    (tmp_path / "edges.csv").write_text("von;nach;Anzahl\na;b;2,5\n".replace(";", sign))
    with pytest.raises(SourceError, match=r"not divided by commas[\s\S]*edges\.csv[\s\S]*the delimiter in a mapping"):
        open_mapping(tmp_path, tmp_path / "mapping.toml")


@pytest.mark.parametrize("header", ["from,to,n, from", "from,to,n,from"])
def test_two_columns_of_one_name(tmp_path, header):
    tiny(tmp_path)
    (tmp_path / "edges.csv").write_text(f"{header}\na,b,2,c\n")
    with pytest.raises(SourceError, match=r"two columns have one name[\s\S]*edges\.csv[\s\S]*found: +from"):
        open_mapping(tmp_path, tmp_path / "mapping.toml")


def test_a_broken_packed_table(tmp_path):
    tiny(tmp_path, edges={"file": "e.tsv.gz"})
    write(tmp_path / "e.tsv.gz", EDGE_ROWS * 50, delimiter="\t")
    (tmp_path / "e.tsv.gz").write_bytes((tmp_path / "e.tsv.gz").read_bytes()[:-12])
    with pytest.raises(SourceError, match=r"the file cannot be read[\s\S]*e\.tsv\.gz"):
        open_mapping(tmp_path, tmp_path / "mapping.toml")


def test_a_folder_of_parquet_files_is_a_table(tmp_path):
    tiny(tmp_path, edges={"file": "links"})
    (tmp_path / "links").mkdir()
    write(tmp_path / "links" / "0.parquet", EDGE_ROWS[:2])
    write(tmp_path / "links" / "1.parquet", EDGE_ROWS[2:])
    source = open_mapping(tmp_path, tmp_path / "mapping.toml")
    assert column(source, "synapse_count", "edges") == [row["n"] for row in EDGE_ROWS]
    assert source["edges"].sha256 is None


@pytest.mark.slow
def test_spark_gives_the_same_tables(tmp_path):
    pytest.importorskip("pyspark")
    more = [*EDGE_ROWS, EDGE_ROWS[0]]
    sections = {"edges": {"size": "vx", "repeated_pairs": "sum", "leave_out": {"from": ["d"]}}}
    folder = tiny(tmp_path, edge_rows=more, **sections)
    found = [open_mapping(folder, folder / "mapping.toml", engine=engine) for engine in ("duckdb", "spark")]
    assert found[0]["cells"].read().equals(found[1]["cells"].read())
    ours, theirs = (sorted(map(tuple, (row.values() for row in rows_of(source, "edges")))) for source in found)
    assert ours == theirs
    assert (found[0].notes, found[0].kept) == (found[1].notes, found[1].kept)


@settings(max_examples=12, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    order=st.permutations(range(4)),
    edge_order=st.permutations(range(4)),
    names=st.lists(st.from_regex(r"[a-z0-9_é-]{1,6}", fullmatch=True), min_size=4, max_size=4, unique=True),
)
def test_order_of_rows_does_not_matter_and_names_only_name(tmp_path, order, edge_order, names):
    new = dict(zip("abcd", names, strict=True))
    cells = [CELL_ROWS[at] | {"name": new[CELL_ROWS[at]["name"]]} for at in order]
    edges = [EDGE_ROWS[at] | {end: new[EDGE_ROWS[at][end]] for end in ("from", "to")} for at in edge_order]
    source = opened(tmp_path, cell_rows=cells, edge_rows=edges, edges={"size": "vx"})
    assert column(source, "source_id") == sorted(names)
    facts = {row["source_id"]: (row["cell_type"], row["ei_class"]) for row in rows_of(source)}
    told = {"a": "excitatory", "b": "excitatory", "c": "inhibitory", "d": "unknown"}
    assert facts == {new[row["name"]]: (row["kind"], told[row["name"]]) for row in CELL_ROWS}
    found = {tuple(row.values()) for row in rows_of(source, "edges")}
    assert found == {(new[row["from"]], new[row["to"]], row["n"], row["vx"]) for row in EDGE_ROWS}


def changed(rows, name, *values):
    """Rows whose first values of a column are others."""
    return [row | ({name: values[at]} if at < len(values) else {}) for at, row in enumerate(rows)]


WRONG = {
    "unknown key": (
        {"cells": {"typ": "kind"}},
        r"unknown key in the mapping[\s\S]*cells\.typ[\s\S]*wanted: .*\btype, class, layer",
    ),
    "unknown section": (
        {"cell": {"file": "x"}},
        r"unknown key in the mapping[\s\S]*found: +cell\n[\s\S]*wanted: dataset, .*cells",
    ),
    "unknown key of labels": (
        {"labels": [{"file": "cells.csv", "id": "name", "classes": {"a": "drop"}}]},
        r"unknown key[\s\S]*labels\.0\.classes[\s\S]*wanted: file, delimiter",
    ),
    "missing key": ({"edges": {"post": None}}, r"a key is missing in the mapping[\s\S]*wanted: edges\.post"),
    "no data set": ({"dataset": None}, r"a key is missing in the mapping[\s\S]*wanted: dataset"),
    "a class that is none": (
        {"cells": {"classes": {"ACH": "exitatory"}}},
        r"is not understood[\s\S]*cells\.classes\.ACH[\s\S]*'exitatory'[\s\S]*'excitatory', 'inhibitory'",
    ),
    "neither edges nor synapses": (
        {"edges": None},
        r"does not fit together[\s\S]*\[edges\] or \[synapses\], one of the two",
    ),
    "both edges and synapses": (
        {"synapses": {"file": "edges.csv", "pre": "from", "post": "to"}},
        r"\[edges\] or \[synapses\], one of the two",
    ),
    "position without unit": (
        {"cells": {"position": ["x", "y", "z"]}},
        r"position_unit beside position: nm, um or voxel",
    ),
    "voxels of no size": (
        {"cells": {"position": ["x", "y", "z"], "position_unit": "voxel"}},
        r"voxel_nm beside position_unit = 'voxel'",
    ),
    "two columns of position": (
        {"cells": {"position": ["x", "y"], "position_unit": "nm"}},
        r"\['x', 'y'\][\s\S]*one column or three",
    ),
    "a column of no file": ({"cells": {"file": None, "id": None}}, r"a file, because class speaks of its columns"),
    "a file without id": ({"cells": {"id": None}}, r"file and id together"),
    "half a depth": ({"depth": {"axis": [0, 1, 0]}}, r"column and unit, or axis and pia"),
    "an axis to nowhere": (
        {"depth": {"axis": [0, 0, 0], "pia": [0, 0, 0]}},
        r"depth\.axis[\s\S]*a direction other than 0, 0, 0",
    ),
    "an axis without positions": (
        {"depth": {"axis": [0, 1, 0], "pia": [0, 0, 0]}},
        r"position in \[cells\] or \[\[labels\]\], because \[depth\] has an axis",
    ),
    "labels without cells": (
        {"cells": None, "labels": [{"file": "cells.csv", "id": "name"}]},
        r"file and id in \[cells\], because \[\[labels\]\]",
    ),
    "labels with a position of no unit": (
        {"labels": [{"file": "cells.csv", "id": "name", "position": ["x", "y", "z"]}]},
        r"position_unit in \[cells\], because \[\[labels\]\] have a position",
    ),
    "missing file": (
        {"cells": {"file": "neurons.csv"}},
        r"a file of the mapping is missing[\s\S]*\[cells\] file[\s\S]*found: +cells\.csv, edges\.csv, [\s\S]*neurons",
    ),
    **{
        f"a table outside the source: {file}": (
            {"cells": {"file": file}},
            r"not understood[\s\S]*cells\.file[\s\S]*a path inside --source: without \.\., not absolute, no address",
        )
        for file in ("../secret.csv", "/etc/passwd", "a/../../b.csv", "s3://bucket/a.csv", "..\\a.csv", "C:\\a.csv")
    },
    "a key with a slip": (
        {"edges": {"count": None, "cout": "n"}},
        r"unknown key in the mapping[\s\S]*edges\.cout[\s\S]*wanted: .*\bpre, post, size, count",
    ),
    "a column for two things": (
        {"edges": {"size": "n"}},
        r"does not fit together[\s\S]*, edges\n[\s\S]*a column each for pre, post, count, size",
    ),
    "both ends in one column": (
        {"edges": None, "synapses": {"file": "edges.csv", "pre": "to", "post": "to"}},
        r"does not fit together[\s\S]*, synapses\n[\s\S]*a column each for pre, post",
    ),
    "a unit that is none": (
        {"cells": {"position_unit": "mm"}},
        r"cells\.position_unit[\s\S]*found: +'mm'\n +wanted: 'nm', 'voxel' or 'um'$",
    ),
    "missing columns": (
        {"edges": {"count": "weight", "size": "area"}},
        r"columns are missing: area, weight[\s\S]*edges\.csv, section \[edges\][\s\S]*found: +from, to, n, vx",
    ),
    "a missing column to leave out": (
        {"edges": {"leave_out": {"kind": ["gap"]}}},
        r"a column is missing: kind[\s\S]*section \[edges\]",
    ),
    "an unlisted word": (
        {"cells": {"classes": {"GABA": "inhibitory"}, "other_class": None}},
        r"what the class of some cells is[\s\S]*class 'ACH' \(2\), no word \(1\)[\s\S]*other_class = \"unknown\"",
    ),
    "a type that no pattern fits": (
        {"cells": {"class": None, "classes": None, "type_classes": {"K*": "excitatory"}, "other_class": None}},
        r"no word \(1\), type 'APL' \(1\)[\s\S]*a pattern of its type in \[cells\.type_classes\]",
    ),
    "an unlisted lamina": (
        {"cells": {"layer": "layer", "laminae": {"2": "L2/3", "4": "L4"}}},
        r"some words for a lamina mean[\s\S]*'3' \(1\)[\s\S]*other_lamina",
    ),
    "no cell left": (
        {"cells": {"classes": {"ACH": "drop", "GABA": "drop"}, "other_class": "drop"}},
        r"no cell is left",
    ),
    "labels that repeat a cell": (
        {"labels": [{"file": "edges.csv", "id": "from", "type": "to"}]},
        r"a cell stands in several rows[\s\S]*edges\.csv, column from[\s\S]*found: +a\n",
    ),
    "a word for proofreading": (
        {"cells": {"proofread": "kind"}},
        r"a value is not understood[\s\S]*column kind, cell a[\s\S]*'?KC[\s\S]*\[cells\.proofread_words\]",
    ),
    "a root id that is none": (
        {"cells": {"root_id": "x"}},
        r"column x, cell a[\s\S]*1\.0[\s\S]*a whole number \(int64\)",
    ),
    "a depth that is none": (
        {"depth": {"column": "kind", "unit": "um"}},
        r"a value is not understood[\s\S]*column kind, cell a[\s\S]*KC",
    ),
}


@pytest.mark.parametrize("name", WRONG)
def test_what_a_mapping_can_get_wrong(tmp_path, name):
    sections, message = WRONG[name]
    with pytest.raises(SourceError, match=message):
        opened(tmp_path, **sections)


BROKEN = {
    "a count of none": (
        {"edge_rows": changed(EDGE_ROWS, "n", 0)},
        r"not understood[\s\S]*edges\.csv, column n[\s\S]*found: +0 ",
    ),
    "a count in words": ({"edge_rows": changed(EDGE_ROWS, "n", "many")}, r"edges\.csv, column n[\s\S]*many \(1 row\)"),
    "no count": ({"edge_rows": changed(EDGE_ROWS, "n", None)}, r"edges\.csv, column n[\s\S]*1 empty rows"),
    "an empty end": (
        {"edge_rows": changed(EDGE_ROWS, "to", "")},
        r"ids are missing[\s\S]*column to[\s\S]*nothing \(1 row\)",
    ),
    "an empty cell": ({"cell_rows": changed(CELL_ROWS, "name", " ")}, r"ids are missing[\s\S]*cells\.csv, column name"),
    "ids from floats": (
        {"cell_rows": changed(CELL_ROWS, "name", "12.0")},
        r"ids went through floats[\s\S]*cells\.csv, column name[\s\S]*12\.0 \(1 row\)[\s\S]*2\^53",
    ),
    "ids from large floats": (
        {"edge_rows": changed(EDGE_ROWS, "from", "7.20575940600000e+17", "7.2E17")},
        r"ids went through floats[\s\S]*edges\.csv, column from[\s\S]*\(2 rows\)",
    ),
    "other ids": (
        {"edge_rows": [row | {"from": "A", "to": "B"} for row in EDGE_ROWS[:1]]},
        r"no row of the edges has both ends among the cells[\s\S]*edges\.csv[\s\S]*such as a and A",
    ),
    "two numbers for a place": (
        {
            "cell_rows": changed(CELL_ROWS, "layer", "[1 2]"),
            "cells": {"position": "layer", "position_unit": "nm"},
        },
        r"column layer, cell a[\s\S]*three finite numbers",
    ),
    "a decimal comma": (
        {"cell_rows": changed(CELL_ROWS, "deep", "56,6"), "depth": {"column": "deep", "unit": "um"}},
        r"column deep, cell a[\s\S]*found: +56,6[\s\S]*finite numbers, with a decimal point",
    ),
    "a place with decimal commas": (
        {
            "cell_rows": changed(CELL_ROWS, "x", "56,6"),
            "cells": {"position": ["x", "y", "z"], "position_unit": "nm"},
        },
        r"column x or y or z, cell a[\s\S]*56,6[\s\S]*wanted: finite numbers, with a decimal point",
    ),
    "a place at no distance": (
        {"cell_rows": changed(CELL_ROWS, "deep", "inf"), "depth": {"column": "deep", "unit": "um"}},
        r"column deep, cell a[\s\S]*found: +inf[\s\S]*finite numbers",
    ),
    "a place that is no number": (
        {
            "cell_rows": changed(CELL_ROWS, "x", "west"),
            "cells": {"position": ["x", "y", "z"], "position_unit": "nm"},
        },
        r"column x or y or z, cell a[\s\S]*west",
    ),
}


@pytest.mark.parametrize("name", BROKEN)
def test_what_tables_can_get_wrong(tmp_path, name):
    changes, message = BROKEN[name]
    with pytest.raises(SourceError, match=message):
        opened(tmp_path, **changes)


def test_a_column_of_floats_is_no_id(tmp_path):
    tiny(tmp_path, cells={"file": "c.parquet"})
    write(tmp_path / "c.parquet", [{"name": float(ID), "kind": "KC", "word": "ACH"}])
    with pytest.raises(SourceError, match=r"an id has the wrong type[\s\S]*c\.parquet, column name[\s\S]*float64"):
        open_mapping(tmp_path, tmp_path / "mapping.toml")


def test_a_number_that_is_missing_is_no_id(tmp_path):
    tiny(tmp_path, edges={"file": "e.parquet"})
    write(tmp_path / "e.parquet", [{"from": 1, "to": 2, "n": 1}, {"from": 1, "to": None, "n": 1}])
    with pytest.raises(SourceError, match=r"ids are missing[\s\S]*e\.parquet, column to[\s\S]*nothing \(1 row\)"):
        open_mapping(tmp_path, tmp_path / "mapping.toml")


def test_no_mapping_no_folder_no_toml(tmp_path):
    folder = tiny(tmp_path / "there")
    with pytest.raises(SourceError, match=r"no such mapping[\s\S]*elsewhere\.toml"):
        open_mapping(folder, tmp_path / "elsewhere.toml")
    with pytest.raises(SourceError, match=r"the source is not a folder[\s\S]*found: +nothing"):
        open_mapping(tmp_path / "nowhere", folder / "mapping.toml")
    (folder / "mapping.toml").write_text("dataset = \n")
    with pytest.raises(SourceError, match=r"the mapping cannot be read[\s\S]*line 1"):
        open_mapping(folder, folder / "mapping.toml")


def test_a_broken_table(tmp_path):
    tiny(tmp_path, edges={"file": "e.parquet"})
    (tmp_path / "e.parquet").write_bytes(b"PAR1 but no more")
    with pytest.raises(SourceError, match=r"the file cannot be read[\s\S]*e\.parquet"):
        open_mapping(tmp_path, tmp_path / "mapping.toml")


def test_many_foreign_words_are_named_by_their_number(tmp_path):
    rows = [CELL_ROWS[0] | {"name": f"c{at}", "word": f"w{at:02}"} for at in range(25)] + CELL_ROWS[:2]
    with pytest.raises(SourceError, match=r"class 'w00' \(1\)[\s\S]*and 5 more") as caught:
        opened(tmp_path, cell_rows=rows, cells={"other_class": None})
    assert re.findall(r"'(w\d\d)'", str(caught.value)) == [f"w{at:02}" for at in range(20)]
