"""How often each graph comes out: as often as any other that has what the null model keeps."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable
from itertools import chain, combinations, product

import numpy as np
import pytest
from graphs import Edge, plain_wiring
from scipy import stats

from connectome2net.transform.draw import draw_distinct, draw_edges
from connectome2net.transform.swap import Ends, swap_degrees, swap_reciprocal
from connectome2net.transform.wiring import Wiring

Swap = Callable[[Wiring, np.random.Generator], tuple[Ends, float]]

GRAPH = [(0, 1), (1, 0), (2, 1), (3, 2), (0, 3), (1, 2), (4, 0)]
RINGS = [(0, 1), (1, 0), (2, 3), (3, 2), (4, 5), (5, 4), (0, 2), (1, 3), (2, 4)]
"""Three pairs of cells that are connected both ways, and three edges that go one way."""


def degrees(edges: Iterable[Edge]) -> tuple[Counter[int], Counter[int]]:
    return Counter(pre for pre, _ in edges), Counter(post for _, post in edges)


def both_ways(edges: Iterable[Edge]) -> Counter[int]:
    return Counter(pre for pre, post in edges if (post, pre) in edges)


def every(graph: list[Edge], *, keeps: Callable[[Iterable[Edge]], object]) -> set[frozenset[Edge]]:
    """All graphs that keep something, by trying all ways in which each cell may send its edges."""
    cells = sorted({cell for edge in graph for cell in edge})
    sent = Counter(pre for pre, _ in graph)
    ways = [[*combinations([(cell, other) for other in cells if other != cell], sent[cell])] for cell in cells]
    graphs = (frozenset(chain(*way)) for way in product(*ways))
    return {made for made in graphs if degrees(made) == degrees(graph) and keeps(made) == keeps(graph)}


def is_uniform(drawn: Counter[frozenset[Edge]], all_of_them: set[frozenset[Edge]]) -> bool:
    assert drawn.keys() <= all_of_them
    return stats.chisquare([drawn[each] for each in all_of_them]).pvalue > 1e-3


def draw(swap: Swap, graph: list[Edge], *, times: int) -> Counter[frozenset[Edge]]:
    wiring, rng = plain_wiring(graph, cells=6), np.random.default_rng(1)
    drawn: Counter[frozenset[Edge]] = Counter()
    for _ in range(times):
        ends, _ = swap(wiring, rng)
        drawn[frozenset(zip(ends.pre_E.tolist(), ends.post_E.tolist(), strict=True))] += 1
    return drawn


def test_all_graphs_of_the_same_degrees_come_out_equally_often() -> None:
    all_of_them = every(GRAPH, keeps=lambda _: None)
    assert len(all_of_them) == 18
    assert is_uniform(draw(swap_degrees, GRAPH, times=200), all_of_them)


def test_all_graphs_of_the_same_reciprocity_come_out_equally_often() -> None:
    all_of_them = every(RINGS, keeps=both_ways)
    assert len(all_of_them) == 32
    assert is_uniform(draw(swap_reciprocal, RINGS, times=200), all_of_them)


def test_the_test_of_uniformity_sees_too_few_swaps(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("connectome2net.transform.swap._repeat", lambda swap, *_, **__: swap())
    assert not is_uniform(draw(swap_degrees, GRAPH, times=200), every(GRAPH, keeps=lambda _: None))


@pytest.mark.parametrize(("size", "count"), [(6, 2), (6, 3), (6, 5), (4, 4), (5, 0)])
def test_all_sets_of_numbers_come_out_equally_often(size: int, count: int) -> None:
    rng = np.random.default_rng(0)
    drawn = Counter(tuple(draw_distinct(rng, size, count).tolist()) for _ in range(1200))
    every_set = [*combinations(range(size), count)]
    assert drawn.keys() <= {*every_set}
    assert len(every_set) == 1 or stats.chisquare([drawn[each] for each in every_set]).pvalue > 1e-3


def test_all_places_are_drawn_equally_often() -> None:
    held = np.array([[True, True, False], [False, True, False], [False, False, False]])
    wiring = plain_wiring([(0, 1), (0, 3), (3, 4)], cells=6, held_PP=held, population=[0, 0, 1, 1, 1, 2])
    drawn: Counter[Edge] = Counter()
    rng = np.random.default_rng(0)
    for _ in range(2000):
        pre, post, row = draw_edges(wiring, rng)
        drawn.update(zip(pre.tolist(), post.tolist(), strict=True))
        assert sorted(row) == [0, 1, 2]
    within = [(0, 1), (1, 0), *((a, b) for a in (2, 3, 4) for b in (2, 3, 4) if a != b)]
    places = within + [(a, b) for a in (0, 1) for b in (2, 3, 4)]
    assert {*drawn} == {*places}
    assert stats.chisquare([drawn[each] for each in places]).pvalue > 1e-3
