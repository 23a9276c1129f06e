"""``network.plasticity`` -> the rules of a program.

Enters: a ``Network``. Leaves: each rule that a projection uses.
"""

from __future__ import annotations

from typing import Any, Final

from connectome2net.compile.program import Rule
from connectome2net.spec.network import Network
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
}


def lower_rules(network: Network) -> tuple[Rule, ...]:
    """Return the rules that are declared, switched on and used."""
    used = {name for projection in network.projections for name in projection.plasticity}
    rules = []
    for name, rule in network.plasticity.items():
        if rule is not None and name in used:
            arguments = rule.model_dump(exclude={"rule", "why", "reference"})
            if rule.rule in OF_SPIKES:
                arguments["dt_ms"] = network.dynamics.model_dump()["dt_ms"]
            kind: Any = KINDS[rule.rule]
            rules.append(Rule(name=name, kind=kind, arguments=arguments, needs_steps=rule.rule in NEED_STEPS))
    return tuple(rules)
