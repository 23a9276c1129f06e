"""Spark gives the spec that DuckDB gives, to the last digit of an id; what it lacks is said."""

import sys

import ibis
import pyarrow as pa
import pyarrow.parquet
import pytest
from published_dumps import dumped
from published_tables import CENSUS, CONNECTIONS, FORMS, SYNAPSES, eight_cells, synapse_rows, write_tables

from connectome2net.errors import SourceError
from connectome2net.extract import extract
from connectome2net.sources import open_folder, open_source
from connectome2net.sources.engine import read_parquet, start_engine
from connectome2net.spec import digest_document


@pytest.fixture(scope="module")
def spark():
    pytest.importorskip("pyspark", reason="needs the extra [spark]")
    engine = start_engine("spark", master="local[2]")
    engine._session.conf.set("spark.sql.shuffle.partitions", "4")
    yield engine
    engine._session.stop()


@pytest.mark.slow
@pytest.mark.parametrize("form", FORMS)
def test_both_engines_see_the_same_rows(tmp_path, spark, form):
    tables = eight_cells()
    tables[SYNAPSES] = synapse_rows(tables[CONNECTIONS])
    folder = write_tables(tmp_path, tables, form=form)
    rows = [open_folder(folder, engine=name)[SYNAPSES] for name in ("duckdb", "spark")]
    assert rows[0].rows == rows[1].rows == 16
    assert rows[0].table.order_by("id").to_pyarrow() == rows[1].table.order_by("id").to_pyarrow()


@pytest.mark.slow
def test_a_dump_and_a_folder_of_parquet(tmp_path, spark):
    source = open_folder(dumped(tmp_path / "dump"), engine="spark")
    assert source[SYNAPSES].read().sort_by("id").column("size").to_pylist() == list(range(100, 116))
    folder = write_tables(tmp_path / "parts", eight_cells())
    (folder / SYNAPSES / "a=1").mkdir(parents=True)
    rows = synapse_rows(eight_cells()[CONNECTIONS])
    pyarrow.parquet.write_table(rows, folder / SYNAPSES / "a=1" / "0.parquet")
    assert open_folder(folder, engine="spark")[SYNAPSES].rows == 16


@pytest.mark.slow
def test_an_id_beside_an_empty_one_stays_what_it_is(spark):
    """On the way through pandas it becomes a float, and 864691135000000081 another id."""
    ids = pa.table({"id": pa.array([864691135000000081, None, 1])})
    table = ibis.memtable(ids)
    assert spark.to_pyarrow(table.filter(table.id.isnull() | (table.id > 1))).column("id").to_pylist() == [
        864691135000000081,
        None,
    ]


@pytest.mark.slow
def test_the_real_column_from_synapse_rows_has_the_same_digest_on_both_engines(shared_data, tmp_path, spark):
    column = shared_data / "microns" / "v1_column"
    tables = {name: pyarrow.parquet.read_table(column / f"{name}.parquet") for name in (CENSUS, CONNECTIONS)}
    rows = synapse_rows(tables.pop(CONNECTIONS))
    folder = write_tables(tmp_path, {**tables, SYNAPSES: rows}, toml=(column / "source.toml").read_text())
    specs = [extract(open_source(folder, engine=name)) for name in ("duckdb", "spark")]
    assert specs[0].edges == specs[1].edges
    assert digest_document(specs[0].document) == digest_document(specs[1].document)
    assert specs[1].edges.num_rows == 75_251
    assert sum(specs[1].edges.column("synapse_count").to_pylist()) == 141_452


@pytest.mark.slow
def test_a_broken_file_and_a_wrong_master_are_said_in_one_line(tmp_path, spark):
    folder = write_tables(tmp_path, eight_cells())
    (folder / f"{CONNECTIONS}.parquet").write_bytes(b"no parquet" * 9)
    with pytest.raises(SourceError, match=r"cannot be read\n.*connections_with_nuclei.parquet"):
        open_folder(folder, engine="spark")
    with pytest.raises(OSError, match=r"^Spark: [^\n]+$"):
        read_parquet(spark, str(tmp_path / "nowhere.parquet"))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"engine": "pandas"}, r"there is no such engine\n.*--engine\n.*pandas\n.*duckdb or spark"),
        ({"master": "local"}, r"only Spark has a master\n.*--master\n.*local\n.*--engine spark"),
    ],
)
def test_an_unknown_engine_and_a_master_without_spark(tmp_path, options, message):
    with pytest.raises(SourceError, match=message):
        open_source(write_tables(tmp_path, eight_cells()), **options)


