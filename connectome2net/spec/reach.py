"""Which populations activity can reach, following the schedule.

Enters: a ``Spec``. Leaves: population names.
"""

from __future__ import annotations

from bisect import bisect_left
from collections import defaultdict
from heapq import heappop, heappush

import numpy as np

from connectome2net.spec.model import Spec
from connectome2net.spec.network import Network
from connectome2net.spec.pairs import count_pairs, pairs_of
from connectome2net.spec.select import resolve


def reachable(spec: Spec) -> set[str]:
    """Return the populations that the image can reach when the phases run in order.

    In a step activity crosses one projection, later by the delay of that projection. It crosses between two
    populations where a projection holds an edge between them. A population that was active once stays so, and takes
    activity in at the steps in which it is updated: the earliest of them is found for one population after the other,
    as Dijkstra (1959, doi 10.1007/BF01386390) finds shortest ways.
    """
    network = spec.network
    names = [population.name for population in network.populations]
    edges, _ = count_pairs(spec)
    arrows = defaultdict(list)
    for projection in network.projections:
        for pre, post in np.argwhere(pairs_of(projection, network) & (edges > 0)):
            arrows[names[pre]].append((names[post], projection.delay_steps))
    updates = _updates(network)
    seen: set[str] = set()
    waiting: list[tuple[int, str]] = []

    def arrive(name: str, step: int) -> None:
        """Note the first step, from a step on, in which a population is updated."""
        ends = [end for _, end in updates[name]]
        if (at := bisect_left(ends, step)) < len(ends) and name not in seen:
            heappush(waiting, (max(step, updates[name][at][0]), name))

    arrive(network.input.population, 1)
    while waiting:
        since, name = heappop(waiting)
        if name not in seen:
            seen.add(name)
            for post, delay in arrows[name]:
                arrive(post, since + delay + 1)
    return seen


def _updates(network: Network) -> dict[str, list[tuple[int, int]]]:
    """Return for each population the first and the last step of each phase that updates it."""
    updates: dict[str, list[tuple[int, int]]] = defaultdict(list)
    done = 0
    for phase in network.schedule:
        for name in resolve(phase.populations, network):
            updates[name].append((done + 1, done + phase.steps))
        done += phase.steps
    return updates
