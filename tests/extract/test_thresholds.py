"""Which edges a user trusts: proofread axons, synapses, sizes. And what is carried per cell."""

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from published_tables import CENSUS, CONNECTIONS, PROOFREADING, change, eight_cells, root, write_tables

from connectome2net.errors import ExtractError
from connectome2net.extract import extract
from connectome2net.sources import open_folder, open_source
from connectome2net.sources.microns import STATISTICS
from connectome2net.spec.tables import edge_index, values


@pytest.fixture(scope="module")
def folder(shared_data):
    return shared_data / "microns" / "v1_column"


def presynaptic(spec):
    return set(values(spec.cells, "root_id")[edge_index(spec.edges)[0]])


@pytest.mark.parametrize("requirement", ["proofread-axon", "fully-extended-axon"])
def test_required_axons_of_the_real_column(folder, requirement):
    """The published filter of others is inverted: here the table itself says who may send."""
    table = pd.read_parquet(folder / f"{PROOFREADING}.parquet")
    allowed = table[table.status_axon]
    if requirement == "fully-extended-axon":
        allowed = allowed[allowed.strategy_axon == "axon_fully_extended"]
    pairs = pd.read_parquet(folder / f"{CONNECTIONS}.parquet")
    expected = pairs[pairs.pre_pt_root_id.isin(allowed.pt_root_id)]
    spec = extract(open_folder(folder), require=[requirement])
    assert spec.edges.num_rows == len(expected) < len(pairs)
    assert presynaptic(spec) == set(expected.pre_pt_root_id)
    assert spec.cells.num_rows == 1351
    last = spec.anatomy.steps[-1]
    assert (last.rows_in, last.kept) == (len(pairs), len(expected))
    assert last.name == f"edges of cells with a {requirement.replace('-', ' ')}"
    assert spec.document.provenance.parameters["require"] == requirement


@pytest.mark.parametrize("spelling", [(True, False), ("t", "f"), ("True", "False")])
def test_both_spellings_of_proofread(tmp_path, spelling):
    tables = eight_cells()
    yes, no = spelling
    tables[PROOFREADING] = pa.table(
        {
            "pt_root_id": [root(10), root(40), root(50)],
            "status_axon": [yes, no, no],
            "strategy_axon": ["axon_partially_extended", "none", "none"],
            "status_dendrite": [no, yes, no],
            "strategy_dendrite": ["none", "dendrite_extended", "none"],
        }
    )
    spec = extract(open_folder(write_tables(tmp_path, tables)), require=["proofread-axon"])
    assert presynaptic(spec) == {root(10)}
    cells = {cell["nucleus_id"]: cell for cell in spec.cells.to_pylist()}
    assert [cells[n]["axon_proofread"] for n in (10, 40, 50, 60)] == [True, False, False, None]
    assert [cells[n]["dendrite_proofread"] for n in (10, 40, 50, 60)] == [False, True, False, None]
    assert [cells[n]["axon_strategy"] for n in (10, 60)] == ["axon_partially_extended", None]
    assert cells[40]["dendrite_strategy"] == "dendrite_extended"


def test_a_requirement_that_nothing_is_known_of(tmp_path):
    tables = eight_cells()
    del tables[PROOFREADING]
    source = open_folder(write_tables(tmp_path, tables))
    with pytest.raises(
        ExtractError, match=r"nothing is known of the proof(.|\n)*--require proofread-axon\n.*table proof"
    ):
        extract(source, require=["proofread-axon"])
    with pytest.raises(ExtractError, match=r"no such requirement\n.*\n.*ax_extended\n.*proofread-axon or fully-ext"):
        extract(source, require=["ax_extended"])


def test_thresholds_on_synapses_and_sizes():
    source = open_source("synthetic", seed=3)
    whole = extract(source)
    count, size = values(whole.edges, "synapse_count"), values(whole.edges, "total_size_vx")
    spec = extract(source, min_synapses=2, min_size_vx=9_000)
    kept = (count >= 2) & (size >= 9_000)
    assert spec.edges.equals(whole.edges.filter(pa.array(kept)).combine_chunks())
    steps = [(step.rows_in, step.kept, step.lost) for step in spec.anatomy.steps[-2:]]
    several = int((count >= 2).sum())
    assert steps == [(len(count), several, len(count) - several), (several, kept.sum(), several - kept.sum())]
    parameters = spec.document.provenance.parameters
    assert (parameters["min_synapses"], parameters["min_size_vx"]) == ("2", "9000")
    assert "min_synapses" not in whole.document.provenance.parameters


def test_a_threshold_on_sizes_that_were_not_measured(tmp_path):
    source = open_folder(write_tables(tmp_path, eight_cells()))
    with pytest.raises(ExtractError, match=r"sizes of synapses were not measured\n.*--min-size-vx\n.*9 of 9 edges"):
        extract(source, min_size_vx=1)


def test_inputs_from_outside_the_real_column(folder):
    """Totals of the whole volume minus what the column itself gives."""
    spec = extract(open_folder(folder))
    table = pd.read_parquet(folder / f"{STATISTICS}.parquet").set_index("id").loc[values(spec.cells, "nucleus_id")]
    expected = table.ds_num_of_incoming_synapses - table.num_of_incoming_synapses
    np.testing.assert_array_equal(values(spec.cells, "outside_synapse_count"), expected)
    assert "outside_total_size_vx" not in spec.cells.column_names
    share = expected.sum() / table.ds_num_of_incoming_synapses.sum()
    assert share > 0.95  # why the totals are carried: a column sees but a small part of its cells' inputs


def test_totals_that_are_smaller_than_the_column_are_not_believed(tmp_path):
    tables = eight_cells()
    nuclei = tables[CENSUS].column("id").to_pylist()[:7]
    columns = {"id": nuclei, "ds_num_of_incoming_synapses": [0 if n == 10 else 100 for n in nuclei]}
    tables[STATISTICS] = pa.table(columns | {"ds_incoming_syn_sum_weight": [10_000] * 7})
    sizes = pa.array([100 * n for n in range(1, 10)], pa.int64())
    tables[CONNECTIONS] = tables[CONNECTIONS].append_column("sum_size", sizes)
    spec = extract(open_folder(write_tables(tmp_path, tables)))
    outside = {cell["nucleus_id"]: cell["outside_synapse_count"] for cell in spec.cells.to_pylist()}
    assert outside == {10: None, 20: 99, 30: 97, 40: 95, 50: 98, 60: 100, 70: 99, 80: None}
    size = {cell["nucleus_id"]: cell["outside_total_size_vx"] for cell in spec.cells.to_pylist()}
    assert (size[30], size[80]) == (10_000 - 300, None)


def test_the_order_of_thresholds_does_not_change_what_is_left(tmp_path):
    tables = eight_cells()
    tables[PROOFREADING] = change(tables[PROOFREADING], "status_axon", [True] * 6)
    spec = extract(open_folder(write_tables(tmp_path, tables)), require=["proofread-axon"], min_synapses=2)
    pairs = {(10, 40), (40, 30), (50, 10), (50, 40)}
    nucleus = values(spec.cells, "nucleus_id")
    assert {(nucleus[pre], nucleus[post]) for pre, post in zip(*edge_index(spec.edges), strict=True)} == pairs
