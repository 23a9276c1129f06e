"""The weight of an edge before learning: the one formula that compiler and controls share.

Enters: a ``Spec`` and a projection. Leaves: magnitudes; the sign is that of the presynaptic cell.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from connectome2net.spec.model import Spec
from connectome2net.spec.network import Projection
from connectome2net.spec.tables import OUTSIDE_INPUTS, edge_index, values

FloatArray = npt.NDArray[np.float64]


def weights_before_learning(spec: Spec, projection: Projection, chosen: npt.NDArray[np.intp]) -> FloatArray:
    """Return ``scale * anatomy / total`` of some edges, shape (len(chosen),).

    The anatomy is what the projection uses of an edge, the total what it is divided by for the postsynaptic cell. The
    strength that is learned starts at 1 where signs are fixed, and as a standard normal number where they are free.

    Args:
        spec: the connectome.
        projection: what of it is used, and how it is normalised.
        chosen: rows of the edges table: all edges of the projection.
    """
    measured = _measured(spec, projection.anatomy)
    total = _total(spec, projection, measured, chosen)
    _, post = edge_index(spec.edges)
    anatomy: FloatArray = measured[chosen] / np.maximum(total, np.finfo(np.float32).tiny)[post[chosen]]
    return anatomy if projection.scale == 1 else projection.scale * anatomy


def _measured(spec: Spec, anatomy: str) -> FloatArray:
    if anatomy == "binary":
        return np.ones(spec.edges.num_rows)
    if anatomy == "weight":
        return values(spec.edges, "weight")
    synapses: FloatArray = values(spec.edges, "synapse_count").astype(float)
    if anatomy == "synapse_count":
        return synapses
    size_vx: FloatArray = values(spec.edges, "total_size_vx").astype(float)
    return size_vx if anatomy == "total_size" else size_vx / synapses


def _total(spec: Spec, projection: Projection, measured: FloatArray, chosen: npt.NDArray[np.intp]) -> FloatArray:
    """Return for each cell what the anatomy of its edges is divided by, shape (cells,)."""
    _, post = edge_index(spec.edges)
    cells = spec.cells.num_rows
    if projection.normalise == "none":
        return np.ones(cells)
    if projection.normalise == "all_inputs":
        outside: FloatArray = values(spec.cells, OUTSIDE_INPUTS[projection.anatomy]).astype(float)
        return np.bincount(post, measured, minlength=cells) + outside
    power = 1 if projection.normalise == "sum" else 2
    summed = np.bincount(post[chosen], measured[chosen] ** power, minlength=cells).astype(np.float64)
    return summed if power == 1 else np.sqrt(summed)
