"""``network.dynamics`` -> the class of the cells, its arguments and its arrays.

Enters: a ``Spec`` and its layout. Leaves: a ``Dynamics`` and arrays for each group.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

import numpy as np

from connectome2net.compile.anatomy import Arrays, graded_inhibition
from connectome2net.compile.dynamics import Dynamics
from connectome2net.compile.groups import Layout
from connectome2net.spec import Spec
from connectome2net.spec.firing import firing_of_populations
from connectome2net.spec.select import of_each

KINDS: Final = {
    "rate": "RateCells",
    "lif": "LifCells",
    "izhikevich": "IzhikevichCells",
    "conductance": "ConductanceCells",
    "elm": "ElmCells",
}


def lower_dynamics(spec: Spec, layout: Layout) -> tuple[Dynamics, Arrays]:
    """Return the cells of a network and the arrays that each group of them is given."""
    network = spec.network
    arrays, given = {}, {}
    if network.inhibition is not None:
        given["gain"] = "inhibition_gain"
        arrays = _by_group("inhibition_gain", graded_inhibition(spec, layout.cell_index), layout)
    form = network.dynamics
    numbers: dict[str, Any] = form.model_dump(exclude={"model", "why", "reference", "firing"})
    of_population = {name: of_each(value, network) for name, value in numbers.items() if isinstance(value, Mapping)}
    if form.model == "izhikevich":
        firing = firing_of_populations(spec)
        of_population |= {name: {who: getattr(firing[who], name) for who in firing} for name in "abcd"}
    switched_off = {name for name, value in numbers.items() if value is False}
    arguments = {name: value for name, value in numbers.items() if name not in of_population.keys() | switched_off}
    kind: Any = KINDS[form.model]
    dynamics = Dynamics(
        kind=kind,
        arguments=arguments | {"noise": network.noise.sigma if network.noise else 0.0},
        of_population=of_population,
        arrays=given,
    )
    return dynamics, arrays


def _by_group(name: str, values: np.ndarray, layout: Layout) -> Arrays:
    """Return an array over all units as one array ``GROUP.name`` for each group."""
    ends = np.cumsum([layout.cells(group) for group in layout.groups])
    parts = zip(layout.groups, np.split(values, ends[:-1]), strict=True)
    return {f"{group}.{name}": part for group, part in parts}
