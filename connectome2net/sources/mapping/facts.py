"""What foreign tables say of each cell.

Enters: ``[cells]`` and ``[[labels]]`` and their tables. Leaves: id -> facts in the tables' own words; a cell of which a
table says nothing has no such fact.
"""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from ibis.backends import BaseBackend

from connectome2net.errors import SourceError
from connectome2net.sources.engine import UNREADABLE, unreadable
from connectome2net.sources.mapping.foreign import Foreign, as_ids, open_foreign
from connectome2net.sources.mapping.model import Cells, ConnectomeMapping, Labels
from connectome2net.sources.source import Kept

Facts = dict[str, Any]
Said = dict[str, Facts]

FLAGS = {"t": True, "true": True, "f": False, "false": False}
NAMED = 5
"""So many cells are named in a message."""


def read_facts(engine: BaseBackend, folder: Path, mapping: ConnectomeMapping) -> tuple[Said, Foreign, tuple[Kept, ...]]:
    """Return the facts of each cell of ``[cells]``, where they lie, and what was left out.

    Raises:
        SourceError: a column is missing, a value is not understood, or a cell stands in several rows.
    """
    cells = mapping.cells
    depth = {"depth": (mapping.depth.column,)} if mapping.depth and mapping.depth.column else {}
    opened, rows = _read(engine, folder, cells, depth, section="cells", flags=cells.proofread_words)
    said, kept = _once(rows, opened, cells), opened.kept
    if len(said) < len(rows):
        kept += (Kept(f"cells in one row of {opened.path.name}", len(rows), len(said), "their cell stands in several"),)
    for labels in mapping.labels:
        more, rows = _read(engine, folder, labels, {}, section="labels", flags=cells.proofread_words)
        facts, kept = _once(rows, more, labels), kept + more.kept
        said = {cell: facts.get(cell, {}) | known for cell, known in said.items()}
    return said, opened, kept


def _read(
    engine: BaseBackend,
    folder: Path,
    labels: Labels,
    more: Mapping[str, tuple[str, ...]],
    *,
    section: str,
    flags: Mapping[str, bool],
) -> tuple[Foreign, list[tuple[str, Facts]]]:
    """Read the rows of one table: the cell, and what its columns say."""
    keys = {key: getattr(labels, key) for key in Labels.model_fields.keys() - {"file", "delimiter", "leave_out", "id"}}
    columns = {key: names for key, names in {**keys, **more}.items() if names}
    wanted = sorted({labels.id}.union(*columns.values()))
    opened = as_ids(open_foreign(engine, folder, labels, wanted, section=section), [labels.id])
    try:
        rows = opened.table.select(*wanted).to_pyarrow().to_pylist()
    except UNREADABLE as error:
        raise unreadable(opened.path.name, error) from error
    readers = {**READERS, "proofread": _flag(flags)}
    found = []
    for row in rows:
        facts: Facts = {}
        for key, names in columns.items():
            value = _first([row[name] for name in names]) if key != "position" else [row[name] for name in names]
            try:
                known = readers.get(key, str)(value) if value is not None else None
            except (ValueError, TypeError) as error:
                where = f"{opened.path.name}, column {' or '.join(names)}, cell {row[labels.id]}"
                raise SourceError("A value is not understood", where=where, found=value, wanted=str(error)) from error
            facts |= {} if known is None else {key: known}
        found.append((row[labels.id], facts))
    return opened, found


def _once(rows: list[tuple[str, Facts]], opened: Foreign, labels: Labels) -> Said:
    """Return the rows by cell, without cells that stand in several where the mapping says so."""
    times = Counter(cell for cell, _ in rows)
    if repeated := sorted(cell for cell, many in times.items() if many > 1):
        if not isinstance(labels, Cells) or labels.repeated_cells == "refuse":
            more = f" and {len(repeated) - NAMED:,} more" if len(repeated) > NAMED else ""
            raise SourceError(
                "A cell stands in several rows",
                where=f"{opened.path.name}, column {labels.id}",
                found=f"{', '.join(repeated[:NAMED])}{more}",
                wanted="one row per cell",
                fix='leave_out the rows that are too many, or repeated_cells = "drop" in [cells], if such cells are '
                "segments of several nuclei",
            )
        return {cell: facts for cell, facts in rows if times[cell] == 1}
    return dict(rows)


def _first(values: list[object]) -> object:
    """Return the first value that is not empty."""
    texts = (value.strip() if isinstance(value, str) else value for value in values)
    return next((value for value in texts if value not in (None, "")), None)


def _position(values: object) -> tuple[float, ...] | None:
    """Read three numbers from three columns, a list, or text such as ``[12 40 7]``; None where one is not known."""
    assert isinstance(values, list)
    parts = values if len(values) > 1 else values[0]
    if isinstance(parts, str):
        parts = re.findall(r"[^\s,;()\[\]]+", parts)
    if parts is None or any(part is None or part == "" for part in parts) or not parts:
        return None
    numbers = tuple(float(part) for part in parts)
    if len(numbers) != 3 or any(map(math.isinf, numbers)):
        raise ValueError("three finite numbers")
    return None if any(map(math.isnan, numbers)) else numbers


def _whole(value: object) -> int:
    if isinstance(value, bool | float) or not re.fullmatch(r"-?[0-9]{1,18}", str(value)):
        raise ValueError("a whole number (int64): a float cannot hold an id above 2^53")
    return int(str(value))


def _number(value: object) -> float | None:
    number = float(str(value))
    if math.isinf(number):
        raise ValueError("a finite number")
    return None if math.isnan(number) else number


def _flag(words: Mapping[str, bool]) -> Callable[[object], bool]:
    def read(value: object) -> bool:
        if isinstance(value, bool):
            return value
        known = words.get(str(value), FLAGS.get(str(value).lower()))
        if known is None:
            raise ValueError("true/false, t/f, or a word of [cells.proofread_words]")
        return known

    return read


READERS: Mapping[str, Callable[[Any], object]] = {
    "position": _position,
    "root_id": _whole,
    "nucleus_id": _whole,
    "depth": _number,
}
