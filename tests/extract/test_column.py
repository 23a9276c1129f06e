"""Columns cut by geometry: against distances from the library, by hand in a straight volume, and as properties."""

import math
from dataclasses import replace

import ibis
import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from published_tables import CENSUS, CONNECTIONS, change, eight_cells, root, write_tables
from standard_transform import minnie_ds

from connectome2net.errors import ExtractError
from connectome2net.extract import extract
from connectome2net.extract.column import COLUMNS, find_column
from connectome2net.extract.cut import cut
from connectome2net.extract.quality import Account
from connectome2net.sources import Source, SourceTable, open_folder, open_source
from connectome2net.sources.microns import AREAS, METAMODEL, NUCLEI, SYNAPSES
from connectome2net.sources.source import MAPPED_CELLS, StraightAxis
from connectome2net.spec import digest_document, read_spec, validate, write_spec
from connectome2net.spec.tables import values

CENTRE_NM = np.array([722_970.0, 646_950.0, 858_480.0])


@pytest.fixture(scope="module")
def stand_in():
    return open_source("synthetic")


@pytest.fixture(scope="module")
def volume(shared_data):
    """All cells of version 1300, as a frame."""
    return pd.read_parquet(shared_data / "microns" / "volume" / "cell_info_v1300.parquet")


@pytest.fixture(scope="module")
def volume_source(volume, shared_data, tmp_path_factory):
    """The whole volume in the published form; synapses of the V1 column, and a chain of cells in RL."""
    number = np.arange(1, len(volume) + 1)
    words = volume.coarse_cell_type_auto.map(
        {"E": "excitatory_neuron", "I": "inhibitory_neuron", "NONNEURON": "nonneuron"}
    )
    places = volume[["pt_position_x", "pt_position_y", "pt_position_z"]]
    pairs = pd.read_parquet(shared_data / "microns" / "v1_column" / f"{CONNECTIONS}.parquet")
    column = pairs.loc[pairs.index.repeat(pairs.n_syn), ["pre_pt_root_id", "post_pt_root_id"]]
    others = volume.pt_root_id[volume.region == "RL"].to_numpy()
    chain = pd.DataFrame({"pre_pt_root_id": others[:-1], "post_pt_root_id": others[1:]})
    synapses = pd.concat([column, chain])
    tables = {
        NUCLEI: places.assign(id=number, pt_root_id=volume.pt_root_id),
        METAMODEL: pd.DataFrame({"id": number, "classification_system": words, "cell_type": volume.cell_type_auto}),
        AREAS: pd.DataFrame({"id": number, "tag": volume.region}),
        SYNAPSES: synapses,
    }
    folder = tmp_path_factory.mktemp("volume")
    write_tables(folder, {name: pa.Table.from_pandas(frame, preserve_index=False) for name, frame in tables.items()})
    return open_folder(folder)


def beside_um(volume):
    """Distance from the axis through the centre, by the library's own method for it."""
    positions = volume[["pt_position_x", "pt_position_y", "pt_position_z"]].to_numpy()
    return minnie_ds.streamline("nm", version="1.4").radial_distance(CENTRE_NM, positions)


def test_a_cylinder_through_the_whole_volume(volume_source, volume):
    spec = extract(volume_source, column="v1", radius_um=60)
    inside = volume[beside_um(volume) <= 60]
    assert 0 not in inside.pt_root_id.to_numpy()
    counts = inside.coarse_cell_type_auto.value_counts()
    classes = values(spec.cells, "ei_class")
    assert (classes == "excitatory").sum() == counts["E"]
    assert (classes == "inhibitory").sum() == counts["I"]
    assert spec.cells.num_rows == counts["E"] + counts["I"]
    steps = {step.name: (step.rows_in, step.kept) for step in spec.anatomy.steps}
    assert steps["nuclei of the volume"] == (91_423, 91_423)
    assert steps["cells in the column"] == (91_423, len(inside))
    assert steps["cells in a segment"] == (len(inside), len(inside))
    assert steps["neurons"] == (len(inside), len(inside) - counts["NONNEURON"])
    glia = np.flatnonzero((beside_um(volume) <= 60) & (volume.coarse_cell_type_auto == "NONNEURON")) + 1
    left_out = [finding.cells for finding in spec.anatomy.findings if finding.name == "left out"]
    assert left_out == [tuple(map(str, glia))]
    known = volume[volume.coarse_cell_type_manual != ""]
    near = set(inside.pt_root_id) & set(known.pt_root_id)
    assert near <= set(values(spec.cells, "root_id"))
    assert spec.anatomy.column.axis.startswith("minnie65 streamline 1.4")
    assert spec.anatomy.column.table == NUCLEI
    assert validate(spec) == []


