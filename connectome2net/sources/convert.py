"""Tables as they were downloaded -> sorted parquet, once.

Enters: a folder of known tables in any form. Leaves: a folder with one parquet file per table and ``source.toml``: all
columns, typed, in encodings that are quick to read (a scan takes a third of the time); synapses in the order of their
postsynaptic cell, so that a scan for a few cells skips nearly all of the file.
"""

from __future__ import annotations

import csv
import hashlib
import io
import os
import shutil
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor, wait
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from threading import Event
from typing import Any

import duckdb
import pyarrow.feather
import pyarrow.parquet
from filelock import FileLock, Timeout

from connectome2net.errors import SourceError
from connectome2net.sources.about import TOML
from connectome2net.sources.dump import columns_of, count_lines, unpacked
from connectome2net.sources.engine import reading, sql_text
from connectome2net.sources.files import is_text, parts_of
from connectome2net.sources.folder import find_tables, stated_in
from connectome2net.sources.in_order import in_order, values
from connectome2net.sources.microns import TABLES

NO_ROOM = ("No space left", "quota exceeded", "File too large")
ENDS = 1 << 16
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
        SourceError: a table cannot be read to its end, has a value that is not understood, or has other rows afterwards
            than before; there is no room; another run is at work. A table that was begun is not there afterwards; those
            that were finished are, and can be used.

    Example:
        >>> convert("microns/v1300")  # doctest: +SKIP
        (Converted(name='synapses_pni_2', file=PosixPath('microns/v1300/parquet/synapses_pni_2.parquet'), ...),)
    """
    folder = Path(folder)
    target = Path(out) if out is not None else folder / "parquet"
    tables = find_tables(folder)
    if target.resolve() == folder.resolve():
        raise SourceError("each table would be there twice", where="--out", found=target, wanted="another folder")
    if not tables:
        raise SourceError("there is nothing to convert", where=folder, found="no known table", wanted=", ".join(TABLES))
    with _alone(target) as work:
        there = {name: _done_before(name, file, target) for name, file in tables.items()}
        if (folder / TOML).exists():
            shutil.copyfile(folder / TOML, target / TOML)
        return tuple(there[name] or _convert_one(name, file, target, work, progress) for name, file in tables.items())


def _done_before(name: str, source: Path, target: Path) -> Converted | None:
    """Return what an earlier run made of this table."""
    final, origin = target / f"{name}.parquet", _origin(source)
    if not final.exists():
        return None
    with reading(final):
        footer = pyarrow.parquet.read_metadata(final)
    stated = (footer.metadata or {}).get(b"converted_from", b"").decode()
    if stated != origin:
        raise SourceError(
            "there is a table of another origin",
            where=final,
            found=stated or "a file that c2n convert did not write",
            wanted=origin,
            fix="remove it, or choose another --out",
        )
    return Converted(name, final, footer.num_rows, done_before=True)


def _origin(source: Path) -> str:
    """Name a table, its length and how its files begin and end: two versions differ there, and it is quick."""
    length, ends = 0, hashlib.sha256()
    for part in parts_of(source):
        with part.open("rb") as file:
            size = file.seek(0, os.SEEK_END)
            for start in (0, max(size - ENDS, 0)):
                file.seek(start)
                ends.update(file.read(ENDS))
        length += size
    return f"{source.name}, {length} bytes, ends {ends.hexdigest()[:16]}"


def _convert_one(name: str, source: Path, target: Path, work: Path, progress: Progress) -> Converted:
    final, part = target / f"{name}.parquet", work / f"{name}.parquet"
    stop = Event()
    with _engine(work) as engine, ThreadPoolExecutor(2) as threads:
        with reading(source.name), _writing(target, work), values(source.name):
            query = in_order(engine, name, source)
            rows_in = threads.submit(_count, source, stop)  # by another reader than the one that converts
            labels = f"converted_from: {sql_text(_origin(source))}, materialization: {sql_text(stated_in(source))}"
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
                "rows were lost", where=source, found=f"{rows:,} rows written", wanted=f"{read:,} rows read"
            )
        part.replace(final)
    progress(name, 100.0)
    return Converted(name, final, rows)


@contextmanager
def _alone(target: Path) -> Iterator[Path]:
    """Make a place to work in, beside the output and for one run only; nothing stays there, even of a killed run."""
    work = target / ".converting"
    lock = FileLock(target / ".converting.lock", blocking=False)
    try:
        target.mkdir(parents=True, exist_ok=True)
        lock.acquire()
    except Timeout as error:
        raise SourceError("another c2n convert is at work", where=target, fix="wait until it is done") from error
    except OSError as error:
        raise _not_written(target, error) from error
    try:
        shutil.rmtree(work, ignore_errors=True)
        work.mkdir()
        yield work
    finally:
        shutil.rmtree(work, ignore_errors=True)
        Path(lock.lock_file).unlink(missing_ok=True)
        lock.release()


@contextmanager
def _engine(work: Path) -> Iterator[duckdb.DuckDBPyConnection]:
    """Start DuckDB with bounded memory; it sorts what is larger in files."""
    settings: dict[str, Any] = {
        "memory_limit": MEMORY,
        "temp_directory": str(work / "sorting"),
        "preserve_insertion_order": "false",
    }
    with duckdb.connect(config=settings) as engine:
        yield engine


@contextmanager
def _writing(target: Path, work: Path) -> Iterator[None]:
    """Tell what goes wrong with the output from a file that cannot be read."""
    try:
        yield
    except (duckdb.IOException, duckdb.OutOfMemoryException) as error:
        if isinstance(error, duckdb.IOException) and str(work) not in str(error):
            raise
        raise _not_written(target, error) from error


def _not_written(target: Path, error: Exception) -> SourceError:
    found = str(error).strip().splitlines()[0]
    full = isinstance(error, duckdb.OutOfMemoryException) or any(word in found for word in NO_ROOM)
    return SourceError(
        "there is no room" if full else "the table cannot be written",
        where=target,
        found=found,
        fix="make room there, or choose another --out",
    )


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