def test_without_pyspark_the_extra_is_named(tmp_path, monkeypatch):
    for name in ("pyspark", "pyspark.sql", "pyspark.errors"):
        monkeypatch.setitem(sys.modules, name, None)
    message = r"Spark is not installed\n[\s\S]*pip install 'connectome2net\[spark\]'"
    with pytest.raises(SourceError, match=message):
        open_source(write_tables(tmp_path, eight_cells()), engine="spark")


def test_without_java_spark_is_not_started(tmp_path, monkeypatch):
    pytest.importorskip("pyspark", reason="needs the extra [spark]")
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.delenv("JAVA_HOME", raising=False)
    with pytest.raises(
        SourceError, match=r"Spark needs Java\n.*\n.*no java on the path\S* and no JAVA_HOME\n.*Java 17"
    ):
        open_source(write_tables(tmp_path / "tables", eight_cells()), engine="spark")


@pytest.mark.slow
def test_parts_names_and_texts_of_two_lines_are_read_alike(tmp_path, spark):
    """Names that are patterns, parts that lack a column or are not finished, a backtick, a line break in quotes."""
    rows = synapse_rows(eight_cells()[CONNECTIONS])
    (tmp_path / "a1{x}").mkdir()
    folder = write_tables(tmp_path / "a[1]*{x}", eight_cells())
    for name, part in {"k=1/0": rows.slice(0, 8).drop_columns("size"), "k=2/1": rows.slice(8), "_2": rows}.items():
        (folder / SYNAPSES / name).parent.mkdir(parents=True, exist_ok=True)
        pyarrow.parquet.write_table(part, folder / SYNAPSES / f"{name}.parquet")
    texts = write_tables(tmp_path / "b[1]", eight_cells(), form="csv")
    rows = rows.append_column("a`b", pa.array(['two\nlines, and a "quote"', *[""] * 15]))
    write_tables(texts, {SYNAPSES: rows}, form="csv")
    for place in (folder, texts):
        read = [open_folder(place, engine=name)[SYNAPSES] for name in ("duckdb", "spark")]
        assert read[0].rows == read[1].rows == 16
        assert read[0].read().sort_by("id") == read[1].read().sort_by("id")


@pytest.mark.slow
def test_parts_of_two_types_are_refused_on_spark_too(tmp_path, spark):
    rows = synapse_rows(eight_cells()[CONNECTIONS])
    floats = rows.set_column(2, "pre_pt_root_id", rows.column("pre_pt_root_id").cast("float64", safe=False))
    folder = write_tables(tmp_path, eight_cells())
    (folder / SYNAPSES).mkdir()
    for number, part in enumerate((rows, floats)):
        pyarrow.parquet.write_table(part, folder / SYNAPSES / f"{number}.parquet")
    with pytest.raises(SourceError, match=r"cannot be read\n.*synapses_pni_2\n.*Spark: .*(merge|MERGE)"):
        open_folder(folder, engine="spark")


@pytest.mark.slow
def test_float_sizes_are_the_same_on_both_engines(tmp_path, spark):
    tables = eight_cells()
    sizes = pa.array([100.0, None, float("nan"), *[50.4] * 6])
    tables[CONNECTIONS] = tables[CONNECTIONS].append_column("sum_size", sizes)
    folder = write_tables(tmp_path, tables)
    read = [open_folder(folder, engine=name)[CONNECTIONS].read() for name in ("duckdb", "spark")]
    assert read[0] == read[1]
    assert read[1].column("sum_size").to_pylist() == [100, None, None, *[50] * 6]


@pytest.mark.slow
def test_a_csv_line_with_a_field_too_many_is_shown(tmp_path, spark):
    folder = write_tables(tmp_path, eight_cells(), form="csv")
    with (folder / f"{CONNECTIONS}.csv").open("a") as file:
        file.write("1,2,3,4,5,6\r\n")
    with pytest.raises(SourceError, match=r"cannot be read\n.*connections_with_nuclei.csv\n.*Spark: .*: 1,2,3,4,5,6"):
        open_folder(folder, engine="spark")
