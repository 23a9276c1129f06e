"""Each thing that can be wrong with published tables has one message, naming file, column, and the way out."""

import re
import threading

import ibis
import numpy as np
import pyarrow as pa
import pytest
from published_tables import (
    CENSUS,
    CONNECTIONS,
    PROOFREADING,
    SYNAPSES,
    TOML,
    change,
    eight_cells,
    root,
    synapse_rows,
    write_table,
    write_tables,
)

from connectome2net.errors import SourceError
from connectome2net.sources import open_folder
from connectome2net.sources.engine import collect, reading


def with_values(name, column, edit):
    def corrupt(tables):
        values = tables[name].column(column).to_pylist()
        tables[name] = change(tables[name], column, edit(values))

    return corrupt


def with_synapses(edit):
    def corrupt(tables):
        tables[SYNAPSES] = edit(synapse_rows(tables[CONNECTIONS]))

    return corrupt


def first(value):
    return lambda values: [value, *values[1:]]


def without_table(name):
    return lambda tables: tables.pop(name)


def without_column(name, column):
    def corrupt(tables):
        tables[name] = tables[name].drop_columns(column)

    return corrupt


CORRUPTIONS = {
    "no census": (
        without_table(CENSUS),
        r"table allen_v1\S+ \(or nucleus_detection_v0\) is missing[\s\S]*found: +connections_with_nuclei, proofreading"
        r"[\s\S]*wanted: a file of that name, .parquet",
    ),
    "no connections": (without_table(CONNECTIONS), r"connections_with_nuclei \(or synapses_pni_2\) is missing"),
    "no column": (
        without_column(CENSUS, "cell_type"),
        r"column is missing: cell_type\n.*allen_v1_column_types_slanted_ref.parquet\n.*found: +id, pt_root_id",
    ),
    "two columns": (without_column(CONNECTIONS, ["n_syn", "pre_nuc_id"]), r"columns are missing: n_syn, pre_nuc_id"),
    "float nucleus": (
        with_values(CENSUS, "id", lambda ids: np.array(ids, float)),
        r"an id has the wrong type\n.*slanted_ref.parquet, column id\n.*float64\n.*int64",
    ),
    "float root": (
        with_values(CONNECTIONS, "post_pt_root_id", lambda ids: np.array(ids, float)),
        r"an id has the wrong type\n.*connections_with_nuclei.parquet, column post_pt_root_id\n.*float64",
    ),
    "text for a number": (
        with_values(CENSUS, "pt_position_x", lambda x: [True] * len(x)),
        r"a column has the wrong type\n.*pt_position_x\n.*boolean",
    ),
    "empty id": (with_values(CENSUS, "pt_root_id", first(None)), r"ids are missing\n.*pt_root_id\n.*1 empty rows"),
    "count of zero": (
        with_values(CONNECTIONS, "n_syn", first(0)),
        r"a value is not understood\n.*n_syn\n.*0 \(1 row\)\n.*from 1 up",
    ),
    "unknown flag": (
        with_values(PROOFREADING, "status_axon", lambda x: ["maybe"] * len(x)),
        r"a value is not understood\n.*status_axon\n.*maybe \(6 rows\)\n.*true/false, t/f or 1/0\n.*fix: +write t or f",
    ),
    "infinite size": (
        with_synapses(lambda rows: change(rows, "size", [float("inf"), *[float("nan")] * 14, 1.0])),
        r"a value is not understood\n.*column size\n.*inf \(1 row\)\n.*finite numbers from 0 up",
    ),
    "size below zero": (
        with_synapses(lambda rows: change(rows, "size", [-100.0, *[1.4] * 15])),
        r"a value is not understood\n.*column size\n.*-100.0 \(1 row\)\n.*finite numbers from 0 up",
    ),
    "whole size below zero": (
        with_synapses(lambda rows: change(rows, "size", [-100, *[1] * 15])),
        r"a value is not understood\n.*column size\n.*-100 \(1 row\)\n.*finite numbers from 0 up",
    ),
    "infinite position": (
        with_values(CENSUS, "pt_position_x", first(float("-inf"))),
        r"a value is not understood\n.*pt_position_x\n.*-inf \(1 row\)\n.*finite",
    ),
    "id that is too large": (
        with_values(CENSUS, "pt_root_id", lambda ids: pa.array([2**63 + 5, *ids[1:]], pa.uint64())),
        rf"a value is not understood\n.*pt_root_id\n.*{2**63 + 5} \(1 row\)\n.*int64",
    ),
    "numbered flag": (
        with_values(PROOFREADING, "status_axon", lambda x: [2, 0, 1, 1, 1, 1]),
        r"a value is not understood\n.*status_axon\n.*2 \(1 row\)\n.*1/0",
    ),
    "empty census": (lambda tables: tables.update({CENSUS: tables[CENSUS].slice(0, 0)}), "a table of cells is empty"),
    "nucleus twice": (
        with_values(CENSUS, "id", lambda ids: [ids[1], *ids[1:]]),
        r"a table says two things of one nucleus\n.*column id\n.*nucleus 10\n",
    ),
    "unknown classes": (
        with_values(CENSUS, "classification_system", lambda words: ["glia"] * len(words)),
        r"no word for the class of a cell is known\n.*classification_system or cell_type\n.*glia\n.*aibs_coarse_excit",
    ),
    "proofreading of another version": (
        with_values(PROOFREADING, "pt_root_id", lambda roots: [value + 1 for value in roots]),
        r"two materializations: no root id of a table is that of a cell\n.*proofreading\S+, column pt_root_id",
    ),
    "synapses of another version": (
        with_synapses(lambda rows: change(rows, "pre_pt_root_id", np.arange(rows.num_rows))),
        r"two materializations: no root id of a table is that of a cell\n.*synapses_pni_2\S+, column pre_pt_root_id",
    ),
    "two words on an axon": (
        with_values(PROOFREADING, "pt_root_id", lambda roots: [roots[1], *roots[1:]]),
        rf"a table says two things of one axon\n.*column pt_root_id\n.*root {root(20)}",
    ),
    "versions in metadata": (
        lambda tables: tables.update(
            {CONNECTIONS: tables[CONNECTIONS].replace_schema_metadata({"materialization": "943"})}
        ),
        r"two materializations\n.*source.toml, connections\S+\n.*1300 in source.toml, 943 in connections_with_nuclei",
    ),
}


