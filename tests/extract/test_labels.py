"""Position, depth, lamina, type and class of single cells, against numbers worked out by hand."""

import math
from dataclasses import replace

import numpy as np
import pyarrow as pa
import pytest
from published_tables import CENSUS, PROOFREADING, change, eight_cells, root, soma_nm, write_tables

from connectome2net.errors import ExtractError, SpecError
from connectome2net.extract import extract
from connectome2net.extract.cut import positions_nm
from connectome2net.extract.depth import check_depth, soma_depth_um
from connectome2net.extract.laminae import FIXED, assign_laminae, contradicts_depth
from connectome2net.sources import Source, open_folder

MINNIE, NO_LABELS = Source("minnie65_public", "1300", {}, "memory"), pa.table({})


def cells_by_nucleus(tmp_path, tables=None, **options):
    spec = extract(open_folder(write_tables(tmp_path, tables or eight_cells()), **options))
    return {cell["nucleus_id"]: cell for cell in spec.cells.to_pylist()}, spec


def test_depth_is_the_published_rotation():
    sin, cos = math.sin(math.radians(5)), math.cos(math.radians(5))
    position_nm = np.random.default_rng(0).uniform(3e5, 1e6, (20, 3))
    pia = 183013 * 4 * sin + 83535 * 4 * cos
    expected = (position_nm[:, 0] * sin + position_nm[:, 1] * cos - pia) / 1000
    np.testing.assert_allclose(soma_depth_um(MINNIE, NO_LABELS, position_nm), expected, rtol=1e-12)


def test_depth_grows_from_pia_to_white_matter():
    position_nm = np.array([[183013 * 4, 83535 * 4, 1.0], [722_970, 646_950, 858_480], [np.nan] * 3])
    depth_um = soma_depth_um(MINNIE, NO_LABELS, position_nm)
    np.testing.assert_allclose(depth_um, [0.0, 310.8, np.nan], atol=0.05)


def test_a_data_set_without_a_known_depth_axis():
    with pytest.raises(ExtractError, match=r"depth axis of this data set is not known\n.*\n.*hemibrain\n.*minnie65"):
        soma_depth_um(replace(MINNIE, dataset="hemibrain"), NO_LABELS, np.zeros((1, 3)))


def test_half_a_position_is_none():
    cells = pa.table({"x_nm": [4.0, 8.0], "y_nm": [12.0, None], "z_nm": [200.0, 240.0]})
    np.testing.assert_array_equal(positions_nm(cells), [[4, 12, 200], [np.nan] * 3])


@pytest.mark.parametrize(("unit", "found"), [("voxel", r"[\d,]+ um, reading positions as voxel"), ("um", "as um")])
def test_a_wrong_unit_is_named(tmp_path, unit, found):
    source = open_folder(write_tables(tmp_path, eight_cells()), position_unit=unit)
    message = rf"depths of the cells cannot be right\n.*\n.*{found}\n.*0 to 1,000 um\n.*--position-unit"
    with pytest.raises(ExtractError, match=message):
        extract(source)


@pytest.mark.parametrize(("depth", "fits"), [(-0.1, False), (0.0, True), (1000.0, True), (1000.1, False)])
def test_the_range_of_depths_that_can_be_right(tmp_path, depth, fits):
    source = open_folder(write_tables(tmp_path, eight_cells()))
    depth_um, excitatory = np.array([depth, depth, -9e9, np.nan]), np.array([True, True, False, True])
    if fits:
        check_depth(depth_um, excitatory, source=source)
    else:
        with pytest.raises(ExtractError, match="cannot be right"):
            check_depth(depth_um, excitatory, source=source)


def test_no_position_at_all_is_no_wrong_unit(tmp_path):
    tables = eight_cells()
    for axis in "xyz":
        tables[CENSUS] = change(tables[CENSUS], f"pt_position_{axis}", pa.nulls(8, pa.float64()))
    cells, _ = cells_by_nucleus(tmp_path, tables)
    assert cells[10]["lamina"] == "L4"
    assert cells[50]["lamina"] == "unknown"


def test_laminae_by_type_before_depth():
    cell_type = np.array(["23P", "4P", "5P-NP", "6P-U", "WM-P", "Unsure E", "BC", "BC", "BC"])
    depth_um = np.array([900.0, np.nan, 100.0, 0.0, 0.0, 400.0, 300.0, np.nan, -5.0])
    expected = ["L2/3", "L4", "L5", "L6", "WM", "L5", "L4", "unknown", "L1"]
    assert assign_laminae(cell_type, depth_um).tolist() == expected


@pytest.mark.parametrize(
    ("top", "lamina"), [(0, "L1"), (80, "L2/3"), (250, "L4"), (370, "L5"), (510, "L6"), (730, "WM")]
)
def test_a_border_belongs_to_the_lamina_below_it(top, lamina):
    below, above = assign_laminae(np.array(["MC", "MC"]), np.array([top, top - 0.001]))
    assert below == lamina
    assert (above != lamina) or top == 0
    assert next(border.top_um for border in FIXED.borders if border.name == lamina) == top


