"""What the figures show, as numbers.

Enters: the two tables of a ``Spec``. Leaves: orders, bins, degrees and counts; nothing here draws.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import product
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from connectome2net.spec import Spec
from connectome2net.spec.tables import EI_CLASSES, LAMINAE, edge_index, values

IntArray = npt.NDArray[np.int64]
FloatArray = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Order:
    """Cells from pia to white matter, in each lamina by class, type and depth.

    Attributes:
        rank_N: the place of each cell in the order.
        blocks: what the first key of the order calls its runs, and how many cells each run has.
    """

    rank_N: IntArray
    blocks: dict[str, int]


def class_index(cells: pa.Table) -> IntArray:
    """Return (N,): where in ``EI_CLASSES`` the class of each cell stands."""
    return _place(cells, "ei_class", EI_CLASSES)


def order_cells(cells: pa.Table) -> Order:
    """Order cells by lamina, class, type, depth; where no lamina is known, by class, type, depth."""
    by_lamina = set(pc.unique(cells.column("lamina")).to_pylist()) != {"unknown"}
    keys = pa.table(
        {
            "lamina": _place(cells, "lamina", LAMINAE),
            "ei_class": class_index(cells),
            "cell_type": cells.column("cell_type"),
            "depth": cells.column("soma_depth_um"),
            "row": np.arange(cells.num_rows),
        }
    )
    cell_at = pc.sort_indices(keys, sort_keys=[(name, "ascending") for name in keys.column_names]).to_numpy()
    rank_N = np.empty(cells.num_rows, dtype=np.int64)
    rank_N[cell_at] = np.arange(cells.num_rows)
    words = values(cells, "lamina" if by_lamina else "ei_class")[cell_at]
    starts = np.flatnonzero(np.r_[True, words[1:] != words[:-1]])
    sizes = np.diff(np.r_[starts, len(words)])
    return Order(rank_N, {str(words[start]): int(size) for start, size in zip(starts, sizes, strict=True)})


def bin_synapses(spec: Spec, order: Order, *, most_bins: int) -> tuple[FloatArray, FloatArray]:
    """Sum ``W[post, pre]`` in square bins of neighbouring cells.

    Args:
        spec: the connectome.
        order: which cells are neighbours.
        most_bins: bins along an axis; fewer where there are fewer cells.

    Returns:
        Synapses by presynaptic class (class, post bin, pre bin), and the number of pairs of cells in each bin.
    """
    size = len(order.rank_N)
    bins = min(size, most_bins)
    bin_N = order.rank_N * bins // size
    cells_in_bin = np.bincount(bin_N, minlength=bins)
    pre_E, post_E = edge_index(spec.edges)
    flat_E = (class_index(spec.cells)[pre_E] * bins + bin_N[post_E]) * bins + bin_N[pre_E]
    total = np.bincount(flat_E, weights=values(spec.edges, "synapse_count"), minlength=len(EI_CLASSES) * bins**2)
    shaped: FloatArray = total.reshape(len(EI_CLASSES), bins, bins).astype(np.float64, copy=False)
    return shaped, np.outer(cells_in_bin, cells_in_bin).astype(np.float64)


def degrees(spec: Spec) -> tuple[IntArray, IntArray]:
    """Return (N,) the number of presynaptic and (N,) of postsynaptic partners of each cell."""
    pre_E, post_E = edge_index(spec.edges)
    size = spec.cells.num_rows
    return np.bincount(post_E, minlength=size), np.bincount(pre_E, minlength=size)


def share_with_at_least(number: IntArray) -> tuple[IntArray, FloatArray]:
    """Return each value above 0 and the share of all (zeros too) that reach it; 1 stands first, whether it occurs."""
    value, count = np.unique(np.r_[1, number], return_counts=True)
    count[value == 1] -= 1
    share = np.cumsum(count[::-1])[::-1] / max(len(number), 1)
    return value[value > 0], share[value > 0]


def is_proofread(cells: pa.Table) -> tuple[npt.NDArray[np.bool_], int, int]:
    """Return (N,) whose axon is proofread, and for how many cells that is denied and not known."""
    column = cells.column("axon_proofread")
    denied = pc.sum(pc.invert(column)).as_py() or 0
    return pc.fill_null(column, False).combine_chunks().to_numpy(zero_copy_only=False), denied, column.null_count


def class_pairs(spec: Spec) -> Iterator[dict[str, Any]]:
    """Count edges between classes.

    Yields:
        ``pre, post``, ``edges``, ``connected`` (share of the pairs of two different cells that have an edge; None
        where there is no such pair), ``synapses_per_edge`` (None without an edge), for classes that have cells.
    """
    class_N, kinds = class_index(spec.cells), len(EI_CLASSES)
    pre_E, post_E = edge_index(spec.edges)
    cells = np.bincount(class_N, minlength=kinds)
    pair_E = class_N[pre_E] * kinds + class_N[post_E]
    synapses = np.bincount(pair_E, weights=values(spec.edges, "synapse_count"), minlength=kinds**2)
    edges, autapses = (np.bincount(chosen, minlength=kinds**2) for chosen in (pair_E, pair_E[pre_E == post_E]))
    for pre, post in product(np.flatnonzero(cells), repeat=2):
        at = pre * kinds + post
        pairs = cells[pre] * cells[post] - cells[pre] * (pre == post)
        yield {
            "pre": EI_CLASSES[pre],
            "post": EI_CLASSES[post],
            "edges": int(edges[at]),
            "connected": float(edges[at] - autapses[at]) / float(pairs) if pairs else None,
            "synapses_per_edge": float(synapses[at] / edges[at]) if edges[at] else None,
        }


def _place(cells: pa.Table, name: str, words: tuple[str, ...]) -> IntArray:
    """Return where in ``words`` each value stands; others after them."""
    found = pc.index_in(cells.column(name), pa.array(words, pa.string()))
    return pc.fill_null(found, len(words)).combine_chunks().to_numpy().astype(np.int64)
