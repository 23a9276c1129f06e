"""The stand-in has the numbers of the published figures, heavy-tailed degrees, and no cell that was measured."""

import itertools
import time
from collections import Counter
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from connectome2net.extract import extract
from connectome2net.sources import synthetic
from connectome2net.sources.figures import FIGURE_SYNAPSES, FIGURE_TYPES, TYPES
from connectome2net.sources.microns import CENSUS, CONNECTIONS, PROOFREADING, TABLES
from connectome2net.sources.synthetic import synapses_between_types
from connectome2net.spec import read_spec, validate, write_spec
from connectome2net.spec.tables import edge_index, values

COUNTS = {"23P": 349, "4P": 266, "5P-IT": 137, "5P-PT": 38, "5P-NP": 10, "6P-IT": 192, "6P-CT": 143, "6P-U": 28}
COUNTS |= {"WM-P": 20, "Unsure E": 5, "BC": 59, "MC": 41, "BPC": 33, "NGC": 17, "Unsure I": 13}
BORDERS = {"23P": (80, 250), "4P": (250, 370), "5P-IT": (370, 510), "6P-CT": (510, 730), "NGC": (0, 80)}


def lateral(spec):
    """Both axes along the pia, um: x' = x cos 5 - y sin 5, and z."""
    x, y, z = (values(spec.cells, f"soma_{axis}_nm") / 1000 for axis in "xyz")
    return x * np.cos(np.radians(5)) - y * np.sin(np.radians(5)), z


@pytest.fixture(scope="module")
def source():
    return synthetic(seed=0)


@pytest.fixture(scope="module")
def spec(source):
    return extract(source)


def test_it_is_marked(source, spec):
    assert source.synthetic
    assert spec.anatomy.synthetic
    assert spec.anatomy.dataset == "minnie65_synthetic"
    assert spec.anatomy.findings[0].text.startswith("This is the built-in stand-in: no cell")
    assert spec.document.provenance.parameters["seed"] == "0"


def test_it_has_the_tables_and_columns_of_the_real_one(source):
    assert set(source.tables) == {CENSUS, CONNECTIONS, PROOFREADING}
    for name in source.tables:
        shape = TABLES[name]
        columns = set(source[name].table.columns)
        assert set(shape.required) <= columns <= {*shape.required, *shape.optional}


def test_cells_per_type_are_exact(spec):
    assert Counter(values(spec.cells, "cell_type")) == COUNTS
    assert Counter(values(spec.cells, "ei_class")) == {"excitatory": 1188, "inhibitory": 163}


def test_ids_look_like_ids(source):
    census = source[CENSUS].read()
    root, nucleus = census.column("pt_root_id").to_numpy(), census.column("id").to_numpy()
    assert root.min() > 2**53
    assert (root.astype(float).astype(np.int64) != root).any()
    assert nucleus.max() < 2**31
    assert len(set(root)) == len(set(nucleus)) == 1351
    types = census.column("cell_type").to_pylist()
    assert sum(a != b for a, b in itertools.pairwise(types)) > 900


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_edges_and_synapses_are_close_to_the_real_column(seed):
    made = extract(synthetic(seed=seed))
    assert made.edges.num_rows == pytest.approx(75_251, rel=0.015)
    count = values(made.edges, "synapse_count")
    assert count.sum() == pytest.approx(141_452, rel=0.02)
    assert count.mean() == pytest.approx(1.88, abs=0.03)
    assert 15 <= count.max() <= 60


def test_the_figure_is_the_published_one(shared_data):
    figure = shared_data / "microns" / "figures"
    counts = pd.read_csv(figure / "column_type_by_type_synapse_counts_v1718.csv", index_col=0)
    assert (tuple(counts.index), tuple(counts.columns)) == (FIGURE_TYPES, FIGURE_TYPES)
    np.testing.assert_array_equal(counts, FIGURE_SYNAPSES)
    axons = pd.read_csv(figure / "column_manual_type_cell_counts_v1300.csv").set_index("cell_type_manual")
    for name, kind in TYPES.items():
        row = axons.loc[name]
        assert kind.axons == pytest.approx(row.n_axon_proofread_v1300 / row.n_manual_v1300)


def test_expected_synapses_are_the_figure_scaled():
    names, expected = list(TYPES), synapses_between_types()
    assert expected.sum() == pytest.approx(141_452)
    shown = [names.index(name) for name in FIGURE_TYPES]
    ratio = expected[np.ix_(shown, shown)] / np.array(FIGURE_SYNAPSES)
    corrected = ratio / np.outer(ratio[:, 0], ratio[0]) * ratio[0, 0]
    np.testing.assert_allclose(corrected, 1.0)
    assert 0.9 < ratio[0, 0] < 1.0


