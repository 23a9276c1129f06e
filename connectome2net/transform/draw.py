"""Edges that are drawn anew.

Enters: a ``Wiring``. Leaves: pairs of cells, each once, and for each the row of an edge whose count, size and weight it
has.
"""

# Axes: E edges, P populations.

from __future__ import annotations

import numpy as np

from connectome2net.transform.wiring import Index, Keys, Rows, Wiring


def draw_distinct(rng: np.random.Generator, size: int, count: int) -> Keys:
    """Return ``count`` different numbers below ``size``, ascending; each such set is as likely as any other."""
    if 2 * count > size:
        chosen = np.ones(size, dtype=bool)
        chosen[draw_distinct(rng, size, size - count)] = False
        return np.flatnonzero(chosen)
    drawn = np.empty(0, dtype=np.int64)
    while len(drawn) < count:
        more = rng.integers(size, size=int(1.1 * (count - len(drawn))) + 16)
        drawn = np.sort(np.concatenate([drawn, more]))
        drawn = drawn[np.diff(drawn, prepend=-1) > 0]
    surplus = rng.choice(len(drawn), len(drawn) - count, replace=False)
    return np.delete(drawn, surplus)


class Places:
    """All pairs of cells that may be edges, numbered: pairs of populations one after the other, autapses left out.

    Args:
        wiring: the populations and which of their pairs are held.
    """

    def __init__(self, wiring: Wiring) -> None:
        self.pairs = np.argwhere(wiring.held_PP)
        self.members = [wiring.cells_of(population) for population in range(len(wiring.held_PP))]
        size = np.array([len(cells) for cells in self.members], dtype=np.int64)
        pre, post = self.pairs.T
        self.sizes = size[pre] * (size[post] - (pre == post))
        self.starts = np.concatenate([[0], np.cumsum(self.sizes)])

    def cells(self, place: Keys) -> tuple[Index, Index]:
        """Return the cells ``(pre, post)`` of some places, ascending."""
        ends = np.searchsorted(place, self.starts)
        parts = [np.empty((2, 0), dtype=np.int32)]
        for at in np.flatnonzero(np.diff(ends)):
            pre, post = self.pairs[at]
            inside = place[ends[at] : ends[at + 1]] - self.starts[at]
            row, column = np.divmod(inside, len(self.members[post]) - (pre == post))
            if pre == post:
                column += column >= row
            parts.append(np.stack([self.members[pre][row], self.members[post][column]]))
        joined = np.concatenate(parts, axis=1)
        return joined[0], joined[1]


def draw_edges(wiring: Wiring, rng: np.random.Generator) -> tuple[Index, Index, Rows]:
    """Return as many edges as there are, over all pairs of cells that the network holds (Erdos and Renyi 1959)."""
    places = Places(wiring)
    pre, post = places.cells(draw_distinct(rng, int(places.starts[-1]), len(wiring.row_E)))
    return pre, post, rng.permutation(wiring.row_E)


def draw_edges_of_pairs(wiring: Wiring, rng: np.random.Generator) -> tuple[Index, Index, Rows]:
    """Return as many edges as there are in each pair of populations."""
    places = Places(wiring)
    side = len(wiring.held_PP)
    pair = wiring.pair(wiring.pre_E, wiring.post_E)
    counts = np.bincount(pair, minlength=side**2).reshape(side, side)[tuple(places.pairs.T)]
    order = np.argsort(pair, kind="stable")
    chosen, rows = [], []
    for start, size, of_pair in zip(places.starts, places.sizes, np.split(order, np.cumsum(counts)[:-1]), strict=False):
        chosen.append(start + draw_distinct(rng, int(size), len(of_pair)))
        rows.append(rng.permutation(wiring.row_E[of_pair]))
    pre, post = places.cells(np.concatenate(chosen))
    return pre, post, np.concatenate(rows)
