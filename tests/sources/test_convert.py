"""``c2n convert``: the same rows, in order, once; and nothing that looks finished and is not."""

import gzip
import os
import re
import signal
import subprocess
import sys
import time

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from click.testing import CliRunner
from published_dumps import NAMES, WRITERS, dumped, in_one_column, write_dump
from published_tables import (
    CENSUS,
    CONNECTIONS,
    FORMS,
    PROOFREADING,
    SYNAPSES,
    change,
    eight_cells,
    synapse_rows,
    write_tables,
)

from connectome2net.cli import c2n
from connectome2net.errors import SourceError
from connectome2net.extract import extract
from connectome2net.sources import open_folder
from connectome2net.sources.convert import convert


def with_synapses():
    tables = eight_cells()
    rows = synapse_rows(tables[CONNECTIONS])
    shuffled = np.random.default_rng(0).permutation(rows.num_rows)
    return {**tables, SYNAPSES: rows.take(shuffled)}


@pytest.mark.parametrize("form", FORMS)
def test_every_form_becomes_sorted_parquet_with_the_same_rows(tmp_path, form):
    tables = with_synapses()
    folder = write_tables(tmp_path, tables, form=form)
    done = convert(folder)
    assert {table.name: table.rows for table in done} == {name: table.num_rows for name, table in tables.items()}
    assert not any(table.done_before for table in done)
    before, after = open_folder(folder), open_folder(folder / "parquet")
    for name in set(before.tables) | {SYNAPSES}:
        rows = [sorted(map(str, source[name].read().to_pylist())) for source in (before, after)]
        assert rows[0] == rows[1]
    assert (after.materialization, after.position_unit) == ("1300", "nm")
    written = pq.read_table(folder / "parquet" / f"{SYNAPSES}.parquet")
    key = ["post_pt_root_id", "pre_pt_root_id", "id"]
    assert written.select(key) == written.sort_by([(name, "ascending") for name in key]).select(key)
    assert pq.read_metadata(folder / "parquet" / f"{SYNAPSES}.parquet").row_group(0).column(0).compression == "ZSTD"


def test_a_dump_is_typed_as_its_header_says_and_no_column_is_lost(tmp_path):
    census = in_one_column(eight_cells()[CENSUS], WRITERS["ewkb"])
    done = convert(dumped(tmp_path / "in", census=census), out=tmp_path / "out")
    schema = pq.read_schema(next(table.file for table in done if table.name == SYNAPSES))
    kinds = {"id": "int64", "valid": "bool", "pre_pt_root_id": "int64", "post_pt_root_id": "int64", "size": "int64"}
    assert {field.name: str(field.type) for field in schema} == kinds
    source = open_folder(tmp_path / "out")
    expected = eight_cells()[CENSUS].sort_by("id").select(NAMES).to_pylist()
    assert source[CENSUS].read().sort_by("id").select(NAMES).to_pylist() == expected
    names = source[PROOFREADING].table.columns
    expected = eight_cells()[PROOFREADING].sort_by("pt_root_id").select(names)
    assert source[PROOFREADING].read().sort_by("pt_root_id") == expected


def test_the_spec_of_converted_tables_differs_only_in_the_files(tmp_path):
    folder = write_tables(tmp_path, with_synapses(), form="csv.gz")
    convert(folder)
    specs = [extract(open_folder(place)) for place in (folder, folder / "parquet")]
    assert specs[0].cells == specs[1].cells
    assert specs[0].edges == specs[1].edges
    assert specs[0].document.anatomy.steps == specs[1].document.anatomy.steps


def test_a_second_run_skips_what_is_done_and_refuses_what_came_from_elsewhere(tmp_path):
    folder = write_tables(tmp_path, with_synapses(), form="csv.gz")
    first = convert(folder)
    times = [table.file.stat().st_mtime_ns for table in first]
    second = convert(folder)
    assert all(table.done_before for table in second)
    assert [table.rows for table in second] == [table.rows for table in first]
    assert [table.file.stat().st_mtime_ns for table in second] == times
    write_dump(folder, PROOFREADING, eight_cells()[PROOFREADING].slice(1), stem=PROOFREADING)
    with pytest.raises(
        SourceError, match=r"table of another origin\n.*proofreading\S+.parquet\n.*csv.gz, \d+ bytes, ends"
    ):
        convert(folder)
    pq.write_table(pa.table({"a": [1]}), folder / "parquet" / f"{PROOFREADING}.parquet")
    with pytest.raises(SourceError, match=r"another origin\n.*\n.*a file that c2n convert did not write\n"):
        convert(folder)


def left_in(folder):
    return sorted(path.name for path in folder.iterdir()) if folder.exists() else []


