"""What must hold within and between the tables of one source.

Enters: a ``Source`` whose tables are typed. Leaves: the same source, or the first contradiction.
"""

from __future__ import annotations

import ibis
import ibis.expr.types as ir

from connectome2net.errors import SourceError
from connectome2net.sources.microns import CENSUS, CONNECTIONS, EI_WORDS, PROOFREADING, SYNAPSES
from connectome2net.sources.source import Source, SourceTable, missing_table

NAMED = 5
"""So many cells are named in a message."""
TWO_VERSIONS = "take all tables from one materialization; tables of two versions cannot be joined on root ids"


def check(source: Source) -> Source:
    """Return the source if its tables fit together.

    Raises:
        SourceError: a table is missing; a nucleus or a root occurs twice in the census; a word for a class is not
            known; tables are of different materializations.
    """
    census = source[CENSUS]
    if CONNECTIONS not in source and SYNAPSES not in source:
        raise missing_table(f"{CONNECTIONS} (or {SYNAPSES})", source.location, source.tables)
    _check_census(census)
    if CONNECTIONS in source:
        for end in ("pre", "post"):
            _check_roots_of_nuclei(source[CONNECTIONS], census, end)
    if SYNAPSES in source:
        _check_some_roots_known(source[SYNAPSES], census, "pre_pt_root_id")
    if PROOFREADING in source:
        _check_some_roots_known(source[PROOFREADING], census, "pt_root_id")
        _check_one_status(source[PROOFREADING])
    return source


def _check_census(census: SourceTable) -> None:
    """One row, one nucleus and one segment per cell, and classes that are known."""
    cells = census.table
    if not census.rows:
        raise SourceError("The census is empty", where=census.file, found="0 rows", wanted="one row per cell")
    if twice := _repeated(cells, "id"):
        raise SourceError(
            "A nucleus occurs more than once in the census",
            where=f"{census.file}, column id",
            found=_named("nucleus", twice),
            wanted="one row per nucleus",
            fix="remove the repeated rows",
        )
    _check_segments(census)
    words = cells.classification_system.nullif("")
    unknown = cells.filter(words.notnull() & words.notin(list(EI_WORDS))).classification_system
    if wrong := sorted(unknown.to_pyarrow().unique().to_pylist()):
        raise SourceError(
            "Unknown word for the class of a cell",
            where=f"{census.file}, column classification_system",
            found=", ".join(wrong[:NAMED]),
            wanted=" or ".join(EI_WORDS),
        )


def _check_segments(census: SourceTable) -> None:
    cells, where = census.table, f"{census.file}, column pt_root_id"
    if unsegmented := sorted(cells.filter(cells.pt_root_id == 0).id.to_pyarrow().to_pylist()):
        raise SourceError(
            "A cell of the census has root id 0: its nucleus lies in no segment",
            where=where,
            found=_named("nucleus", unsegmented),
            wanted="one segment per cell",
            fix="remove these cells from the census, or take a later materialization",
        )
    if shared := _repeated(cells, "pt_root_id"):
        nuclei = cells.filter(cells.pt_root_id.isin(shared)).order_by("pt_root_id", "id").id.to_pyarrow().to_pylist()
        raise SourceError(
            "Several nuclei of the census share a root id: their segments are merged",
            where=where,
            found=f"{_named('root', shared)}, shared by {_named('nucleus', nuclei)}",
            wanted="one segment per cell",
            fix="remove these cells from the census, or take a materialization in which they are split",
        )


def _check_roots_of_nuclei(connections: SourceTable, census: SourceTable, end: str) -> None:
    """Compare the root ids that two tables give to the same nucleus."""
    nucleus, root = f"{end}_nuc_id", f"{end}_pt_root_id"
    joined = connections.table.join(census.table, connections.table[nucleus] == census.table.id)
    differing = joined.filter(joined[root] != joined.pt_root_id)
    first = differing.select(nucleus, root, "pt_root_id").distinct().order_by(nucleus).limit(NAMED)
    if rows := first.to_pyarrow().to_pylist():
        row = rows[0]
        raise SourceError(
            "Two materializations: tables disagree on the root id of a nucleus",
            where=f"{connections.file}, column {root}",
            found=f"nucleus {row[nucleus]} is root {row[root]} here and {row['pt_root_id']} in {census.file}"
            + (f", and so for {_named('nucleus', [r[nucleus] for r in rows[1:]])}" if rows[1:] else ""),
            wanted="one root id per nucleus",
            fix=TWO_VERSIONS,
        )


def _check_some_roots_known(table: SourceTable, census: SourceTable, column: str) -> None:
    """A table that knows not one root of the census is of another version."""
    known = table.table.semi_join(census.table, table.table[column] == census.table.pt_root_id)
    if table.rows and not known.limit(1).count().to_pyarrow().as_py():
        raise SourceError(
            "Two materializations: no root id of a table is in the census",
            where=f"{table.file}, column {column}",
            found=f"{table.rows:,} rows, none with a root id of {census.file}",
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
