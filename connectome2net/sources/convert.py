"""Tables as they were downloaded -> sorted parquet, once.

Enters: a folder of known tables in any form. Leaves: a folder with one parquet file per table and ``source.toml``: all
columns, typed, in encodings that are quick to read (a scan takes a third of the time); synapses in the order of their
postsynaptic cell, so that a scan for a few cells skips nearly all of the file.
"""

from __future__ import annotations

import csv
import io
import shutil
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor, wait
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import starmap
from pathlib import Path
from threading import Event
from typing import Any

import duckdb
import pyarrow.feather
import pyarrow.parquet

from connectome2net.errors import SourceError
from connectome2net.sources.about import TOML
from connectome2net.sources.dump import columns_of, count_lines, unpacked
from connectome2net.sources.engine import csv_rows, parquet_rows, reading, sql_text
from connectome2net.sources.files import is_text, parts_of
from connectome2net.sources.folder import find_tables, stated_in
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
MEMORY = "2GB"
POLL_S = 0.2
Progress = Callable[[str, float], None]


@dataclass(frozen=True)
class Converted:
    """What became of a table.

    Attributes:
        name: of the table.
        file: the parquet file.
        rows: its number of rows, the same as that of the table it was made from.
        done_before: true if an earlier run made it.
    """

    name: str
    file: Path
    rows: int
    done_before: bool = False


def convert(
    folder: str | Path, *, out: str | Path | None = None, progress: Progress = lambda name, percent: None
) -> tuple[Converted, ...]:
    """Make sorted parquet of all known tables in a folder.

    Args:
        folder: local folder of tables.
        out: where to write; default is ``parquet`` within the folder.
        progress: is told the name of a table and how much of it is done, in percent.

    Raises:
        SourceError: a table cannot be read to its end, or has other rows afterwards than before. A table that was
            begun is not there afterwards; those that were finished are.

    Example:
        >>> convert("microns/v1300")  # doctest: +SKIP
        (Converted(name='synapses_pni_2', file=PosixPath('microns/v1300/parquet/synapses_pni_2.parquet'), ...),)
    """
    folder = Path(folder)
    target = Path(out) if out is not None else folder / "parquet"
    tables = find_tables(folder)
    if target.resolve() == folder.resolve():
        raise SourceError("Each table would be there twice", where="--out", found=target, wanted="another folder")
    if not tables:
        raise SourceError("There is nothing to convert", where=folder, found="no known table", wanted=", ".join(TABLES))
    target.mkdir(parents=True, exist_ok=True)
    done = tuple(_convert_one(name, file, target, progress) for name, file in tables.items())
    if (folder / TOML).exists():
        shutil.copyfile(folder / TOML, target / TOML)
    return done


def _convert_one(name: str, source: Path, target: Path, progress: Progress) -> Converted:
    final, part = target / f"{name}.parquet", target / f"{name}.parquet.part"
    origin = f"{source.name}, {sum(file.stat().st_size for file in parts_of(source))} bytes"
    if final.exists():
        footer = pyarrow.parquet.read_metadata(final)
        stated = (footer.metadata or {}).get(b"converted_from", b"").decode()
        if stated != origin:
            raise SourceError(
                "There is a table of another origin",
                where=final,
                found=stated or "a file that c2n convert did not write",
                wanted=origin,
                fix="remove it, or choose another --out",
            )
        return Converted(name, final, footer.num_rows, done_before=True)
    stop = Event()
    with _engine(target, part) as engine, ThreadPoolExecutor(2) as threads:
        with reading(source.name):
            query = _query(engine, name, source)
            rows_in = threads.submit(_count, source, stop)  # by another reader than the one that converts
            labels = f"converted_from: {sql_text(origin)}, materialization: {sql_text(stated_in(source))}"
            options = f"FORMAT parquet, PARQUET_VERSION v2, COMPRESSION zstd, KV_METADATA {{{labels}}}"
            written = threads.submit(engine.execute, f"COPY ({query}) TO {sql_text(part)} ({options})")
            try:
                _wait(engine, written, lambda percent: progress(name, percent))
            except BaseException:
                stop.set()
                raise
            read = rows_in.result()
        rows = pyarrow.parquet.read_metadata(part).num_rows
        if rows != read and rows != (read := _count_records(source)):
            raise SourceError(
                "Rows were lost", where=source, found=f"{rows:,} rows written", wanted=f"{read:,} rows read"
            )
        part.replace(final)
    progress(name, 100.0)
    return Converted(name, final, rows)


@contextmanager
def _engine(target: Path, part: Path) -> Iterator[duckdb.DuckDBPyConnection]:
    """Start DuckDB with bounded memory; it sorts what is larger in files beside the output. Leave only the output."""
    beside = target / ".converting"
    part.unlink(missing_ok=True)
    shutil.rmtree(beside, ignore_errors=True)
    settings: dict[str, Any] = {
        "memory_limit": MEMORY,
        "temp_directory": str(beside),
        "preserve_insertion_order": "false",
    }
    try:
        with duckdb.connect(config=settings) as engine:
            yield engine
    finally:
        part.unlink(missing_ok=True)
        shutil.rmtree(beside, ignore_errors=True)


def _query(engine: duckdb.DuckDBPyConnection, name: str, source: Path) -> str:
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
    if not kind.endswith("INT") and kind != "INTEGER":
        return f"CAST({name} AS {kind}) AS {name}"
    message = f"{sql_text(f'column {column} is not a whole number: ')} || {name}"
    whole = f"WHEN {name} IS NULL OR regexp_full_match({name}, '-?[0-9]+') THEN CAST({name} AS {kind})"
    return f"CASE {whole} ELSE error({message}) END AS {name}"


def _count(source: Path, stop: Event | None = None) -> int:
    if is_text(source):
        return count_lines(source, stop=stop) - columns_of(source)[1]
    if source.name.endswith(".feather"):
        return int(pyarrow.feather.read_table(source, memory_map=True).num_rows)
    return sum(pyarrow.parquet.read_metadata(part).num_rows for part in parts_of(source))


def _count_records(source: Path) -> int:
    """Count rows where a line is not always a row, because a text goes on in the next line."""
    if not is_text(source):
        return _count(source)
    with unpacked(source) as opened, io.TextIOWrapper(opened, encoding="utf-8", newline="") as lines:
        records = sum(1 for _ in csv.reader(lines))
    return records - columns_of(source)[1]


def _wait(engine: duckdb.DuckDBPyConnection, work: Future[Any], tell: Callable[[float], None]) -> None:
    """Wait for DuckDB, and stop it when the user does."""
    try:
        while not wait([work], timeout=POLL_S).done:
            tell(max(engine.query_progress(), 0.0))
        work.result()
    except BaseException:
        engine.interrupt()
        raise


def _name(column: str) -> str:
    return '"' + column.replace('"', '""') + '"'
