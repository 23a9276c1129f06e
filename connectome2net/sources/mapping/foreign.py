"""A foreign table, opened: its columns are there, its ids are text, rows that the mapping leaves out are gone.

Enters: the folder and a section of the mapping. Leaves: an ibis table and what was left out. Nothing is read into
memory.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import ibis.expr.types as ir
from ibis.backends import BaseBackend

from connectome2net.errors import SourceError
from connectome2net.sources.dump import named
from connectome2net.sources.engine import collect, reading
from connectome2net.sources.files import scan
from connectome2net.sources.mapping.model import File
from connectome2net.sources.source import Kept

FLOAT_TRACE = r"^-?[0-9]+\.0+$|^-?[0-9]\.[0-9]+[eE]\+?[0-9]+$"
"""Text that only a float leaves behind: 12.0, 8.6469e+17."""

ID = "text or whole numbers: a float cannot hold an id above 2^53"

MOST_FILES = 40
"""So many files are named in a message."""


@dataclass(frozen=True)
class Foreign:
    """A foreign table.

    Attributes:
        path: where it lies.
        table: the rows that are used.
        kept: what was left out.
    """

    path: Path
    table: ir.Table
    kept: tuple[Kept, ...]


def open_foreign(engine: BaseBackend, folder: Path, file: File, columns: Iterable[str], *, section: str) -> Foreign:
    """Open a table of the mapping.

    Args:
        engine: what runs the expressions.
        folder: where the tables lie.
        file: the section of the mapping.
        columns: the columns that the section names.
        section: its name, for messages.

    Raises:
        SourceError: the file or a column is not there, or the file cannot be read.
    """
    path = folder / file.file
    if not path.exists():
        there = sorted(item.name for item in folder.iterdir())
        raise SourceError(
            "a file of the mapping is missing",
            where=f"[{section}] file",
            found=", ".join(there[:MOST_FILES]) or "an empty folder",
            wanted=str(path),
            fix="name it as it lies in --source, or put it there",
        )
    raw = scan(engine, path, delimiter=file.delimiter or ("\t" if ".tsv" in path.suffixes else ""))
    names = named([name.strip() for name in raw.columns], where=path.name)
    raw = raw.rename(dict(zip(names, raw.columns, strict=True)))
    missing = sorted({*columns, *file.leave_out} - {*raw.columns})
    if missing:
        raise SourceError(
            f"{'columns are' if len(missing) > 1 else 'a column is'} missing: {', '.join(missing)}",
            where=f"{path.name}, section [{section}]",
            found=", ".join(raw.columns),
            fix="name the columns in the mapping as the file has them",
        )
    return _leave_out(Foreign(path, raw, ()), file)


def _leave_out(opened: Foreign, file: File) -> Foreign:
    table = opened.table
    for column, words in file.leave_out.items():
        table = table.filter(table[column].cast("string").strip().fill_null("").notin(words))
    if not file.leave_out:
        return opened
    rows, kept = (count(some, file=opened.path.name) for some in (opened.table, table))
    said = "; ".join(f"{column} is {' or '.join(map(repr, words))}" for column, words in file.leave_out.items())
    step = Kept(f"rows of {opened.path.name} that the mapping takes", rows, kept, f"left out, because {said}")
    return Foreign(opened.path, table, (step,))


def count(table: ir.Table, *, file: str) -> int:
    """Return the number of rows.

    Raises:
        SourceError: the file cannot be read.
    """
    with reading(file):
        return int(table.count().to_pyarrow().as_py())


def as_ids(opened: Foreign, columns: Iterable[str]) -> Foreign:
    """Make ids text: whole numbers as they are written, text without blanks around.

    Raises:
        SourceError: an id is empty, a float, or was one.
    """
    raw = opened.table
    kinds = {name: raw[name].type() for name in columns}
    for name, kind in kinds.items():
        if not (kind.is_integer() or kind.is_string()):
            where = f"{opened.path.name}, column {name}"
            raise SourceError("an id has the wrong type", where=where, found=str(kind), wanted=ID)
    text = {name: raw[name].cast("string").strip() for name in kinds}
    wrong = {
        name: raw[name].isnull() if kind.is_integer() else text[name].fill_null("").re_search(f"^$|{FLOAT_TRACE}")
        for name, kind in kinds.items()
    }
    counts = raw.aggregate(**{name: bad.sum() for name, bad in wrong.items()})
    for name, times in collect(counts, file=opened.path.name).to_pylist()[0].items():
        if times:
            example = raw.filter(wrong[name]).aggregate(id=text[name].max()).to_pyarrow()["id"][0].as_py()
            raise SourceError(
                "ids went through floats" if example else "ids are missing",
                where=f"{opened.path.name}, column {name}",
                found=f"{example or 'nothing'} ({times:,} {'rows' if times > 1 else 'row'})",
                wanted=ID,
                fix="export the table again with ids as text" if example else "fill them in, or use leave_out",
            )
    return Foreign(opened.path, raw.mutate(**text), opened.kept)


def nothing_in_common(what: str, *, where: str, ids: Iterable[str]) -> SourceError:
    """Say that two tables have no id in common, as ids of two versions."""
    return SourceError(
        what,
        where=where,
        found=f"ids such as {' and '.join(ids)}",
        wanted="the same ids in both tables",
        fix="check that both tables are of one version, and which columns hold the ids",
    )