@pytest.mark.parametrize("name", CORRUPTIONS)
def test_a_single_fault_gives_its_message_and_writes_nothing(tmp_path, name):
    corrupt, message = CORRUPTIONS[name]
    tables = eight_cells()
    corrupt(tables)
    folder = write_tables(tmp_path / "tables", tables)
    before = sorted(folder.iterdir())
    with pytest.raises(SourceError, match=message):
        open_folder(folder)
    assert sorted(folder.iterdir()) == before


@pytest.mark.parametrize("name", ["infinite size", "size below zero", "infinite position", "numbered flag"])
def test_the_same_fault_in_csv_gives_the_same_message(tmp_path, name):
    corrupt, message = CORRUPTIONS[name]
    tables = eight_cells()
    corrupt(tables)
    with pytest.raises(SourceError, match=message):
        open_folder(write_tables(tmp_path, tables, form="csv"))


@pytest.mark.parametrize("value", ["864691135000000081.0", "8.64691135000000081e17", "root", "8646911350000000811"])
def test_csv_ids_that_passed_through_floats_are_refused(tmp_path, value):
    tables = eight_cells()
    roots = [str(x) for x in tables[CENSUS].column("pt_root_id").to_pylist()]
    tables[CENSUS] = change(tables[CENSUS], "pt_root_id", [value, *roots[1:]])
    found = rf"{re.escape(value)} \(1 row\)"
    message = rf"not understood\n.*slanted_ref.csv, column pt_root_id\n.*{found}\n.*int64.*\n.*Int64, never"
    with pytest.raises(SourceError, match=message):
        open_folder(write_tables(tmp_path, tables, form="csv"))


def test_csv_numbers_that_are_none_are_refused(tmp_path):
    tables = eight_cells()
    tables[CENSUS] = change(tables[CENSUS], "volume", ["large"] * 8)
    with pytest.raises(SourceError, match=r"not understood\n.*column volume\n.*large \(8 rows\)\n.*numbers"):
        open_folder(write_tables(tmp_path, tables, form="csv"))


def test_csv_counts_that_are_none_are_refused(tmp_path):
    tables = eight_cells()
    tables[CONNECTIONS] = change(tables[CONNECTIONS], "n_syn", ["-1", *["2"] * 8])
    with pytest.raises(SourceError, match=r"not understood\n.*column n_syn\n.*-1 \(1 row\)"):
        open_folder(write_tables(tmp_path, tables, form="csv"))


@pytest.mark.parametrize("form", ["parquet", "feather", "csv.gz"])
def test_broken_files_are_named(tmp_path, form):
    folder = write_tables(tmp_path, eight_cells(), form=form)
    file = folder / f"{CONNECTIONS}.{form}"
    file.write_bytes(b"these are not the bytes you are looking for" * 9)
    with pytest.raises(SourceError, match=rf"the file cannot be read\n  where:  {CONNECTIONS}.{form}\n"):
        open_folder(folder)


def test_a_csv_line_with_a_field_too_many_is_named(tmp_path):
    folder = write_tables(tmp_path, eight_cells(), form="csv")
    with (folder / f"{CONNECTIONS}.csv").open("a") as file:
        file.write("1,2,3,4,5,6\r\n")
    with pytest.raises(SourceError, match=r"cannot be read\n.*connections_with_nuclei.csv\n.*Line: 11"):
        open_folder(folder)


def test_a_csv_of_another_alphabet_is_said(tmp_path):
    file = write_tables(tmp_path, eight_cells(), form="csv") / f"{CENSUS}.csv"
    file.write_text(file.read_text(), encoding="utf-16")
    with pytest.raises(SourceError, match=r"cannot be read\n.*slanted_ref.csv\n.*utf-8.*\n.*save it as UTF-8"):
        open_folder(tmp_path)


