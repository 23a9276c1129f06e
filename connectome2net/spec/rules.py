"""Do the plasticity rules fit the network that uses them?

Enters: a ``Spec`` whose names, edges and populations are right. Leaves: an issue for each that does not.
"""

from __future__ import annotations

from collections.abc import Iterator

from connectome2net.errors import Issue
from connectome2net.spec.model import Spec
from connectome2net.spec.network import Projection
from connectome2net.spec.plasticity import OF_INHIBITION, OF_SPIKES
from connectome2net.spec.select import population_cells, resolve
from connectome2net.spec.tables import values

SPIKING = ("lif", "izhikevich")
"""Models of cells that send spikes."""


def check_rules(spec: Spec) -> Iterator[Issue]:
    """Yield what is wrong with the rules of each projection."""
    model = spec.network.dynamics.model
    for name, rule in spec.network.plasticity.items():
        if rule is not None and rule.rule in OF_SPIKES and model not in SPIKING:
            found, fix = f"{rule.rule}, with {model} cells", "use a rule of rates, or another model in dynamics"
            yield Issue(f"/network/plasticity/{name}/rule", found, f"cells with spikes: {' or '.join(SPIKING)}", fix)
    for at, projection in enumerate(spec.network.projections):
        for name in projection.plasticity:
            rule = spec.network.plasticity[name]
            if rule is not None and rule.rule in OF_INHIBITION:
                yield from _inhibition(spec, projection, name, path=f"/network/projections/{at}")


def _inhibition(spec: Spec, projection: Projection, name: str, *, path: str) -> Iterator[Issue]:
    if projection.sign == "free":
        fix = "declare the projection dale, or use another rule"
        yield Issue(f"{path}/sign", f"free, with {name!r}", "dale, which tells inhibitory edges", fix)
        return
    ei_class, members = values(spec.cells, "ei_class"), population_cells(spec)
    if not any((ei_class[members[pre]] == "inhibitory").any() for pre in resolve(projection.pre, spec.network)):
        fix = "use it in a projection from inhibitory cells"
        yield Issue(f"{path}/plasticity", f"{name!r}, and no inhibitory cell sends", "at least one", fix)
