"""Edges that exchange their ends, so that every cell keeps its number of inputs and outputs.

Enters: a ``Wiring``. Leaves: the edges of a random graph with the same degrees.

In a round all edges are paired at random, and the two of a pair exchange their postsynaptic ends (Maslov and Sneppen
2002, doi 10.1126/science.1065103) unless two edges would become one, or an edge an autapse or one between populations
that no projection holds. All pairs of a round move at once: whether a pair may is decided on the set of all edges that
there are and all that are proposed. A swap turned back sees the same set, so that each way has the same probability and
the graphs that can be reached come out equally often.
"""

# Axes: E edges, or pairs of edges that connect two cells both ways.

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import numpy as np
import numpy.typing as npt

from connectome2net.transform.wiring import Index, Keys, Mask, Rows, Wiring

Marks = npt.NDArray[np.uint32]

SWAPS_PER_EDGE = 10
"""After so many swaps of an edge, statistics of sparse graphs no longer change (Milo et al. 2003, arXiv
cond-mat/0312028)."""
FIRST_ROUNDS = 4
"""The rate of swaps is measured in so many, and the number of rounds fixed from it, because an end that depends on how
the last round went would favour some graphs. Storage is shuffled as often."""
LEAST_ROUNDS, MOST_ROUNDS = 12, 400
"""In a nearly complete graph hardly any swap is possible."""
IDLE = 0.1
"""The part of the pairs that does nothing in a round; without them two edges would only go forth and back."""


@dataclass
class Ends:
    """Edges that are being swapped; they change in place.

    Attributes:
        pre_E: one end, which stays.
        post_E: the other, which is exchanged.
        row_E: row of the edge pre -> post; it stays with its presynaptic cell.
        row_back_E: row of the edge post -> pre, where cells are connected both ways; it goes with ``post_E``.
    """

    pre_E: Index
    post_E: Index
    row_E: Rows
    row_back_E: Rows | None = None

    def reorder(self, how: Callable[[Index | Rows], Index | Rows]) -> None:
        """Put the edges into another order."""
        for name, array in vars(self).items():
            if array is not None:
                setattr(self, name, how(array))


def swap_degrees(wiring: Wiring, rng: np.random.Generator, *, within_pairs: bool = False) -> tuple[Ends, float]:
    """Return a random graph with the in- and out-degree of each cell, and the swaps per edge that led to it.

    Graphs that no sequence of swaps reaches are not drawn: three edges in a ring, turned round, are an example (Rao,
    Jana and Bandyopadhyay 1996, Sankhya A 58, 225); Berger and Mueller-Hannemann 2010, arXiv 0912.0685, tell where
    there are some.

    Args:
        wiring: the measured graph.
        rng: where chance comes from.
        within_pairs: only edges of the same pair of populations are swapped.
    """
    if not within_pairs:
        ends = Ends(wiring.pre_E.copy(), wiring.post_E.copy(), wiring.row_E.copy())
        return ends, _mix(ends, wiring, rng)
    pair = wiring.pair(wiring.pre_E, wiring.post_E)
    order = np.argsort(pair, kind="stable")
    parts, swaps = [], 0.0
    for of_pair in np.split(order, np.flatnonzero(np.diff(pair[order])) + 1):
        ends = Ends(wiring.pre_E[of_pair], wiring.post_E[of_pair], wiring.row_E[of_pair])
        swaps += _mix(ends, wiring, rng) * len(of_pair) / len(order)
        parts.append(ends)
    joined = (np.concatenate([getattr(part, name) for part in parts]) for name in ("pre_E", "post_E", "row_E"))
    return Ends(*joined), swaps


def swap_reciprocal(wiring: Wiring, rng: np.random.Generator) -> tuple[Ends, float]:
    """Return a random graph with the degrees of each cell, one way and both ways, and the swaps per edge.

    Edges that go one way are swapped among themselves, and so are those that go both ways; no edge may come to lie
    where there is one in the other direction.
    """
    keys = wiring.key(wiring.pre_E, wiring.post_E)
    turned = wiring.key(wiring.post_E, wiring.pre_E)
    at = np.minimum(np.searchsorted(keys, turned), len(keys) - 1)
    mutual = keys[at] == turned
    once = np.flatnonzero(mutual & (wiring.pre_E < wiring.post_E))
    single = Ends(wiring.pre_E[~mutual], wiring.post_E[~mutual], wiring.row_E[~mutual])
    double = Ends(wiring.pre_E[once], wiring.post_E[once], wiring.row_E[once], wiring.row_E[at[once]])

    def both() -> int:
        done = _swap(single, wiring, rng, key=_unordered, taken=_unordered(double.pre_E, double.post_E, wiring))
        _turn(double, rng)
        return done + 2 * _swap(
            double, wiring, rng, key=_unordered, taken=_unordered(single.pre_E, single.post_E, wiring)
        )

    swaps = _repeat(both, [single, double], rng, edges=len(keys))
    assert double.row_back_E is not None
    pre = np.concatenate([single.pre_E, double.pre_E, double.post_E])
    post = np.concatenate([single.post_E, double.post_E, double.pre_E])
    return Ends(pre, post, np.concatenate([single.row_E, double.row_E, double.row_back_E])), swaps


