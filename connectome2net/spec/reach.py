"""Which populations activity can reach, following the schedule.

Enters: a ``Spec``. Leaves: population names, and what is wrong with a readout that sees others.
"""

from __future__ import annotations

from bisect import bisect_left
from collections import defaultdict
from collections.abc import Iterator
from heapq import heappop, heappush

import numpy as np

from connectome2net.errors import Issue
from connectome2net.spec.model import Spec
from connectome2net.spec.network import Network
from connectome2net.spec.pairs import count_pairs, pairs_of
from connectome2net.spec.select import resolve


def check_readout(spec: Spec) -> Iterator[Issue]:
    """Yield what is wrong with the populations that the readout sees; one issue for all that only delays cut off."""
    network, seen = spec.network, reachable(spec)
    path, driven = "/network/readout/populations", spec.network.input.population
    unseen = [name for name in resolve(network.readout.populations, network) if name not in seen]
    at_once = reachable(spec, delays=False) if unseen else set()
    if late := [name for name in unseen if name in at_once]:
        steps = sum(phase.steps for phase in network.schedule)
        at, slowest = max(enumerate(network.projections), key=lambda item: item[1].delay_steps)
        found = f"{slowest.delay_steps}, so that no activity reaches {', '.join(late)} in {steps} steps of the schedule"
        fix = "shorten the delays, or give the phases more steps"
        yield Issue(f"/network/projections/{at}/delay_steps", found, "delays that the schedule has time for", fix)
    for name in resolve(network.readout.populations, network):
        if name == driven and not network.readout.bypass:
            fix = "leave it out, or set bypass to true; then the image reaches the classes past the wiring"
            yield Issue(path, f"{name!r}, which the image drives", "other populations", fix)
        if name in unseen and name not in late:
            fix = "mend the schedule or the projections, or leave it out"
            yield Issue(path, f"{name!r}, which no activity reaches", "populations that activity reaches", fix)


def reachable(spec: Spec, *, delays: bool = True) -> set[str]:
    """Return the populations that the image can reach when the phases run in order.

    Args:
        spec: a spec whose names are right.
        delays: with those of the projections, or as if there were none.

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
            arrows[names[pre]].append((names[post], projection.delay_steps * delays))
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
