"""Edges drawn anew between cells that are as far from each other.

Enters: a ``Spec`` and its ``Wiring``. Leaves: pairs of cells and the row whose count, size and weight each has.
"""

# Axes: E edges, N cells.

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

import numpy as np
import numpy.typing as npt

from connectome2net.spec import Spec
from connectome2net.spec.tables import values
from connectome2net.transform.draw import Places, draw_distinct
from connectome2net.transform.wiring import Index, Mask, Rows, Wiring

BIN_UM: Final = 25.0
"""About the diameter of two somata. Cells that touch are connected more often than the others of the first bin."""
AT_ONCE: Final = 2**22
"""Distances that are computed at once, 32 MB of them."""

Positions = npt.NDArray[np.float64]


def draw_at_distance(spec: Spec, wiring: Wiring, rng: np.random.Generator) -> tuple[Index, Index, Rows]:
    """Return as many edges as there are of each pair of populations and each bin of 25 um of the distance of somata.

    Edges of cells without a position stay. The time goes with the number of pairs of cells, the memory with that of
    edges.
    """
    somata = ("soma_x_nm", "soma_y_nm", "soma_z_nm")
    position = np.stack([values(spec.cells, name).astype(float) / 1000 for name in somata], axis=1)
    has: Mask = np.logical_and.reduce(np.isfinite(position), axis=1)
    moves = has[wiring.pre_E] & has[wiring.post_E]
    pre, post, rows = [wiring.pre_E[~moves]], [wiring.post_E[~moves]], [wiring.row_E[~moves]]
    places = Places(wiring)
    for (pre_population, post_population), part in zip(places.pairs, places.edges_of_pairs(wiring), strict=True):
        if not len(part := part[moves[part]]):
            continue
        ends = [cells[has[cells]] for cells in (places.members[pre_population], places.members[post_population])]
        apart = np.linalg.norm(position[wiring.pre_E[part]] - position[wiring.post_E[part]], axis=1)
        bins = (apart / BIN_UM).astype(np.int64)
        drawn = _draw_in_bins(ends[0], ends[1], position, np.bincount(bins), rng)
        pre.append(drawn[0])
        post.append(drawn[1])
        rows += [rng.permutation(wiring.row_E[part[bins == number]]) for number in np.unique(bins)]
    return np.concatenate(pre), np.concatenate(post), np.concatenate(rows)


def _draw_in_bins(
    pre: Index, post: Index, position: Positions, wanted: npt.NDArray[np.int64], rng: np.random.Generator
) -> tuple[Index, Index]:
    """Return pairs of cells, so many in each bin of distance, bin after bin: counted first, then the chosen taken."""
    size = len(wanted)
    there = np.zeros(size, dtype=np.int64)
    for _, bins in _distances(pre, post, position):
        there += np.bincount(bins[bins < size], minlength=size)
    chosen = [draw_distinct(rng, int(there[at]), int(wanted[at])) for at in range(size)]
    found: list[list[npt.NDArray[np.int64]]] = [[] for _ in wanted]
    seen = np.zeros(size, dtype=np.int64)
    for start, bins in _distances(pre, post, position):
        for at in np.flatnonzero(wanted):
            inside = np.flatnonzero(bins == at)
            first, last = np.searchsorted(chosen[at], [seen[at], seen[at] + len(inside)])
            found[at].append(start + inside[chosen[at][first:last] - seen[at]])
            seen[at] += len(inside)
    row, column = np.divmod(np.concatenate([part for parts in found for part in parts]), len(post))
    return pre[row], post[column]


def _distances(pre: Index, post: Index, position: Positions) -> Iterator[tuple[int, npt.NDArray[np.int64]]]:
    """Yield the bins of the distances of all pairs, some presynaptic cells at a time, and the number of the first."""
    step = max(1, AT_ONCE // len(post))
    for start in range(0, len(pre), step):
        some = pre[start : start + step]
        apart = np.sqrt(sum((position[some, None, axis] - position[None, post, axis]) ** 2 for axis in range(3)))
        bins = (apart / BIN_UM).astype(np.int64)
        bins[some[:, None] == post[None, :]] = np.iinfo(np.int64).max  # no autapse
        yield start * len(post), bins.ravel()
