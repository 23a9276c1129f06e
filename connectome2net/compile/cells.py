"""``network.dynamics`` -> the class of the cells, its arguments and its arrays.

Enters: a ``Spec`` and its layout. Leaves: a ``Dynamics`` and arrays for each group.
"""

from __future__ import annotations

import numpy as np

from connectome2net.compile.anatomy import Arrays, graded_inhibition
from connectome2net.compile.groups import Layout
from connectome2net.compile.program import Dynamics
from connectome2net.spec import Spec


def lower_dynamics(spec: Spec, layout: Layout) -> tuple[Dynamics, Arrays]:
    """Return the cells of a network and the arrays that each group of them is given."""
    network = spec.network
    arrays, given = {}, {}
    if network.inhibition is not None:
        given["gain"] = "inhibition_gain"
        arrays = _by_group("inhibition_gain", graded_inhibition(spec, layout.cell_index), layout)
    form = network.dynamics
    arguments: dict[str, int | float | str] = {
        "leak": form.leak,
        "norm": form.norm,
        "noise": network.noise.sigma if network.noise else 0.0,
    }
    learned = 2 if form.norm == "layer" else 1
    return Dynamics(kind="RateCells", arguments=arguments, arrays=given, learned_per_cell=learned), arrays


def _by_group(name: str, values: np.ndarray, layout: Layout) -> Arrays:
    """Return an array over all units as one array ``GROUP.name`` for each group."""
    ends = np.cumsum([layout.cells(group) for group in layout.groups])
    parts = zip(layout.groups, np.split(values, ends[:-1]), strict=True)
    return {f"{group}.{name}": part for group, part in parts}
