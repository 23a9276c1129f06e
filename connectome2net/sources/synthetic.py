"""The built-in stand-in: a column that was never measured, in the tables of one that was.

Enters: a seed and a number of cells. Leaves: a ``Source`` with the census, the connection table and the proofreading
table, marked synthetic. Numbers of cells, synapses between types and depths follow published figures (``figures``).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import ibis
import numpy as np
import numpy.typing as npt
import pyarrow as pa
from standard_transform import minnie_ds

from connectome2net.errors import SourceError
from connectome2net.sources.check import check
from connectome2net.sources.figures import (
    EDGES,
    EXTENDED_FULLY,
    FIGURE_SYNAPSES,
    FIGURE_TYPES,
    LOG_SIZE_MEAN,
    LOG_SIZE_SD,
    SYNAPSES,
    SYNAPSES_PER_EDGE,
    TYPES,
)
from connectome2net.sources.microns import CENSUS, CITATION, CONNECTIONS, EI_WORDS, POSITION, PROOFREADING
from connectome2net.sources.source import Source, SourceTable
from connectome2net.sources.wiring import FloatArray, IntArray, draw_edges, propensities

REAL_CELLS = sum(kind.cells for kind in TYPES.values())
FEWEST_CELLS = 200
SIDE_UM = 100.0
CENTRE_UM = (663.8, 858.5)
"""Centre of the real column in the oriented frame, x and z."""
SPREAD_OUT, SPREAD_IN = np.array([0.55, 0.6]), np.array([0.35, 0.6])
"""Standard deviation of log degree within a type of the real column, excitatory and inhibitory."""
FIRST_NUCLEUS, FIRST_ROOT = 250_000, 864_691_134_884_000_000
NOTE = "This is the built-in stand-in: no cell and no connection of it was measured"

WORDS = {ei_class: word for word, ei_class in EI_WORDS.items()}


def synthetic(*, seed: int = 0, cells: int | None = None) -> Source:
    """Make the stand-in.

    Args:
        seed: equal seeds give equal tables.
        cells: number of cells, at the density and the mean degree of the real column; default is its number, 1,351.

    Returns:
        A checked source. Synapses between types are those of the figure, scaled to the sums of the real column.

    Raises:
        SourceError: fewer cells than give every type a cell and every projection an edge.
    """
    cells = REAL_CELLS if cells is None else cells
    if cells < FEWEST_CELLS:
        raise SourceError("too few cells", where="--cells", found=cells, wanted=f"{FEWEST_CELLS} or more")
    rng = np.random.default_rng(seed)
    cell_type = np.repeat(np.arange(len(TYPES)), _cells_per_type(cells))
    position_um = _positions(rng, cell_type)
    nucleus, root = _ids(rng, cells)
    tables = {
        CENSUS: _census(rng, cell_type, position_um, nucleus=nucleus, root=root),
        CONNECTIONS: _connections(rng, cell_type, position_um, nucleus=nucleus, root=root),
        PROOFREADING: _proofreading(rng, cell_type, root=root),
    }
    return check(
        Source(
            dataset="minnie65_synthetic",
            materialization="synthetic",
            tables={name: _in_memory(name, table) for name, table in tables.items()},
            location="synthetic",
            synthetic=True,
            citation=CITATION,
            parameters=(("cells", str(cells)), ("seed", str(seed))),
            notes=(NOTE,),
        )
    )


def _in_memory(name: str, table: pa.Table) -> SourceTable:
    return SourceTable(name, "", table.num_rows, None, ibis.memtable(table))


def _cells_per_type(cells: int) -> IntArray:
    """Share cells among types by largest remainder, at least one each."""
    real = np.array([kind.cells for kind in TYPES.values()])
    share = real * cells / REAL_CELLS
    count = np.maximum(share.astype(np.int64), 1)
    rest = cells - int(count.sum())
    order = np.argsort(-(share - count), kind="stable")
    count[order[:rest] if rest >= 0 else np.argsort(-count)[:-rest]] += 1 if rest >= 0 else -1
    return count


def _column(name: str) -> npt.NDArray[Any]:
    """Return one attribute of all types."""
    return np.array([getattr(kind, name) for kind in TYPES.values()])


def _positions(rng: np.random.Generator, cell_type: IntArray) -> FloatArray:
    """Return (N, 3) soma positions in the oriented frame, um: even over the footprint and over the type's depths."""
    side = SIDE_UM * np.sqrt(len(cell_type) / REAL_CELLS)
    lateral = (rng.random((2, len(cell_type))) - 0.5) * side + np.array(CENTRE_UM)[:, None]
    depth = rng.uniform(*_column("depth_um")[cell_type].T)
    return np.stack([lateral[0], depth, lateral[1]], axis=1)