@pytest.mark.parametrize("value", ["8.64691135000000081e17", "864691135000000081.0", "", "12345678901234567890"])
def test_what_is_no_id_is_refused_and_leaves_no_file(tmp_path, value):
    folder = write_tables(tmp_path, with_synapses(), form="csv.gz")
    file = folder / f"{SYNAPSES}.csv.gz"
    lines = gzip.decompress(file.read_bytes()).decode().split("\r\n")
    fields = lines[3].split(",")
    lines[3] = ",".join([*fields[:2], value or "x", *fields[3:]])
    file.write_bytes(gzip.compress("\r\n".join(lines).encode()))
    with pytest.raises(
        SourceError,
        match=rf"a value is not understood\n.*{SYNAPSES}.csv.gz, column pre_pt_root_id\n.*{value or 'x'}\n.*whole",
    ):
        convert(folder)
    assert f"{SYNAPSES}.parquet" not in left_in(folder / "parquet")
    assert not [name for name in left_in(folder / "parquet") if name.startswith(".")]


def test_a_gz_file_that_ends_too_early_is_refused_and_leaves_no_file(tmp_path):
    folder = dumped(tmp_path)
    file = folder / f"{SYNAPSES}_merged.csv.gz"
    file.write_bytes(file.read_bytes()[:-9])
    with pytest.raises(SourceError, match=r"cannot be read\n.*merged.csv.gz\n.*ends too early"):
        convert(folder)
    assert left_in(folder / "parquet") == [f"{CENSUS}.parquet", "source.toml"]


def test_a_text_that_goes_on_in_the_next_line_is_one_row(tmp_path):
    tables = eight_cells()
    types = ["two\nlines", *tables[CENSUS].column("mtype").to_pylist()[1:]]
    tables[CENSUS] = tables[CENSUS].drop_columns("mtype").append_column("mtype", pa.array(types))
    done = convert(write_tables(tmp_path, tables, form="csv"))
    assert done[0].rows == 8


def test_lost_rows_are_noticed(tmp_path, monkeypatch):
    folder = write_tables(tmp_path, eight_cells(), form="csv")
    monkeypatch.setattr("connectome2net.sources.convert._count", lambda source, stop=None: 9)
    monkeypatch.setattr("connectome2net.sources.convert._count_records", lambda source: 9)
    with pytest.raises(SourceError, match=r"rows were lost\n.*slanted_ref.csv\n.*8 rows written\n.*9 rows read"):
        convert(folder)
    assert left_in(folder / "parquet") == ["source.toml"]


def test_nothing_to_convert_and_no_place_to_put_it(tmp_path):
    with pytest.raises(SourceError, match=r"nothing to convert\n.*\n.*no known table\n.*synapses_pni_2"):
        convert(tmp_path)
    folder = write_tables(tmp_path / "tables", eight_cells())
    with pytest.raises(SourceError, match=r"each table would be there twice\n.*--out"):
        convert(folder, out=folder)


def test_the_command_says_what_it_wrote_and_what_comes_next(tmp_path):
    folder = write_tables(tmp_path, with_synapses(), form="csv.gz")
    for words in ("synapses_pni_2.parquet: 16 rows\n", "synapses_pni_2.parquet: 16 rows, made before\n"):
        done = CliRunner().invoke(c2n, ["convert", str(folder)])
        assert done.exit_code == 0, done.output
        assert words in done.output
        assert f"c2n extract --source {folder / 'parquet'}" in done.output


def test_where_nobody_watches_the_command_tells_now_and_then_how_far_it_is(tmp_path, monkeypatch):
    folder = write_tables(tmp_path, with_synapses(), form="csv.gz")
    assert CliRunner().invoke(c2n, ["convert", str(folder), "--out", str(tmp_path / "quick")]).stderr == ""
    monkeypatch.setattr("connectome2net.progress.SILENCE_S", 0)
    done = CliRunner().invoke(c2n, ["convert", str(folder), "--out", str(tmp_path / "slow")])
    assert "synapses_pni_2: 100%\n" in done.stderr
    assert all(re.fullmatch(r"\w+: \d+%", line) for line in done.stderr.splitlines())


def test_what_belongs_to_another_folder_is_left_as_it_is(tmp_path):
    """Equal names and lengths do not make two tables one; nor is the source.toml of others written over."""
    first, second = (write_tables(tmp_path / name, eight_cells(), form="csv") for name in "ab")
    convert(first, out=tmp_path / "out")
    before = {name: (tmp_path / "out" / name).read_bytes() for name in left_in(tmp_path / "out")}
    (second / "source.toml").write_text('dataset = "another"')
    file = second / f"{CONNECTIONS}.csv"
    file.write_bytes(file.read_bytes().replace(b",2,", b",3,"))
    with pytest.raises(SourceError, match=r"another origin\n.*connections_with_nuclei.parquet"):
        convert(second, out=tmp_path / "out")
    assert {name: (tmp_path / "out" / name).read_bytes() for name in left_in(tmp_path / "out")} == before