def test_edges_of_a_cut_are_those_among_its_cells(volume_source, shared_data):
    spec = extract(volume_source, column="v1", radius_um=60)
    roots = set(values(spec.cells, "root_id"))
    pairs = pd.read_parquet(shared_data / "microns" / "v1_column" / f"{CONNECTIONS}.parquet")
    inside = pairs[pairs.pre_pt_root_id.isin(roots) & pairs.post_pt_root_id.isin(roots)]
    assert spec.edges.num_rows == len(inside) > 10_000
    assert values(spec.edges, "synapse_count").sum() == inside.n_syn.sum()
    received = pairs[~pairs.pre_pt_root_id.isin(roots)].groupby("post_pt_root_id").n_syn.sum()
    expected = received.reindex(values(spec.cells, "root_id")).fillna(0)
    np.testing.assert_array_equal(values(spec.cells, "outside_synapse_count"), expected)


def test_an_area_is_kept_alone(volume_source, volume, tmp_path):
    path = tmp_path / "border.toml"
    path.write_text('centre_um = [1150.0, 600.0, 850.0]\nside_um = 200\narea = "RL"\nwhy = "where V1 ends"\n')
    spec = extract(volume_source, column=str(path))
    positions = volume[["pt_position_x", "pt_position_y", "pt_position_z"]].to_numpy()
    axis = minnie_ds.streamline("nm", version="1.4")
    beside = axis.radial_points(np.array([1_150_000.0, 600_000.0, 850_000.0]), positions)[:, [0, 2]]
    inside = (np.abs(beside) <= 100).all(axis=1)
    neurons = inside & (volume.coarse_cell_type_auto != "NONNEURON") & (volume.pt_root_id != 0)
    assert 0 < spec.cells.num_rows == (neurons & (volume.region == "RL")).sum() < neurons.sum()
    assert spec.anatomy.column.model_dump(exclude_none=True) | {"method": ""} == {
        "name": "border",
        "method": "",
        "table": NUCLEI,
        "shape": "square",
        "centre_nm": (1_150_000.0, 600_000.0, 850_000.0),
        "side_um": 200.0,
        "axis": spec.anatomy.column.axis,
        "area": "RL",
        "why": "where V1 ends",
    }
    path.write_text('centre_um = [1150.0, 600.0, 850.0]\nside_um = 200\narea = "V2"\n')
    with pytest.raises(ExtractError, match=r"no cell of the column lies in the area\n.*found: +RL, V1\n.*wanted: V2"):
        extract(volume_source, column=str(path))


@pytest.mark.parametrize("sizes", [{"radius_um": 40}, {"side_um": 80}])
def test_top_and_bottom_bound_the_column(stand_in, sizes, tmp_path):
    path = tmp_path / "supragranular.toml"
    size = "".join(f"{name} = {value}\n" for name, value in sizes.items())
    path.write_text(f"centre_nm = {CENTRE_NM.tolist()}\n{size}top_um = 80\nbottom_um = 250\n")
    whole = extract(stand_in, column="v1", **sizes)
    depth_um = values(whole.cells, "soma_depth_um")
    chosen = values(whole.cells, "nucleus_id")[(depth_um >= 80) & (depth_um <= 250)]
    rows, _ = cut(stand_in, find_column(str(path), source=stand_in), Account())
    assert values(rows, "nucleus_id").tolist() == chosen.tolist()


@settings(max_examples=15, deadline=None)
@given(sizes=st.lists(st.floats(1, 120), min_size=2, max_size=2).map(sorted))
def test_a_larger_column_never_loses_a_cell(stand_in, sizes):
    def chosen(**size):
        try:
            rows, _ = cut(stand_in, find_column("v1", source=stand_in, **size), Account())
        except ExtractError:
            return set()
        return set(values(rows, "nucleus_id"))

    small, large = sizes
    assert chosen(radius_um=small) <= chosen(radius_um=large)
    assert chosen(side_um=small) <= chosen(side_um=large)
    assert chosen(radius_um=small) <= chosen(side_um=2 * small) <= chosen(radius_um=small * math.sqrt(2) + 1e-9)


