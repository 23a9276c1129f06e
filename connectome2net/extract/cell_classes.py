"""What each cell is: excitatory or inhibitory, and of which type, as several tables say.

Enters: cells, and every table that names classes. Leaves: one class and type per cell, which tables decided, and the
cells about which tables disagree.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import ibis
import pyarrow as pa

from connectome2net.sources.engine import collect
from connectome2net.sources.microns import (
    BAYLOR,
    CENSUS,
    CORRECTIONS,
    EI_WORDS,
    METAMODEL,
    TYPE_SYNONYMS,
)
from connectome2net.sources.source import MAPPED_CELLS, Source, SourceTable
from connectome2net.spec.model import Conflict, Finding

Said = Mapping[str, tuple[str, str]]
"""Table -> class and type that it gives to a cell."""

BY_HAND = (*CORRECTIONS, CENSUS)
"""Tables made by experts, the most recent first: each overrules all that follow."""
BY_MODEL = (METAMODEL, BAYLOR)
"""Classifiers. Their makers warn that the metamodel, which sees nuclei, calls some inhibitory cells of layer 5
excitatory, and recommend the other, which sees dendritic spines, as a check; so neither overrules the other.
Elabbady et al., Nature 640:478 (2025); Celii et al., Nature 640:487 (2025)."""
SILENT, BOTH = "unknown", " and "
NAMED = 10
"""So many words are named in a finding."""


@dataclass(frozen=True)
class Classified:
    """Cells and what they are.

    Attributes:
        cells: with ``cell_type`` (one name per type; ``unknown`` where no table that agrees on the class gives one),
            ``ei_class`` (``excitatory``, ``inhibitory``, ``nonneuron`` or ``unknown``) and ``ei_evidence`` (the tables
            that decided; null where none did).
        conflicts: cells on whose class the tables disagree.
        findings: tables that say nothing of any cell, and words that are not known.
    """

    cells: pa.Table
    conflicts: tuple[Conflict, ...] = ()
    findings: tuple[Finding, ...] = ()


def classify(source: Source, cells: pa.Table) -> Classified:
    """Settle the class and the type of each cell.

    A correction by hand comes before the census, the census before the agreement of the two classifiers, that before
    one of them alone. Where only the classifiers speak and disagree, the class is ``unknown``: nothing is settled in
    silence.

    Args:
        source: the tables that name classes.
        cells: N cells with ``nucleus_id``; those of a mapped source have labels of their own.
    """
    if MAPPED_CELLS in source:
        named = [word or SILENT for word in cells.column("cell_type").to_pylist()]
        decided = [None if word == SILENT else MAPPED_CELLS for word in cells.column("ei_class").to_pylist()]
        return Classified(_labelled(cells, named, cells.column("ei_class").to_pylist(), decided))
    nuclei = cells.column("nucleus_id").to_pylist()
    tables = [name for name in (*BY_HAND, *BY_MODEL) if name in source]
    rows = {name: _rows(source[name], cells) for name in tables}
    verdicts = {name: _verdicts(rows[name]) for name in tables}
    said = [{name: verdicts[name][nucleus] for name in tables if nucleus in verdicts[name]} for nucleus in nuclei]
    settled = [_settle(words) for words in said]
    types = [_type_of(words, ei_class) for words, (ei_class, _) in zip(said, settled, strict=True)]
    conflicts = tuple(
        Conflict(cell=str(nucleus), chosen=ei_class, says=heard)
        for nucleus, words, (ei_class, _) in zip(nuclei, said, settled, strict=True)
        if len(set((heard := _heard(words)).values())) > 1 or any(BOTH in word for word in heard.values())
    )
    classes, evidence = zip(*settled, strict=True) if settled else ((), ())
    return Classified(_labelled(cells, types, classes, evidence), conflicts, (*_strange(rows, cells.num_rows),))


def _labelled(
    cells: pa.Table, cell_type: Sequence[str], ei_class: Sequence[str], evidence: Sequence[str | None]
) -> pa.Table:
    columns = {"cell_type": cell_type, "ei_class": ei_class, "ei_evidence": evidence}
    cells = cells.drop_columns([name for name in columns if name in cells.column_names])
    for name, words in columns.items():
        cells = cells.append_column(name, pa.array(words, pa.string()))
    return cells


def _heard(words: Said) -> dict[str, str]:
    """Return the class that each table gives that gives one."""
    return {name: word for name, (word, _) in words.items() if word != SILENT}


def _settle(words: Said) -> tuple[str, str | None]:
    """Return the class of a cell and the tables that decided."""
    clear = {name: word for name, word in _heard(words).items() if BOTH not in word}
    for name in BY_HAND:
        if name in clear:
            return clear[name], name
    if len(set(clear.values())) == 1:
        return next(iter(clear.values())), BOTH.join(clear)
    return SILENT, None


def _type_of(words: Said, ei_class: str) -> str:
    """Return the type that the first table gives that agrees on the class."""
    named = (kind for word, kind in words.values() if word == ei_class and kind and kind not in EI_WORDS)
    kind = next(named, SILENT)
    return TYPE_SYNONYMS.get(kind, kind)


def _rows(labels: SourceTable, cells: pa.Table) -> list[dict[str, Any]]:
    """Return what a table says of these cells."""
    of_cells = labels.table.semi_join(ibis.memtable(cells.select(["nucleus_id"])), [("id", "nucleus_id")])
    return collect(of_cells, file=labels.file).to_pylist()


def _verdicts(rows: list[dict[str, Any]]) -> dict[int, tuple[str, str]]:
    """Return the class and the type that a table gives to nuclei; of rows that differ, all their classes."""
    found = defaultdict(set)
    for row in rows:
        kind = row["cell_type"] or ""
        found[row["id"]].add((_class_of(row), kind))
    return {
        nucleus: next(iter(said)) if len(said) == 1 else (BOTH.join(sorted({word for word, _ in said})), "")
        for nucleus, said in found.items()
    }


def _class_of(row: dict[str, Any]) -> str:
    """Return the class that a row names, in its classification or in its type; ``unknown`` for other words."""
    return EI_WORDS.get(row.get("classification_system") or "") or EI_WORDS.get(row["cell_type"] or "") or SILENT


def _strange(rows: Mapping[str, list[dict[str, Any]]], cells: int) -> Iterator[Finding]:
    """Report tables that know none of these cells, and words for a class that nobody knows."""
    for name, said in rows.items():
        if not said:
            text = f"cells of which {name} says nothing: not one of its nuclei is among them"
            yield Finding(name="labels of other cells", count=cells, text=text)
        words = Counter(
            word
            for row in said
            if _class_of(row) == SILENT
            and (word := row.get("classification_system", row["cell_type"]))
            and word not in EI_WORDS
        )
        if words:
            named = ", ".join(f"{word} ({count:,})" for word, count in sorted(words.items())[:NAMED])
            text = f"rows of {name} whose word for the class is not known, so that they say nothing: {named}"
            yield Finding(name="unknown word", count=words.total(), text=text)
