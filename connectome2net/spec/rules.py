"""Do the plasticity rules fit the network that uses them?

Enters: a ``Spec`` whose names, edges and populations are right. Leaves: an issue for each that does not.
"""

from __future__ import annotations

from collections.abc import Iterator

from connectome2net.errors import Issue
from connectome2net.spec.model import Spec
from connectome2net.spec.network import Network, Projection
from connectome2net.spec.plasticity import OF_CELLS, OF_INHIBITION, OF_SPIKES
from connectome2net.spec.select import population_cells, resolve
from connectome2net.spec.tables import values

SPIKING = ("lif", "izhikevich")
"""Models of cells that send spikes."""

WITH_THRESHOLD = ("rate", "lif", "izhikevich", "conductance")
"""Models of cells that have a threshold each."""


def unused_rules(network: Network) -> list[str]:
    """Return the rules that are declared and switched on, and that nothing names: they change nothing."""
    used = {name for projection in network.projections for name in projection.plasticity}
    used |= {name for population in network.populations for name in population.plasticity}
    return [name for name, rule in network.plasticity.items() if rule is not None and name not in used]


def check_rules(spec: Spec) -> Iterator[Issue]:
    """Yield what is wrong with the rules."""
    network = spec.network
    model = network.dynamics.model
    for name, rule in network.plasticity.items():
        if rule is None:
            continue
        path, found = f"/network/plasticity/{name}/rule", f"{rule.rule}, with {model} cells"
        if rule.rule in OF_SPIKES and model not in SPIKING:
            fix = "use a rule of rates, or another model in dynamics"
            yield Issue(path, found, f"cells with spikes: {' or '.join(SPIKING)}", fix)
        if rule.rule in OF_CELLS and model not in WITH_THRESHOLD:
            fix = "set it to null, or use another model in dynamics"
            yield Issue(path, found, f"cells with a threshold: {' or '.join(WITH_THRESHOLD)}", fix)
    for at, population in enumerate(network.populations):
        for name in population.plasticity:
            if (rule := network.plasticity[name]) is not None and rule.rule not in OF_CELLS:
                path, found = f"/network/populations/{at}/plasticity", f"{name!r}, a rule of edges ({rule.rule})"
                yield Issue(path, found, f"a rule of cells: {', '.join(sorted(OF_CELLS))}", "name it in a projection")
    for at, projection in enumerate(network.projections):
        yield from _projection(spec, projection, path=f"/network/projections/{at}")


def _projection(spec: Spec, projection: Projection, *, path: str) -> Iterator[Issue]:
    rules = [(name, spec.network.plasticity[name]) for name in projection.plasticity]
    rewiring = [name for name, rule in rules if rule is not None and rule.rule == "structural"]
    if len(rewiring) > 1:
        found = f"{' and '.join(map(repr, rewiring))}, which are both structural"
        yield Issue(f"{path}/plasticity", found, "one rule that says which edges are active", "remove one")
    for name, rule in rules:
        if rule is not None and rule.rule in OF_CELLS:
            found = f"{name!r}, a rule of cells ({rule.rule})"
            yield Issue(f"{path}/plasticity", found, "a rule of edges", "name it in a population")
        if rule is not None and rule.rule in OF_INHIBITION:
            yield from _inhibition(spec, projection, name, path=path)


def _inhibition(spec: Spec, projection: Projection, name: str, *, path: str) -> Iterator[Issue]:
    if projection.sign == "free":
        fix = "declare the projection dale, or use another rule"
        yield Issue(f"{path}/sign", f"free, with {name!r}", "dale, which tells inhibitory edges", fix)
        return
    ei_class, members = values(spec.cells, "ei_class"), population_cells(spec)
    if not any((ei_class[members[pre]] == "inhibitory").any() for pre in resolve(projection.pre, spec.network)):
        fix = "use it in a projection from inhibitory cells"
        yield Issue(f"{path}/plasticity", f"{name!r}, and no inhibitory cell sends", "at least one", fix)
