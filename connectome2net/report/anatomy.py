"""The column as the page shows it: its matrix by lamina and class, a view from the side, cells and edges to turn.

Enters: a ``Spec``. Leaves: numbers, charts, and the data of the scene in three dimensions.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import numpy.typing as npt
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

from connectome2net.report import panels
from connectome2net.report.drawing import SHADE, new_chart
from connectome2net.report.measures import FloatArray, IntArray, class_index
from connectome2net.report.page import INK
from connectome2net.spec import Spec
from connectome2net.spec.select import population_cells
from connectome2net.spec.tables import EI_CLASSES, LAMINAE, edge_index, values

MOST_EDGES: Final = 1500
"""Of a set of edges that is drawn: the strongest."""
MOST_SETS: Final = 24
FEW_EDGES: Final = 200
NARROWEST: Final = 0.4
"""Of the height of the column, how wide it is drawn at least."""
POSITIONS = ("soma_x_nm", "soma_depth_um", "soma_z_nm")


@dataclass(frozen=True)
class LaminaMatrix:
    """Edges between kinds of cells, a kind being a lamina and a class.

    Attributes:
        names: K kinds, ``L4 E`` for instance.
        cells_K: how many cells each has.
        edges_KK: edges, [post, pre]; autapses are counted.
        synapses_KK: synapses.
        connected_KK: the share of the pairs of two different cells that have an edge; NaN where there is no pair.
    """

    names: tuple[str, ...]
    cells_K: IntArray
    edges_KK: IntArray
    synapses_KK: IntArray
    connected_KK: FloatArray

    def rows(self) -> Iterator[dict[str, Any]]:
        """Yield the numbers of every pair of kinds."""
        for post, pre in np.ndindex(self.edges_KK.shape):
            connected = float(self.connected_KK[post, pre])
            yield {
                "pre": self.names[pre],
                "post": self.names[post],
                "pre_cells": int(self.cells_K[pre]),
                "post_cells": int(self.cells_K[post]),
                "edges": int(self.edges_KK[post, pre]),
                "synapses": int(self.synapses_KK[post, pre]),
                "connected": None if np.isnan(connected) else connected,
            }


def measure_laminae(spec: Spec) -> LaminaMatrix:
    """Count edges between laminae and classes."""
    kind_N, names = kinds_of(spec)
    size = len(names)
    pre_E, post_E = edge_index(spec.edges)
    flat_E = kind_N[post_E] * size + kind_N[pre_E]
    edges_KK = np.bincount(flat_E, minlength=size**2).reshape(size, size)
    weights = values(spec.edges, "synapse_count")
    synapses_KK = np.bincount(flat_E, weights=weights, minlength=size**2).reshape(size, size).astype(np.int64)
    autapses_K = np.bincount(kind_N[pre_E[pre_E == post_E]], minlength=size)
    cells_K = np.bincount(kind_N, minlength=size)
    pairs_KK = np.outer(cells_K, cells_K) - np.diag(cells_K)
    connected_KK = np.where(pairs_KK > 0, (edges_KK - np.diag(autapses_K)) / np.maximum(pairs_KK, 1), np.nan)
    return LaminaMatrix(names, cells_K, edges_KK, synapses_KK, connected_KK)


def kinds_of(spec: Spec) -> tuple[IntArray, tuple[str, ...]]:
    """Return the kind of each cell, and what kinds are called; kinds without cells are left out."""
    lamina_N = np.array([LAMINAE.index(name) for name in values(spec.cells, "lamina")])
    every_N = class_index(spec.cells) * len(LAMINAE) + lamina_N
    there, kind_N = np.unique(every_N, return_inverse=True)
    letters = [panels.LOOKS[name].letter for name in EI_CLASSES]
    words = [f"{LAMINAE[at % len(LAMINAE)]} {letters[at // len(LAMINAE)]}" for at in there]
    return kind_N.astype(np.int64), tuple(name.replace("unknown", "?") for name in words)


def draw_laminae(matrix: LaminaMatrix) -> Figure:
    """Draw the connection probability of every pair of kinds, as a number and as a shade."""
    size = len(matrix.names)
    figure, (axes,) = new_chart(min(1.3 + 0.33 * size, 5.2))
    highest = float(np.nanmax(matrix.connected_KK, initial=0)) or 1.0
    for post, pre in np.ndindex(size, size):
        share = float(matrix.connected_KK[post, pre])
        if not np.isnan(share):
            text = f"{100 * share:.{0 if share >= 0.0995 else 1}f}" if share else "0"
            shade(axes, pre, post, share / highest, text, small=size > 9)
    name_square(axes, matrix.names, across="presynaptic lamina and class", down="postsynaptic lamina and class")
    return figure


def shade(axes: Axes, x: float, y: float, share: float, text: str, *, small: bool = False) -> None:
    """Fill a cell of a matrix with so much colour, and write its number over it."""
    axes.add_patch(Rectangle((x - 0.5, y - 0.5), 1, 1, facecolor=SHADE, alpha=0.04 + 0.82 * share, linewidth=0))
    axes.text(x, y, text, ha="center", va="center", color=INK, fontsize=7 if small else 8.5)


def name_square(axes: Axes, names: tuple[str, ...], *, across: str, down: str) -> None:
    """Label a square matrix whose rows and columns have the same names."""
    size = len(names)
    longest = max(map(len, names))
    axes.set_xticks(range(size), names, rotation=90 if longest > 3 and size > 5 else 0)
    axes.set_yticks(range(size), names)
    axes.set(xlim=(-0.5, size - 0.5), ylim=(size - 0.5, -0.5), xlabel=across, ylabel=down)
    axes.tick_params(length=0)
    axes.spines[:].set_visible(False)


def has_positions(spec: Spec) -> bool:
    """Tell whether any cell has a place in space and a depth."""
    return bool(_known(spec).any())


def draw_side(spec: Spec) -> Figure:
    """Draw the column from the side: what a printed page shows instead of the scene."""
    figure, (somata, depths) = new_chart(4.6, 1, 2, width_ratios=(3, 1), sharey=True)
    low, high = panels.depth_range(spec)
    somata.set_ylim(high, low)
    panels.draw_somata(somata, spec)
    panels.draw_depths(depths, spec)
    panels.draw_laminae(spec, somata, depths)
    figure.legend(*somata.get_legend_handles_labels(), loc="outside upper left", ncols=3, handletextpad=0.2)
    return figure


def scene_of(spec: Spec) -> dict[str, Any]:
    """Return what can be turned: cells with place, class and lamina, and sets of edges.

    Returns:
        ``x, y, z`` in um about the column's axis, z is depth below the pia with its sign turned, so that the pia is
        up; ``lamina``, ``ei_class`` as places in ``laminae`` and ``classes``; ``type``; ``edges [{name, pre, post}]``.
    """
    known_N = _known(spec)
    x, depth, z = (values(spec.cells, name)[known_N] for name in POSITIONS)
    place_N = np.cumsum(known_N) - 1
    borders = [[border.name, border.top_um, border.bottom_um] for border in spec.anatomy.laminae.borders]
    return {
        "x": np.round((x - np.median(x)) / 1000, 1).tolist(),
        "y": np.round((z - np.median(z)) / 1000, 1).tolist(),
        "z": np.round(-depth, 1).tolist(),
        "lamina": [LAMINAE.index(name) for name in values(spec.cells, "lamina")[known_N]],
        "ei_class": class_index(spec.cells)[known_N].tolist(),
        "type": values(spec.cells, "cell_type")[known_N].tolist(),
        "laminae": list(LAMINAE),
        "classes": list(EI_CLASSES),
        "borders": borders,
        "stretch": stretch_of(spec),
        "edges": [
            {"name": name, "pre": place_N[pre].tolist(), "post": place_N[post].tolist()}
            for name, pre, post in _edge_sets(spec, known_N)
        ],
    }


def stretch_of(spec: Spec) -> float:
    """Return by how much the column is drawn wider than it is, so that a narrow one can be seen; 1 for a wide one."""
    known_N = _known(spec)
    x, depth, z = (values(spec.cells, name)[known_N] for name in POSITIONS)
    wide, high = max(float(np.ptp(x)), float(np.ptp(z)), 1.0) / 1000, float(np.ptp(depth))
    return round(max(1.0, NARROWEST * high / wide), 1)


def _known(spec: Spec) -> npt.NDArray[np.bool_]:
    return ~np.any([np.isnan(values(spec.cells, name)) for name in POSITIONS], axis=0)


def _edge_sets(spec: Spec, known_N: npt.NDArray[np.bool_]) -> Iterator[tuple[str, IntArray, IntArray]]:
    """Yield sets of edges, at most so many strongest of each: all, by class, by pair of populations."""
    pre_E, post_E = edge_index(spec.edges)
    drawn_E = known_N[pre_E] & known_N[post_E] & (pre_E != post_E)
    order_E = np.argsort(-values(spec.edges, "synapse_count"), kind="stable")
    order_E = order_E[drawn_E[order_E]]
    class_N = class_index(spec.cells)
    population_N = np.full(spec.cells.num_rows, -1)
    names = []
    for at, (name, cells) in enumerate(population_cells(spec).items()):
        names.append(name)
        population_N[cells] = at

    def strongest(
        words: str, chosen_E: npt.NDArray[np.bool_], most: int = MOST_EDGES
    ) -> tuple[str, IntArray, IntArray]:
        every = order_E[chosen_E[order_E]]
        kept = every[:most]
        less = f"{len(kept):,} strongest of {len(every):,}" if len(kept) < len(every) else f"{len(kept):,}"
        return f"{words} ({less})", pre_E[kept], post_E[kept]

    yield strongest("All edges", drawn_E, FEW_EDGES)
    yield strongest("All edges", drawn_E)
    for at, name in enumerate(EI_CLASSES):
        if (chosen_E := (class_N[pre_E] == at) & drawn_E).any():
            yield strongest(f"From {name} cells", chosen_E)
    pair_E = np.where((population_N[pre_E] < 0) | (population_N[post_E] < 0), -1, population_N[pre_E] * len(names))
    pair_E = np.where(pair_E < 0, -1, pair_E + population_N[post_E])
    pairs, number = np.unique(pair_E[drawn_E & (pair_E >= 0)], return_counts=True)
    for pair in pairs[np.argsort(-number, kind="stable")][:MOST_SETS]:
        yield strongest(f"{names[pair // len(names)]} to {names[pair % len(names)]}", pair_E == pair)
