"""Fewer cells: a dense core, or the middle of the column.

Enters: a ``Spec``. Leaves: a ``Spec`` of fewer cells, and which they are.
"""

# Axes: N cells, P populations.

from __future__ import annotations

from dataclasses import replace

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from connectome2net.errors import TransformError
from connectome2net.spec import Spec
from connectome2net.spec.model import Step
from connectome2net.spec.tables import edge_index, values
from connectome2net.transform.draw import Places, whole_shares
from connectome2net.transform.wiring import Index, Rows, Wiring, with_column, with_edges

Numbers = npt.NDArray[np.int64]


def dense_core(spec: Spec, wiring: Wiring, rng: np.random.Generator, cells: int | None) -> tuple[Spec, Index]:
    """Return a core in which every cell is connected to every other that the network lets it be, and its cells.

    Cells are drawn from each population in proportion; cells in no population stay. Edges that there are stay, others
    have the count, size and weight of a random edge of their pair of populations, or of any where that has none.

    Args:
        spec: the connectome.
        wiring: its edges.
        rng: where chance comes from.
        cells: how many units; None: as many as give it about the edges of the spec.

    Raises:
        TransformError: more cells are asked for than there are, or fewer than populations.
    """
    places = Places(wiring)
    size = np.array([len(members) for members in places.members[:-1]])
    if cells is None:
        cells = _cells_for(len(wiring.row_E), size, wiring)
    if not len(size) <= cells <= size.sum():
        wanted = f"from {len(size):,}, one for each population, to {size.sum():,}"
        raise TransformError("there is no such dense core", where="--cells", found=f"{cells:,}", wanted=wanted)
    chosen = [
        np.sort(rng.choice(members, count, replace=False))
        for members, count in zip(places.members, _shares(cells, size), strict=False)
    ]
    pre, post, rows = [wiring.pre_E[:0]], [wiring.post_E[:0]], [wiring.row_E[:0]]
    for (pre_population, post_population), part in zip(places.pairs, places.edges_of_pairs(wiring), strict=True):
        grid = np.meshgrid(chosen[pre_population], chosen[post_population], indexing="ij")
        different = grid[0] != grid[1]
        pre.append(grid[0][different])
        post.append(grid[1][different])
        rows.append(_rows(pre[-1], post[-1], wiring, wiring.row_E[part] if len(part) else wiring.row_E, rng))
    dense = with_edges(spec, wiring, np.concatenate(pre), np.concatenate(post), np.concatenate(rows))
    kept = np.sort(np.concatenate([*chosen, places.members[-1]]))
    return keep_cells(dense, kept, name="dense-core"), kept


def nearest_to_axis(spec: Spec, fraction: float) -> tuple[Spec, Index]:
    """Return the cells nearest to the axis of the column, by x and z of their somata, with the edges between them.

    The axis goes through the centre that the column was cut about, or through the mean position of its cells. Cells
    without a position are left out.

    Raises:
        TransformError: no cell is left.
    """
    x, z = (values(spec.cells, name).astype(float) for name in ("soma_x_nm", "soma_z_nm"))
    placed = np.isfinite(x) & np.isfinite(z)
    count = min(round(fraction * spec.cells.num_rows), int(placed.sum()))
    if not count:
        raise TransformError(
            "no cell is left",
            where="--fraction",
            found=f"{fraction:g} of {spec.cells.num_rows:,} cells, of which {placed.sum():,} have a position",
            wanted="at least one cell",
            fix="use a larger fraction",
        )
    centre = spec.anatomy.column.centre_nm or (x[placed].mean(), 0.0, z[placed].mean())
    apart = np.where(placed, np.hypot(x - centre[0], z - centre[2]), np.inf)
    kept = np.sort(np.argsort(apart, kind="stable")[:count]).astype(np.int32)
    return keep_cells(spec, kept, name="subset"), kept


def keep_cells(spec: Spec, kept_N: Index, *, name: str) -> Spec:
    """Return the spec with some of its cells, and the edges between them; the account of cells gets a step.

    What a cell received from those that are left out counts as received from outside the column, where the table knows
    of that.
    """
    number = np.full(spec.cells.num_rows, -1, dtype=np.int32)
    number[kept_N] = np.arange(len(kept_N))
    pre, post = edge_index(spec.edges)
    inside = (number[pre] >= 0) & (number[post] >= 0)
    cells = spec.cells
    for column, measured in (("outside_synapse_count", "synapse_count"), ("outside_total_size_vx", "total_size_vx")):
        if column in cells.column_names and not spec.edges.column(measured).null_count:
            lost = np.bincount(post[~inside], values(spec.edges, measured)[~inside], minlength=cells.num_rows)
            more = pa.chunked_array([pa.array(lost.astype(np.int64))])
            at = cells.column_names.index(column)
            cells = cells.set_column(at, cells.schema.field(at), pc.add(cells.column(column), more))
    cells = with_column(cells.take(kept_N), "cell_index", np.arange(len(kept_N), dtype=np.int32))
    edges = spec.edges.filter(pa.array(inside))
    edges = with_column(edges, "pre_index", number[pre[inside]])
    edges = with_column(edges, "post_index", number[post[inside]])
    step = Step(name=name, rows_in=len(number), kept=len(kept_N), lost=len(number) - len(kept_N), why="a control")
    anatomy = spec.anatomy.model_copy(update={"steps": (*spec.anatomy.steps, step)})
    return replace(spec, cells=cells, edges=edges, document=spec.document.model_copy(update={"anatomy": anatomy}))


def _cells_for(edges: int, size: Numbers, wiring: Wiring) -> int:
    """Return how many cells, all connected, have as nearly as possible so many edges."""

    def dense_edges(cells: int) -> int:
        of = _shares(cells, size)
        held = wiring.held_PP[:-1, :-1]
        return int((np.multiply.outer(of, of) - np.diag(of))[held].sum())

    few, many = len(size), int(size.sum())
    while many - few > 1:
        middle = (few + many) // 2
        few, many = (middle, many) if dense_edges(middle) < edges else (few, middle)
    return min((few, many), key=lambda cells: abs(dense_edges(cells) - edges))


def _shares(cells: int, size: Numbers) -> Numbers:
    """Return how many cells of each population there are among some, in proportion, at least one each."""
    shares = whole_shares(1 + (cells - len(size)) * (size - 1) / max(1, int(size.sum()) - len(size)))
    return np.minimum(shares, size)


def _rows(pre: Index, post: Index, wiring: Wiring, measured: Rows, rng: np.random.Generator) -> Rows:
    """Return the row of each pair of cells that is an edge, and a random one of some rows for others."""
    known, key = wiring.key(wiring.pre_E, wiring.post_E), wiring.key(pre, post)
    at = np.minimum(np.searchsorted(known, key), len(known) - 1)
    return np.where(known[at] == key, wiring.row_E[at], rng.choice(measured, len(key)))
