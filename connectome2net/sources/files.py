"""One file of rows, in any form that tables come in -> rows that an engine can see.

Enters: parquet, feather, csv or csv.gz. Leaves: an ibis table, not read into memory.
"""

from __future__ import annotations

import csv
import gzip
from pathlib import Path

import ibis
import ibis.expr.types as ir
import pyarrow.feather
from ibis.backends.duckdb import Backend

from connectome2net.sources.shape import UNREADABLE, unreadable

FORMS = (".parquet", ".feather", ".csv", ".csv.gz")


def scan(engine: Backend, path: str | Path) -> ir.Table:
    """Let an engine see a file. CSV comes as text, so that no reader guesses that an id is a float.

    Args:
        engine: what will run the scan.
        path: the file; its ending says its form.

    Returns:
        Its rows under its own column names.

    Raises:
        SourceError: the file cannot be read.
    """
    file = Path(path)
    try:
        if file.suffix == ".parquet":
            return engine.read_parquet(file)
        if file.suffix == ".feather":
            return ibis.memtable(pyarrow.feather.read_table(file, memory_map=True))
        columns = dict.fromkeys(_header(file), "VARCHAR")
        return engine.read_csv(file, columns=columns, auto_detect=False, header=True, delim=",", quote='"')
    except UNREADABLE as error:
        raise unreadable(file.name, error) from error


def _header(file: Path) -> list[str]:
    opener = gzip.open if file.suffix == ".gz" else open
    with opener(file, "rt", encoding="utf-8-sig", newline="") as lines:
        return next(csv.reader(lines), ["nothing"])
