"""The page of a column shows the numbers of its spec, in bytes that do not change, in words that do not overlap."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from itertools import combinations, pairwise
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import matplotlib
import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st
from matplotlib.axes import Axes
from matplotlib.colors import to_hex
from matplotlib.figure import Figure
from matplotlib.text import Text
from PIL import Image
from scipy import sparse

from connectome2net.errors import ReportError
from connectome2net.extract import extract
from connectome2net.report import draw_column
from connectome2net.report.column import column_figure
from connectome2net.report.measures import bin_synapses, order_cells, share_with_at_least
from connectome2net.report.page import own_style, spread
from connectome2net.report.panels import LOOKS
from connectome2net.sources import open_source
from connectome2net.spec import Spec
from connectome2net.spec.graph import to_scipy
from connectome2net.spec.model import LaminaBorder, Laminae
from tests.columns import CELLS, EDGES, NETWORKS, twelve_cells

ROOT = Path(__file__).parents[2]
CLASS_OF = {look.colour: name for name, look in LOOKS.items()}
LAMINA_ORDER = ["L1", "L2/3", "L4", "L5", "L6", "WM", "unknown"]
CLASS_ORDER = ["excitatory", "inhibitory", "unknown"]
NO_POSITION = {"soma_x_nm": None, "soma_y_nm": None, "soma_z_nm": None, "soma_depth_um": None, "lamina": "unknown"}


@pytest.fixture(scope="module")
def synthetic() -> Spec:
    return extract(open_source("synthetic", seed=3))


@pytest.fixture(scope="module", params=["twelve", "synthetic"])
def spec(request: pytest.FixtureRequest, synthetic: Spec) -> Spec:
    return twelve_cells() if request.param == "twelve" else synthetic


@pytest.fixture(scope="module")
def page(spec: Spec) -> Iterator[Figure]:
    with own_style():
        yield column_figure(spec)


def changed(spec: Spec, *, edges: pa.Table | None = None, name: str | None = None, **columns: Any) -> Spec:
    """The spec with whole columns of its cells replaced, a list or one value for all."""
    cells = spec.cells
    for column, value in columns.items():
        field = cells.schema.field(column)
        row = value if isinstance(value, list) else [value] * cells.num_rows
        cells = cells.set_column(cells.schema.get_field_index(column), field, pa.array(row, field.type))
    document = spec.document.model_copy(update={"name": name or spec.name})
    return Spec(document, cells, spec.edges if edges is None else edges)


def rows(spec: Spec) -> list[dict[str, Any]]:
    return spec.cells.to_pylist()


def axes_with(figure: Figure, label: str) -> Axes:
    (found,) = (axes for axes in figure.axes if label in (axes.get_xlabel(), axes.get_ylabel()))
    return found


def words(figure: Figure) -> str:
    return "\n".join(text.get_text().replace("\n", " ") for text in figure.findobj(Text))


def drawn_texts(figure: Figure, monkeypatch: pytest.MonkeyPatch) -> list[Text]:
    """The texts that drawing a page draws: ticks beyond the ends of an axis are not among them."""
    seen: list[Text] = []
    draw = Text.draw

    def draw_and_note(self: Text, renderer: Any, *args: Any, **options: Any) -> None:
        if self.get_visible() and self.get_text().strip():
            seen.append(self)
        draw(self, renderer, *args, **options)

    monkeypatch.setattr(Text, "draw", draw_and_note)
    figure.canvas.draw()
    return seen


def test_each_soma_with_a_position_is_one_mark_where_it_lies(page: Figure, spec: Spec) -> None:
    known = [row for row in rows(spec) if row["soma_depth_um"] is not None]
    median = np.median([row["soma_x_nm"] / 1000 for row in known])
    for marks in axes_with(page, "depth below pia, \N{MICRO SIGN}m").collections:
        ei_class = CLASS_OF[to_hex(marks.get_facecolor()[0])]
        chosen = [row for row in known if row["ei_class"] == ei_class]
        wanted = [(row["soma_x_nm"] / 1000 - median, row["soma_depth_um"]) for row in chosen]
        np.testing.assert_allclose(marks.get_offsets(), wanted, atol=1e-9)
        known = [row for row in known if row["ei_class"] != ei_class]
    assert not known


def test_depth_grows_downwards_and_histograms_hold_every_soma(page: Figure, spec: Spec) -> None:
    axes = axes_with(page, "cells / 25 \N{MICRO SIGN}m")
    bottom, top = axes.get_ylim()
    depths = {name: [] for name in CLASS_ORDER}
    for row in rows(spec):
        if row["soma_depth_um"] is not None:
            depths[row["ei_class"]].append(row["soma_depth_um"])
    every = [depth for some in depths.values() for depth in some]
    assert bottom > max(every)
    assert top <= 0 < min(every)
    outlines = [patch for patch in axes.patches if hasattr(patch, "get_data") and not patch.get_fill()]
    assert len(outlines) == sum(map(bool, depths.values()))
    for patch in outlines:
        count, borders, _ = patch.get_data()
        wanted = Counter(int(depth // 25) for depth in depths[CLASS_OF[to_hex(patch.get_edgecolor())]])
        assert {int(b // 25): int(n) for n, b in zip(count, borders[:-1], strict=True) if n} == wanted


def test_laminae_are_named_beside_their_depths(page: Figure, spec: Spec) -> None:
    axes = axes_with(page, "cells / 25 \N{MICRO SIGN}m")
    named = {text.get_text(): text.get_position()[1] for text in axes.texts}
    assert list(named) == [border.name for border in spec.anatomy.laminae.borders]
    bottom = axes.get_ylim()[0]
    for border in spec.anatomy.laminae.borders:
        assert border.top_um < named[border.name] < min(border.bottom_um, bottom)


def ordered(spec: Spec) -> list[int]:
    """Cells by lamina, class, type, depth, by the book."""

    def key(row: dict[str, Any]) -> tuple[Any, ...]:
        depth = row["soma_depth_um"]
        first = (LAMINA_ORDER.index(row["lamina"]), CLASS_ORDER.index(row["ei_class"]), row["cell_type"])
        return (*first, depth is None, depth or 0.0, row["cell_index"])

    return [row["cell_index"] for row in sorted(rows(spec), key=key)]


def test_cells_stand_from_pia_to_white_matter(spec: Spec) -> None:
    order = order_cells(spec.cells)
    assert np.argsort(order.rank_N).tolist() == ordered(spec)
    lamina = [row["lamina"] for row in rows(spec)]
    assert order.blocks == {name: lamina.count(name) for name in LAMINA_ORDER if name in lamina}


def test_pixels_of_a_small_matrix_are_its_synapses() -> None:
    spec = twelve_cells()
    with own_style():
        axes = axes_with(column_figure(spec), "postsynaptic cell")
    order = ordered(spec)
    seen = {}
    for image in axes.images:
        for row, column in zip(*np.nonzero(~np.ma.getmaskarray(image.get_array())), strict=True):
            assert CELLS[order[column]][2] == image.cmap.name, "presynaptic colour"
            seen[order[row], order[column]] = float(image.get_array()[row, column])
    assert seen == {(post, pre): count for post, pre, count, _ in EDGES}
    assert axes.yaxis_inverted(), "the first cell is at the top"
    assert not axes.xaxis_inverted()


def test_pixels_of_a_large_matrix_sum_to_all_synapses(page: Figure, spec: Spec) -> None:
    images = axes_with(page, "postsynaptic cell").images
    _, pairs = bin_synapses(spec, order_cells(spec.cells), most_bins=400)
    shown = sum(np.ma.filled(image.get_array() * pairs, 0.0) for image in images)
    assert pairs.sum() == spec.cells.num_rows**2
    assert shown.sum() == pytest.approx(to_scipy(spec).sum())


@pytest.mark.parametrize("bins", [1, 7, 100, 400])
def test_bins_are_blocks_of_the_ordered_matrix(synthetic: Spec, bins: int) -> None:
    order, size = ordered(synthetic), synthetic.cells.num_rows
    bin_of = np.arange(size) * bins // size
    sums = sparse.csr_array((np.ones(size), (bin_of, np.arange(size))), shape=(bins, size))
    matrix = to_scipy(synthetic)[order][:, order]
    total, pairs = bin_synapses(synthetic, order_cells(synthetic.cells), most_bins=bins)
    ei_class = np.array([row["ei_class"] for row in rows(synthetic)])[order]
    for at, name in enumerate(CLASS_ORDER):
        from_class = matrix @ sparse.diags_array((ei_class == name).astype(float))
        np.testing.assert_array_equal(total[at], (sums @ from_class @ sums.T).toarray())
    cells_in = np.asarray(sums.sum(axis=1)).ravel()
    np.testing.assert_array_equal(pairs, np.outer(cells_in, cells_in))


@pytest.mark.parametrize(("label", "axis"), [("presynaptic partners", 1), ("postsynaptic partners", 0)])
def test_degree_curves_are_those_of_the_matrix(page: Figure, spec: Spec, label: str, axis: int) -> None:
    degree = np.asarray((to_scipy(spec) > 0).sum(axis=axis)).ravel()
    split = label == "postsynaptic partners"
    groups: dict[tuple[str, bool], list[int]] = {}
    for row, number in zip(rows(spec), degree, strict=True):
        solid = not split or row["axon_proofread"] is True
        groups.setdefault((row["ei_class"], solid), []).append(int(number))
    for line in axes_with(page, label).lines:
        numbers = np.array(groups.pop((CLASS_OF[line.get_color()], line.get_linestyle() == "-")))
        value, share = line.get_xdata(), line.get_ydata()
        assert line.get_drawstyle() == "steps-pre"
        assert value[0] == 1
        assert share[-1] == 0
        for k in range(1, int(numbers.max()) + 1):
            drawn = share[np.searchsorted(value, k)]
            assert drawn == pytest.approx((numbers >= k).mean())
    assert not groups


def test_synapses_per_edge_are_counted_by_presynaptic_class(page: Figure, spec: Spec) -> None:
    ei_class = [row["ei_class"] for row in rows(spec)]
    wanted = Counter((ei_class[edge["pre_index"]], edge["synapse_count"]) for edge in spec.edges.to_pylist())
    drawn = {
        (CLASS_OF[line.get_color()], int(value)): int(count)
        for line in axes_with(page, "synapses of an edge").lines
        for value, count in zip(line.get_xdata(), line.get_ydata(), strict=True)
    }
    assert drawn == wanted


def test_class_pairs_are_those_of_the_dense_matrix(page: Figure, spec: Spec) -> None:
    matrix = to_scipy(spec).toarray()
    ei_class = np.array([row["ei_class"] for row in rows(spec)])
    texts = [text.get_text() for text in page.findobj(Text)]
    for pre, post in (("excitatory", "inhibitory"), ("inhibitory", "excitatory"), ("excitatory", "excitatory")):
        block = matrix[np.ix_(ei_class == post, ei_class == pre)]
        pairs = block.size - (len(block) if pre == post else 0)
        at = texts.index(f"{LOOKS[pre].letter} \N{RIGHTWARDS ARROW} {LOOKS[post].letter}")
        edges, share, mean = texts[at + 1 : at + 4]
        assert edges == f"{np.count_nonzero(block):,}"
        assert float(share.rstrip("%")) == pytest.approx(100 * np.count_nonzero(block) / pairs, abs=0.051)
        assert float(mean) == pytest.approx(block.sum() / np.count_nonzero(block), abs=0.0051)


def test_the_title_and_the_captions_tell_the_counts(page: Figure, spec: Spec) -> None:
    text = words(page)
    assert spec.name in text
    assert f"{spec.anatomy.dataset} @ {spec.anatomy.materialization}" in text
    cells = rows(spec)
    for number, what in (
        (len(cells), "cells"),
        (spec.edges.num_rows, "edges"),
        (int(to_scipy(spec).sum()), "synapses"),
        (sum(row["ei_class"] == "excitatory" for row in cells), "excitatory"),
        (sum(row["ei_class"] == "inhibitory" for row in cells), "inhibitory"),
    ):
        assert f"{number:,} {what}" in text
    assert f"not proofread ({sum(row['axon_proofread'] is False for row in cells):,})" in text
    assert ("SYNTHETIC" in text) == spec.anatomy.synthetic
    assert ("1 without position is not drawn." in text) == (spec.anatomy.dataset == "by hand")
    assert ("not known (4)" in text) == (spec.anatomy.dataset == "by hand")


def odd_specs() -> dict[str, Spec]:
    spec = twelve_cells()
    three = ["excitatory", "inhibitory", "unknown"] * 4
    types = changed(spec, **NO_POSITION, ei_class=three, cell_type=[f"a long name of type {at}" for at in range(12)])
    thin = (LaminaBorder(name=f"L{at}", top_um=5.0 * at, bottom_um=5.0 * at + 5) for at in range(8))
    anatomy = spec.anatomy.model_copy(update={"laminae": Laminae(method="by hand", borders=tuple(thin))})
    one = Spec(spec.document, spec.cells.slice(0, 1), spec.edges.slice(0, 0))
    return {
        "no edges": changed(spec, edges=spec.edges.slice(0, 0)),
        "no inhibition": changed(spec, ei_class="excitatory", axon_proofread=True),
        "no laminae": changed(spec, lamina="unknown"),
        "no positions": types,
        "all unknown": changed(spec, **NO_POSITION, ei_class="unknown", cell_type="unknown", axon_proofread=None),
        "one cell": one,
        "one cell, no position": Spec(spec.document, spec.cells.slice(11, 1), one.edges),
        "one synapse": changed(spec, edges=spec.edges.slice(1, 1)),
        "thin borders": Spec(spec.document.model_copy(update={"anatomy": anatomy}), spec.cells, spec.edges),
        "long name": changed(spec, name="a name with two $ and ^$ that goes on " * 5),
    }


@pytest.mark.parametrize("kind", ["no edges", "one cell, no position"])
def test_a_png_has_200_pixels_to_an_inch(tmp_path: Path, kind: str) -> None:
    with Image.open(draw_column(odd_specs()[kind], tmp_path / "column.png")) as image:
        assert image.size == (2400, 1720)


def test_what_is_missing_is_said() -> None:
    odd = odd_specs()
    with own_style():
        said = {kind: words(column_figure(spec)) for kind, spec in odd.items()}
    assert "There are no edges." in said["no edges"]
    assert "inhibitory" not in said["no inhibition"]
    assert "Dashed" not in said["no inhibition"], "all axons are proofread"
    assert "cells by class, type, depth" in said["no laminae"]
    assert "No cell has a position and a depth below the pia." in said["no positions"]
    assert "12 unknown" in said["all unknown"]
    assert "proofreading not known (12)" in said["all unknown"]
    assert "1 cell " in said["one cell"]


def test_cells_without_depth_are_counted_by_type() -> None:
    spec = changed(twelve_cells(), **NO_POSITION)
    with own_style():
        axes = axes_with(column_figure(spec), "cells")
    names = [label.get_text() for label in axes.get_yticklabels()]
    drawn = dict(zip(names, (bar.get_width() for bar in axes.patches), strict=True))
    assert drawn == Counter(cell_type for _, cell_type, *_ in CELLS)


@pytest.mark.parametrize("kind", ["synthetic", "thin laminae", *NETWORKS, *odd_specs()])
def test_no_two_texts_overlap_and_none_leaves_the_page(
    synthetic: Spec, kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    thin = ["L1", "L2/3", "L5", "L6", "WM", "unknown"] + ["L4"] * (synthetic.cells.num_rows - 6)
    large = {"synthetic": synthetic, "thin laminae": changed(synthetic, lamina=thin)}
    spec = (large | odd_specs()).get(kind) or twelve_cells(kind)
    with own_style():
        figure = column_figure(spec)
        boxes = {text: text.get_window_extent() for text in drawn_texts(figure, monkeypatch)}
    assert len(boxes) > 30
    for text, box in boxes.items():
        assert figure.bbox.x0 <= box.x0 < box.x1 <= figure.bbox.x1, text
        assert figure.bbox.y0 <= box.y0 < box.y1 <= figure.bbox.y1, text
    for (one, a), (other, b) in combinations(boxes.items(), 2):
        wide, high = min(a.x1, b.x1) - max(a.x0, b.x0), min(a.y1, b.y1) - max(a.y0, b.y0)
        assert min(wide, high) < 2, f"{one.get_text()!r} and {other.get_text()!r}"  # pixels of 1/100 inch


def test_the_real_column_says_what_it_lacks(shared_data: Path, tmp_path: Path) -> None:
    spec = extract(open_source(str(shared_data / "microns" / "v1_column")))
    with own_style():
        figure = column_figure(spec)
    assert "28 without position are not drawn." in words(figure)
    somata = axes_with(figure, "depth below pia, \N{MICRO SIGN}m")
    assert sum(len(marks.get_offsets()) for marks in somata.collections) == 1351 - 28
    assert draw_column(spec, tmp_path / "column.svg").stat().st_size < 2_000_000


@pytest.mark.parametrize("suffix", [".png", ".svg", ".pdf", ".SVG"])
def test_the_same_spec_gives_the_same_bytes(tmp_path: Path, suffix: str) -> None:
    before = dict(matplotlib.rcParams)
    first, second = (draw_column(twelve_cells(), tmp_path / f"{name}{suffix}").read_bytes() for name in "ab")
    assert first == second
    assert sorted(path.name for path in tmp_path.iterdir()) == [f"a{suffix}", f"b{suffix}"]
    assert dict(matplotlib.rcParams) == before


def test_neither_hash_seed_nor_matplotlibrc_changes_a_byte(tmp_path: Path) -> None:
    (tmp_path / "matplotlibrc").write_text("font.size: 20\nlines.linewidth: 9\nsvg.fonttype: none\n")
    code = (
        "import sys; from tests.columns import twelve_cells; from connectome2net.report import draw_column\n"
        "draw_column(twelve_cells(), sys.argv[1])"
    )
    there = tmp_path / "there.svg"
    settings = os.environ | {"MATPLOTLIBRC": str(tmp_path), "PYTHONHASHSEED": "7"}
    subprocess.run([sys.executable, "-c", code, str(there)], cwd=ROOT, env=settings, check=True)
    assert there.read_bytes() == draw_column(twelve_cells(), tmp_path / "here.svg").read_bytes()


def test_an_svg_is_xml_without_a_date(tmp_path: Path) -> None:
    text = draw_column(twelve_cells(), tmp_path / "column.svg").read_text()
    assert ElementTree.fromstring(text).tag.endswith("svg")
    assert "dc:date" not in text


@pytest.mark.parametrize("name", ["column.jpeg", "column", "column.png.gz"])
def test_other_formats_are_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(ReportError, match=r"(?s)no figure can be .* wanted: \.png or \.svg or \.pdf.* fix: .*\.png"):
        draw_column(twelve_cells(), tmp_path / name)
    assert not list(tmp_path.iterdir())


def test_a_place_that_cannot_be_written_to_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    (tmp_path / "folder.png").mkdir()
    for place in ("file/column.png", "folder.png"):
        with pytest.raises(ReportError, match=rf"(?s)figure cannot be written.*where: .*{place}.*found: .*fix: "):
            draw_column(twelve_cells(), tmp_path / place)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["file", "folder.png"]


def test_an_older_figure_stays_whole_when_writing_fails(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    old = tmp_path / "column.png"
    old.write_bytes(b"old")

    def fail(self: Path, content: bytes) -> int:
        self.open("wb").close()
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "write_bytes", fail)
    with pytest.raises(ReportError, match="No space left on device"):
        draw_column(twelve_cells(), old)
    assert [(path.name, path.read_bytes()) for path in tmp_path.iterdir()] == [("column.png", b"old")]


@given(st.lists(st.integers(0, 50), min_size=1, max_size=60))
def test_a_share_is_that_of_those_who_reach_a_value(numbers: list[int]) -> None:
    value, share = share_with_at_least(np.array(numbers))
    assert set(value) == {1, *(number for number in numbers if number)}
    np.testing.assert_allclose(share, [sum(number >= k for number in numbers) / len(numbers) for k in value])


@given(st.lists(st.floats(0, 100), min_size=1, max_size=12), st.floats(0.1, 20))
def test_labels_keep_their_order_and_their_distance(places: list[float], gap: float) -> None:
    moved = spread(sorted(places), gap=gap, low=0, high=100)
    room = min(gap, 100 / max(len(places) - 1, 1))
    assert all(-1e-9 <= place <= 100 + 1e-9 for place in moved)
    assert all(b - a >= room - 1e-9 for a, b in pairwise(moved))


def test_labels_with_room_stay() -> None:
    assert spread([10, 30, 50], gap=5, low=0, high=100) == [10, 30, 50]


@pytest.mark.slow
def test_ten_million_edges_are_drawn_in_seconds(tmp_path: Path) -> None:
    size, each, chance = 100_000, 100, np.random.default_rng(0)
    cells = pa.concat_tables([twelve_cells().cells] * (size // 12 + 1)).slice(0, size)
    cells = cells.set_column(0, cells.schema.field(0), pa.array(np.arange(size, dtype=np.int32)))
    pre = np.sort(chance.integers(0, size, (size, each), dtype=np.int32), axis=1)
    pre += np.arange(each, dtype=np.int32)  # no pair twice
    columns = [np.repeat(np.arange(size, dtype=np.int32), each), pre.ravel() % size, np.ones(size * each, np.int32)]
    edges = pa.table([*columns, pa.nulls(size * each, pa.int64())], schema=twelve_cells().edges.schema)
    spec = Spec(twelve_cells().document, cells, edges)
    start = time.perf_counter()
    draw_column(spec, tmp_path / "column.svg")
    assert time.perf_counter() - start < 20
    assert (tmp_path / "column.svg").stat().st_size < 10_000_000, "many marks are pixels"
