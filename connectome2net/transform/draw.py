"""Edges that are drawn anew.

Enters: a ``Wiring``. Leaves: pairs of cells, each once, and for each the row of an edge whose count, size and weight it
has.
"""

# Axes: E edges, P populations.

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import numpy as np
import numpy.typing as npt

from connectome2net.errors import TransformError
from connectome2net.transform.wiring import Index, Keys, Rows, Wiring

FloatArray = npt.NDArray[np.float64]
MOST_EDGES: Final = 100_000_000


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

    def numbers(self, at: int, pre: Index, post: Index) -> Keys:
        """Return the numbers of some pairs of cells within pair ``at`` of populations, from 0."""
        pre_population, post_population = self.pairs[at]
        row = np.searchsorted(self.members[pre_population], pre)
        column = np.searchsorted(self.members[post_population], post)
        if pre_population == post_population:
            return row * (len(self.members[post_population]) - 1) + column - (column > row)
        return row * len(self.members[post_population]) + column

    def edges_of_pairs(self, wiring: Wiring) -> list[Rows]:
        """Return the edges of each pair of populations, as places in the arrays of the wiring."""
        pair = wiring.pair(wiring.pre_E, wiring.post_E)
        order = np.argsort(pair, kind="stable")
        number = self.pairs[:, 0] * len(wiring.held_PP) + self.pairs[:, 1]  # ascending
        return np.split(order, np.searchsorted(pair[order], number[1:]))


def draw_edges(wiring: Wiring, rng: np.random.Generator) -> tuple[Index, Index, Rows]:
    """Return as many edges as there are, over all pairs of cells that the network holds (Erdos and Renyi 1959)."""
    places = Places(wiring)
    pre, post = places.cells(draw_distinct(rng, int(places.starts[-1]), len(wiring.row_E)))
    return pre, post, rng.permutation(wiring.row_E)


def draw_edges_of_pairs(wiring: Wiring, rng: np.random.Generator) -> tuple[Index, Index, Rows]:
    """Return as many edges as there are in each pair of populations."""
    places = Places(wiring)
    chosen, rows = [], []
    for start, size, part in zip(places.starts, places.sizes, places.edges_of_pairs(wiring), strict=False):
        chosen.append(start + draw_distinct(rng, int(size), len(part)))
        rows.append(rng.permutation(wiring.row_E[part]))
    pre, post = places.cells(np.concatenate(chosen))
    return pre, post, np.concatenate(rows)


def add_edges(
    wiring: Wiring, rng: np.random.Generator, fraction: float, *, names: Sequence[str]
) -> tuple[Index, Index, Rows]:
    """Return all edges and a fraction more, in each pair of populations in proportion to those that it has.

    A new edge has the count, size and weight of a random edge of its pair.

    Args:
        wiring: the measured graph.
        rng: where chance comes from.
        fraction: new edges per edge.
        names: of the populations.

    Raises:
        TransformError: a pair of populations has no room for so many.
    """
    places = Places(wiring)
    pre, post, rows = [wiring.pre_E], [wiring.post_E], [wiring.row_E]
    parts = places.edges_of_pairs(wiring)
    share = round(fraction * len(wiring.row_E)) / len(wiring.row_E) * np.array([len(part) for part in parts])
    more = whole_shares(share)
    for at in np.flatnonzero(more):
        part, size = parts[at], int(places.sizes[at])
        if (room := size - len(part)) < more[at]:
            raise TransformError(
                "there is no room for so many edges",
                where=" -> ".join(names[population] for population in places.pairs[at]),
                found=f"{more[at]:,} to add",
                wanted=f"at most {room:,}, because {len(part):,} of {size:,} pairs of cells are connected",
                fix="use a smaller fraction",
            )
        # A rank among the free places becomes a place by skipping the taken ones before it.
        taken = np.sort(places.numbers(int(at), wiring.pre_E[part], wiring.post_E[part]))
        rank = draw_distinct(rng, room, int(more[at]))
        free = rank + np.searchsorted(taken - np.arange(len(taken)), rank, side="right")
        cells = places.cells(places.starts[at] + free)
        pre.append(cells[0])
        post.append(cells[1])
        rows.append(rng.choice(wiring.row_E[part], len(free)))
    return np.concatenate(pre), np.concatenate(post), np.concatenate(rows)


def whole_shares(share: FloatArray) -> Keys:
    """Return whole numbers near some shares, with the same sum: the largest remainders are rounded up."""
    whole = np.floor(share + 1e-9).astype(np.int64)
    missing = round(float(share.sum())) - int(whole.sum())
    whole[np.argsort(whole - share, kind="stable")[:missing]] += 1
    return whole


def connect_all(wiring: Wiring, rng: np.random.Generator) -> tuple[Index, Index, Rows]:
    """Return every pair of cells that the network holds as an edge; one that was not there is like one drawn at random.

    Raises:
        TransformError: that are more edges than a network may have.
    """
    places = Places(wiring)
    if (count := int(places.starts[-1])) > MOST_EDGES:
        found, fix = f"{count:,} pairs of cells", "take a smaller column: subset"
        raise TransformError("too many edges", found=found, wanted=f"at most {MOST_EDGES:,}", fix=fix)
    pre, post = places.cells(np.arange(count))
    key, own = wiring.key(pre, post), wiring.key(wiring.pre_E, wiring.post_E)
    order = np.argsort(own)
    at = order[np.minimum(np.searchsorted(own, key, sorter=order), len(own) - 1)]
    row = rng.choice(wiring.row_E, count)
    return pre, post, np.where(own[at] == key, wiring.row_E[at], row)
