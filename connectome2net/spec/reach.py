"""Which populations activity can reach, following the schedule.

Enters: a ``Spec``. Leaves: population names.
"""

from __future__ import annotations

from connectome2net.spec.model import Spec
from connectome2net.spec.pairs import count_pairs, pairs_of
from connectome2net.spec.select import resolve


def reachable(spec: Spec) -> set[str]:
    """Return the populations that the image can reach when the phases run in order.

    In a phase of T steps activity crosses at most T projections. It crosses between two populations where a
    projection holds an edge between them.
    """
    network = spec.network
    names = [population.name for population in network.populations]
    edges, _ = count_pairs(spec)
    arrows = {
        (names[pre], names[post])
        for projection in network.projections
        for pre, post in pairs_of(projection, network)
        if edges[pre, post]
    }
    reached: set[str] = set()
    for phase in network.schedule:
        updated = set(resolve(phase.populations, network))
        for _ in range(min(phase.steps, len(names) + 1)):
            reached |= {post for pre, post in arrows if post in updated and pre in reached}
            reached |= updated & {network.input.population}
    return reached