def test_an_empty_csv_has_no_columns(tmp_path):
    folder = write_tables(tmp_path, eight_cells(), form="csv")
    (folder / f"{CENSUS}.csv").write_text("")
    with pytest.raises(SourceError, match=r"columns are missing: id, pt_root_id.*\n.*slanted_ref.csv\n.*nothing"):
        open_folder(folder)


def test_one_table_in_two_files_is_refused(tmp_path):
    folder = write_tables(tmp_path, eight_cells())
    write_table(folder / f"{CENSUS}.csv", eight_cells()[CENSUS])
    with pytest.raises(SourceError, match=rf"{CENSUS} is there more than once\n.*\n.*{CENSUS}.parquet, {CENSUS}.csv"):
        open_folder(folder)


def test_no_folder_an_empty_one_and_a_file(tmp_path):
    with pytest.raises(SourceError, match=r"not a folder\n.*nowhere\n.*found: +nothing"):
        open_folder(tmp_path / "nowhere")
    with pytest.raises(SourceError, match=r"is missing\n.*\n.*no table that is known by its name"):
        open_folder(tmp_path)
    with pytest.raises(SourceError, match=r"not a folder\n.*caev\n.*nothing\n.*\n.*synthetic or --source cave"):
        open_folder("caev")
    (tmp_path / "file").touch()
    with pytest.raises(SourceError, match=r"not a folder\n.*\n.*found: +a file"):
        open_folder(tmp_path / "file")


@pytest.mark.parametrize(
    ("toml", "message"),
    [
        (TOML + "unit = 3", r"unknown key in source.toml\n.*\n.*unit\n.*dataset, materialization"),
        ("dataset = ", r"the file cannot be read\n.*source.toml\n.*\n.*mend it; it is TOML"),
        ("dataset = 3", r"a value in source.toml is not understood\n.*source.toml, dataset\n.*3\n.*string"),
        ("position_voxel_nm = [4, 4]", r"not understood\n.*source.toml, position_voxel_nm"),
        ('position_unit = "mm"', r"not understood\n.*source.toml, position_unit\n.*'mm'\n.*'nm', 'voxel' or 'um'"),
    ],
)
def test_source_toml_is_checked(tmp_path, toml, message):
    with pytest.raises(SourceError, match=message):
        open_folder(write_tables(tmp_path, eight_cells(), toml=toml))


def test_the_position_unit_of_the_option_is_checked(tmp_path):
    with pytest.raises(SourceError, match=r"unknown position unit\n.*--position-unit\n.*inch"):
        open_folder(write_tables(tmp_path, eight_cells()), position_unit="inch")


def test_a_table_asked_for_and_not_there_is_named(tmp_path):
    source = open_folder(write_tables(tmp_path, eight_cells()))
    with pytest.raises(SourceError, match=r"the table synapses_pni_2 is missing"):
        source[SYNAPSES]


def test_null_columns_of_text_are_no_fault(tmp_path):
    tables = eight_cells()
    tables[CENSUS] = change(tables[CENSUS], "mtype", pa.nulls(8))
    assert open_folder(write_tables(tmp_path, tables))[CENSUS].rows == 8


def test_a_broken_page_is_found_when_it_is_read_and_said_in_one_line(tmp_path):
    """The footer is whole, so that nothing is wrong before the scan."""
    tables = eight_cells()
    tables[SYNAPSES] = synapse_rows(tables[CONNECTIONS])
    file = write_tables(tmp_path, tables) / f"{SYNAPSES}.parquet"
    wrong = bytearray(file.read_bytes())
    wrong[10:60] = (byte ^ 0xFF for byte in wrong[10:60])
    file.write_bytes(wrong)
    with pytest.raises(SourceError, match=r"the file cannot be read\n.*synapses_pni_2.parquet\n.*found: .+\n.*fix"):
        collect(open_folder(tmp_path)[SYNAPSES].table, file=file.name)


def test_a_scan_stopped_by_the_user_is_no_broken_file():
    engine = ibis.duckdb.connect()
    engine.con.execute("CREATE VIEW v AS FROM range(1000000000) AS a, range(1000) AS b SELECT sum(a.range * b.range)")
    rows, stopped = engine.table("v"), threading.Event()

    def stop():
        while not stopped.wait(0.05):
            engine.con.interrupt()

    thread = threading.Thread(target=stop)
    thread.start()
    try:
        with pytest.raises(KeyboardInterrupt):
            collect(rows, file="large.parquet")
    finally:
        stopped.set()
        thread.join()
    with pytest.raises(KeyboardInterrupt), reading("large.parquet"):
        raise RuntimeError("Query interrupted")  # what DuckDB makes of Ctrl-C while it waits
    with pytest.raises(RuntimeError, match="something else"), reading("large.parquet"):
        raise RuntimeError("something else")
