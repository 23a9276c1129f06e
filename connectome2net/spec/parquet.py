"""The bytes of a parquet file -> a table, unless it would unpack to far more than its bytes justify.

Enters: bytes, which may have been made to fill the memory. Leaves: an arrow table, or one issue.
"""

from __future__ import annotations

from typing import Any, Final

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from connectome2net.errors import Issue

AGAIN: Final = "extract again; the tables are not meant to be edited"
ALWAYS_BYTES: Final = 2**30
MOST_TIMES: Final = 1000
"""A table may take 1 GiB, or so many times the bytes of its file: a column of one value may well shrink a lot."""


def read_table(content: bytes, file: str) -> tuple[pa.Table | None, list[Issue]]:
    """Return the table in some bytes, or what is wrong with them.

    Args:
        content: a parquet file.
        file: its name, for the issue.
    """
    try:
        parquet = pq.ParquetFile(pa.BufferReader(content))
        kinds = {field.name: field.type for field in parquet.schema_arrow}
        if nested := [name for name, kind in kinds.items() if _width(kind) is None]:
            found = f"a column of {kinds[nested[0]]}"
            return None, [Issue(f"{file}/{nested[0]}", found, "columns of numbers, text or truth values", AGAIN)]
        rows, most = parquet.metadata.num_rows, max(ALWAYS_BYTES, MOST_TIMES * len(content))
        taken = rows * sum(_width(kind) or 0 for kind in kinds.values())
        if taken <= most:
            texts = [name for name, kind in kinds.items() if _is_text(kind)]
            table = pq.ParquetFile(pa.BufferReader(content), read_dictionary=texts).read()
            taken += sum(_characters(column) for column in table.columns)
    except (pa.ArrowException, OSError, ValueError) as error:
        return None, [Issue(file, f"no parquet ({error})", "a parquet table", AGAIN)]
    if taken > most:
        found = f"{rows:,} rows of {taken:,} bytes in a file of {len(content):,}"
        return None, [Issue(file, found, f"at most {most:,} bytes of rows", AGAIN)]
    for at, (field, column) in enumerate(zip(parquet.schema_arrow, table.columns, strict=True)):
        if field.type != column.type:
            table = table.set_column(at, field, column.cast(field.type))
    return table, []


def _is_text(kind: pa.DataType) -> bool:
    types = pa.types
    return any(is_kind(kind) for is_kind in (types.is_string, types.is_large_string, types.is_binary))


def _width(kind: pa.DataType) -> int | None:
    """Return the bytes of a value, without those of a text; None for lists and other nests."""
    if _is_text(kind) or pa.types.is_dictionary(kind):
        return 8
    if pa.types.is_nested(kind):
        return None
    return 1 if pa.types.is_null(kind) else -(-kind.bit_width // 8)


def _characters(column: Any) -> int:
    """Return the bytes of the texts of a column that was read as a dictionary."""
    if not pa.types.is_dictionary(column.type):
        return 0
    sizes = (pc.binary_length(part.dictionary).take(part.indices) for part in column.chunks)
    return sum(pc.sum(size).as_py() or 0 for size in sizes)
