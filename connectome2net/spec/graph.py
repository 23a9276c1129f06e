"""The connectome as the graph libraries know it.

Enters: a ``Spec``. Leaves: a scipy sparse matrix ``W[post, pre]``, or a networkx graph.
"""

from __future__ import annotations

from typing import Any

import networkx as nx
import numpy as np
from scipy import sparse

from connectome2net.spec.model import Spec
from connectome2net.spec.tables import edge_index, values


def to_scipy(spec: Spec, *, weight: str = "synapse_count") -> sparse.csr_array:
    """Return the matrix ``W[post, pre]``.

    Args:
        spec: the connectome.
        weight: a column of the edges table.

    Returns:
        A sparse array of shape (cells, cells); one stored value per edge.
    """
    pre, post = edge_index(spec.edges)
    size = spec.cells.num_rows
    return sparse.csr_array((values(spec.edges, weight), (post, pre)), shape=(size, size))


def to_networkx(spec: Spec) -> nx.DiGraph[Any]:
    """Return a directed graph, pre -> post; nodes and edges carry the columns of their tables.

    Ids are text, because GraphML and JSON readers lose integers above 2^53.
    """
    graph: nx.DiGraph[Any] = nx.DiGraph(name=spec.name)
    for row in spec.cells.to_pylist():
        ids = {name: str(row[name]) for name in ("nucleus_id", "root_id", "source_id") if row[name] is not None}
        rest = {name: value for name, value in row.items() if name not in ids and value is not None}
        graph.add_node(row["cell_index"], **(rest | ids))
    pre, post = edge_index(spec.edges)
    counts, sizes = values(spec.edges, "synapse_count"), values(spec.edges, "total_size_vx")
    for source, target, count, size in zip(*map(np.ndarray.tolist, (pre, post, counts, sizes)), strict=True):
        measured = {} if size is None or size != size else {"total_size_vx": int(size)}
        graph.add_edge(source, target, synapse_count=count, **measured)
    return graph
