"""The form in which archived versions are published: lines without names, and the names in a file beside.

Enters: ``TABLE.csv.gz`` or ``TABLE_merged.csv.gz`` and ``TABLE_merged_header.csv``, two columns, name and SQL type.
Leaves: names and types.
"""

from __future__ import annotations

import csv
import gzip
import io
import re
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, nullcontext
from pathlib import Path
from threading import Event
from typing import IO

from connectome2net.errors import SourceError

SQL_TYPES: Mapping[str, str] = {
    "bigint": "BIGINT",
    "integer": "INTEGER",
    "smallint": "SMALLINT",
    "double precision": "DOUBLE",
    "real": "DOUBLE",
    "numeric": "DOUBLE",
    "boolean": "BOOLEAN",
    "text": "VARCHAR",
    "character varying": "VARCHAR",
    "varchar": "VARCHAR",
    "timestamp without time zone": "TIMESTAMP",
    "timestamp with time zone": "VARCHAR",
    "timestamp": "TIMESTAMP",
    "date": "DATE",
    "geometry": "VARCHAR",  # hex of (E)WKB
    "user-defined": "VARCHAR",  # what information_schema calls a geometry
}
"""PostgreSQL's type, without what stands in brackets -> DuckDB's."""

DELIMITERS = {";": "semicolons", "\t": "tabs", "|": "bars"}
CHUNK = 1 << 22


def columns_of(file: Path, *, delimiter: str = ",") -> tuple[dict[str, str], bool]:
    """Return the columns of a text file and their types in DuckDB, and whether its first line names them.

    Raises:
        SourceError: nothing names the columns, or the header beside the file does not fit it.
    """
    first = first_line(file, delimiter=delimiter) or ["nothing"]
    if delimiter == "," and len(first) == 1 and (other := next((mark for mark in DELIMITERS if mark in first[0]), "")):
        raise SourceError(
            "the file is not divided by commas",
            where=file.name,
            found=f"it is divided by {DELIMITERS[other]}",
            wanted="commas",
            fix="write it again with commas (pandas: to_csv without sep), or name the delimiter in a mapping",
        )
    header = _header_beside(file)
    if header is None:
        if any(_is_number(word) for word in first):
            raise SourceError(
                "nothing names the columns",
                where=file.name,
                found=f"a first line of values ({', '.join(first)[:60]}) and no header file",
                wanted=f"a first line of names, or {_stem(file)}_header.csv beside it",
                fix="download the header file too",
            )
        return dict.fromkeys(named(first, where=file.name), "VARCHAR"), True
    columns = read_header(header)
    if len(columns) != len(first):
        raise SourceError(
            "the header does not fit the table",
            where=header.name,
            found=f"{len(columns)} columns here, {len(first)} in {file.name}",
            wanted="the header of this table at this version",
            fix="download both again",
        )
    return columns, first == list(columns)


def read_header(header: Path) -> dict[str, str]:
    """Read names and types; the types are DuckDB's.

    Raises:
        SourceError: a line or a type is not understood.
    """
    columns: dict[str, str] = {}
    with header.open(encoding="utf-8-sig", newline="") as lines:
        for number, line in enumerate(csv.reader(lines), start=1):
            where = f"{header.name}, line {number}"
            if len(line) != 2:
                raise SourceError("a header is not understood", where=where, found=",".join(line), wanted="name,type")
            name, sql = line[0], re.sub(r"\s*\(.*\)", "", line[1].strip().lower())
            if sql not in SQL_TYPES:
                raise SourceError("unknown SQL type", where=where, found=line[1], wanted=", ".join(SQL_TYPES))
            if name in columns:
                raise _twice([name], where)
            columns[name] = SQL_TYPES[sql]
    return columns


def named(first: list[str], *, where: str) -> list[str]:
    """Return the columns that a first line names; one without a name, as pandas writes its index, gets one.

    Raises:
        SourceError: two columns have one name, in small letters or capitals.
    """
    names = [name or f"unnamed_{number}" for number, name in enumerate(first, start=1)]
    times = Counter(map(str.lower, names))
    if twice := [name for name in names if times[name.lower()] > 1]:
        raise _twice(twice, where)
    return names


def _twice(names: list[str], where: str) -> SourceError:
    return SourceError(
        "two columns have one name", where=where, found=", ".join(names), wanted="each name once", fix="rename one"
    )


def first_line(file: Path, *, delimiter: str = ",") -> list[str]:
    """Return the fields of the first line."""
    with unpacked(file) as opened, io.TextIOWrapper(opened, encoding="utf-8-sig", newline="") as lines:
        return next(csv.reader(lines, delimiter=delimiter), [])


def count_lines(file: Path, *, stop: Event | None = None) -> int:
    """Read a file to its end and count its lines.

    DuckDB takes the part of a broken .gz that can be unpacked for the whole; this does not.

    Args:
        file: csv or csv.gz.
        stop: ends the count early; for a count in another thread.

    Raises:
        EOFError: a .gz file ends too early.
        OSError: it is not what it was when it was packed.
    """
    lines, last = 0, b"\n"
    with unpacked(file) as opened:
        while not (stop and stop.is_set()) and (chunk := opened.read(CHUNK)):
            lines += chunk.count(b"\n")
            last = chunk
    return lines + (not last.endswith(b"\n"))


@contextmanager
def unpacked(file: Path) -> Iterator[IO[bytes]]:
    """Open a file, packed by gzip or not."""
    with file.open("rb") as packed, gzip.open(packed) if file.suffix == ".gz" else nullcontext(packed) as opened:
        yield opened  # type: ignore[misc]


def _header_beside(file: Path) -> Path | None:
    stem = _stem(file)
    names = (f"{stem}_header.csv", f"{stem}_merged_header.csv", f"{stem.removesuffix('_merged')}_header.csv")
    return next((file.parent / name for name in names if (file.parent / name).is_file()), None)


def _stem(file: Path) -> str:
    return file.name.removesuffix(".gz").removesuffix(".csv")


def _is_number(word: str) -> bool:
    try:
        float(word)
    except ValueError:
        return False
    return True