def test_two_at_once_do_not_spoil_each_others_work(tmp_path):
    folder = write_tables(tmp_path, with_synapses(), form="csv.gz")

    def meanwhile(name, percent):
        if percent == 100:
            with pytest.raises(SourceError, match=rf"another c2n convert is at work\n.*{folder / 'parquet'}\n.*wait"):
                convert(folder)
            met.append(name)

    met = []
    assert len(convert(folder, progress=meanwhile)) == len(met) == 4
    assert all(table.done_before for table in convert(folder))


@pytest.mark.parametrize("limit", [500, 40_000])
def test_no_room_is_not_a_broken_file(tmp_path, limit):
    """In a process of its own, whose files may not grow beyond a limit."""
    resource = pytest.importorskip("resource", reason="needs limits of a process")
    folder = write_tables(tmp_path, eight_cells())
    ids = np.random.default_rng(0).integers(1, 2**60, 20_000)
    rows = {"id": ids, "pre_pt_root_id": ids, "post_pt_root_id": ids}
    pq.write_table(pa.table(rows), folder / f"{SYNAPSES}.parquet")

    def limited():
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))

    command = [sys.executable, "-c", "from connectome2net.cli import main; main()", "convert", str(folder)]
    run = subprocess.run(command, preexec_fn=limited, stderr=subprocess.PIPE, text=True, check=False)
    assert run.returncode == 1
    assert re.search(rf"there is no room\n.*{folder / 'parquet'}\n.*File too large\n.*--out", run.stderr), run.stderr
    assert not [name for name in left_in(folder / "parquet") if name.startswith((".", SYNAPSES))]


def test_a_place_where_nothing_can_be_written(tmp_path):
    folder = write_tables(tmp_path / "in", eight_cells())
    (tmp_path / "file").touch()
    with pytest.raises(SourceError, match=r"the table cannot be written\n.*file/out\n.*Not a directory"):
        convert(folder, out=tmp_path / "file" / "out")


@pytest.fixture(scope="module")
def large_dump(tmp_path_factory):
    """A million synapses, so that there is time to stop."""
    folder = tmp_path_factory.mktemp("large")
    roots = [str(root) for root in eight_cells()[CENSUS].column("pt_root_id").to_pylist()]
    lines = [f"{n},t,{roots[n % 8]},{roots[n // 8 % 8]},{n % 97}\n" for n in range(1_000_000)]
    write_tables(folder, eight_cells())
    (folder / f"{SYNAPSES}.csv.gz").write_bytes(gzip.compress("".join(lines).encode(), 1))
    header = "id,bigint\nvalid,boolean\npre_pt_root_id,bigint\npost_pt_root_id,bigint\nsize,integer\n"
    (folder / f"{SYNAPSES}_header.csv").write_text(header)
    return folder


@pytest.mark.slow
@pytest.mark.parametrize("stop", [signal.SIGINT, signal.SIGKILL])
def test_stopped_at_any_moment_it_leaves_nothing_that_looks_finished_and_goes_on(large_dump, tmp_path, stop):
    out, rng = tmp_path / "out", np.random.default_rng(int(stop))
    command = [sys.executable, "-m", "connectome2net.cli", "convert", str(large_dump), "--out", str(out)]
    command[1:3] = ["-c", "from connectome2net.cli import main; main()"]
    stopped = 0
    for _ in range(6):
        run = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=os.environ)
        deadline = time.monotonic() + 30  # the start of Python is no part of it
        while not out.exists() and run.poll() is None and time.monotonic() < deadline:
            time.sleep(0.01)
        time.sleep(rng.uniform(0, 1.2))
        run.send_signal(stop)
        _, words = run.communicate(timeout=60)
        stopped += run.returncode != 0
        if stop == signal.SIGINT and run.returncode:
            assert run.returncode in (130, -signal.SIGINT), words
            assert not [name for name in left_in(out) if name.startswith(".")]
        for file in out.glob("*.parquet"):
            assert pq.read_metadata(file).num_rows in (8, 9, 6, 1_000_000)
    assert stopped
    convert(large_dump, out=out)
    written = pq.read_table(out / f"{SYNAPSES}.parquet")
    assert (written.num_rows, sorted(written.column("id").to_pylist())) == (1_000_000, list(range(1_000_000)))
    assert left_in(out) == sorted(
        [f"{name}.parquet" for name in (CENSUS, CONNECTIONS, PROOFREADING, SYNAPSES)] + ["source.toml"]
    )


@pytest.mark.parametrize(
    ("name", "column", "value", "wanted"),
    [(CENSUS, "volume", "large", "numbers"), (PROOFREADING, "status_axon", "maybe", "true/false or t/f")],
)
def test_a_value_that_is_not_understood_is_named(tmp_path, name, column, value, wanted):
    tables = eight_cells()
    rows = [value, *map(str, tables[name].column(column).to_pylist()[1:])]
    tables[name] = change(tables[name], column, rows)
    message = rf"a value is not understood\n.*{name}.csv, column {column}\n.*{value}\n.*{wanted}"
    with pytest.raises(SourceError, match=message):
        convert(write_tables(tmp_path, tables, form="csv"))
