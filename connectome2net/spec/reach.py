"""Which populations activity can reach, following the schedule.

Enters: a network section. Leaves: population names.
"""

from __future__ import annotations

from connectome2net.spec.network import Network
from connectome2net.spec.select import resolve


def reachable(network: Network) -> set[str]:
    """Return the populations that the image can reach when the phases run in order.

    In a phase of T steps activity crosses at most T projections.
    """
    arrows = [
        (pre, post)
        for projection in network.projections
        for pre in resolve(projection.pre, network)
        for post in resolve(projection.post, network)
    ]
    reached: set[str] = set()
    for phase in network.schedule:
        updated = set(resolve(phase.populations, network))
        for _ in range(min(phase.steps, len(network.populations) + 1)):
            new = {post for pre, post in arrows if post in updated and pre in reached}
            if network.input.population in updated:
                new.add(network.input.population)
            reached |= new
    return reached
