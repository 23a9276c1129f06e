"""What does not fit is named or refused: tables of other cells, unknown words, repeated keys, nothing that is left."""

import ibis
import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from published_tables import (
    CENSUS,
    CONNECTIONS,
    PROOFREADING,
    SYNAPSES,
    change,
    eight_cells,
    root,
    synapse_rows,
    write_tables,
)

from connectome2net.errors import ExtractError, SourceError
from connectome2net.extract import extract
from connectome2net.extract.column import find_column
from connectome2net.extract.cut import cut
from connectome2net.extract.quality import Account
from connectome2net.extract.segmentation import near_border, unmerged
from connectome2net.sources import Source, SourceTable, open_folder, open_source
from connectome2net.sources.microns import AREAS, METAMODEL, NUCLEI, STATISTICS
from connectome2net.sources.source import StraightAxis
from connectome2net.spec.tables import values

PLACE = ["pt_position_x", "pt_position_y", "pt_position_z"]


def found_in(tmp_path, tables, **options):
    spec = extract(open_folder(write_tables(tmp_path, tables)), **options)
    return {finding.name: finding for finding in spec.anatomy.findings}


def labels(nuclei, words):
    return pa.table({"id": nuclei, "classification_system": words, "cell_type": ["4P"] * len(nuclei)})


def test_a_table_of_labels_that_knows_no_cell_is_named(tmp_path):
    tables = eight_cells()
    tables[METAMODEL] = labels([901, 902], ["excitatory_neuron"] * 2)
    finding = found_in(tmp_path, tables)["labels of other cells"]
    assert (finding.count, finding.text.split(":")[0]) == (8, f"cells of which {METAMODEL} says nothing")


def test_words_for_a_class_that_nobody_knows_are_named(tmp_path):
    tables = eight_cells()
    tables[METAMODEL] = labels([10, 20, 30, 901], ["excit", "excit", "excitatory_neuron", "far away"])
    finding = found_in(tmp_path, tables)["unknown word"]
    assert (finding.count, finding.text.split(": ")[-1]) == (2, "excit (2)")


def test_cells_that_no_synapse_reaches_are_named(tmp_path):
    tables = eight_cells()
    rows = [row for row in tables[CONNECTIONS].to_pylist() if not {10, 20} & {row["pre_nuc_id"], row["post_nuc_id"]}]
    tables[CONNECTIONS] = pa.Table.from_pylist(rows, tables[CONNECTIONS].schema)
    assert found_in(tmp_path, tables)["cells without a synapse"].cells == ("10", "20")


def test_a_cut_out_of_the_census_says_what_the_census_is(tmp_path):
    finding = found_in(tmp_path, eight_cells(), radius_um=300)["cut out of the census"]
    assert NUCLEI in finding.text
    assert "cut out of the census" not in found_in(tmp_path / "whole", eight_cells())


def test_totals_of_other_cells_are_named(tmp_path):
    tables = eight_cells()
    tables[STATISTICS] = pa.table({"id": [901], "ds_num_of_incoming_synapses": [5]})
    assert found_in(tmp_path, tables)["totals not believed"].count == 8


def test_nuclei_without_a_table_of_classes_are_no_column(tmp_path):
    tables = eight_cells()
    tables[NUCLEI] = tables.pop(CENSUS).select(["id", "pt_root_id", *PLACE])
    message = r"no cell is left(.|\n)*cells of known class: 0 of 6, because: no table of classes speaks(.|\n)*metamodel"
    with pytest.raises(ExtractError, match=message):
        extract(open_folder(write_tables(tmp_path, tables)), radius_um=300)


def test_no_edge_is_no_spec(tmp_path):
    source = open_folder(write_tables(tmp_path, eight_cells()))
    with pytest.raises(ExtractError, match=r"no edge is left(.|\n)*edges of 1000 synapses or more: 0 of 9"):
        extract(source, min_synapses=1000)


def test_a_table_without_a_row_is_no_spec(tmp_path):
    tables = eight_cells()
    tables[CONNECTIONS] = tables[CONNECTIONS].slice(0, 0)
    with pytest.raises(ExtractError, match=r"no edge is left(.|\n)*0 of 0, because: the table is empty"):
        extract(open_folder(write_tables(tmp_path, tables)))


def test_strategies_that_nobody_states_cannot_be_required(tmp_path):
    tables = eight_cells()
    tables[PROOFREADING] = tables[PROOFREADING].drop_columns("strategy_axon")
    source = open_folder(write_tables(tmp_path, tables))
    with pytest.raises(
        ExtractError, match=r"how far axons were extended\n.*fully-extended-axon\n.*column strategy_axon"
    ):
        extract(source, require=["fully-extended-axon"])


def twice(table, **other):
    """A table whose first row stands there again, with other values."""
    return pa.concat_tables([table, pa.Table.from_pylist([table.to_pylist()[0] | other], table.schema)])


NUCLEUS = {"id": [10, 20, 30, 40, 50, 60, 70, 80]}
REPEATED = {
    "census, another place": (CENSUS, lambda t: twice(t[CENSUS], pt_position_x=1.0), "nucleus 40"),
    "proofreading, null beside true": (PROOFREADING, lambda t: twice(t[PROOFREADING], status_axon=None), "root"),
    "proofreading, another strategy": (PROOFREADING, lambda t: twice(t[PROOFREADING], strategy_axon="none"), "root"),
    "nuclei, another root": (
        NUCLEI,
        lambda t: twice(t[CENSUS].select(["id", "pt_root_id", *PLACE]), pt_root_id=5),
        "nucleus 40",
    ),
    "areas": (AREAS, lambda _: pa.table({"id": [10, 10], "tag": ["V1", "RL"]}), "nucleus 10"),
    "statistics": (
        STATISTICS,
        lambda _: pa.table({"id": [10, 10], "ds_num_of_incoming_synapses": [100, 500]}),
        "nucleus 10",
    ),
}


