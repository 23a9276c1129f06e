"""``network.plasticity`` -> the rules of a program.

Enters: a ``Network``. Leaves: each rule that a projection or a population uses.
"""

from __future__ import annotations

from typing import Any, Final

from connectome2net.compile.program import Rule
from connectome2net.spec.network import Network, Population, Projection
from connectome2net.spec.plasticity import NEED_STEPS, OF_SPIKES

KINDS: Final = {
    "hebbian": "Hebbian",
    "oja": "Oja",
    "covariance": "Covariance",
    "bcm": "BCM",
    "homeostatic": "Homeostatic",
    "inhibitory": "Inhibitory",
    "inhibitory_stdp": "InhibitorySTDP",
    "stdp": "STDP",
    "triplet_stdp": "TripletSTDP",
    "differential_hebbian": "DifferentialHebbian",
    "three_factor": "ThreeFactor",
    "structural": "Structural",
    "intrinsic": "Intrinsic",
}


def active_rules(user: Population | Projection, network: Network) -> tuple[str, ...]:
    """Return the names of the rules of a population or projection that are switched on."""
    return tuple(name for name in user.plasticity if network.plasticity[name] is not None)


def lower_rules(network: Network) -> tuple[Rule, ...]:
    """Return the rules that are declared, switched on and used."""
    users: list[Population | Projection] = [*network.populations, *network.projections]
    used = {name for user in users for name in active_rules(user, network)}
    rules = []
    for name, rule in network.plasticity.items():
        if rule is not None and name in used:
            arguments = rule.model_dump(exclude={"rule", "why", "reference"})
            if rule.rule in OF_SPIKES:
                arguments["dt_ms"] = network.dynamics.model_dump()["dt_ms"]
            kind: Any = KINDS[rule.rule]
            rules.append(Rule(name=name, kind=kind, arguments=arguments, needs_steps=rule.rule in NEED_STEPS))
    return tuple(rules)
