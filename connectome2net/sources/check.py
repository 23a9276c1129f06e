"""What must hold within and between the tables of one source.

Enters: a ``Source`` whose tables are typed. Leaves: the same source, or the first contradiction.
"""

from __future__ import annotations

from collections.abc import Mapping

import ibis
import ibis.expr.types as ir

from connectome2net.errors import SourceError
from connectome2net.sources.engine import collect
from connectome2net.sources.microns import (
    AREAS,
    BAYLOR,
    CENSUS,
    CONNECTIONS,
    CORRECTIONS,
    EI_WORDS,
    METAMODEL,
    NUCLEI,
    PROOFREADING,
    STATISTICS,
    SYNAPSES,
)
from connectome2net.sources.source import Source, SourceTable, missing_table

NAMED = 5
"""So many cells are named in a message."""
TWO_VERSIONS = "take all tables from one materialization; tables of two versions cannot be joined on root ids"


ONCE: Mapping[str, str] = {CENSUS: "id", NUCLEI: "id", AREAS: "id", STATISTICS: "id", PROOFREADING: "pt_root_id"}
"""Table -> its key: what two rows say of one key must be the same."""


def check(source: Source) -> Source:
    """Return the source if its tables fit together.

    Raises:
        SourceError: a table is missing; a table says two things of one nucleus or axon; no word for a class is known;
            tables are of different materializations.
    """
    if CENSUS not in source and NUCLEI not in source:
        raise missing_table(f"{CENSUS} (or {NUCLEI})", source.location, source.tables)
    if CONNECTIONS not in source and SYNAPSES not in source and source.fetch_synapses is None:
        raise missing_table(f"{CONNECTIONS} (or {SYNAPSES})", source.location, source.tables)
    for name in (CENSUS, NUCLEI):
        if name in source and not source[name].rows:
            raise SourceError("a table of cells is empty", where=source[name].file, found="0 rows", wanted="cells")
    for name, key in ONCE.items():
        if name in source:
            _check_once(source[name], key)
    if CENSUS in source and NUCLEI in source:
        _check_same_roots(source[CENSUS], source[NUCLEI])
    for name in (CENSUS, *CORRECTIONS, METAMODEL, BAYLOR):
        if name in source:
            _check_words(source[name])
    cells = source[NUCLEI if NUCLEI in source else CENSUS]
    for name, column in ((SYNAPSES, "pre_pt_root_id"), (PROOFREADING, "pt_root_id")):
        if name in source:
            _check_some_roots_known(source[name], cells, column)
    return source


def _check_once(table: SourceTable, key: str) -> None:
    """Refuse two rows of one nucleus or axon that say different things; the same row twice is harmless."""
    rows = table.table.drop("valid_id") if "valid_id" in table.table.columns else table.table
    rows = rows.filter(rows[key] != 0).distinct()
    if twice := _repeated(rows, key, file=table.file):
        thing = "nucleus" if key == "id" else "root"
        raise SourceError(
            f"a table says two things of one {'nucleus' if key == 'id' else 'axon'}",
            where=f"{table.file}, column {key}",
            found=_named(thing, twice),
            wanted=f"one row per {thing}",
            fix="keep the row that is right",
        )


def _check_same_roots(census: SourceTable, nuclei: SourceTable) -> None:
    """Compare the root ids that two tables give to the same nucleus."""
    now = nuclei.table.select(nucleus="id", now="pt_root_id")
    both = census.table.join(now, census.table.id == now.nucleus)
    differing = both.filter(both.pt_root_id != both.now)
    if found := collect(differing.select("id", "pt_root_id", "now").distinct(), file=census.file).to_pylist():
        row = min(found, key=lambda row: row["id"])
        raise SourceError(
            "two materializations: tables disagree on the root id of a nucleus",
            where=f"{census.file} and {nuclei.file}, column pt_root_id",
            found=f"nucleus {row['id']} is root {row['pt_root_id']} and {row['now']}; {len(found):,} nuclei differ",
            wanted="one root id per nucleus",
            fix=TWO_VERSIONS,
        )


def _check_words(labels: SourceTable) -> None:
    """Refuse a table in which not one class is known; single strange words make cells unknown."""
    table = labels.table
    words = [name for name in ("classification_system", "cell_type") if name in table.columns]
    known = ibis.or_(*(table[name].isin(list(EI_WORDS)) for name in words))
    if not labels.rows or collect(table.filter(known).limit(1), file=labels.file).num_rows:
        return
    distinct = table.select(word=table[words[0]]).distinct().order_by("word").limit(NAMED)
    said = collect(distinct, file=labels.file).column("word").to_pylist()
    raise SourceError(
        "no word for the class of a cell is known",
        where=f"{labels.file}, column {' or '.join(words)}",
        found=", ".join(map(str, said)) or "nothing",
        wanted=", ".join(EI_WORDS),
    )


def _check_some_roots_known(table: SourceTable, cells: SourceTable, column: str) -> None:
    """A table that knows not one root of the census is of another version."""
    known = table.table.semi_join(cells.table, table.table[column] == cells.table.pt_root_id)
    if table.rows and not collect(known.select(column).limit(1), file=table.file).num_rows:
        raise SourceError(
            "two materializations: no root id of a table is that of a cell",
            where=f"{table.file}, column {column}",
            found=f"{table.rows:,} rows, none with a root id of {cells.file}",
            wanted="root ids of the same materialization",
            fix=TWO_VERSIONS,
        )


def _repeated(table: ir.Table, column: str, *, file: str) -> list[int]:
    counted = table.group_by(column).aggregate(times=ibis._.count())
    return collect(counted.filter(counted.times > 1).order_by(column), file=file).column(column).to_pylist()


def _named(word: str, ids: list[int]) -> str:
    more = f" and {len(ids) - NAMED:,} more" if len(ids) > NAMED else ""
    return f"{word} {', '.join(map(str, ids[:NAMED]))}{more}"
