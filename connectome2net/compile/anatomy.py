"""Measured edges -> the arrays of sparse blocks.

Enters: a ``Spec``, a projection, a layout. Leaves: compressed rows of ``W[post, pre]``, the same transposed, signs
and normalised anatomy.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy import sparse

from connectome2net.compile.groups import Index, Layout
from connectome2net.spec import Spec
from connectome2net.spec.network import Projection
from connectome2net.spec.select import projection_cells, select
from connectome2net.spec.tables import edge_index, values
from connectome2net.spec.weights import weights_before_learning

Arrays = dict[str, npt.NDArray[Any]]

SIGN = {"excitatory": 1, "inhibitory": -1, "unknown": 0}


def block_arrays(spec: Spec, projection: Projection, layout: Layout) -> dict[tuple[str, str], tuple[Arrays, int]]:
    """Return the arrays and the number of synapses of each block (pre group, post group) of a projection.

    The arrays of a block with E edges, M presynaptic and N postsynaptic cells: ``post_start`` (N + 1) and
    ``pre_index`` (E) are compressed rows; ``pre_start`` (M + 1), ``post_index`` (E) and ``order`` (E) are the same
    transposed, ``order`` being the place of each transposed edge among the rows; ``anatomy`` (E, float32);
    ``sign`` (M, int8, Dale's law only; gap junctions have none).
    """
    may_send, may_receive = projection_cells(spec, layout.members)[projection.name]
    pre, post = edge_index(spec.edges)
    chosen = np.flatnonzero(may_send[pre] & may_receive[post])
    anatomy = weights_before_learning(spec, projection, chosen).astype(np.float32)
    pre, post = pre[chosen], post[chosen]
    synapses = values(spec.edges, "synapse_count")[chosen]
    group, row = _places(layout, spec.cells.num_rows)
    sign = np.array([SIGN[word] for word in values(spec.cells, "ei_class")], dtype=np.int8)
    blocks = {}
    for (pre_group, post_group), inside in _by_block(group[pre], group[post], tuple(layout.groups)):
        shape = (layout.cells(post_group), layout.cells(pre_group))
        arrays = _compress(row[pre[inside]], row[post[inside]], anatomy[inside], shape)
        if projection.sign == "dale" and projection.synapse == "chemical":
            members = np.concatenate([layout.members[name] for name in layout.groups[pre_group]])
            arrays["sign"] = sign[members]
        blocks[pre_group, post_group] = (arrays, int(synapses[inside].sum()))
    return blocks


def graded_inhibition(spec: Spec, units: Index) -> npt.NDArray[np.float32]:
    """Return the factor of each unit's rate, ``1 - strength * n / max(n)``, shape (units,)."""
    inhibition = spec.network.inhibition
    assert inhibition is not None
    pre, post = edge_index(spec.edges)
    chosen = np.isin(pre, select(spec.cells, inhibition.presynaptic))
    weight = values(spec.edges, "synapse_count")[chosen] if inhibition.count == "synapses" else None
    count = np.bincount(post[chosen], weight, minlength=spec.cells.num_rows)[units].astype(float)
    return (1 - inhibition.strength * count / max(count.max(), 1)).astype(np.float32)


def _places(layout: Layout, cells: int) -> tuple[Index, Index]:
    """Return for each cell the number of its group and its row there; -1 for cells that are no units."""
    group, row = np.full(cells, -1, dtype=np.int32), np.full(cells, -1, dtype=np.int32)
    for at, populations in enumerate(layout.groups.values()):
        for name in populations:
            members = layout.members[name]
            group[members] = at
            row[members] = layout.start_of[name] + np.arange(len(members))
    return group, row


def _by_block(
    pre_group: Index, post_group: Index, names: tuple[str, ...]
) -> Iterator[tuple[tuple[str, str], npt.NDArray[np.intp]]]:
    """Yield each pair of groups that edges connect, and those edges, in their order."""
    pair = pre_group * len(names) + post_group
    order = np.argsort(pair.astype(np.min_scalar_type(len(names) ** 2)), kind="stable")
    starts = np.flatnonzero(np.diff(pair[order], prepend=-1))
    for inside in np.split(order, starts[1:]):
        at_pre, at_post = divmod(int(pair[inside[0]]), len(names))
        yield (names[at_pre], names[at_post]), inside


def _compress(pre: Index, post: Index, anatomy: npt.NDArray[np.float32], shape: tuple[int, int]) -> Arrays:
    number = np.arange(len(pre), dtype=np.int32)
    rows = sparse.csr_array((number, (post, pre)), shape=shape)
    rows.sort_indices()
    anatomy = anatomy[rows.data]
    rows.data = number
    columns = rows.tocsc()  # its indices are sorted
    arrays = {
        "post_start": rows.indptr,
        "pre_index": rows.indices,
        "pre_start": columns.indptr,
        "post_index": columns.indices,
        "order": columns.data,
    }
    return {name: array.astype(np.int32, copy=False) for name, array in arrays.items()} | {"anatomy": anatomy}
