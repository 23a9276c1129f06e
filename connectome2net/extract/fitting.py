"""A preset network on the cells of one column.

Enters: a network, cells and edges. Leaves: the same network without the populations that have no cell here, and
without the projections that have no edge.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pyarrow as pa

from connectome2net.spec.network import Network, Projection
from connectome2net.spec.select import resolve, select
from connectome2net.spec.tables import edge_index


def fit_network(network: Network, cells: pa.Table, edges: pa.Table) -> Network:
    """Leave out what a column does not have; a small or a coarsely typed one lacks some types.

    The population that the image drives stays, for without it there is no network: ``validate`` then says so.

    Args:
        network: a preset.
        cells: ``CELLS_SCHEMA``.
        edges: ``EDGES_SCHEMA``.

    Returns:
        The network; ``why`` names what was left out.
    """
    members = {population.name: select(cells, population.select) for population in network.populations}
    empty = {name for name, found in members.items() if not len(found) and name != network.input.population}
    kept = network.model_copy(
        update={
            "populations": tuple(item for item in network.populations if item.name not in empty),
            "projections": _without(network.projections, ("pre", "post"), empty),
            "schedule": _without(network.schedule, ("populations",), empty),
            "readout": _without((network.readout,), ("populations",), empty)[0],
        }
    )
    pre, post = edge_index(edges)

    def connects(projection: Projection) -> bool:
        ends = []
        for index, names in ((pre, projection.pre), (post, projection.post)):
            chosen = np.zeros(cells.num_rows, dtype=bool)
            chosen[np.concatenate([members[name] for name in resolve(names, kept)])] = True
            ends.append(chosen[index])
        return bool((ends[0] & ends[1]).any())

    projections = tuple(item for item in kept.projections if connects(item))
    left = sorted(empty) + sorted({item.name for item in network.projections} - {item.name for item in projections})
    if not left:
        return network
    why = f"{network.why} Left out, because this column has no such cells or edges: {', '.join(left)}.".strip()
    return kept.model_copy(update={"projections": projections, "why": why})


def _without(parts: tuple[Any, ...], keys: tuple[str, ...], empty: set[str]) -> tuple[Any, ...]:
    """Take names out of parts, and leave out parts that name nothing any more."""
    named = [
        part.model_copy(update={key: tuple(name for name in getattr(part, key) if name not in empty) for key in keys})
        for part in parts
    ]
    return tuple(part for part in named if all(getattr(part, key) for key in keys)) or tuple(named)