def _mix(ends: Ends, wiring: Wiring, rng: np.random.Generator) -> float:
    return _repeat(lambda: _swap(ends, wiring, rng, key=_ordered), [ends], rng, edges=len(ends.pre_E))


def _repeat(swap: Callable[[], int], parts: list[Ends], rng: np.random.Generator, *, edges: int) -> float:
    """Swap until each edge has moved ``SWAPS_PER_EDGE`` times on average; return how often it has."""
    done, rounds, at = 0, FIRST_ROUNDS, 0
    while at < rounds:
        if at % FIRST_ROUNDS == 0:
            for ends in parts:
                ends.reorder(partial(np.take, indices=rng.permutation(len(ends.pre_E)).astype(np.int32)))
        done += swap()
        at += 1
        if at == FIRST_ROUNDS:
            wanted = SWAPS_PER_EDGE * edges * FIRST_ROUNDS / max(done, 1)
            rounds = int(np.clip(np.ceil(wanted), LEAST_ROUNDS, MOST_ROUNDS))
    return done / edges


def _swap(
    ends: Ends,
    wiring: Wiring,
    rng: np.random.Generator,
    *,
    key: Callable[[Index, Index, Wiring], Keys],
    taken: Keys | None = None,
) -> int:
    """Do one round; return how many edges moved.

    Args:
        ends: the edges.
        wiring: where edges may lie.
        rng: where chance comes from.
        key: pairs of cells -> numbers, equal where only one of the two may be an edge.
        taken: keys of other edges.
    """
    size = len(ends.pre_E)
    if size < 2:
        return 0
    shift = int(rng.integers(size))
    ends.reorder(lambda array: np.roll(array, shift))
    half = int(rng.binomial(size // 2, 1 - IDLE))
    pre, post = ends.pre_E, ends.post_E
    pre_a, post_a, pre_b, post_b = pre[:half], post[:half], pre[::-1][:half], post[::-1][:half]
    valid = wiring.may(pre_a, post_b) & wiring.may(pre_b, post_a)
    if ends.row_back_E is not None:
        valid &= wiring.may(post_b, pre_a) & wiring.may(post_a, pre_b)
    mark = _marks(rng)
    old, new_a, new_b = mark(key(pre, post, wiring)), mark(key(pre_a, post_b, wiring)), mark(key(pre_b, post_a, wiring))
    others = [] if taken is None else [mark(taken)]
    shared = _shared(np.concatenate([old, new_a[valid], new_b[valid], *others]))
    valid &= ~(shared(old[:half]) | shared(old[::-1][:half]) | shared(new_a) | shared(new_b))
    a = np.flatnonzero(valid)
    b = size - 1 - a
    for array in (post, ends.row_back_E):
        if array is not None:
            array[a], array[b] = array[b], array[a]
    return 2 * len(a)


def _ordered(pre: Index, post: Index, wiring: Wiring) -> Keys:
    return wiring.key(pre, post)


def _unordered(pre: Index, post: Index, wiring: Wiring) -> Keys:
    return wiring.key(np.minimum(pre, post), np.maximum(pre, post))


def _turn(ends: Ends, rng: np.random.Generator) -> None:
    """Let chance decide which of two cells that are connected both ways is called the presynaptic one."""
    at = np.flatnonzero(rng.integers(2, size=len(ends.pre_E)))
    ends.pre_E[at], ends.post_E[at] = ends.post_E[at], ends.pre_E[at]
    assert ends.row_back_E is not None
    ends.row_E[at], ends.row_back_E[at] = ends.row_back_E[at], ends.row_E[at]


def _marks(rng: np.random.Generator) -> Callable[[Keys], Marks]:
    """Return a random function from keys to 32 bits; equal keys have equal marks, others rarely.

    Sorting marks takes half the time of sorting keys. Pairs whose marks are equal by chance wait for the next round.
    """
    factor = rng.integers(2**64, dtype=np.uint64, endpoint=False) | np.uint64(1)
    return lambda keys: ((keys.view(np.uint64) * factor) >> np.uint64(32)).astype(np.uint32)


def _shared(marks: Marks) -> Callable[[Marks], Mask]:
    """Return a function that tells which marks occur more than once in ``marks``, and by chance a few others."""
    marks.sort()
    repeated = marks[1:][marks[1:] == marks[:-1]]
    shift = np.uint32(32 - min(26, (16 * len(marks)).bit_length()))
    table = np.zeros(2 ** (32 - int(shift)), dtype=bool)
    table[repeated >> shift] = True
    return lambda some: table[some >> shift]
