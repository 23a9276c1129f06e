"""The two tables beside spec.json: cells and edges.

Enters: nothing. Leaves: their arrow schemas, and numpy views of their columns.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

LAMINAE = ("L1", "L2/3", "L4", "L5", "L6", "WM", "unknown")
EI_CLASSES = ("excitatory", "inhibitory", "unknown")

CELLS_SCHEMA = pa.schema(
    [
        pa.field("cell_index", pa.int32(), nullable=False),
        pa.field("nucleus_id", pa.int64()),
        pa.field("root_id", pa.int64()),
        pa.field("source_id", pa.string()),
        pa.field("cell_type", pa.string(), nullable=False),
        pa.field("ei_class", pa.string(), nullable=False),
        pa.field("lamina", pa.string(), nullable=False),
        pa.field("soma_x_nm", pa.float64()),
        pa.field("soma_y_nm", pa.float64()),
        pa.field("soma_z_nm", pa.float64()),
        pa.field("soma_depth_um", pa.float64()),
        pa.field("axon_proofread", pa.bool_()),
    ]
)
"""One row per cell; ``cell_index`` is the row. Null means not measured."""

CELLS_OPTIONAL = pa.schema(
    [
        pa.field("lamina_confidence", pa.float64()),
        pa.field("ei_evidence", pa.string()),
        pa.field("axon_strategy", pa.string()),
        pa.field("dendrite_proofread", pa.bool_()),
        pa.field("dendrite_strategy", pa.string()),
        pa.field("outside_synapse_count", pa.int64()),
        pa.field("outside_total_size_vx", pa.int64()),
    ]
)
"""Columns that a cells table may have too.

``lamina_confidence``: share of the excitatory cells of known lamina at a cell's depth that lie in its lamina.
``ei_evidence``: the tables that decided ``ei_class``. ``axon_strategy``, ``dendrite_strategy``: how far a proofreader
went. ``outside_synapse_count`` and ``outside_total_size_vx``: inputs from cells outside the column.
"""

EDGES_SCHEMA = pa.schema(
    [
        pa.field("post_index", pa.int32(), nullable=False),
        pa.field("pre_index", pa.int32(), nullable=False),
        pa.field("synapse_count", pa.int32(), nullable=False),
        pa.field("total_size_vx", pa.int64()),
    ]
)
"""One row per connected pair, sorted by (post, pre). Sizes in 4x4x40 nm voxels of the cleft."""

EDGES_OPTIONAL = pa.schema([pa.field("weight", pa.float64())])
"""Columns that an edges table may have too.

``weight``: magnitude of the weight before learning, in a control that has the weights of the spec that it was made
from; null where no projection uses the edge.
"""

OUTSIDE_INPUTS = {"synapse_count": "outside_synapse_count", "total_size": "outside_total_size_vx"}
"""What of an edge is used -> the column of cells that tells how much of it comes from outside the column."""


def values(table: pa.Table, name: str) -> npt.NDArray[Any]:
    """Return a column as a numpy array.

    Args:
        table: a cells or edges table.
        name: the column.

    Returns:
        The values, one per row; text as objects, a null in a float column as NaN.
    """
    return table.column(name).combine_chunks().to_numpy(zero_copy_only=False)


def edge_index(edges: pa.Table) -> tuple[npt.NDArray[np.int32], npt.NDArray[np.int32]]:
    """Return ``(pre_E, post_E)``, the cell indices at the two ends of each edge."""
    return values(edges, "pre_index"), values(edges, "post_index")
