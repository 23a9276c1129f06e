"""The dumps of archived versions and folders of parquet: read to the last row, or refused."""

import gzip

import numpy as np
import pyarrow as pa
import pyarrow.parquet
import pytest
from hypothesis import given
from hypothesis import strategies as st
from published_dumps import NAMES, WRITERS, dumped, in_one_column, write_dump
from published_tables import CENSUS, CONNECTIONS, PROOFREADING, SYNAPSES, eight_cells, synapse_rows, write_tables

from connectome2net.errors import SourceError
from connectome2net.sources import open_folder
from connectome2net.sources.convert import convert
from connectome2net.sources.folder import LARGE
from connectome2net.sources.positions import parse_positions


@pytest.mark.parametrize("stem", [None, SYNAPSES, "synapses_pni_2_v1_filtered_view"])
def test_an_archived_version_gives_the_rows_that_were_dumped(tmp_path, stem):
    tables = eight_cells()
    source = open_folder(dumped(tmp_path, stem=stem))
    assert source[CENSUS].read().to_pylist() == tables[CENSUS].to_pylist()
    assert source[PROOFREADING].read().to_pylist() == tables[PROOFREADING].to_pylist()
    read = source[SYNAPSES].read().sort_by("id")
    written = synapse_rows(tables[CONNECTIONS])
    assert read.select(written.column_names).to_pylist() == written.to_pylist()
    assert source[SYNAPSES].rows == written.num_rows


@pytest.mark.parametrize("form", WRITERS)
def test_positions_in_one_column_of_text_are_split(tmp_path, form):
    census = eight_cells()[CENSUS]
    folder = dumped(tmp_path, census=in_one_column(census, WRITERS[form]))
    assert open_folder(folder)[CENSUS].read().select(NAMES).to_pylist() == census.select(NAMES).to_pylist()


@given(st.lists(st.tuples(*[st.floats(-1e9, 1e9)] * 3), min_size=1, max_size=9), st.data())
def test_every_way_to_write_a_position_gives_it_back(positions, data):
    texts = [WRITERS[data.draw(st.sampled_from(sorted(WRITERS)))](position) for position in positions]
    parsed = parse_positions(pa.chunked_array([texts]), where="here")
    assert np.array_equal(parsed, np.array(positions))


@pytest.mark.parametrize(
    "text", ["[1, 2]", "[1, 2, 3, 4]", "near the pia", "0101000000" + "0" * 32, "01010000A0" + "0" * 40, "nan"]
)
def test_a_position_that_is_not_understood_is_shown(tmp_path, text):
    census = in_one_column(eight_cells()[CENSUS], WRITERS["list"])
    texts = census.column("pt_position").to_pylist()
    wrong = census.set_column(census.num_columns - 1, "pt_position", pa.array([texts[0], None, text, *texts[3:]]))
    message = r"a position is not understood\n.*merged.csv.gz, column pt_position\n.*\(row 3; 1 in all\)\n.*PostGIS"
    with pytest.raises(SourceError, match=message):
        open_folder(dumped(tmp_path, census=wrong))


def test_positions_of_synapses_are_not_looked_at(tmp_path):
    tables = eight_cells()
    rows = synapse_rows(tables[CONNECTIONS]).append_column("ctr_pt_position", pa.array(["?"] * 16))
    write_tables(tmp_path, tables)
    write_dump(tmp_path, SYNAPSES, rows, geometry=["ctr_pt_position"])
    assert "ctr_pt_position" not in open_folder(tmp_path)[SYNAPSES].table.columns


def test_a_file_that_names_its_columns_may_have_a_header_beside_it(tmp_path):
    folder = write_tables(tmp_path, eight_cells(), form="csv")
    names = (folder / f"{PROOFREADING}.csv").read_text().splitlines()[0].split(",")
    (folder / f"{PROOFREADING}_header.csv").write_text("".join(f"{name},text\n" for name in names))
    assert open_folder(folder)[PROOFREADING].rows == 6


def test_without_its_header_a_dump_is_refused(tmp_path):
    folder = dumped(tmp_path)
    (folder / f"{CENSUS}_merged_header.csv").unlink()
    message = (
        r"nothing names the columns\n.*_merged.csv.gz\n.*first line of values \(40, .*\n.*_merged_header.csv beside"
    )
    with pytest.raises(SourceError, match=message):
        open_folder(folder)


HEADERS = {
    "short": (
        "id,bigint\npre_pt_root_id,bigint\n",
        r"does not fit the table\n.*header.csv\n.*2 columns here, 5 in",
    ),
    "no types": ("id\n", r"a header is not understood\n.*header.csv, line 1\n.*id\n.*name,type"),
    "unknown type": ("id,bigint\nvalid,tsvector\n", r"unknown SQL type\n.*line 2\n.*tsvector\n.*bigint, integer"),
}


@pytest.mark.parametrize("fault", HEADERS)
def test_a_header_that_does_not_fit_is_refused(tmp_path, fault):
    header, message = HEADERS[fault]
    with pytest.raises(SourceError, match=message):
        open_folder(dumped(tmp_path, header=header))