def test_synapses_between_types_follow_the_figure():
    names = list(TYPES)
    total = np.zeros((len(names), len(names)))
    for seed in range(4):
        made = extract(synthetic(seed=seed))
        kind = np.array([names.index(name) for name in values(made.cells, "cell_type")])
        pre, post = edge_index(made.edges)
        np.add.at(total, (kind[pre], kind[post]), values(made.edges, "synapse_count") / 4)
    expected = synapses_between_types()
    large = expected > 1000
    assert large.sum() > 25
    np.testing.assert_allclose(total[large], expected[large], rtol=0.12)
    assert np.corrcoef(total.ravel(), expected.ravel())[0, 1] > 0.999


@pytest.mark.parametrize("name", BORDERS)
def test_depths_lie_between_the_borders_of_the_lamina(spec, name):
    depth_um = values(spec.cells, "soma_depth_um")[values(spec.cells, "cell_type") == name]
    top, bottom = BORDERS[name]
    assert top - 0.01 <= depth_um.min()
    assert depth_um.max() <= bottom + 0.01
    assert not any(finding.name == "type contradicts depth" for finding in spec.anatomy.findings)


def test_the_footprint_is_that_of_the_column(spec):
    x_um, z_um = lateral(spec)
    for place_um, centre in ((x_um, 663.8), (z_um, 858.5)):
        assert np.ptp(place_um) == pytest.approx(100, rel=0.02)
        assert np.mean(place_um) == pytest.approx(centre, abs=3)


def test_degrees_are_heavy_tailed(spec):
    excitatory = values(spec.cells, "ei_class") == "excitatory"
    for end in edge_index(spec.edges):
        degree = np.bincount(end, minlength=1351)
        assert degree.max() > 8 * np.median(degree)
        within = degree[values(spec.cells, "cell_type") == "23P"]
        assert within.var() > 3 * within.mean()
        assert ((within - within.mean()) ** 3).mean() / within.std() ** 3 > 0.4
    sent = np.bincount(edge_index(spec.edges)[0], minlength=1351)
    assert sent[~excitatory].mean() > 3 * sent[excitatory].mean()


def test_connection_falls_with_lateral_distance(spec):
    x, z = lateral(spec)
    distance_um = np.hypot(x[:, None] - x, z[:, None] - z)
    connected = np.zeros((1351, 1351), dtype=bool)
    connected[edge_index(spec.edges)] = True
    near, far = distance_um < 30, distance_um > 90
    assert connected[far].mean() / connected[near].mean() == pytest.approx(0.72, abs=0.12)


def test_proofreading_follows_the_published_part(spec):
    cell_type, known = values(spec.cells, "cell_type"), values(spec.cells, "axon_proofread").astype(bool)
    assert known[cell_type == "23P"].all()
    assert not known[cell_type == "WM-P"].any()
    assert known[cell_type == "6P-IT"].mean() == pytest.approx(70 / 189, abs=0.12)


def test_equal_seeds_give_equal_tables_and_others_do_not(source):
    again, other = synthetic(seed=0), synthetic(seed=1)
    for name in source.tables:
        assert again[name].read().equals(source[name].read())
        assert not other[name].read().equals(source[name].read())


@pytest.mark.parametrize("network", ["column", "bionic"])
@pytest.mark.parametrize("cells", [200, 1351, 4000])
def test_it_is_a_valid_spec_at_every_size(cells, network):
    made = extract(synthetic(cells=cells), network=network)
    assert made.cells.num_rows == cells
    assert validate(made) == []


def test_density_and_mean_degree_do_not_change_with_size(spec):
    large = extract(synthetic(cells=8000))
    share = {name: count / 1351 for name, count in COUNTS.items()}
    for name, count in Counter(values(large.cells, "cell_type")).items():
        assert count == pytest.approx(8000 * share[name], abs=1)
    assert large.edges.num_rows / 8000 == pytest.approx(spec.edges.num_rows / 1351, rel=0.02)
    side_um = np.ptp(values(large.cells, "soma_z_nm")) / 1000
    assert side_um == pytest.approx(100 * np.sqrt(8000 / 1351), rel=0.01)


@pytest.mark.slow
def test_a_hundred_thousand_cells(tmp_path):
    start = time.perf_counter()
    made = extract(synthetic(cells=100_000))
    seconds = time.perf_counter() - start
    assert made.cells.num_rows == 100_000
    assert made.edges.num_rows == pytest.approx(5_570_000, rel=0.01)
    assert read_spec(write_spec(made, tmp_path)) == made
    assert seconds < 90


def test_the_small_column_of_the_examples_is_what_the_command_draws() -> None:
    stored = read_spec(Path(__file__).parents[2] / "examples" / "small_column")
    drawn = extract(synthetic(cells=200))
    assert stored.document.model_dump(exclude={"provenance"}) == drawn.document.model_dump(exclude={"provenance"})
    assert stored.cells.equals(drawn.cells)
    assert stored.edges.equals(drawn.edges)
