"""Edges and synapses between populations.

Enters: a ``Spec`` whose populations do not overlap. Leaves: two small matrices.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from connectome2net.spec.model import Spec
from connectome2net.spec.network import Network, Projection
from connectome2net.spec.select import population_cells, resolve
from connectome2net.spec.tables import edge_index, values

Counts = npt.NDArray[np.int64]


def count_pairs(spec: Spec) -> tuple[Counts, Counts]:
    """Return ``(edges_PP, synapses_PP)``, counts by (pre, post), populations in the order of the spec."""
    members = population_cells(spec)
    populations = len(members)
    number = np.full(spec.cells.num_rows, populations)
    for at, cells in enumerate(members.values()):
        number[cells] = at
    pre, post = edge_index(spec.edges)
    # Cells in no population count as one more; its row and column are cut off at the end.
    side = populations + 1
    pair = number[pre] * side + number[post]
    edges = np.bincount(pair, minlength=side**2)
    synapses = np.bincount(pair, values(spec.edges, "synapse_count"), minlength=side**2).astype(np.int64)
    return edges.reshape(side, side)[:-1, :-1], synapses.reshape(side, side)[:-1, :-1]


def pairs_of(projection: Projection, network: Network) -> npt.NDArray[np.bool_]:
    """Return which pairs a projection holds, (P, P) by (pre, post), populations in the order of the spec."""
    place = {population.name: at for at, population in enumerate(network.populations)}
    ends = np.zeros((2, len(place)), dtype=bool)
    for end, names in zip(ends, (projection.pre, projection.post), strict=True):
        end[[place[name] for name in resolve(names, network)]] = True
    return np.logical_and.outer(ends[0], ends[1])
