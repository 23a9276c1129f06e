"""What must hold within and between the tables of one source.

Enters: a ``Source`` whose tables are typed. Leaves: the same source, or the first contradiction.
"""

from __future__ import annotations

import ibis
import ibis.expr.types as ir

from connectome2net.errors import SourceError
from connectome2net.sources.microns import (
    BAYLOR,
    CENSUS,
    CONNECTIONS,
    CORRECTIONS,
    EI_WORDS,
    METAMODEL,
    NUCLEI,
    PROOFREADING,
    SYNAPSES,
)
from connectome2net.sources.source import Source, SourceTable, missing_table

NAMED = 5
"""So many cells are named in a message."""
TWO_VERSIONS = "take all tables from one materialization; tables of two versions cannot be joined on root ids"


def check(source: Source) -> Source:
    """Return the source if its tables fit together.

    Raises:
        SourceError: a table is missing; the census says two things of one nucleus; no word for a class is known;
            tables are of different materializations.
    """
    if CENSUS not in source and NUCLEI not in source:
        raise missing_table(f"{CENSUS} (or {NUCLEI})", source.location, source.tables)
    if CONNECTIONS not in source and SYNAPSES not in source and source.fetch_synapses is None:
        raise missing_table(f"{CONNECTIONS} (or {SYNAPSES})", source.location, source.tables)
    for name in (CENSUS, NUCLEI):
        if name in source and not source[name].rows:
            raise SourceError("A table of cells is empty", where=source[name].file, found="0 rows", wanted="cells")
    if CENSUS in source:
        _check_census(source[CENSUS])
    for name in (CENSUS, *CORRECTIONS, METAMODEL, BAYLOR):
        if name in source:
            _check_words(source[name])
    cells = source[NUCLEI if NUCLEI in source else CENSUS]
    if SYNAPSES in source:
        _check_some_roots_known(source[SYNAPSES], cells, "pre_pt_root_id")
    if PROOFREADING in source:
        _check_some_roots_known(source[PROOFREADING], cells, "pt_root_id")
        _check_one_status(source[PROOFREADING])
    return source


def _check_census(census: SourceTable) -> None:
    """Refuse two rows of one nucleus that say different things."""
    rows = census.table.select("id", "pt_root_id", "classification_system", "cell_type").distinct()
    if twice := _repeated(rows, "id"):
        raise SourceError(
            "The census says two things of one nucleus",
            where=f"{census.file}, column id",
            found=_named("nucleus", twice),
            wanted="one root id, one class and one type per nucleus",
            fix="keep the row that is right",
        )


def _check_words(labels: SourceTable) -> None:
    """Refuse a table in which not one class is known; single strange words make cells unknown."""
    table = labels.table
    words = [name for name in ("classification_system", "cell_type") if name in table.columns]
    known = ibis.or_(*(table[name].isin(list(EI_WORDS)) for name in words))
    if table.filter(known).limit(1).count().to_pyarrow().as_py() or not labels.rows:
        return
    said = table.select(word=table[words[0]]).distinct().order_by("word").limit(NAMED).word.to_pyarrow().to_pylist()
    raise SourceError(
        "No word for the class of a cell is known",
        where=f"{labels.file}, column {' or '.join(words)}",
        found=", ".join(map(str, said)) or "nothing",
        wanted=", ".join(EI_WORDS),
    )


def _check_some_roots_known(table: SourceTable, cells: SourceTable, column: str) -> None:
    """A table that knows not one root of the census is of another version."""
    known = table.table.semi_join(cells.table, table.table[column] == cells.table.pt_root_id)
    if table.rows and not known.limit(1).count().to_pyarrow().as_py():
        raise SourceError(
            "Two materializations: no root id of a table is that of a cell",
            where=f"{table.file}, column {column}",
            found=f"{table.rows:,} rows, none with a root id of {cells.file}",
            wanted="root ids of the same materialization",
            fix=TWO_VERSIONS,
        )


def _check_one_status(proofreading: SourceTable) -> None:
    status = proofreading.table.group_by("pt_root_id").aggregate(statuses=ibis._.status_axon.nunique())
    if rows := status.filter(status.statuses > 1).order_by("pt_root_id").limit(NAMED).to_pyarrow().to_pylist():
        raise SourceError(
            "An axon is both proofread and not",
            where=f"{proofreading.file}, column status_axon",
            found=_named("root", [row["pt_root_id"] for row in rows]),
            wanted="one status per root id",
            fix="keep the row that is valid",
        )


def _repeated(table: ir.Table, column: str) -> list[int]:
    counted = table.group_by(column).aggregate(times=ibis._.count())
    return counted.filter(counted.times > 1).order_by(column)[column].to_pyarrow().to_pylist()


def _named(word: str, ids: list[int]) -> str:
    more = f" and {len(ids) - NAMED:,} more" if len(ids) > NAMED else ""
    return f"{word} {', '.join(map(str, ids[:NAMED]))}{more}"
