"""A raw table -> the columns that are used, present, typed, free of nulls and floats where an id is wanted.

Enters: an ibis table as a file gave it (text columns only, when the file is CSV). Leaves: the same rows with the
columns of ``microns.TABLES`` as int64, float64, string and boolean, and their number.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

import ibis
import ibis.expr.types as ir
import pyarrow as pa

from connectome2net.errors import SourceError
from connectome2net.sources.engine import collect
from connectome2net.sources.footer import Footer
from connectome2net.sources.microns import POSITION, Kind, TableShape
from connectome2net.sources.positions import parse_positions

WHOLE = r"^-?[0-9]{1,18}$"
TRUE, FALSE = ("t", "true"), ("f", "false")
NO_NULLS = ("id", "count")
WANTED: Mapping[Kind, str] = {
    "id": "whole numbers (int64): a float cannot hold an id above 2^53",
    "count": "whole numbers from 1 up",
    "size": "numbers",
    "number": "numbers",
    "flag": "true/false or t/f",
}


def conform(raw: ir.Table, shape: TableShape, *, file: str, footer: Footer | None = None) -> tuple[ir.Table, int]:
    """Give a table its shape.

    Args:
        raw: the table as read.
        shape: the columns wanted.
        file: name of the file, for messages.
        footer: what the file says of its values, so that they need not be looked at.

    Returns:
        The table with the columns of the shape only, and its number of rows.

    Raises:
        SourceError: a column is missing, has the wrong type, an empty id, or a value that is not understood; or the
            file cannot be read.
    """
    if POSITION[0] in shape.required or POSITION[0] in shape.optional:
        raw = _split_positions(raw, file=file)
    taken = {name: raw[other] for name, other in shape.instead.items() if other in raw.columns}
    raw = raw.mutate(**taken) if taken else raw
    missing = [name for name in shape.required if name not in raw.columns]
    if missing:
        raise SourceError(
            f"{'Columns are' if len(missing) > 1 else 'A column is'} missing: {', '.join(missing)}",
            where=file,
            found=", ".join(raw.columns),
            wanted=", ".join(shape.required),
            fix="export the table again with all its columns",
        )
    kinds = dict(shape.required) | {name: kind for name, kind in shape.optional.items() if name in raw.columns}
    for name, kind in kinds.items():
        _check_type(raw[name], kind, where=f"{file}, column {name}")
    rows = _check_values(raw, kinds, file=file, footer=footer)
    return raw.select(**{name: CASTS[kind](raw[name]) for name, kind in kinds.items()}), rows


def _split_positions(raw: ir.Table, *, file: str) -> ir.Table:
    """Split a column ``pt_position`` of lists or text into x, y and z. Text is read: such tables are small."""
    if "pt_position" not in raw.columns or POSITION[0] in raw.columns:
        return raw
    if raw["pt_position"].type().is_array():
        return raw.mutate(**{name: raw["pt_position"][axis] for axis, name in enumerate(POSITION)})
    if not raw["pt_position"].type().is_string():
        return raw
    rows = collect(raw, file=file)
    split = parse_positions(rows.column("pt_position"), where=f"{file}, column pt_position")
    for axis, name in enumerate(POSITION):
        rows = rows.append_column(name, pa.array(split[:, axis], from_pandas=True))
    return ibis.memtable(rows)


def _check_type(column: ir.Column, kind: Kind, *, where: str) -> None:
    dtype = column.type()
    numeric = dtype.is_integer() or dtype.is_floating() or dtype.is_decimal()
    fits = {
        "id": dtype.is_integer(),
        "count": dtype.is_integer(),
        "size": numeric,
        "number": numeric,
        "text": True,
        "flag": dtype.is_boolean(),
    }[kind] or dtype.is_string()
    if not fits:
        raise SourceError(
            f"{'An id' if kind == 'id' else 'A column'} has the wrong type",
            where=where,
            found=str(dtype),
            wanted=WANTED[kind],
            fix="export the table again without passing it through floats" if kind == "id" else "",
        )


def _check_values(raw: ir.Table, kinds: Mapping[str, Kind], *, file: str, footer: Footer | None) -> int:
    """Count rows, and in the same scan what is empty or not understood; no scan, if the footer says it all."""
    known = footer or Footer(rows=0, nulls={}, least={})
    measures = {} if footer else {"rows": raw.count()}
    for name, kind in kinds.items():
        if kind in NO_NULLS and known.nulls.get(name) != 0:
            measures[f"empty:{name}"] = raw[name].isnull().sum()
        if (wrong := _wrong(raw[name], kind)) is not None and not (kind == "count" and known.least.get(name, 0) > 0):
            measures[f"wrong:{name}"] = wrong.sum()
    counted = collect(raw.aggregate(**measures), file=file).to_pylist()[0] if measures else {}
    for name, kind in kinds.items():
        where = f"{file}, column {name}"
        if empty := counted.get(f"empty:{name}"):
            raise SourceError("Ids are missing", where=where, found=f"{empty:,} empty rows", wanted=WANTED[kind])
        if times := counted.get(f"wrong:{name}"):
            example = raw.filter(_wrong(raw[name], kind))[name].min().to_pyarrow().as_py()
            found = f"{example} ({times:,} {'rows' if times > 1 else 'row'})"
            raise SourceError("A value is not understood", where=where, found=found, wanted=WANTED[kind])
    return int(counted.get("rows", known.rows))


def _wrong(column: ir.Column, kind: Kind) -> ir.BooleanColumn | None:
    """Tell which values are there and not understood; None where the type leaves no room for it."""
    is_text = column.type().is_string()
    if kind == "id" and is_text:
        return ~column.re_search(WHOLE)
    if kind == "count":
        return (~column.re_search(WHOLE) | (column.try_cast("int64") < 1)) if is_text else column < 1
    if kind == "flag" and is_text:
        return column.lower().notin(TRUE + FALSE)
    if kind in ("number", "size") and is_text:
        return column.notnull() & column.try_cast("float64").isnull()
    return None


def _whole(column: ir.Column) -> ir.Column:
    return column.cast("float64").round().cast("int64") if not column.type().is_integer() else column.cast("int64")


def _number(column: ir.Column) -> ir.Column:
    number = column.cast("float64")
    return number.isnan().ifelse(ibis.null("float64"), number)


def _flag(column: ir.Column) -> ir.Column:
    return column if column.type().is_boolean() else column.lower().isin(TRUE)


CASTS: Mapping[Kind, Callable[[ir.Column], ir.Column]] = {
    "id": lambda column: column.cast("int64"),
    "count": lambda column: column.cast("int64"),
    "size": lambda column: _whole(_number(column)) if not column.type().is_integer() else column.cast("int64"),
    "number": _number,
    "text": lambda column: column.cast("string"),
    "flag": _flag,
}
