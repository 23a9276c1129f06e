"""Which populations activity can reach, following the schedule.

Enters: a ``Spec``. Leaves: population names.
"""

from __future__ import annotations

from connectome2net.spec.model import Spec
from connectome2net.spec.pairs import count_pairs, pairs_of
from connectome2net.spec.select import resolve


def reachable(spec: Spec) -> set[str]:
    """Return the populations that the image can reach when the phases run in order.

    In a step activity crosses one projection, later by the delay of that projection. It crosses between two
    populations where a projection holds an edge between them.
    """
    network = spec.network
    names = [population.name for population in network.populations]
    edges, _ = count_pairs(spec)
    arrows = {
        (names[pre], names[post], projection.delay_steps)
        for projection in network.projections
        for pre, post in pairs_of(projection, network)
        if edges[pre, post]
    }
    longest = (len(names) + 1) * (1 + max((projection.delay_steps for projection in network.projections), default=0))
    since: dict[str, int] = {}  # the step after which a population is first active
    done = 0
    for phase in network.schedule:
        updated = set(resolve(phase.populations, network))
        for step in range(done + 1, done + 1 + min(phase.steps, longest)):
            seen = updated & {network.input.population}
            seen |= {post for pre, post, delay in arrows if post in updated and since.get(pre, step) < step - delay}
            since = {name: step for name in seen} | since
        done += phase.steps
    return set(since)