def test_types_contradict_depths_beyond_the_tolerance_only():
    cell_type = np.array(["4P", "4P", "4P", "4P", "23P", "BC", "4P"])
    depth_um = np.array([199.9, 200.0, 420.0, 420.1, 29.0, 900.0, np.nan])
    assert contradicts_depth(cell_type, depth_um).tolist() == [True, False, False, True, True, False, False]


def test_eight_cells_by_hand(tmp_path):
    cells, spec = cells_by_nucleus(tmp_path)
    assert values_of(cells, "lamina") == ["L4", "L6", "L5", "L2/3", "L4", "L1", "WM", "unknown"]
    assert values_of(cells, "ei_class") == [*["excitatory"] * 4, *["inhibitory"] * 2, "excitatory", "inhibitory"]
    assert values_of(cells, "axon_proofread") == [True, False, True, True, True, False, None, None]
    assert cells[30]["cell_type"] == "5P-PT"
    assert cells[10]["soma_x_nm"] == soma_nm(300.0)[0]
    assert cells[10]["soma_depth_um"] == pytest.approx(300.0)
    assert cells[70]["soma_depth_um"] is None
    assert [cell["cell_index"] for cell in cells.values()] == list(range(8))
    found = {finding.name: (finding.count, finding.cells) for finding in spec.anatomy.findings}
    assert found == {
        "no position": (2, ("70", "80")),
        "unknown lamina": (1, ("80",)),
        "proofreading unknown": (2, ("70", "80")),
        "axon not proofread": (2, ()),
        "axon incomplete": (3, ()),
        "proofreading stale": (1, ("20",)),
        "mostly inhibitory inputs": (3, ()),  # 4 of 4 synapses, 3 of 5, 1 of 1; two others get none of theirs
        "inputs from outside unknown": (8, ()),
    }
    inhibition = next(item for item in spec.anatomy.findings if item.name == "mostly inhibitory inputs")
    assert "(median of all excitatory cells 60%)" in inhibition.text


def values_of(cells, name):
    return [cells[nucleus][name] for nucleus in sorted(cells)]


def test_the_proofreading_filter_is_not_inverted(tmp_path):
    tables = eight_cells()
    tables[PROOFREADING] = pa.table({"pt_root_id": [root(10), root(20)], "status_axon": ["t", "f"]})
    cells, _ = cells_by_nucleus(tmp_path, tables)
    assert cells[10]["axon_proofread"] is True
    assert cells[20]["axon_proofread"] is False


def test_without_a_proofreading_table_nothing_is_known(tmp_path):
    tables = eight_cells()
    del tables[PROOFREADING]
    cells, spec = cells_by_nucleus(tmp_path, tables)
    assert values_of(cells, "axon_proofread") == [None] * 8
    assert [f.count for f in spec.anatomy.findings if f.name == "proofreading unknown"] == [8]


def test_what_the_census_leaves_empty_is_unknown(tmp_path):
    tables = eight_cells()
    words = tables[CENSUS].column("classification_system").to_pylist()
    tables[CENSUS] = change(tables[CENSUS], "classification_system", [None, "", *words[2:]])
    types = tables[CENSUS].column("cell_type").to_pylist()
    tables[CENSUS] = change(tables[CENSUS], "cell_type", [None, "", *types[2:]])
    cells, spec = cells_by_nucleus(tmp_path, tables)
    assert [cells[n]["ei_class"] for n in (40, 10)] == ["unknown", "unknown"]
    assert [cells[n]["cell_type"] for n in (40, 10)] == ["unknown", "unknown"]
    assert [f.cells for f in spec.anatomy.findings if f.name == "unknown class"] == [("10", "40")]


def test_a_type_against_its_depth_is_listed(tmp_path):
    tables = eight_cells()
    deep = [soma_nm(600.0)[1], *tables[CENSUS].column("pt_position_y").to_pylist()[1:]]
    tables[CENSUS] = change(tables[CENSUS], "pt_position_y", deep)
    cells, spec = cells_by_nucleus(tmp_path, tables)
    assert cells[40]["lamina"] == "L2/3"
    assert [f.cells for f in spec.anatomy.findings if f.name == "type contradicts depth"] == [("40",)]


def test_a_wrong_column_or_network_lists_the_right_ones(tmp_path):
    source = open_folder(write_tables(tmp_path, eight_cells()))
    with pytest.raises(ExtractError, match=r"no such column\n.*--column\n.*v2\n.*wanted: v1"):
        extract(source, column="v2")
    with pytest.raises(SpecError, match=r"no such network\n.*--network\n.*nope\n.*bionic, column, column_deep, lam"):
        extract(source, network="nope")


def test_the_spec_says_how_it_was_made_and_nothing_of_where(tmp_path):
    _, spec = cells_by_nucleus(tmp_path)
    assert spec.document.provenance.parameters == {"column": "v1", "network": "column", "position_unit": "nm"}
    assert set(spec.document.provenance.versions) == {"connectome2net", "standard-transform"}
    assert spec.document.provenance.citation == ("somebody",)
    assert str(tmp_path) not in spec.document.model_dump_json()
    assert [(table.name, table.rows) for table in spec.anatomy.sources] == [
        (CENSUS, 8),
        ("connections_with_nuclei", 9),
        (PROOFREADING, 6),
    ]
