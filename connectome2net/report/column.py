"""The page that shows a column.

Enters: a valid ``Spec``. Leaves: one figure: somata by depth, the ordered matrix, degrees, synapses per edge.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from connectome2net.report import panels
from connectome2net.report.measures import bin_synapses, degrees, is_proofread, order_cells
from connectome2net.report.page import (
    HEIGHT_IN,
    QUIET,
    WIDTH_IN,
    check_format,
    head,
    own_style,
    place,
    plain,
    save,
    write,
)
from connectome2net.spec import Spec
from connectome2net.spec.tables import EI_CLASSES, values

MATRIX_IN = 4.0
MOST_BINS = 400
"""Two pixels of a PNG to a bin."""
TOP_IN = 7.72
LEFT_IN = 5.2


def draw_column(spec: Spec, path: str | Path) -> Path:
    """Draw a column on one page.

    Args:
        spec: what to draw; equal specs give equal bytes under one release of matplotlib.
        path: where, by its suffix PNG, SVG or PDF; a file there is written over.

    Returns:
        The path.

    Raises:
        ReportError: another suffix, or a place that cannot be written to.
    """
    path = Path(path)
    check_format(path)
    with own_style():
        return save(column_figure(spec), path)


def column_figure(spec: Spec) -> Figure:
    """Return the page, not yet a file. Draw and save it within ``own_style``."""
    figure = Figure(figsize=(WIDTH_IN, HEIGHT_IN))
    FigureCanvasAgg(figure)
    _title(figure, spec)
    _cells(figure, spec)
    _matrix(figure, spec)
    _degrees(figure, spec)
    _edges(figure, spec)
    return figure


def _title(figure: Figure, spec: Spec) -> None:
    anatomy, class_N = spec.anatomy, values(spec.cells, "ei_class")
    write(figure, spec.name, bottom=8.22, size=16, width=7.6 if anatomy.synthetic else 11.4, weight="bold")
    synapses = int(values(spec.edges, "synapse_count").sum())
    facts = (
        f"{anatomy.dataset} @ {anatomy.materialization}",
        *(
            f"{n:,} {word}{'s' * (n != 1)}"
            for n, word in ((spec.cells.num_rows, "cell"), (spec.edges.num_rows, "edge"), (synapses, "synapse"))
        ),
    )
    write(figure, "   |   ".join(facts), bottom=8.0, size=10, width=6.6, color=QUIET)
    if anatomy.synthetic:
        box = {"facecolor": "#f0e442", "edgecolor": "none", "boxstyle": "square,pad=0.35"}
        words = "SYNTHETIC: no cell of it was measured"
        figure.text(0.975, 8.26 / HEIGHT_IN, words, size=11, weight="bold", ha="right", va="baseline", bbox=box)
    marks = [
        Line2D(
            [],
            [],
            color=look.colour,
            marker=look.mark,
            linestyle="",
            markersize=7,
            label=f"{look.letter}  {n:,} {word}",
        )
        for word, look in panels.LOOKS.items()
        if (n := int((class_N == word).sum()))
    ]
    corner = (0.985, 8.04 / HEIGHT_IN)
    options = {"ncols": 3, "handletextpad": 0.1, "columnspacing": 1.2, "fontsize": 9.5}
    figure.legend(handles=marks, loc="center right", bbox_to_anchor=corner, **options)


def _cells(figure: Figure, spec: Spec) -> None:
    lateral, depth = values(spec.cells, "soma_x_nm"), values(spec.cells, "soma_depth_um")
    missing = int((np.isnan(lateral) | np.isnan(depth)).sum())
    if missing == spec.cells.num_rows:
        head(
            figure,
            "a  Cells by type",
            "No cell has a position and a depth below the pia.",
            left=0.3,
            top=TOP_IN,
            width=4.2,
        )
        panels.draw_types(place(figure, left=1.4, bottom=0.5, width=2.7, height=6.6), spec)
        return
    without = f" {missing:,} without position {'is' if missing == 1 else 'are'} not drawn." if missing else ""
    caption = "Marks are cells at their somata; lines are borders of laminae." + without
    head(figure, "a  Cells by depth and class", caption, left=0.3, top=TOP_IN, width=3.9)
    somata = place(figure, left=0.78, bottom=0.62, width=2.05, height=6.48)
    low, high = panels.depth_range(spec)
    somata.set_ylim(high, low)
    depths = place(figure, left=2.92, bottom=0.62, width=0.92, height=6.48, sharey=somata)
    panels.draw_somata(somata, spec)
    panels.draw_depths(depths, spec)
    panels.draw_laminae(spec, somata, depths)


def _matrix(figure: Figure, spec: Spec) -> None:
    order = order_cells(spec.cells)
    synapses, pairs = bin_synapses(spec, order, most_bins=MOST_BINS)
    key = "lamina, class, type, depth" if set(order.blocks) - set(EI_CLASSES) else "class, type, depth"
    caption = f"A column of pixels is what a cell sends, a row what it receives; cells by {key}."
    head(figure, "b  Matrix W[post, pre]", caption, left=LEFT_IN - 0.6, top=TOP_IN, width=4.6)
    axes = place(figure, left=LEFT_IN, bottom=3.1, width=MATRIX_IN, height=MATRIX_IN)
    images = panels.draw_matrix(axes, synapses, pairs, order)
    left, width = LEFT_IN + MATRIX_IN + 0.3, WIDTH_IN - LEFT_IN - MATRIX_IN - 0.55
    for at, (name, image) in enumerate(images.items()):
        bar = place(figure, left=left, bottom=3.75 - 0.15 * at, width=width, height=0.13)
        figure.colorbar(image, cax=bar, orientation="horizontal", ticks=panels.ticks_of(image), format=plain)
        bar.minorticks_off()
        bar.text(-0.03, 0.5, panels.LOOKS[name].letter, transform=bar.transAxes, ha="right", va="center")
        bar.tick_params(labelbottom=at == len(images) - 1, length=2 * (at == len(images) - 1))
    if images:
        whole = int(pairs.max()) == 1
        words = "synapses of a pair" if whole else "synapses per pair of cells,\nmean of a pixel"
        figure.text(left / WIDTH_IN, 3.95 / HEIGHT_IN, words, va="bottom")


def _degrees(figure: Figure, spec: Spec) -> None:
    in_degree, out_degree = degrees(spec)
    proofread, denied, unknown = is_proofread(spec.cells)
    words = [f"{what} ({n:,})" for n, what in ((denied, "not proofread"), (unknown, "proofreading not known")) if n]
    caption = "Share of cells with at least so many partners."
    if words:
        caption += f" Dashed: axon {' or '.join(words)}, a lower bound."
    head(figure, "c  Degrees", caption, left=LEFT_IN - 0.6, top=2.42, width=4.6)
    first = place(figure, left=LEFT_IN, bottom=0.5, width=1.75, height=1.25)
    second = place(figure, left=LEFT_IN + 2.1, bottom=0.5, width=1.75, height=1.25)
    panels.draw_degrees(first, spec, in_degree, np.ones_like(proofread))
    panels.draw_degrees(second, spec, out_degree, proofread)
    first.set(xlabel="presynaptic partners", ylabel="share of cells")
    second.set(xlabel="postsynaptic partners")
    second.tick_params(labelleft=False)


def _edges(figure: Figure, spec: Spec) -> None:
    left, width = LEFT_IN + MATRIX_IN + 0.3, WIDTH_IN - LEFT_IN - MATRIX_IN - 0.55
    head(
        figure,
        "d  Class to class",
        "Arrows run from sender to receiver.",
        left=left,
        top=TOP_IN,
        width=width,
    )
    panels.draw_class_pairs(place(figure, left=left, bottom=4.6, width=width, height=2.45), spec)
    axes = place(figure, left=left + 0.5, bottom=0.5, width=width - 0.5, height=1.25)
    caption = panels.draw_synapses_per_edge(axes, spec)
    head(figure, "e  Synapses per edge", caption, left=left, top=2.42, width=width)
