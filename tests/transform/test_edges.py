"""What each control of edges keeps and what it destroys, against slow loops, networkx and scipy."""

from __future__ import annotations

from collections import Counter

import networkx as nx
import numpy as np
import pytest
from graphs import home, moved, pair_counts, pairs_in, places, rows, specs, stays
from hypothesis import given, settings
from hypothesis import strategies as st

from connectome2net.spec import Spec
from connectome2net.spec.graph import to_networkx
from connectome2net.transform.rewire import RULES
from connectome2net.transform.wiring import read_wiring

seeds = st.integers(0, 2**32)
few = settings(max_examples=15, deadline=None)


def change(spec: Spec, null: str, seed: int, amount: float | None = None) -> Spec:
    """The rule of a null model alone: no weights, and whatever network comes of it."""
    return RULES[null](spec, read_wiring(spec), np.random.default_rng(seed), amount).spec


def edges_of(spec: Spec) -> nx.DiGraph:
    made = nx.DiGraph([(row["pre_index"], row["post_index"]) for row in moved(spec)])
    made.add_nodes_from(range(12))
    return made


def attributes(spec: Spec) -> Counter[tuple[int, int]]:
    return Counter((row["synapse_count"], row["total_size_vx"]) for row in moved(spec))


def of_pre(spec: Spec) -> Counter[tuple[int, int]]:
    return Counter((row["pre_index"], row["synapse_count"]) for row in moved(spec))


def check_every_control(before: Spec, after: Spec) -> None:
    """Sorted, each pair once, no new autapse, nothing where the network holds no edge, the rest untouched."""
    order = [(row["post_index"], row["pre_index"]) for row in rows(after)]
    assert order == sorted(set(order))
    assert stays(after) == stays(before)
    assert {(row["pre_index"], row["post_index"]) for row in moved(after)} <= {*places(before)}
    assert after.edges.schema.equals(before.edges.schema)


@few
@given(spec=specs(), seed=seeds)
def test_erdos_renyi_keeps_the_number_of_edges(spec: Spec, seed: int) -> None:
    after = change(spec, "erdos-renyi", seed)
    check_every_control(spec, after)
    assert attributes(after) == attributes(spec)


@few
@given(spec=specs(), seed=seeds)
def test_erdos_renyi_keeps_the_number_of_edges_of_each_pair(spec: Spec, seed: int) -> None:
    after = change(spec, "erdos-renyi-pairs", seed)
    check_every_control(spec, after)
    assert pair_counts(after) == pair_counts(spec)
    of_pair = {
        (home(spec)[row["pre_index"]], home(spec)[row["post_index"]], row["synapse_count"]) for row in moved(spec)
    }
    assert of_pair == {
        (home(spec)[row["pre_index"]], home(spec)[row["post_index"]], row["synapse_count"]) for row in moved(after)
    }


@few
@given(spec=specs(), seed=seeds)
def test_degrees_are_kept(spec: Spec, seed: int) -> None:
    after = change(spec, "degree", seed)
    check_every_control(spec, after)
    assert dict(edges_of(after).in_degree()) == dict(edges_of(spec).in_degree())
    assert dict(edges_of(after).out_degree()) == dict(edges_of(spec).out_degree())
    assert of_pre(after) == of_pre(spec)


@few
@given(spec=specs(), seed=seeds)
def test_degrees_to_each_population_are_kept(spec: Spec, seed: int) -> None:
    after, of = change(spec, "degree-pairs", seed), home(spec)
    check_every_control(spec, after)

    def degrees(some: Spec) -> Counter[tuple[int, str, str]]:
        sent = [(row["pre_index"], "to", of[row["post_index"]]) for row in moved(some)]
        return Counter(sent + [(row["post_index"], "from", of[row["pre_index"]]) for row in moved(some)])

    assert degrees(after) == degrees(spec)
    assert of_pre(after) == of_pre(spec)


@few
@given(spec=specs(), seed=seeds)
def test_degrees_and_reciprocity_are_kept(spec: Spec, seed: int) -> None:
    after = change(spec, "degree-reciprocal", seed)
    check_every_control(spec, after)
    old, new = edges_of(spec), edges_of(after)
    assert dict(new.in_degree()) == dict(old.in_degree())
    assert dict(new.out_degree()) == dict(old.out_degree())
    both = [{cell: sum(g.has_edge(to, cell) for to in g.successors(cell)) for cell in g} for g in (old, new)]
    assert both[0] == both[1]
    assert of_pre(after) == of_pre(spec)


def test_what_is_not_kept_is_destroyed() -> None:
    """On a column of 200 cells whose edges follow types, reciprocity and distance."""
    from connectome2net import read_spec

    spec = read_spec("examples/small_column")
    old = to_networkx(spec)
    for null, same_degrees, same_pairs in (
        ("erdos-renyi", False, False),
        ("erdos-renyi-pairs", False, True),
        ("degree", True, False),
        ("degree-pairs", True, True),
        ("degree-reciprocal", True, False),
    ):
        after = change(spec, null, 0)
        new = to_networkx(after)
        assert (sorted(new.in_degree()) == sorted(old.in_degree())) is same_degrees, null
        assert (pair_counts(after) == pair_counts(spec)) is same_pairs, null
        kept = nx.overall_reciprocity(new) == nx.overall_reciprocity(old)
        assert kept is (null == "degree-reciprocal"), null
        other = pairs_in(change(spec, null, 1))
        shared = [len(some & other) / spec.edges.num_rows for some in (pairs_in(spec), pairs_in(after))]
        assert shared[0] == pytest.approx(shared[1], abs=0.03), f"{null}: nearer to the measured graph than to others"
