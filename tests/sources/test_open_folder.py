"""A folder of published tables, whatever their form, becomes one checked source."""

import hashlib

import pyarrow as pa
import pytest
from published_tables import (
    CENSUS,
    CONNECTIONS,
    FORMS,
    PROOFREADING,
    SYNAPSES,
    change,
    eight_cells,
    synapse_rows,
    write_table,
    write_tables,
)

from connectome2net.sources import open_folder


@pytest.mark.parametrize("form", FORMS)
def test_every_form_gives_the_published_rows(tmp_path, form):
    tables = eight_cells()
    source = open_folder(write_tables(tmp_path, tables, form=form))
    assert set(source.tables) == set(tables)
    for name, table in tables.items():
        assert source[name].rows == table.num_rows
        assert source[name].file == f"{name}.{form}"
        assert source[name].sha256 == hashlib.sha256((tmp_path / f"{name}.{form}").read_bytes()).hexdigest()
        assert source[name].read().to_pylist() == table.to_pylist()


@pytest.mark.parametrize("form", FORMS)
def test_ids_above_two_to_the_53_come_through_exactly(tmp_path, form):
    source = open_folder(write_tables(tmp_path, eight_cells(), form=form))
    column = source[CENSUS].table.pt_root_id
    assert column.type().is_int64()
    assert 864691135000000081 in column.to_pyarrow().to_pylist()


def test_source_toml_says_what_the_tables_are(tmp_path):
    source = open_folder(write_tables(tmp_path, eight_cells()))
    assert (source.dataset, source.materialization, source.position_unit) == ("minnie65_public", "1300", "nm")
    assert source.citation == ("somebody",)
    assert not source.synthetic
    assert source.notes == ()


def test_without_source_toml_positions_are_voxels_as_cave_gives_them(tmp_path):
    source = open_folder(write_tables(tmp_path, eight_cells(), toml=""))
    assert (source.materialization, source.position_unit, source.unit_nm) == ("unknown", "voxel", (4.0, 4.0, 40.0))
    assert "no source.toml" in source.notes[0]


def test_the_option_overrules_source_toml(tmp_path):
    folder = write_tables(tmp_path, eight_cells(), toml='position_unit = "nm"\nposition_voxel_nm = [8, 8, 40]\n')
    assert open_folder(folder).unit_nm == (1.0, 1.0, 1.0)
    assert open_folder(folder, position_unit="um").unit_nm == (1000.0, 1000.0, 1000.0)
    assert open_folder(folder, position_unit="voxel").unit_nm == (8.0, 8.0, 40.0)


def test_positions_in_one_column_are_split(tmp_path):
    tables = eight_cells()
    census, names = tables[CENSUS], [f"pt_position_{axis}" for axis in "xyz"]
    triples = [list(row.values()) for row in census.select(names).to_pylist()]
    triples = [None if None in triple else triple for triple in triples]
    tables[CENSUS] = census.drop_columns(names).append_column("pt_position", pa.array(triples))
    read = open_folder(write_tables(tmp_path, tables))[CENSUS].read()
    assert read.select(names).to_pylist() == census.select(names).to_pylist()


@pytest.mark.parametrize("words", [("t", "f"), ("true", "false"), ("True", "False"), (True, False)])
@pytest.mark.parametrize("form", ["parquet", "csv"])
def test_booleans_in_both_spellings(tmp_path, words, form):
    tables = eight_cells()
    truth = tables[PROOFREADING].column("status_axon").to_pylist()
    tables[PROOFREADING] = change(tables[PROOFREADING], "status_axon", [words[not value] for value in truth])
    read = open_folder(write_tables(tmp_path, tables, form=form))[PROOFREADING].read()
    assert read.column("status_axon").to_pylist() == truth


def test_synapse_rows_take_the_place_of_the_connection_table(tmp_path):
    tables = eight_cells()
    tables[SYNAPSES] = synapse_rows(tables[CONNECTIONS])
    source = open_folder(write_tables(tmp_path, tables))
    assert SYNAPSES in source
    assert CONNECTIONS not in source
    assert source.notes == ("synapses_pni_2.parquet is there, so connections_with_nuclei.parquet is not used",)


def test_columns_and_tables_that_are_not_used_do_not_matter(tmp_path):
    tables = eight_cells()
    tables[CENSUS] = tables[CENSUS].append_column("more", pa.array([1.5] * 8))
    folder = write_tables(tmp_path, tables)
    write_table(folder / "allen_column_mtypes_v2.parquet", tables[PROOFREADING])
    assert "more" not in open_folder(folder)[CENSUS].table.columns


def test_materialization_in_the_files_own_metadata_is_read(tmp_path):
    tables = eight_cells()
    tables[CENSUS] = tables[CENSUS].replace_schema_metadata({"materialization": "1300"})
    assert open_folder(write_tables(tmp_path, tables, toml="")).materialization == "1300"


def test_size_may_be_a_float_because_sums_often_are(tmp_path):
    tables = eight_cells()
    sizes = pa.array([100.0, None, 300.0, *[50.0] * 6])
    tables[CONNECTIONS] = tables[CONNECTIONS].append_column("sum_size", sizes)
    for form in ("parquet", "csv"):
        read = open_folder(write_tables(tmp_path / form, tables, form=form))[CONNECTIONS].read()
        assert read.column("sum_size").to_pylist() == [100, None, 300, *[50] * 6]
        assert pa.types.is_int64(read.schema.field("sum_size").type)


@pytest.mark.parametrize("form", ["parquet", "csv"])
def test_a_flag_may_be_a_number(tmp_path, form):
    tables = eight_cells()
    words = tables[PROOFREADING].column("status_axon")
    tables[PROOFREADING] = change(tables[PROOFREADING], "status_axon", words.cast("int8"))
    read = open_folder(write_tables(tmp_path, tables, form=form))[PROOFREADING].read()
    assert read.column("status_axon").to_pylist() == words.to_pylist()
