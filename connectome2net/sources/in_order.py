"""A table as it was downloaded -> its rows, typed and in order, as SQL.

Enters: a file or a folder of parquet. Leaves: a query for DuckDB. Text is typed as the header beside it says, else as
``microns.TABLES`` does; what has no right value stops the query.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from itertools import starmap
from pathlib import Path

import duckdb
import pyarrow.feather

from connectome2net.errors import SourceError
from connectome2net.sources.dump import columns_of
from connectome2net.sources.engine import csv_rows, parquet_rows, sql_text
from connectome2net.sources.files import is_text, parts_of
from connectome2net.sources.microns import CONNECTIONS, SYNAPSES, TABLES, Kind

ORDER = {
    SYNAPSES: ("post_pt_root_id", "pre_pt_root_id", "id"),
    CONNECTIONS: ("post_pt_root_id", "pre_pt_root_id"),
}
SQL_KINDS: dict[Kind, str] = {
    "id": "BIGINT",
    "count": "BIGINT",
    "size": "DOUBLE",
    "number": "DOUBLE",
    "text": "VARCHAR",
    "flag": "BOOLEAN",
}
WHOLE_KINDS = ("BIGINT", "INTEGER", "SMALLINT")
WANTED = dict.fromkeys(WHOLE_KINDS, "whole numbers, never floats") | {
    "DOUBLE": "numbers",
    "BOOLEAN": "true/false or t/f",
    "TIMESTAMP": "times",
    "DATE": "dates",
}
WRONG = "not understood: "
"""How the one error begins that is raised here and passes through DuckDB; column, kind and value follow."""


def in_order(engine: duckdb.DuckDBPyConnection, name: str, source: Path) -> str:
    """Return the rows of a table, typed and in order, as SQL."""
    if is_text(source):
        types, headed = columns_of(source)
        if headed:
            shape = TABLES[name]
            kinds = {**shape.required, **shape.optional}
            types = {column: SQL_KINDS[kinds[column]] if column in kinds else "VARCHAR" for column in types}
        rows = csv_rows(str(source), names=list(types), headed=headed)
        select, columns = ", ".join(starmap(_typed, types.items())), list(types)
    else:
        if source.name.endswith(".feather"):
            engine.register("rows_of_feather", pyarrow.feather.read_table(source, memory_map=True))
            rows = "rows_of_feather"
        else:
            rows = parquet_rows([str(part) for part in parts_of(source)], in_folder=source.is_dir())
        select, columns = "*", engine.sql(f"FROM {rows}").columns
    order = [_name(column) for column in ORDER.get(name, ("id",)) if column in columns]
    return f"SELECT {select} FROM {rows} ORDER BY {', '.join(order) or 'ALL'}"


def _typed(column: str, kind: str) -> str:
    """Turn text into a value; DuckDB by itself would take 8.64e17 for an id, and that is not the id it once was."""
    name = _name(column)
    if kind == "VARCHAR":
        return name
    is_whole = f"regexp_full_match({name}, '-?[0-9]+')" if kind in WHOLE_KINDS else "true"
    message = sql_text("\n".join([WRONG + column, kind, ""])) + f" || {name}"
    value = f"TRY_CAST({name} AS {kind})"
    is_right = f"{name} IS NULL OR {value} IS NOT NULL AND {is_whole}"
    return f"CASE WHEN {is_right} THEN {value} ELSE error({message}) END AS {name}"


@contextmanager
def values(file: str) -> Iterator[None]:
    """Say of a value that stopped the query which it is."""
    try:
        yield
    except duckdb.InvalidInputException as error:
        _, is_value, words = str(error).partition(WRONG)
        if not is_value:
            raise
        column, kind, value = words.split("\n", 2)
        raise SourceError(
            "a value is not understood", where=f"{file}, column {column}", found=value, wanted=WANTED[kind]
        ) from error


def _name(column: str) -> str:
    return '"' + column.replace('"', '""') + '"'