@pytest.mark.parametrize("kept", [0.5, 0.97, -1, -8])
def test_a_gz_file_that_ends_too_early_is_refused(tmp_path, kept):
    """DuckDB alone reads half of such a file and says nothing."""
    folder = dumped(tmp_path)
    file = folder / f"{SYNAPSES}_merged.csv.gz"
    whole = file.read_bytes()
    file.write_bytes(whole[: kept if kept < 0 else int(len(whole) * kept)])
    with pytest.raises(SourceError, match=r"cannot be read\n.*merged.csv.gz\n.*\n.*download it again"):
        open_folder(folder)


def test_a_damaged_gz_file_is_refused(tmp_path):
    folder = dumped(tmp_path)
    file = folder / f"{SYNAPSES}_merged.csv.gz"
    whole = bytearray(file.read_bytes())
    whole[-6] ^= 1  # its check sum
    file.write_bytes(whole)
    with pytest.raises(SourceError, match=r"cannot be read\n.*merged.csv.gz\n.*CRC"):
        open_folder(folder)


def test_a_line_that_breaks_off_is_refused(tmp_path):
    folder = dumped(tmp_path)
    file = folder / f"{SYNAPSES}_merged.csv.gz"
    file.write_bytes(gzip.compress(gzip.decompress(file.read_bytes())[:-20]))
    with pytest.raises(SourceError, match=r"cannot be read\n.*merged.csv.gz\n.*Line: 16"):
        open_folder(folder)


def test_a_folder_of_parquet_files_is_one_table(tmp_path):
    tables = eight_cells()
    folder = write_tables(tmp_path, tables)
    rows = synapse_rows(tables[CONNECTIONS])
    for part, (start, length) in {"a=1/x": (0, 7), "a=2/y": (7, 0), "a=2/z": (7, 9)}.items():
        (folder / SYNAPSES / part).parent.mkdir(parents=True, exist_ok=True)
        pyarrow.parquet.write_table(rows.slice(start, length), folder / SYNAPSES / f"{part}.parquet")
    source = open_folder(folder)
    assert (source[SYNAPSES].file, source[SYNAPSES].rows, source[SYNAPSES].sha256) == (SYNAPSES, 16, None)
    assert source[SYNAPSES].read().sort_by("id").select(rows.column_names).to_pylist() == rows.to_pylist()


def test_an_empty_folder_in_place_of_a_table_is_refused(tmp_path):
    folder = write_tables(tmp_path, eight_cells())
    (folder / SYNAPSES).mkdir()
    with pytest.raises(SourceError, match=r"folder of a table is empty\n.*synapses_pni_2\n.*no .parquet file"):
        open_folder(folder)
    (folder / SYNAPSES / "_delta_log").mkdir()
    with pytest.raises(SourceError, match=r"a Delta table is not a folder of parquet files[\s\S]*older states"):
        open_folder(folder)


@pytest.mark.parametrize("other", ["synapses_pni_2_v1_filtered_view.csv.gz", "synapses_pni_2/"])
def test_a_table_in_two_forms_is_refused(tmp_path, other):
    folder = dumped(tmp_path)
    (folder / other).mkdir() if other.endswith("/") else (folder / other).touch()
    with pytest.raises(
        SourceError, match=rf"more than once\n.*\n.*{other.rstrip('/')}\b.*\n.*one file or folder per table"
    ):
        open_folder(folder)


def test_what_a_parquet_file_says_of_itself_is_believed_and_the_rest_is_looked_at(tmp_path):
    """Nulls and counts below 1 are found with the statistics in the footer and without."""
    for statistics in (True, False):
        for column, value, message in (
            ("n_syn", 0, r"not understood\n.*column n_syn\n.*0 \(1 row\)"),
            ("pre_nuc_id", None, r"ids are missing\n.*column pre_nuc_id\n.*1 empty rows"),
        ):
            tables = eight_cells()
            folder = write_tables(tmp_path / f"{statistics}-{column}", tables)
            rows = tables[CONNECTIONS]
            values = [value, *rows.column(column).to_pylist()[1:]]
            rows = rows.set_column(rows.column_names.index(column), column, pa.array(values))
            file = folder / f"{CONNECTIONS}.parquet"
            pyarrow.parquet.write_table(rows, file, write_statistics=statistics, row_group_size=2)
            with pytest.raises(SourceError, match=message):
                open_folder(folder)
        pyarrow.parquet.write_table(tables[CONNECTIONS], file, write_statistics=statistics, row_group_size=2)
        assert open_folder(folder)[CONNECTIONS].rows == 9


def test_a_large_file_has_no_digest_and_a_large_text_a_word_on_convert(tmp_path, monkeypatch):
    for module in ("folder", "files"):
        monkeypatch.setattr(f"connectome2net.sources.{module}.LARGE", 100)
    source = open_folder(dumped(tmp_path))
    assert source[SYNAPSES].sha256 is None
    assert any("synapses_pni_2_merged.csv.gz is read from end to end" in note for note in source.notes)
    assert LARGE == 2**30


