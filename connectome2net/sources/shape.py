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
MOST = 2**63 - 1
TRUE, FALSE = ("t", "true", "1"), ("f", "false", "0")
NO_NULLS = ("id", "count")
LEAST: Mapping[Kind, int] = {"count": 1, "size": 0}
"""Kinds of which it is enough to know the least value, where the column is one of whole numbers."""
WANTED: Mapping[Kind, str] = {
    "id": "whole numbers (int64): a float cannot hold an id above 2^53",
    "count": "whole numbers from 1 up",
    "size": "finite numbers from 0 up",
    "number": "finite numbers",
    "flag": "true/false, t/f or 1/0",
}
FIXES: Mapping[Kind, str] = {
    "id": "write the column as whole numbers; in pandas, read and write it as Int64, never as float",
    "count": "write the column as whole numbers; in pandas, .astype(int) before writing",
    "flag": "write t or f",
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
            f"{'columns are' if len(missing) > 1 else 'a column is'} missing: {', '.join(missing)}",
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
        "flag": dtype.is_boolean() or dtype.is_integer(),
    }[kind] or dtype.is_string()
    if not fits:
        raise SourceError(
            f"{'an id' if kind == 'id' else 'a column'} has the wrong type",
            where=where,
            found=str(dtype),
            wanted=WANTED[kind],
            fix=FIXES.get(kind, ""),
        )


def _check_values(raw: ir.Table, kinds: Mapping[str, Kind], *, file: str, footer: Footer | None) -> int:
    """Count rows, and in the same scan what is empty or not understood; no scan, if the footer says it all."""
    known = footer or Footer(rows=0, nulls={}, least={})
    measures = {} if footer else {"rows": raw.count()}
    for name, kind in kinds.items():
        if kind in NO_NULLS and known.nulls.get(name) != 0:
            measures[f"empty:{name}"] = raw[name].isnull().sum()
        wrong = _wrong(raw[name], kind)
        least = known.least.get(name, -MOST) if raw[name].type().is_signed_integer() else -MOST
        if wrong is not None and least < LEAST.get(kind, MOST):
            measures[f"wrong:{name}"] = wrong.sum()
    counted = collect(raw.aggregate(**measures), file=file).to_pylist()[0] if measures else {}
    for name, kind in kinds.items():
        where = f"{file}, column {name}"
        if empty := counted.get(f"empty:{name}"):
            raise SourceError("ids are missing", where=where, found=f"{empty:,} empty rows", wanted=WANTED[kind])
        if times := counted.get(f"wrong:{name}"):
            example = raw.filter(_wrong(raw[name], kind)).aggregate(example=raw[name].min())
            found = f"{collect(example, file=file)['example'][0]} ({times:,} {'rows' if times > 1 else 'row'})"
            raise SourceError(
                "a value is not understood", where=where, found=found, wanted=WANTED[kind], fix=FIXES.get(kind, "")
            )
    return int(counted.get("rows", known.rows))


def _wrong(column: ir.Column, kind: Kind) -> ir.BooleanColumn | None:
    """Tell which values are there and not understood; None where the type leaves no room for it."""
    dtype = column.type()
    is_text = dtype.is_string()
    if kind == "id":
        return ~column.re_search(WHOLE) if is_text else column > MOST if dtype.is_unsigned_integer() else None
    if kind == "count":
        return (~column.re_search(WHOLE) | (column.try_cast("int64") < 1)) if is_text else column < 1
    if kind == "flag" and not dtype.is_boolean():
        return column.cast("string").lower().notin(TRUE + FALSE)
    if kind == "size" and dtype.is_integer():
        return column < 0
    if kind in ("number", "size") and not dtype.is_integer():
        number = column.try_cast("float64")
        outside = number.isinf()
        if kind == "size":  # for an engine NaN is more than any number
            outside |= (number < 0) | ((number > MOST) & ~number.isnan())
        return outside.fill_null(False) | (column.notnull() & number.isnull())
    return None


def _whole(column: ir.Column) -> ir.Column:
    return column.cast("float64").round().cast("int64") if not column.type().is_integer() else column.cast("int64")


def _number(column: ir.Column) -> ir.Column:
    number = column.cast("float64")
    return number.isnan().ifelse(ibis.null("float64"), number)


def _flag(column: ir.Column) -> ir.Column:
    return column if column.type().is_boolean() else column.cast("string").lower().isin(TRUE)


CASTS: Mapping[Kind, Callable[[ir.Column], ir.Column]] = {
    "id": lambda column: column.cast("int64"),
    "count": lambda column: column.cast("int64"),
    "size": lambda column: _whole(_number(column)) if not column.type().is_integer() else column.cast("int64"),
    "number": _number,
    "text": lambda column: column.cast("string"),
    "flag": _flag,
}
