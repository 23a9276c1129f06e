"""The real V1 column gives exactly the published counts, whatever form its tables have."""

from collections import Counter

import ibis
import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet
import pytest
from published_tables import CENSUS, CONNECTIONS, FORMS, PROOFREADING, SYNAPSES, synapse_rows, write_tables

from connectome2net.extract import extract
from connectome2net.sources import Source, SourceTable, open_folder
from connectome2net.sources.microns import METAMODEL, STATISTICS
from connectome2net.spec import read_spec, validate, write_spec
from connectome2net.spec.tables import edge_index, values

TYPES = {"23P": 349, "4P": 266, "5P-IT": 137, "5P-PT": 38, "5P-NP": 10, "6P-IT": 192, "6P-CT": 143, "6P-U": 28}
TYPES |= {"WM-P": 20, "Unsure E": 5, "BC": 59, "MC": 41, "BPC": 33, "NGC": 17, "Unsure I": 13}
GROUPS = {"23P": "B", "4P": "A", "5": "C", "6": "D", "W": "D", "U": "?"}
GROUP_EDGES = {
    "A": (3233, 2689, 2406, 1042, 4524),
    "B": (1163, 5750, 2289, 732, 6116),
    "C": (751, 1731, 1479, 1429, 2447),
    "D": (391, 315, 727, 2855, 2548),
    "I": (6906, 10678, 4934, 4164, 3576),
}
"""From shared/data/README.md: edges from a group (row) to A B C D I."""


@pytest.fixture(scope="module")
def folder(shared_data):
    return shared_data / "microns" / "v1_column"


@pytest.fixture(scope="module")
def tables(folder):
    names = (CENSUS, CONNECTIONS, PROOFREADING, METAMODEL, STATISTICS)
    return {name: pyarrow.parquet.read_table(folder / f"{name}.parquet") for name in names}


@pytest.fixture(scope="module")
def spec(folder):
    return extract(open_folder(folder))


def group(cell_type, ei_class):
    if ei_class == "inhibitory":
        return "I"
    return next(letter for start, letter in GROUPS.items() if cell_type.startswith(start))


def test_counts_are_the_published_ones(spec):
    assert spec.cells.num_rows == 1351
    assert spec.edges.num_rows == 75_251
    assert values(spec.edges, "synapse_count").sum() == 141_452
    assert values(spec.edges, "synapse_count").max() == 44
    assert Counter(values(spec.cells, "ei_class")) == {"excitatory": 1188, "inhibitory": 163}
    assert Counter(values(spec.cells, "cell_type")) == TYPES


def test_edges_between_groups_are_the_published_ones(spec):
    groups = [
        group(*pair) for pair in zip(values(spec.cells, "cell_type"), values(spec.cells, "ei_class"), strict=True)
    ]
    counted = Counter((groups[pre], groups[post]) for pre, post in zip(*edge_index(spec.edges), strict=True))
    for pre, row in GROUP_EDGES.items():
        assert tuple(counted[pre, post] for post in "ABCDI") == row
    assert sum(count for pair, count in counted.items() if "?" in pair) == 376


def test_direction_agrees_with_the_per_cell_table(spec, folder):
    per_cell = pd.read_parquet(folder / "cell_synapse_statistics.parquet").set_index("id")
    per_cell = per_cell.loc[values(spec.cells, "nucleus_id")]
    pre, post = edge_index(spec.edges)
    synapses = values(spec.edges, "synapse_count")
    for end, column in ((pre, "num_of_outgoing_synapses"), (post, "num_of_incoming_synapses")):
        np.testing.assert_array_equal(np.bincount(end, synapses, minlength=1351), per_cell[column])


def test_edges_equal_a_join_by_hand(spec, folder):
    nucleus = values(spec.cells, "nucleus_id")
    pre, post = edge_index(spec.edges)
    mine = set(zip(nucleus[pre], nucleus[post], values(spec.edges, "synapse_count"), strict=True))
    table = pd.read_parquet(folder / f"{CONNECTIONS}.parquet")
    assert mine == set(zip(table.pre_nuc_id, table.post_nuc_id, table.n_syn, strict=True))


def test_cells_carry_what_the_census_says(spec, tables):
    census = tables[CENSUS].sort_by("id")
    for mine, theirs in {"nucleus_id": "id", "root_id": "pt_root_id", "soma_x_nm": "pt_position_x"}.items():
        np.testing.assert_array_equal(values(spec.cells, mine), census.column(theirs).to_numpy())
    assert values(spec.cells, "source_id").tolist() == [str(nucleus) for nucleus in census.column("id").to_pylist()]


def test_depth_of_the_measured_centre_and_of_the_types(spec):
    depth_um = pd.Series(values(spec.cells, "soma_depth_um")).groupby(values(spec.cells, "cell_type")).median()
    assert depth_um.isna().sum() == 0
    order = ["NGC", "23P", "4P", "5P-IT", "5P-PT", "6P-IT", "WM-P"]
    assert depth_um[order].is_monotonic_increasing
    assert spec.cells.column("soma_depth_um").null_count == 28


