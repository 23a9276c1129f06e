"""How each population of Izhikevich's cells fires.

Enters: a ``Spec`` with these dynamics. Leaves: the four numbers of each population.
"""

from __future__ import annotations

from connectome2net.spec.dynamics import PATTERNS, Firing
from connectome2net.spec.model import Spec
from connectome2net.spec.select import of_each, population_cells
from connectome2net.spec.tables import values

DEFAULTS = {"excitatory": "regular_spiking", "inhibitory": "fast_spiking"}
"""Izhikevich 2003, doi 10.1109/TNN.2003.820440: the cells of its network of 800 and 200."""


def firing_of_populations(spec: Spec) -> dict[str, Firing]:
    """Return the four numbers of each population: those that are given, or those of the class of its cells.

    A population whose cells have several classes, or an unknown one, and that is not given any, is left out.
    """
    form = spec.network.dynamics
    assert form.model == "izhikevich"
    chosen = of_each(form.firing, spec.network)
    ei_class = values(spec.cells, "ei_class")
    for name, cells in population_cells(spec).items():
        classes = set(ei_class[cells])
        if name not in chosen and len(classes) == 1 and (default := DEFAULTS.get(classes.pop())):
            chosen[name] = default  # type: ignore[assignment]
    return {name: PATTERNS[firing] if isinstance(firing, str) else firing for name, firing in chosen.items()}