@pytest.mark.parametrize("name", REPEATED)
def test_two_rows_that_say_different_things_are_refused(tmp_path, name):
    table, corrupt, thing = REPEATED[name]
    tables = eight_cells()
    tables[table] = corrupt(tables)
    with pytest.raises(SourceError, match=rf"a table says two things of one (.|\n)*{table}(.|\n)*{thing.split()[-1]}"):
        open_folder(write_tables(tmp_path, tables))


def test_an_axon_looked_at_twice_is_stale_only_if_both_times_were_before(tmp_path):
    tables = eight_cells()
    tables[PROOFREADING] = twice(tables[PROOFREADING], valid_id=7)
    for rows in (tables[PROOFREADING], tables[PROOFREADING].take([6, 5, 4, 3, 2, 1, 0])):
        given_tables = {**tables, PROOFREADING: rows}
        stale = found_in(tmp_path / str(rows["valid_id"][0]), given_tables)["proofreading stale"]
        assert stale.cells == ("20",)


def test_census_and_nuclei_of_two_versions_are_refused(tmp_path):
    tables = eight_cells()
    nuclei = tables[CENSUS].select(["id", "pt_root_id", *PLACE])
    roots = [root(n) + (n in (20, 50)) for n in nuclei["id"].to_pylist()]
    tables[NUCLEI] = change(nuclei, "pt_root_id", roots)
    message = rf"disagree on the root id of a nucleus(.|\n)*nucleus 20 is root {root(20)} and {root(20) + 1}; 2 nuclei"
    with pytest.raises(SourceError, match=message):
        open_folder(write_tables(tmp_path, tables))


def test_a_sum_of_sizes_with_a_gap_is_not_known(tmp_path):
    tables = eight_cells()
    rows = synapse_rows(tables.pop(CONNECTIONS))
    sizes = [None, *rows["size"].to_pylist()[1:]]
    tables[SYNAPSES] = change(rows, "size", sizes)
    spec = extract(open_folder(write_tables(tmp_path, tables)))
    unknown = [edge for edge in spec.edges.to_pylist() if edge["total_size_vx"] is None]
    assert [(edge["synapse_count"], edge["pre_index"], edge["post_index"]) for edge in unknown] == [(2, 0, 3)]


def test_merged_segments_are_found_beside_cells_without_one():
    cells = pa.table({"source_id": list("abcde"), "root_id": pa.array([77, 77, 5, None, None], pa.int64())})
    account = Account()
    assert unmerged(cells, account)["source_id"].to_pylist() == ["c", "d", "e"]
    assert [finding.cells for finding in account.left_out] == [("a", "b")]


def test_a_nucleus_may_have_any_number():
    columns = {"id": [-1, -5, 3], "pt_root_id": [7, 8, 9], **{name: [1.0, 2.0, 3.0] for name in PLACE}}
    source = Source("minnie65", "1", {NUCLEI: SourceTable(NUCLEI, "", 3, None, ibis.memtable(pa.table(columns)))}, "m")
    rows, _ = cut(source, find_column("all", source=source), Account())
    assert rows["nucleus_id"].to_pylist() == [-5, -1, 3]


def test_nuclei_without_any_position_have_no_border():
    columns = {"id": [1], "pt_root_id": [7], **dict.fromkeys(PLACE, pa.nulls(1, pa.float64()))}
    source = Source("minnie65", "1", {NUCLEI: SourceTable(NUCLEI, "", 1, None, ibis.memtable(pa.table(columns)))}, "m")
    assert near_border(source, np.zeros((2, 3)), within_um=100).tolist() == [False, False]


@settings(max_examples=30, deadline=None)
@given(tilt=st.floats(-0.3, 0.3), side=st.floats(20, 80))
def test_a_square_stands_parallel_to_the_volume(tilt, side):
    """Its first direction has no part along y or z that the tilt of the axis does not ask for."""
    axis = StraightAxis((0.0, 1.0, tilt), (0.0, 0.0, 0.0))
    rng = np.random.default_rng(0)
    position_nm = rng.uniform(-6e4, 6e4, (40, 3))
    columns = {"id": np.arange(40), "pt_root_id": np.arange(1, 41)} | dict(zip(PLACE, position_nm.T, strict=True))
    table = SourceTable(NUCLEI, "", 40, None, ibis.memtable(pa.table(columns)))
    source = Source("any", "1", {NUCLEI: table}, "memory", axis=axis)
    column = find_column("all", source=source).model_copy(
        update={"shape": "square", "side_um": side, "centre_nm": (0.0, 0.0, 0.0)}
    )
    across = np.array([0.0, -tilt, 1.0]) / np.hypot(1.0, tilt)
    expected = (np.abs(position_nm[:, 0]) <= side * 500) & (np.abs(position_nm @ across) <= side * 500)
    if expected.any():
        rows, _ = cut(source, column, Account())
        assert rows["nucleus_id"].to_pylist() == np.flatnonzero(expected).tolist()


def test_cuts_of_different_size_have_different_names():
    source = open_source("synthetic")
    names = {extract(source, **size).name for size in ({}, {"radius_um": 40}, {"side_um": 40}, {"radius_um": 50.5})}
    assert names == {
        "minnie65_synthetic_v1_column",
        "minnie65_synthetic_v1_cylinder40um_column",
        "minnie65_synthetic_v1_square40um_column",
        "minnie65_synthetic_v1_cylinder50.5um_column",
    }
    assert values(extract(source, radius_um=40).cells, "nucleus_id").size < 1351
