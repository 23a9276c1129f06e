"""One table, in any form that tables come in -> rows that an engine can see.

Enters: a parquet, feather, csv or csv.gz file, or a folder of parquet files. Leaves: an ibis table, not read into
memory.
"""

from __future__ import annotations

import hashlib
import os
from pathlib import Path

import ibis
import ibis.expr.types as ir
import pyarrow.feather
from ibis.backends import BaseBackend

from connectome2net.errors import SourceError
from connectome2net.sources.dump import columns_of, count_lines
from connectome2net.sources.engine import read_csv, read_parquet, reading
from connectome2net.sources.storage import is_local, let_open, place

FORMS = (".parquet", ".feather", ".csv", ".csv.gz")
LARGE = 1 << 30
"""Bytes above which a file gets no digest: it would be read from end to end once more, only for that. Its number of
rows, its size and the materialization stand for it."""


def scan(engine: BaseBackend, path: str | os.PathLike[str], *, delimiter: str = "") -> ir.Table:
    """Let an engine see a table. CSV comes as text, so that no reader guesses that an id is a float.

    Args:
        engine: what will run the scan, from ``start_engine``.
        path: a file, whose ending says its form, or a folder of parquet files; local or an address.
        delimiter: of a text file of any ending; by default commas where the ending is that of CSV.

    Returns:
        Its rows under its own column names.

    Raises:
        SourceError: the table cannot be read, or nothing names its columns.
    """
    file = place(path)
    let_open(engine, file)
    with reading(file.name):
        is_delimited = bool(delimiter) or is_text(file)
        if file.name.endswith(".feather"):
            return _map_feather(file)
        if not is_delimited:
            return read_parquet(engine, str(file), parts=[str(part) for part in parts_of(file) if part != file])
        columns, headed = columns_of(file, delimiter=delimiter or ",")
        if file.suffix == ".gz":
            count_lines(file)
        return read_csv(engine, str(file), names=list(columns), headed=headed, delimiter=delimiter or ",")


def digest(file: Path) -> str | None:
    """Return the sha256 of a file on this machine; None where it would take too long."""
    if not is_local(file) or file.is_dir() or file.stat().st_size > LARGE:
        return None
    with file.open("rb") as opened:
        return hashlib.file_digest(opened, "sha256").hexdigest()


def is_text(path: Path) -> bool:
    """Tell whether a table is one of comma-separated values."""
    return path.name.endswith((".csv", ".csv.gz"))


def parts_of(path: Path) -> list[Path]:
    """Return the parquet files of a table, which is one of them or a folder of them.

    Files and folders whose names begin with ``_`` or ``.`` are what a writer has not finished, and no part of it.

    Raises:
        SourceError: the folder has none, or is a lake that keeps rows that were deleted.
    """
    if not path.is_dir():
        return [path]
    if (path / "_delta_log").is_dir():
        raise SourceError(
            "a Delta table is not a folder of parquet files: it keeps the files of older states",
            where=path,
            found="_delta_log",
            wanted="parquet files, each row once",
            fix="write its newest state out as parquet",
        )
    parts = sorted(path.rglob("*.parquet"), key=str)
    if parts := [part for part in parts if not any(map(_is_hidden, part.parts[len(path.parts) :]))]:
        return parts
    raise SourceError("the folder of a table is empty", where=path, found="no .parquet file", wanted="parquet files")


def _is_hidden(name: str) -> bool:
    return name.startswith(("_", ".")) and "=" not in name


def _map_feather(file: Path) -> ir.Table:
    with file.open("rb") as opened:
        local = os.fspath(file) if isinstance(file, Path) else opened
        return ibis.memtable(pyarrow.feather.read_table(local, memory_map=isinstance(file, Path)))
