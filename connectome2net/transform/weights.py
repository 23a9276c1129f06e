"""The weights before learning, as a column that edges take with them.

Enters: a ``Spec``. Leaves: the same network, whose edges carry their weights.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from connectome2net.spec import Spec
from connectome2net.spec.network import Network
from connectome2net.spec.tables import EDGES_OPTIONAL
from connectome2net.spec.weights import weights_before_learning
from connectome2net.transform.wiring import edge_projections

WHY = "A control: each edge has a weight of the spec that it was made from, all of them times one factor."


def weights_of_edges(spec: Spec) -> npt.NDArray[np.float64]:
    """Return the magnitude of each edge's weight before learning, shape (edges,); NaN where no projection uses it."""
    projection_E = edge_projections(spec)
    weight_E = np.full(spec.edges.num_rows, np.nan)
    for at, projection in enumerate(spec.network.projections):
        chosen = np.flatnonzero(projection_E == at)
        weight_E[chosen] = weights_before_learning(spec, projection, chosen)
    return weight_E


def carry_weights(spec: Spec) -> Spec:
    """Return the same network with its weights in the column ``weight``: compiled, it has the same weights."""
    edges = with_weights(spec.edges, weights_of_edges(spec))
    held = {"anatomy": "weight", "normalise": "none", "scale": 1.0, "why": WHY}
    projections = tuple(item.model_copy(update=held) for item in spec.network.projections)
    return with_network(replace(spec, edges=edges), spec.network.model_copy(update={"projections": projections}))


def scale_weights(spec: Spec, scale: float) -> Spec:
    """Return the network with the scale of all chemical projections."""
    scaled = tuple(
        item.model_copy(update={"scale": scale}) if item.synapse == "chemical" else item
        for item in spec.network.projections
    )
    return with_network(spec, spec.network.model_copy(update={"projections": scaled}))


def with_weights(edges: pa.Table, weight_E: npt.NDArray[np.float64]) -> pa.Table:
    """Return an edges table with these weights; NaN becomes null."""
    field = EDGES_OPTIONAL.field("weight")
    kept = edges.drop_columns([field.name]) if field.name in edges.column_names else edges
    return kept.append_column(field, pa.array(weight_E, field.type, from_pandas=True))


def with_network(spec: Spec, network: Network) -> Spec:
    """Return a spec with another network."""
    return replace(spec, document=spec.document.model_copy(update={"network": network}))
