"""The cells of a foreign connectome, in our words.

Enters: facts in foreign words, and what the mapping says that they mean. Leaves: the table ``cells``, one row per cell,
sorted by ``source_id``; and how many cells each assumption holds for.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from fnmatch import fnmatchcase
from pathlib import Path
from typing import get_args

import ibis
import numpy as np
import pyarrow as pa
from ibis.backends import BaseBackend

from connectome2net.errors import SourceError
from connectome2net.sources.files import digest
from connectome2net.sources.mapping.facts import Facts, Said, read_facts
from connectome2net.sources.mapping.model import Cells, ConnectomeMapping, EiClass, Lamina
from connectome2net.sources.source import MAPPED_CELLS, Kept, SourceTable

CELLS = pa.schema(
    [
        pa.field("source_id", pa.string(), nullable=False),
        pa.field("cell_type", pa.string(), nullable=False),
        pa.field("ei_class", pa.string(), nullable=False),
        pa.field("lamina", pa.string(), nullable=False),
        pa.field("x", pa.float64()),
        pa.field("y", pa.float64()),
        pa.field("z", pa.float64()),
        pa.field("depth_um", pa.float64()),
        pa.field("area", pa.string()),
        pa.field("axon_proofread", pa.bool_()),
        pa.field("root_id", pa.int64()),
        pa.field("nucleus_id", pa.int64()),
    ]
)
"""One row per cell. Positions in nm; null means not known; an empty type or lamina means that no table tells it."""

MOST_WORDS = 20
"""So many foreign words are named in a message."""

Notes = tuple[str, ...]


def read_cells(
    engine: BaseBackend, folder: Path, mapping: ConnectomeMapping, links: SourceTable
) -> tuple[SourceTable, tuple[Kept, ...], Notes]:
    """Return the cells, what was left out of them, and what to know of them.

    Args:
        engine: what runs the expressions.
        folder: where the tables lie.
        mapping: what their words mean.
        links: edges or synapses, whose ends are the cells where no table lists them.

    Raises:
        SourceError: a word for a class or lamina occurs whose meaning the mapping does not state; no cell is left.
    """
    notes: Notes = ()
    if mapping.cells.file:
        said, opened, kept, notes = read_facts(engine, folder, mapping)
        file, sha256 = opened.path.name, digest(opened.path)
    else:
        said, file, sha256, kept = _ends(links), links.file, links.sha256, ()
        notes = (f"no table lists the cells: they are the {len(said):,} ends of the {links.name}",)
    said = {cell: facts | _type(cell, facts, mapping.cells) for cell, facts in sorted(said.items())}
    classes, assumed = _classes(said, mapping.cells, file=file)
    laminae = _laminae(said, mapping.cells, file=file)
    rows = [_row(cell, facts, classes[cell], laminae[cell]) for cell, facts in said.items() if classes[cell] != "drop"]
    if not rows:
        raise SourceError("no cell is left", where=file, found="0 cells", wanted="at least one", fix="drop fewer")
    if len(rows) < len(said):
        kept += (Kept("cells that the mapping takes", len(said), len(rows), "their class is one that it drops"),)
    table = _measure(pa.Table.from_pylist(rows, schema=CELLS), said, mapping)
    opened_cells = SourceTable(MAPPED_CELLS, file, table.num_rows, sha256, ibis.memtable(table))
    return opened_cells, kept, notes + assumed


def _ends(links: SourceTable) -> Said:
    ends = [links.table.select(id=links.table[end]) for end in ("pre", "post")]
    return {cell: {} for cell in ibis.union(*ends, distinct=True)["id"].to_pyarrow().to_pylist()}


def _row(cell: str, facts: Facts, ei_class: str, lamina: str) -> Facts:
    return {
        "source_id": cell,
        "cell_type": facts.get("type", ""),
        "ei_class": ei_class,
        "lamina": lamina,
        "area": facts.get("area"),
        "axon_proofread": facts.get("proofread"),
        "root_id": facts.get("root_id"),
        "nucleus_id": facts.get("nucleus_id"),
    }


def _type(cell: str, facts: Facts, words: Cells) -> Facts:
    """Return the type that the id tells, for a cell whose type no table tells."""
    by_id = None if "type" in facts else _fitting(cell, words.id_types)
    return {"type": by_id} if by_id else {}


def _fitting(text: str, patterns: Mapping[str, str]) -> str | None:
    """Return what the first pattern that fits stands for."""
    return next((meaning for pattern, meaning in patterns.items() if fnmatchcase(text, pattern)), None)


def _classes(said: Said, words: Cells, *, file: str) -> tuple[dict[str, str], Notes]:
    """Return the class of each cell: by the class column, else by type, else by id, else ``other_class``."""
    own = {word: word for word in get_args(EiClass)}
    meaning = {**own, **words.classes}
    by_type = {name: _fitting(name, words.type_classes) for name in {facts.get("type", "") for facts in said.values()}}
    classes, other = {}, Counter[str]()
    for cell, facts in said.items():
        stated = meaning.get(facts.get("class_", ""))
        told = None if stated == "unknown" else stated
        told = told or by_type[facts.get("type", "")] or _fitting(cell, words.id_classes) or stated
        if told is None:
            other[_word(facts)] += 1
        classes[cell] = told or words.other_class or ""
    if not other:
        return classes, ()
    found = _counted(other)
    if words.other_class is None:
        raise SourceError(
            "the mapping does not say what the class of some cells is",
            where=f"{file}, section [cells]",
            found=found,
            wanted="each word in [cells.classes], or a pattern of its type in [cells.type_classes]",
            fix='list them, or other_class = "unknown" in [cells] (or excitatory, inhibitory, nonneuron, drop)',
        )
    return classes, (f"{file}: {other.total():,} cells are {words.other_class} by other_class: {found}",)


def _word(facts: Facts) -> str:
    """Return what a message calls a cell whose class is open."""
    if "class_" in facts:
        return f"class {facts['class_']!r}"
    return f"type {facts['type']!r}" if "type" in facts else "no word"


def _laminae(said: Said, words: Cells, *, file: str) -> dict[str, str]:
    """Return the lamina of each cell; empty where no table tells it."""
    meaning = {"": "", **{word: word for word in get_args(Lamina)}, **words.laminae}
    layers = {cell: facts.get("layer", "") for cell, facts in said.items()}
    other = Counter(layer for layer in layers.values() if layer not in meaning)
    if other and words.other_lamina is None:
        raise SourceError(
            "the mapping does not say what some words for a lamina mean",
            where=f"{file}, section [cells]",
            found=_counted(Counter({repr(word): times for word, times in other.items()})),
            wanted="each word in [cells.laminae]",
            fix='list them, or other_lamina = "unknown" in [cells]',
        )
    return {cell: meaning.get(layer, words.other_lamina or "") for cell, layer in layers.items()}


def _counted(words: Counter[str]) -> str:
    """Name words with the number of their cells, the most frequent first."""
    ranked = sorted(words.items(), key=lambda item: (-item[1], item[0]))
    more = f" and {len(ranked) - MOST_WORDS:,} more" if len(ranked) > MOST_WORDS else ""
    return ", ".join(f"{word} ({times:,})" for word, times in ranked[:MOST_WORDS]) + more


def _measure(table: pa.Table, said: Said, mapping: ConnectomeMapping) -> pa.Table:
    """Fill in positions in nm, and depth in um from its column."""
    nowhere = (np.nan,) * 3
    facts = [said[cell] for cell in table.column("source_id").to_pylist()]
    unit_nm = np.array(mapping.cells.unit_nm)
    position_nm = np.array([item.get("position", nowhere) for item in facts], dtype=np.float64) * unit_nm
    per_um = 1000.0 if mapping.depth and mapping.depth.unit == "nm" else 1.0
    depth_um = np.array([item.get("depth", np.nan) for item in facts], dtype=np.float64) / per_um
    measured = {**dict(zip("xyz", position_nm.T, strict=True)), "depth_um": depth_um}
    for name, column in measured.items():
        table = table.set_column(CELLS.get_field_index(name), CELLS.field(name), pa.array(column, from_pandas=True))
    return table
