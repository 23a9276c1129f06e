"""The cells that belong to a column.

Enters: a source and a column. Leaves: one row per cell, in the order of nucleus id (of source id in a mapped
connectome), and what was lost on the way.
"""

from __future__ import annotations

from typing import Any

import ibis
import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from connectome2net.errors import ExtractError
from connectome2net.extract.axis import find_axis
from connectome2net.extract.quality import Account
from connectome2net.sources.engine import collect
from connectome2net.sources.microns import AREAS, CENSUS, NUCLEI, POSITION
from connectome2net.sources.source import MAPPED_CELLS, Source
from connectome2net.spec.model import Column


def cut(source: Source, column: Column, account: Account) -> tuple[pa.Table, Column]:
    """Return the cells of a column.

    Returns:
        One row per cell: ``source_id, nucleus_id, root_id, x_nm, y_nm, z_nm``, and of a mapped source the labels that
        it gives; and the column with the words of how it was cut.

    Raises:
        ExtractError: no cell, or an axis or an area that nobody has measured.
    """
    cells, table = _candidates(source, column, account)
    if column.shape is not None:
        cells, column = _inside(source, column, cells, account)
    if column.area is not None:
        cells = _of_area(source, column.area, cells, account)
    if MAPPED_CELLS not in source:
        why = "root id 0: the nucleus lies in no segment"
        in_segment = pc.not_equal(cells.column("root_id"), 0).to_numpy(zero_copy_only=False)
        cells = account.keep("cells in a segment", cells, in_segment, why=why, named="source_id")
    if not cells.num_rows:
        raise ExtractError(
            "there is no cell in the column",
            where=source.location,
            found="; ".join(f"{step.name}: {step.kept:,} of {step.rows_in:,}" for step in account.steps),
            wanted="at least one",
            fix="choose another centre or a larger size",
        )
    return cells, column.model_copy(update={"table": table})


def positions_nm(cells: pa.Table) -> npt.NDArray[np.float64]:
    """Return (N, 3) soma positions, nm; NaN where a cell has none."""
    split = [cells.column(f"{axis}_nm").to_numpy(zero_copy_only=False) for axis in "xyz"]
    position_nm = np.stack(split, axis=1).astype(np.float64)
    position_nm[np.isnan(position_nm).any(axis=1)] = np.nan
    return position_nm


def _candidates(source: Source, column: Column, account: Account) -> tuple[pa.Table, str]:
    """Return the cells that may belong to the column, and the table that they come from."""
    if MAPPED_CELLS in source:
        rows = source[MAPPED_CELLS].read().sort_by("source_id")
        account.keep("cells of the mapped table", rows, np.ones(rows.num_rows, dtype=bool), why="")
        return rows.rename_columns([f"{name}_nm" if name in "xyz" else name for name in rows.column_names]), "cells"
    name = column.table or (NUCLEI if NUCLEI in source else CENSUS)
    what = "cells of the census" if name == CENSUS else "nuclei of the volume"
    rows = source[name].read().sort_by("id")
    rows = account.keep(what, rows, _first_of_each(rows.column("id")), why="a nucleus that is listed again")
    scale = dict(zip(POSITION, source.unit_nm, strict=True))
    columns: dict[str, Any] = {
        "source_id": rows.column("id").cast(pa.string()),
        "nucleus_id": rows.column("id"),
        "root_id": rows.column("pt_root_id"),
    } | {f"{name[-1]}_nm": pc.multiply(rows.column(name), size) for name, size in scale.items()}
    return pa.table(columns), name


def _first_of_each(ids: pa.ChunkedArray) -> npt.NDArray[np.bool_]:
    """Tell which of ascending ids is the first of its kind."""
    return np.concatenate([[True], np.diff(ids.to_numpy()) != 0])[: len(ids)]


def _inside(source: Source, column: Column, cells: pa.Table, account: Account) -> tuple[pa.Table, Column]:
    """Keep the cells within a shape about the axis through the column's centre."""
    axis = find_axis(source)
    if axis is None:
        raise ExtractError(
            "a column cannot be cut by geometry: nobody has said where depth runs in this volume",
            where=source.location,
            found=f"data set {source.dataset}",
            wanted="minnie65... or v1dd..., or a mapping with depth.axis and depth.pia",
        )
    assert column.centre_nm is not None
    position_nm = positions_nm(cells)
    known = ~np.isnan(position_nm[:, 0])
    cells = account.keep("cells with a position", cells, known, why="the table gives none")
    lateral_um = axis.lateral_um(position_nm[known], column.centre_nm)
    depth_um = axis.depth_um(position_nm[known])
    if column.shape == "cylinder":
        inside, shape = (
            np.hypot(*lateral_um.T) <= (column.radius_um or 0.0),
            f"a cylinder of radius {column.radius_um:g} um",
        )
    else:
        half = (column.side_um or 0.0) / 2
        inside, shape = (np.abs(lateral_um) <= half).all(axis=1), f"a square of side {column.side_um:g} um"
    for bound, deeper in ((column.top_um, True), (column.bottom_um, False)):
        if bound is not None:
            inside &= (depth_um >= bound) if deeper else (depth_um <= bound)
            shape += f" {'below' if deeper else 'above'} {bound:g} um of depth"
    words = {"method": f"somata within {shape} about the axis through its centre", "axis": axis.name}
    return account.keep("cells in the column", cells, inside, why=f"outside {shape}"), column.model_copy(update=words)


def _of_area(source: Source, area: str, cells: pa.Table, account: Account) -> pa.Table:
    """Keep the cells of a cortical area."""
    if MAPPED_CELLS in source:
        tags = cells.column("area")
    else:
        known = source[AREAS].table.semi_join(ibis.memtable(cells.select(["nucleus_id"])), [("id", "nucleus_id")])
        tag = {row["id"]: row["tag"] for row in collect(known, file=source[AREAS].file).to_pylist()}
        tags = pa.chunked_array([[tag.get(nucleus) for nucleus in cells.column("nucleus_id").to_pylist()]])
    inside = pc.fill_null(pc.equal(tags, area), False).to_numpy(zero_copy_only=False)
    if not inside.any():
        areas = sorted({word for word in tags.to_pylist() if word})
        raise ExtractError("no cell of the column lies in the area", found=", ".join(areas) or "no area", wanted=area)
    return account.keep(f"cells of {area}", cells, inside, why="in another area, or in none that is known")
