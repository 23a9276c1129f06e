"""Reach equals what a walk over all steps finds."""

from __future__ import annotations

from typing import Any

import numpy as np
from columns import twelve_cells
from hypothesis import given, settings
from hypothesis import strategies as some

from connectome2net.spec import Spec
from connectome2net.spec.pairs import count_pairs
from connectome2net.spec.reach import reachable

NAMES = "ABD"
PHASES = some.lists(some.tuples(some.sets(some.sampled_from(NAMES), min_size=1), some.integers(1, 4)), min_size=1)
ARROWS = some.sets(some.tuples(some.sampled_from(NAMES), some.sampled_from(NAMES)), min_size=1)


def walk(spec: Spec) -> set[str]:
    """Which populations are ever active: every step, every pair, every delay."""
    edges, _ = count_pairs(spec)
    first: dict[str, int] = {}
    step = 0
    for phase in spec.network.schedule:
        for _ in range(phase.steps):
            step += 1
            new = set(phase.populations) & {spec.network.input.population}
            for projection in spec.network.projections:
                (pre,), (post,) = projection.pre, projection.post
                there = edges[NAMES.index(pre), NAMES.index(post)] and post in phase.populations
                if there and first.get(pre, 10**9) < step - projection.delay_steps:
                    new.add(post)
            first = dict.fromkeys(new, step) | first
    return set(first)


@settings(max_examples=60, deadline=None)
@given(phases=PHASES, arrows=ARROWS, delays=some.lists(some.integers(0, 5), min_size=9, max_size=9))
def test_reach_is_that_of_a_walk_over_all_steps(
    phases: list[tuple[set[str], int]], arrows: set[tuple[str, str]], delays: list[int]
) -> None:
    changes: dict[str, Any] = {
        "schedule": [{"populations": sorted(names), "steps": steps} for names, steps in phases],
        "projections": [
            {"name": f"{pre}_{post}", "pre": [pre], "post": [post], "delay_steps": delay}
            for (pre, post), delay in zip(sorted(arrows), delays, strict=False)
        ],
    }
    spec = twelve_cells("feedforward", **changes)
    assert np.all(count_pairs(spec)[0] >= 0)
    assert reachable(spec) == walk(spec)