@settings(max_examples=20, deadline=None)
@given(seed=st.integers(0, 999), radius=st.floats(5, 60))
def test_a_straight_axis_by_hand(seed, radius):
    """In any direction: distance from a line by Pythagoras, depth by projection."""
    rng = np.random.default_rng(seed)
    direction, pia, centre = rng.normal(size=3), rng.normal(size=3) * 1e4, rng.normal(size=3) * 1e4
    position_nm = centre + rng.normal(size=(30, 3)) * 3e4
    unit = direction / np.linalg.norm(direction)
    along = (position_nm - centre) @ unit
    distance_um = np.sqrt(np.maximum(((position_nm - centre) ** 2).sum(1) - along**2, 0)) / 1000
    cells = {"id": np.arange(30), "pt_root_id": np.arange(1, 31)} | dict(
        zip(("pt_position_x", "pt_position_y", "pt_position_z"), position_nm.T, strict=True)
    )
    table = SourceTable(NUCLEI, "", 30, None, ibis.memtable(pa.table(cells)))
    source = Source("anything", "1", {NUCLEI: table}, "memory", axis=StraightAxis(tuple(direction), tuple(pia)))
    column = COLUMNS["all"].model_copy(
        update={"shape": "cylinder", "radius_um": radius, "centre_nm": tuple(centre), "top_um": -30.0}
    )
    expected = (distance_um <= radius) & ((position_nm - pia) @ unit / 1000 >= -30)
    if not expected.any():
        with pytest.raises(ExtractError, match="no cell in the column"):
            cut(source, column, Account())
        return
    rows, words = cut(source, column, Account())
    assert values(rows, "nucleus_id").tolist() == np.flatnonzero(expected).tolist()
    assert words.axis.startswith("straight along")


def test_without_an_axis_nothing_is_cut(stand_in, tmp_path):
    source, path = replace(stand_in, dataset="hemibrain"), tmp_path / "mine.toml"
    path.write_text("centre_um = [1, 2, 3]\nradius_um = 30\n")
    with pytest.raises(ExtractError, match=r"nobody has said where depth runs(.|\n)*hemibrain(.|\n)*depth.axis"):
        extract(source, column=str(path))


def test_the_column_of_one_volume_is_not_looked_for_in_another(stand_in):
    for size in ({}, {"radius_um": 30}):
        with pytest.raises(
            ExtractError, match=r"v1 is the column of minnie65(.|\n)*hemibrain\n.*wanted: all, or a file"
        ):
            extract(replace(stand_in, dataset="hemibrain"), **size)
    mapped = replace(stand_in, tables={MAPPED_CELLS: stand_in[CENSUS]})
    with pytest.raises(ExtractError, match=r"that the census lists\n.*\n.*minnie65_synthetic, by a mapping"):
        find_column("v1", source=mapped)
    assert find_column("v1", source=mapped, radius_um=30).radius_um == 30
    assert find_column(None, source=mapped).name == "all"


def test_an_empty_column_says_where_the_cells_went(stand_in, tmp_path):
    path = tmp_path / "far.toml"
    path.write_text("centre_um = [5000, 600, 850]\nradius_um = 20\n")
    message = r"no cell in the column(.|\n)*cells with a position: 1,351 of 1,351; cells in the column: 0 of 1,351"
    with pytest.raises(ExtractError, match=message):
        extract(stand_in, column=str(path))


TOMLS = {
    "no centre": ("radius_um = 20", r"found: +radius_um\n +wanted: centre_um or centre_nm \(x, y, z\), one"),
    "two centres": ("centre_um = [1, 2, 3]\ncentre_nm = [1, 2, 3]\nradius_um = 2", "centre_um or centre_nm"),
    "no size": ("centre_um = [1, 2, 3]", "radius_um or side_um, one of the two"),
    "two sizes": ("centre_um = [1, 2, 3]\nradius_um = 2\nside_um = 3", "radius_um or side_um, one of the two"),
    "nothing": ("centre_um = [1, 2, 3]\nradius_um = 0", r"mine.toml, radius_um\n.*radius_um = 0\n.*greater than 0"),
    "everything": ("centre_um = [1, 2, 3]\nradius_um = inf", r"radius_um = inf\n.*finite number"),
    "two numbers": ("centre_um = [1, 2]\nradius_um = 2", r"mine.toml, centre_um\n.*centre_um = \[1, 2\]"),
    "a word": ('centre_um = ["x", 2, 3]\nradius_um = 2', r"centre_um = \['x', 2, 3\]\n.*valid number"),
    "a strange key": ("centre_um = [1, 2, 3]\nradius = 2", r"mine.toml\n.*radius = 2\n.*wanted: name, centre_um, cen"),
    "a key of the spec": ('centre_um = [1, 2, 3]\nradius_um = 2\ntable = "x"', r"table = 'x'\n.*wanted: name"),
    "upside down": (
        "centre_um = [1, 2, 3]\nradius_um = 2\ntop_um = 500\nbottom_um = 100",
        "top_um above bottom_um: depth grows",
    ),
    "no TOML": ("centre_um =", r"cannot be read(.|\n)*wanted: TOML"),
}


