"""A network without what a control left empty: populations without a cell, projections without an edge.

Enters: a ``Spec`` of which cells or edges are gone. Leaves: a ``Spec`` whose network fits, and what was left out.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from connectome2net.errors import TransformError
from connectome2net.spec import Spec
from connectome2net.spec.network import Network
from connectome2net.spec.select import population_cells
from connectome2net.transform.weights import with_network
from connectome2net.transform.wiring import edge_projections


def leave_out_empty(spec: Spec) -> tuple[Spec, dict[str, str]]:
    """Return a spec whose network names only populations with cells and projections with edges, and the others.

    Raises:
        TransformError: no edge of the network is left.
    """
    left_out = {}
    if gone := [name for name, cells in population_cells(spec).items() if not len(cells)]:
        spec = with_network(spec, _without(spec.network, gone))
        left_out["populations_without_cells"] = ", ".join(gone)
    projections, used = spec.network.projections, np.unique(edge_projections(spec))
    empty = [item.name for at, item in enumerate(projections) if at not in used]
    if len(empty) == len(projections):
        fix = "use another fraction, more cells, or another null model"
        raise TransformError("no edge of the network is left", where=spec.name, wanted="at least one", fix=fix)
    if empty:
        kept = tuple(item for item in projections if item.name not in empty)
        spec = with_network(spec, spec.network.model_copy(update={"projections": kept}))
        left_out["projections_without_edges"] = ", ".join(empty)
    return spec, left_out


def _without(network: Network, gone: list[str]) -> Network:
    """Return a network that does not name some populations; the input keeps its own, so that validation finds it."""

    def rest(item: Any, *fields: str) -> Any:
        names = {field: tuple(name for name in getattr(item, field) if name not in gone) for field in fields}
        return item.model_copy(update=names) if all(names.values()) else None

    projections = [rest(item, "pre", "post") for item in network.projections]
    schedule = [rest(phase, "populations") for phase in network.schedule]
    form = network.dynamics
    numbers = {name: getattr(form, name) for name in type(form).model_fields}
    of_each = {
        name: {who: number for who, number in value.items() if who not in gone}
        for name, value in numbers.items()
        if isinstance(value, Mapping)
    }
    return network.model_copy(
        update={
            "populations": tuple(item for item in network.populations if item.name not in gone),
            "projections": tuple(item for item in projections if item),
            "schedule": tuple(item for item in schedule if item),
            "readout": rest(network.readout, "populations") or network.readout,
            "dynamics": form.model_copy(update=of_each),
        }
    )