def _ids(rng: np.random.Generator, cells: int) -> tuple[IntArray, IntArray]:
    """Return nucleus and root ids: unique, in no order that tells a type, root ids too large for a float."""
    nucleus = FIRST_NUCLEUS + np.cumsum(rng.integers(1, 40, cells))
    root = FIRST_ROOT + np.cumsum(rng.integers(1, 1_000_000, cells))
    return rng.permutation(nucleus), rng.permutation(root)


def _census(
    rng: np.random.Generator, cell_type: IntArray, position_um: FloatArray, *, nucleus: IntArray, root: IntArray
) -> pa.Table:
    position_nm = np.round(minnie_ds.transform("nm").invert(position_um))
    volume = np.where(np.array(list(TYPES))[cell_type] == "5P-PT", 490.0, 295.0) * rng.lognormal(0.0, 0.15, len(root))
    classes = np.where(_column("inhibitory"), WORDS["inhibitory"], WORDS["excitatory"])
    columns: Mapping[str, object] = {
        "id": nucleus,
        "pt_root_id": root,
        **{name: position_nm[:, axis] for axis, name in enumerate(POSITION)},
        "volume": volume,
        "classification_system": classes[cell_type],
        "cell_type": np.array(list(TYPES))[cell_type],
        "mtype": np.array([kind.mtype for kind in TYPES.values()])[cell_type],
    }
    return pa.table(columns).sort_by("id")


def synapses_between_types() -> FloatArray:
    """Return the expected synapses of a column of real size, (types, types), rows pre; they sum to ``SYNAPSES``.

    A type that the figure does not show takes row and column, per cell, of the type that it is ``like``.
    """
    shown = [FIGURE_TYPES.index(kind.like or name) for name, kind in TYPES.items()]
    figure_cells = np.array([TYPES[name].cells for name in FIGURE_TYPES])
    share = _column("cells") / figure_cells[shown]
    synapses = FIGURE_SYNAPSES[np.ix_(shown, shown)] * np.outer(share, share)
    return synapses * (SYNAPSES / synapses.sum())


def _connections(
    rng: np.random.Generator, cell_type: IntArray, position_um: FloatArray, *, nucleus: IntArray, root: IntArray
) -> pa.Table:
    inhibitory = _column("inhibitory").astype(int)
    synapses = synapses_between_types()
    per_edge = SYNAPSES_PER_EDGE[np.ix_(inhibitory, inhibitory)]
    per_edge = np.maximum(per_edge * ((synapses / per_edge).sum() / EDGES), 1.0)
    pre, post = draw_edges(
        rng,
        cell_type=cell_type,
        place_um=position_um[:, [0, 2]],
        edges_per_cell=synapses / per_edge / _column("cells")[:, None],
        out_propensity=propensities(rng, cell_type, SPREAD_OUT[inhibitory[cell_type]]),
        in_propensity=propensities(rng, cell_type, SPREAD_IN[inhibitory[cell_type]]),
    )
    count = rng.geometric(1 / per_edge[cell_type[pre], cell_type[post]])
    size = np.rint(rng.lognormal(LOG_SIZE_MEAN, LOG_SIZE_SD, count.sum())).astype(np.int64)
    return pa.table(
        {
            "pre_pt_root_id": root[pre],
            "post_pt_root_id": root[post],
            "n_syn": count,
            "sum_size": np.add.reduceat(size, np.cumsum(count) - count),
            "pre_nuc_id": nucleus[pre],
            "post_nuc_id": nucleus[post],
        }
    )


def _proofreading(rng: np.random.Generator, cell_type: IntArray, *, root: IntArray) -> pa.Table:
    proofread = rng.random(len(root)) < _column("axons")[cell_type]
    extended = np.where(rng.random(len(root)) < EXTENDED_FULLY, "axon_fully_extended", "axon_partially_extended")
    strategy = np.where(proofread, extended, "none")
    return pa.table({"valid_id": root, "pt_root_id": root, "status_axon": proofread, "strategy_axon": strategy})