def in_parts(folder, *parts):
    """Write the synapses of the column as a folder of parquet files."""
    write_tables(folder, eight_cells())
    (folder / SYNAPSES).mkdir()
    for number, rows in enumerate(parts):
        pyarrow.parquet.write_table(rows, folder / SYNAPSES / f"{number}.parquet")
    return folder


def halves():
    rows = synapse_rows(eight_cells()[CONNECTIONS])
    return rows.slice(0, 8), rows.slice(8)


@pytest.mark.parametrize("read", [open_folder, lambda folder: open_folder(convert(folder)[0].file.parent)])
def test_ids_are_whole_numbers_in_every_part_of_a_folder(tmp_path, read):
    """DuckDB alone gives all parts the types of the first, and makes another id of a float."""
    first, second = halves()
    floats = second.column("pre_pt_root_id").cast("float64", safe=False)
    folder = in_parts(tmp_path, first, second.set_column(2, "pre_pt_root_id", floats))
    with pytest.raises(
        SourceError, match=r"an id has the wrong type\n.*synapses_pni_2.*, column pre_pt_root_id\n.*float64"
    ):
        read(folder)


def test_a_part_that_lacks_a_column_is_empty_there(tmp_path):
    first, second = halves()
    read = open_folder(in_parts(tmp_path / "size", first.drop_columns("size"), second))[SYNAPSES].read()
    assert read.sort_by("id").column("size").to_pylist() == [None] * 8 + list(range(108, 116))
    with pytest.raises(SourceError, match=r"ids are missing\n.*synapses_pni_2, column post_pt_root_id\n.*8 empty rows"):
        open_folder(in_parts(tmp_path / "id", first, second.drop_columns("post_pt_root_id")))


def test_what_a_writer_has_not_finished_is_no_part(tmp_path):
    first, second = halves()
    folder = in_parts(tmp_path, first, second)
    for unfinished in ("_temporary/0/1.parquet", ".2.parquet", "_3.parquet", ".hidden/4.parquet"):
        (folder / SYNAPSES / unfinished).parent.mkdir(parents=True, exist_ok=True)
        pyarrow.parquet.write_table(first, folder / SYNAPSES / unfinished)
    assert open_folder(folder)[SYNAPSES].rows == open_folder(folder)[SYNAPSES].read().num_rows == 16
    assert {table.name: table.rows for table in convert(folder)}[SYNAPSES] == 16


@pytest.mark.parametrize("form", ["parquet", "csv", "csv.gz", "parts"])
def test_a_name_is_no_pattern(tmp_path, form):
    """A folder beside, which the name would fit as a pattern, has other rows."""
    first, second = halves()
    for name, rows in (("run[1]*", pa.concat_tables([first, second])), ("run1x", first)):
        if form == "parts":
            folder = in_parts(tmp_path / name, rows)
        else:
            folder = write_tables(tmp_path / name, eight_cells() | {SYNAPSES: rows}, form=form)
    folder = tmp_path / "run[1]*"
    assert open_folder(folder)[SYNAPSES].read().num_rows == open_folder(folder)[SYNAPSES].rows == 16
    assert {table.name: table.rows for table in convert(folder)}[SYNAPSES] == 16


@pytest.mark.parametrize("read", [open_folder, convert])
def test_names_of_columns(tmp_path, read):
    folder = write_tables(tmp_path, eight_cells(), form="csv")
    file = folder / f"{PROOFREADING}.csv"
    lines = file.read_text().splitlines()
    file.write_text("\n".join([f",{lines[0]}", *(f"{number},{line}" for number, line in enumerate(lines[1:]))]) + "\n")
    read(folder)  # as pandas writes it, with its index
    file.write_text("\n".join([f"STATUS_AXON,{lines[0]}", *(f"t,{line}" for line in lines[1:])]) + "\n")
    (folder / "parquet" / f"{PROOFREADING}.parquet").unlink(missing_ok=True)
    with pytest.raises(
        SourceError, match=r"two columns have one name\n.*proofreading\S+.csv\n.*STATUS_AXON, status_axon"
    ):
        read(folder)
    (folder / f"{PROOFREADING}_header.csv").write_text("id,bigint\nid,bigint\n")
    with pytest.raises(SourceError, match=r"two columns have one name\n.*header.csv, line 2\n.*id"):
        read(folder)


@pytest.mark.parametrize(("mark", "word"), [(";", "semicolons"), ("\t", "tabs"), ("|", "bars")])
def test_what_is_not_divided_by_commas_is_said(tmp_path, mark, word):
    folder = write_tables(tmp_path, eight_cells(), form="csv")
    file = folder / f"{CENSUS}.csv"
    file.write_text(file.read_text().replace(",", mark))
    with pytest.raises(
        SourceError, match=rf"not divided by commas\n.*{CENSUS}.csv\n.*divided by {word}\n.*\n.*with commas"
    ):
        open_folder(folder)