@pytest.mark.parametrize("name", TOMLS)
def test_a_column_file_that_is_not_understood(stand_in, name, tmp_path):
    path = tmp_path / "mine.toml"
    path.write_text(TOMLS[name][0])
    with pytest.raises(ExtractError, match=TOMLS[name][1]):
        extract(stand_in, column=str(path))


def test_choices_that_do_not_go_together(stand_in):
    with pytest.raises(
        ExtractError, match=r"no such column\n.*--column\n.*v2\n.*v1 or all, or a file that ends in .toml"
    ):
        extract(stand_in, column="v2")
    with pytest.raises(ExtractError, match=r"one shape\n.*--radius-um and --side-um"):
        extract(stand_in, radius_um=1, side_um=2)
    with pytest.raises(ExtractError, match=r"column has no centre\n.*\n.*all with a size\n.*v1, or a .toml"):
        extract(stand_in, column="all", radius_um=1)
    for size in (math.inf, math.nan, -1.0):
        with pytest.raises(ExtractError, match=r"a column has a size\n.*\n.*\n.*above 0"):
            extract(stand_in, radius_um=size)
    with pytest.raises(ExtractError, match=r"cannot be read\n.*none.toml"):
        extract(stand_in, column="none.toml")


def test_a_spec_of_a_cut_comes_back_equal(stand_in, tmp_path):
    spec = extract(stand_in, side_um=60)
    assert read_spec(write_spec(spec, tmp_path)) == spec
    assert digest_document(extract(stand_in, side_um=60).document) == digest_document(spec.document)


def test_segments_that_are_no_cells_are_counted(tmp_path):
    """A nucleus without a segment, two in one segment, one that is listed twice."""
    tables = eight_cells()
    roots = tables[CENSUS].column("pt_root_id").to_pylist()
    lost = {"root 0": [0, *roots[1:]], "merged": [roots[1], *roots[1:]]}
    expected = {"root 0": (("cells in a segment", 1),), "merged": (("cells in a segment of their own", 2),)}
    for name, changed in lost.items():
        given_tables = {**tables, CENSUS: change(tables[CENSUS], "pt_root_id", changed)}
        rows = tables[CONNECTIONS].to_pylist()
        kept = [row for row in rows if 40 not in (row["pre_nuc_id"], row["post_nuc_id"])]
        given_tables[CONNECTIONS] = pa.Table.from_pylist(kept, tables[CONNECTIONS].schema)
        spec = extract(open_folder(write_tables(tmp_path / name, given_tables)))
        assert tuple((step.name, step.lost) for step in spec.anatomy.steps[:-2] if step.lost) == expected[name]
        assert 40 not in values(spec.cells, "nucleus_id")
        left_out = [finding.cells for finding in spec.anatomy.findings if finding.name == "left out"]
        assert left_out == [("40",) if name == "root 0" else ("10", "40")]
    tables[CENSUS] = pa.concat_tables([tables[CENSUS], tables[CENSUS].slice(0, 1)])
    spec = extract(open_folder(write_tables(tmp_path / "twice", tables)))
    assert spec.anatomy.steps[0].lost == 1
    assert spec.cells.num_rows == 8


def test_a_segment_with_a_nucleus_outside_is_named_and_somata_near_the_border(tmp_path):
    tables = eight_cells()
    nuclei = tables[CENSUS].select(["id", "pt_root_id", "pt_position_x", "pt_position_y", "pt_position_z"]).to_pylist()
    x, y, z = 720_000.0, 600_000.0, 860_000.0
    far = [
        (900, root(10), x - 500_000, z),
        (910, 77, x + 99_000, z),
        (920, 78, x, z - 400_000),
        (930, 79, x, z + 400_000),
    ]
    nuclei += [dict(zip(nuclei[0], (n, r, a, y, b), strict=True)) for n, r, a, b in far]
    tables[NUCLEI] = pa.Table.from_pylist(nuclei)
    found = {f.name: f for f in extract(open_folder(write_tables(tmp_path, tables))).anatomy.findings}
    assert found["merged outside"].cells == ("10",)
    assert found["near the border"].cells == ("10", "20", "30", "40", "50", "60")
    closer = extract(open_folder(tmp_path), border_um=98)
    assert "near the border" not in {finding.name for finding in closer.anatomy.findings}
    assert closer.document.provenance.parameters["border_um"] == "98"
