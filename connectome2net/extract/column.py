"""Which cells belong to the column.

Enters: a source, and a column by name, by file, or by the sizes that the user gives. Leaves: one row per cell, in the
order of nucleus id (of source id in a mapped connectome), and what was lost on the way.
"""

from __future__ import annotations

import math
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal, Self

import ibis
import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from connectome2net.errors import ExtractError
from connectome2net.extract.axis import find_axis
from connectome2net.extract.quality import Account
from connectome2net.sources.engine import collect
from connectome2net.sources.microns import AREAS, CENSUS, NUCLEI, POSITION
from connectome2net.sources.source import MAPPED_CELLS, Source
from connectome2net.spec.model import Column

COLUMNS: Mapping[str, Column] = {
    "v1": Column(
        name="v1",
        method="membership in the census",
        table=CENSUS,
        why="100 x 100 um through all laminae of V1, every cell typed by hand; slanted below along the apical axons",
        reference="Schneider-Mizell et al., Nature 640:448 (2025)",
    ),
    "all": Column(name="all", method="every cell of the source"),
}
CENTRES_NM: Mapping[str, tuple[float, float, float]] = {"v1": (722_970.0, 646_950.0, 858_480.0)}
"""Columns that can be cut with another size: their centre. That of v1 lies in L4, measured on the census."""

Um = Annotated[float, Field(gt=0)]
Point = tuple[float, float, float]


class ColumnFile(BaseModel):
    """A column of the user's own: keys of a TOML file.

    Attributes:
        name: of the column; default is that of the file.
        centre_um: a point on its axis, in um; or
        centre_nm: in nm.
        radius_um: of a cylinder; or
        side_um: of a square.
        top_um: depth where it begins.
        bottom_um: depth where it ends.
        area: cortical area that its cells lie in.
        why: the reason for this column.
        reference: the publication that it is from.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)

    name: str | None = None
    centre_um: Point | None = None
    centre_nm: Point | None = None
    radius_um: Um | None = None
    side_um: Um | None = None
    top_um: float | None = None
    bottom_um: float | None = None
    area: str | None = None
    why: str = ""
    reference: str = ""

    @model_validator(mode="after")
    def _one_of_each(self) -> Self:
        if (self.centre_um is None) == (self.centre_nm is None):
            raise ValueError("centre_um or centre_nm (x, y, z), one of the two")
        if (self.radius_um is None) == (self.side_um is None):
            raise ValueError("radius_um or side_um, one of the two")
        if self.top_um is not None and self.bottom_um is not None and not self.top_um < self.bottom_um:
            raise ValueError("top_um above bottom_um: depth grows from the pia down")
        return self

    def column(self, *, default_name: str) -> Column:
        """Return the column."""
        x, y, z = self.centre_nm or tuple(value * 1000 for value in self.centre_um or ())
        own = self.model_dump(exclude={"name", "centre_um", "centre_nm"})
        shape: Literal["cylinder", "square"] = "cylinder" if self.radius_um is not None else "square"
        return Column(name=self.name or default_name, method="", shape=shape, centre_nm=(x, y, z), **own)


KNOWN = f"{' or '.join(COLUMNS)}, or a file that ends in .toml"


def find_column(
    text: str | None, *, source: Source, radius_um: float | None = None, side_um: float | None = None
) -> Column:
    """Return a column.

    Args:
        text: its name, or a TOML file with the keys of ``spec.model.Column``; None takes ``v1``, or ``all`` of a mapped
            connectome.
        source: what it will be cut from.
        radius_um: of a cylinder about the column's centre; overrules name and file.
        side_um: of a square about the column's centre; overrules name and file.

    Raises:
        ExtractError: there is no column of that name, its file is not understood, or it has no centre to measure from.
    """
    text = text or ("all" if MAPPED_CELLS in source else "v1")
    column = _read_toml(Path(text)) if text.endswith(".toml") else COLUMNS.get(text)
    if column is None:
        raise ExtractError("There is no such column", where="--column", found=text, wanted=KNOWN)
    if radius_um is None and side_um is None:
        return column
    if radius_um is not None and side_um is not None:
        raise ExtractError("A column has one shape", found="--radius-um and --side-um", wanted="one of the two")
    centre_nm = column.centre_nm or CENTRES_NM.get(text)
    if centre_nm is None:
        raise ExtractError(
            "The column has no centre",
            where="--column",
            found=f"{text} with a size",
            wanted=f"{' or '.join(CENTRES_NM)}, or a .toml file with centre_um",
        )
    if not 0 < (size := radius_um or side_um or 0.0) < math.inf:
        raise ExtractError("A column has a size", where="--radius-um or --side-um", found=size, wanted="um, above 0")
    shape = "cylinder" if radius_um is not None else "square"
    sizes = {"shape": shape, "radius_um": radius_um, "side_um": side_um, "centre_nm": centre_nm}
    return column.model_copy(update={"method": "", "table": None, "why": "", "reference": ""} | sizes)


def _read_toml(path: Path) -> Column:
    try:
        keys = tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise ExtractError("The column's file cannot be read", where=path, found=error, wanted="TOML") from error
    try:
        asked = ColumnFile.model_validate(keys)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        key = str(first["loc"][0]) if first["loc"] else ""
        unknown = first["type"] == "extra_forbidden"
        raise ExtractError(
            "The column's file is not understood",
            where=f"{path}, {key}" if key and not unknown else path,
            found=f"{key} = {keys[key]!r}" if key else ", ".join(keys),
            wanted=", ".join(ColumnFile.model_fields) if unknown else first["msg"].removeprefix("Value error, "),
        ) from error
    return asked.column(default_name=path.stem)


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
            "There is no cell in the column",
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
            "A column cannot be cut by geometry: nobody has said where depth runs in this volume",
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
        raise ExtractError("No cell of the column lies in the area", found=", ".join(areas) or "no area", wanted=area)
    return account.keep(f"cells of {area}", cells, inside, why="in another area, or in none that is known")