def test_laminae_follow_type_or_depth(spec):
    lamina, ei_class = values(spec.cells, "lamina"), values(spec.cells, "ei_class")
    excitatory = Counter(lamina[ei_class == "excitatory"])
    excitatory.subtract({"L2/3": 349, "L4": 266, "L5": 185, "L6": 363, "WM": 20})
    assert sum(excitatory.values()) == 5
    depth_um = values(spec.cells, "soma_depth_um")
    inhibitory = (ei_class == "inhibitory") & ~np.isnan(depth_um)
    cuts = pd.cut(depth_um[inhibitory], [-np.inf, 80, 250, 370, 510, 730, np.inf], right=False)
    words = cuts.rename_categories(["L1", "L2/3", "L4", "L5", "L6", "WM"])
    assert lamina[inhibitory].tolist() == list(words)
    assert Counter(lamina)["unknown"] == 3


def test_proofreading_per_cell(spec, folder):
    table = pd.read_parquet(folder / f"{PROOFREADING}.parquet").set_index("pt_root_id").status_axon
    known = spec.cells.column("axon_proofread")
    assert known.null_count == 28
    for root, status in zip(values(spec.cells, "root_id"), known.to_pylist(), strict=True):
        assert status is None if root not in table.index else status == table[root]


def test_findings_name_what_is_not_known(spec):
    found = {finding.name: finding for finding in spec.anatomy.findings}
    assert {name: finding.count for name, finding in found.items()} == {
        "no position": 28,
        "unknown lamina": 3,
        "type contradicts depth": 3,
        "proofreading unknown": 28,
        "axon not proofread": 229,
        "axon incomplete": 1002,
        "mostly inhibitory inputs": 989,
        "inputs from outside": 1351,
        "near the border": 12,
    }
    assert found["unknown lamina"].cells == ("252232", "292832", "303172")
    assert "(median of all excitatory cells 68%)" in found["mostly inhibitory inputs"].text


def test_the_account_of_every_step(spec):
    rows = [(step.rows_in, step.kept, step.lost) for step in spec.anatomy.steps]
    assert rows == [(1351, 1351, 0)] * 4 + [(75_251, 75_251, 0)] * 2


@pytest.mark.parametrize("network", ["column", "bionic"])
def test_both_networks_are_valid_and_come_back_equal(folder, network, tmp_path):
    made = extract(open_folder(folder), network=network, name="mine")
    assert validate(made) == []
    assert read_spec(write_spec(made, tmp_path)) == made
    assert (made.name, made.network.name) == ("mine", network)
    assert made.anatomy.materialization == "unknown"
    assert not made.anatomy.synthetic
    assert made.document.provenance.citation[0].startswith("MICrONS Consortium")


def test_synapse_rows_give_the_same_edges(spec, tables, tmp_path):
    rows = synapse_rows(tables[CONNECTIONS])
    assert rows.num_rows == 141_452
    shuffled = rows.take(np.random.default_rng(0).permutation(rows.num_rows))
    given = {SYNAPSES: shuffled} | {name: table for name, table in tables.items() if name != CONNECTIONS}
    made = extract(open_folder(write_tables(tmp_path, given)))
    counts = ["post_index", "pre_index", "synapse_count"]
    assert made.edges.select(counts).equals(spec.edges.select(counts))
    assert made.cells.select(spec.cells.column_names).equals(spec.cells)
    sizes = pd.DataFrame(rows.to_pydict()).groupby(["pre_pt_root_id", "post_pt_root_id"])["size"].sum()
    root, (pre, post) = values(made.cells, "root_id"), edge_index(made.edges)
    pairs = pd.MultiIndex.from_arrays([root[pre], root[post]])
    np.testing.assert_array_equal(values(made.edges, "total_size_vx"), sizes.loc[pairs])


@pytest.mark.parametrize("form", FORMS)
def test_every_form_gives_the_same_column(spec, tables, form, tmp_path):
    made = extract(open_folder(write_tables(tmp_path, tables, form=form)))
    assert made.cells.equals(spec.cells)
    assert made.edges.equals(spec.edges)
    assert made.anatomy.findings == spec.anatomy.findings


def test_voxels_and_micrometres_give_the_same_column(spec, tables, tmp_path):
    for unit, size in {"voxel": (4, 4, 40), "um": (1000, 1000, 1000)}.items():
        census = tables[CENSUS]
        for axis, nm in zip("xyz", size, strict=True):
            column = f"pt_position_{axis}"
            scaled = pa.array(census.column(column).to_numpy() / nm)
            census = census.set_column(census.column_names.index(column), column, scaled)
        folder = write_tables(tmp_path / unit, {**tables, CENSUS: census}, toml="")
        made = extract(open_folder(folder, position_unit=unit))
        np.testing.assert_allclose(values(made.cells, "soma_depth_um"), values(spec.cells, "soma_depth_um"), atol=1e-6)
        assert made.cells.column("lamina").equals(spec.cells.column("lamina"))


def test_the_rows_that_a_queried_source_hands_out_stand_in_the_spec(spec, tables):
    rows = synapse_rows(tables[CONNECTIONS]).drop_columns("valid")
    asked = []

    def fetch(roots):
        asked.append(roots)
        return SourceTable(SYNAPSES, "", rows.num_rows, None, ibis.memtable(rows))

    small = {name: SourceTable(name, "", t.num_rows, None, ibis.memtable(t)) for name, t in tables.items()}
    del small[CONNECTIONS]
    made = extract(Source("minnie65_public", "1300", small, "far away", fetch_synapses=fetch))
    assert [sorted(roots) for roots in asked] == [sorted(values(spec.cells, "root_id"))]
    assert {table.name: table.rows for table in made.anatomy.sources}[SYNAPSES] == 141_452
    assert made.edges.num_rows == 75_251
