"""Small random connectomes for the tests of controls, and slow references for what controls keep."""

from __future__ import annotations

from collections import Counter
from itertools import product
from typing import Any

import numpy as np
import pyarrow as pa
from columns import twelve_cells
from hypothesis import strategies as st

from connectome2net.spec import Spec, make_spec
from connectome2net.spec.select import population_cells
from connectome2net.spec.tables import EDGES_SCHEMA
from connectome2net.transform.wiring import Wiring

Edge = tuple[int, int]


def with_pairs(spec: Spec, pairs: list[Edge], *, seed: int = 0) -> Spec:
    """The spec on other edges, (pre, post); counts and sizes are all different, so that each edge can be followed."""
    pairs = sorted(set(pairs), key=lambda pair: (pair[1], pair[0]))
    count = 1 + np.random.default_rng(seed).permutation(len(pairs))
    pre, post = ([pair[end] for pair in pairs] for end in (0, 1))
    edges = pa.table([post, pre, count.tolist(), (100 * count).tolist()], schema=EDGES_SCHEMA)
    return make_spec(spec.document, cells=spec.cells, edges=edges)


@st.composite
def specs(draw: st.DrawFn, networks: tuple[str, ...] = ("column", "feedforward", "pairs", "spiking")) -> Spec:
    """The twelve cells with any edges, dense or sparse, autapses too; at least one may be moved."""
    spec = twelve_cells(draw(st.sampled_from(networks)))
    cell = st.integers(0, 11)
    pairs = draw(st.lists(st.tuples(cell, cell), min_size=8, max_size=90))
    return with_pairs(spec, [*pairs, (1, 3), (7, 5)], seed=draw(st.integers(0, 99)))


def rows(spec: Spec) -> list[dict[str, Any]]:
    return spec.edges.to_pylist()


def pairs_in(spec: Spec) -> set[Edge]:
    return {(row["pre_index"], row["post_index"]) for row in rows(spec)}


def home(spec: Spec) -> dict[int, str]:
    """The population of each unit."""
    return {int(cell): name for name, cells in population_cells(spec).items() for cell in cells}


def moved(spec: Spec) -> list[dict[str, Any]]:
    """The rows that a control may move, by a slow loop: chemical, held, no autapse."""
    of, found = home(spec), []
    for row in rows(spec):
        pre, post = row["pre_index"], row["post_index"]
        if pre != post and held(spec, of.get(pre), of.get(post)):
            found.append(row)
    return found


def held(spec: Spec, pre: str | None, post: str | None) -> bool:
    """Whether a chemical projection holds a pair of populations."""
    if pre is None or post is None:
        return False
    chemical = [item for item in spec.network.projections if item.synapse == "chemical"]
    return any({pre, "*"} & {*item.pre} and {post, "*"} & {*item.post} for item in chemical)


def stays(spec: Spec) -> list[tuple[Any, ...]]:
    """The rows that no control of edges may touch."""
    may = {(row["pre_index"], row["post_index"]) for row in moved(spec)}
    return [tuple(row.values()) for row in rows(spec) if (row["pre_index"], row["post_index"]) not in may]


def pair_counts(spec: Spec) -> Counter[tuple[str, str]]:
    of = home(spec)
    return Counter((of[row["pre_index"]], of[row["post_index"]]) for row in moved(spec))


def places(spec: Spec) -> list[Edge]:
    """All pairs of cells where an edge may lie."""
    of = home(spec)
    return [(a, b) for a, b in product(range(12), repeat=2) if a != b and held(spec, of.get(a), of.get(b))]


def plain_wiring(pairs: list[Edge], *, cells: int, held_PP: np.ndarray | None = None, population=None) -> Wiring:
    """A graph without a spec, for the tests of what is drawn how often."""
    pairs = sorted(pairs, key=lambda pair: (pair[1], pair[0]))
    pre, post = (np.array([pair[end] for pair in pairs], dtype=np.int32) for end in (0, 1))
    numbers = np.zeros(cells, dtype=np.int16) if population is None else np.array(population, dtype=np.int16)
    table = np.array([[True, False], [False, False]]) if held_PP is None else held_PP
    return Wiring(pre, post, np.arange(len(pairs)), numbers, table)
