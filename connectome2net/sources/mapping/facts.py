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
from connectome2net.sources.engine import collect
from connectome2net.sources.mapping.foreign import Foreign, as_ids, nothing_in_common, open_foreign
from connectome2net.sources.mapping.model import Cells, ConnectomeMapping, Labels
from connectome2net.sources.shape import FALSE, TRUE
from connectome2net.sources.source import Kept

Facts = dict[str, Any]
Said = dict[str, Facts]

FLAGS = dict.fromkeys(TRUE, True) | dict.fromkeys(FALSE, False)
NUMBERS = "finite numbers, with a decimal point"
NAMED = 5
"""So many cells are named in a message."""


def read_facts(
    engine: BaseBackend, folder: Path, mapping: ConnectomeMapping
) -> tuple[Said, Foreign, tuple[Kept, ...], tuple[str, ...]]:
    """Return the facts of each cell of ``[cells]``, where they lie, what was left out, and what to know of it.

    Raises:
        SourceError: a column is missing, a value is not understood, a cell stands in several rows, or labels are of
            other cells.
    """
    cells = mapping.cells
    depth = {"depth": (mapping.depth.column,)} if mapping.depth and mapping.depth.column else {}
    opened, rows = _read(engine, folder, cells, depth, section="cells", flags=cells.proofread_words)
    said, kept = _once(rows, opened, cells), opened.kept
    if len(said) < len(rows):
        kept += (Kept(f"cells in one row of {opened.path.name}", len(rows), len(said), "their cell stands in several"),)
    notes: tuple[str, ...] = ()
    for labels in mapping.labels:
        more, rows = _read(engine, folder, labels, {}, section="labels", flags=cells.proofread_words)
        facts, kept = _once(rows, more, labels), kept + more.kept
        notes += _overlap(said, facts, file=more.path.name, column=labels.id)
        said = {cell: facts.get(cell, {}) | known for cell, known in said.items()}
    return said, opened, kept, notes


def _overlap(said: Said, facts: Said, *, file: str, column: str) -> tuple[str, ...]:
    """Say of how many cells labels do not speak.

    Raises:
        SourceError: they speak of none.
    """
    silent, strange = len(said.keys() - facts.keys()), len(facts.keys() - said.keys())
    if silent == len(said):
        what, where = "No row of [[labels]] is of a cell", f"{file}, column {column}"
        raise nothing_in_common(what, where=where, ids=[min(some) for some in (said, facts) if some])
    if not silent and not strange:
        return ()
    return (
        f"{file}: {silent:,} of {len(said):,} cells have no row in it, "
        f"{strange:,} of its {len(facts):,} rows {'is' if strange == 1 else 'are'} of no cell",
    )


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
    rows = collect(opened.table.select(*wanted), file=opened.path.name).to_pylist()
    readers = {**READERS, "proofread": _flag(flags)}
    found = []
    for row in rows:
        facts: Facts = {}
        for key, names in columns.items():
            value = _first([row[name] for name in names]) if key != "position" else [row[name] for name in names]
            try:
                known = readers.get(key, str)(value) if value is not None else None
            except ValueError as error:
                where = f"{opened.path.name}, column {' or '.join(names)}, cell {row[labels.id]}"
                raise SourceError("a value is not understood", where=where, found=value, wanted=str(error)) from error
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
                "a cell stands in several rows",
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
    if not parts or (isinstance(parts, list) and (None in parts or "" in parts)):
        return None
    if not isinstance(parts, list) or len(parts) != 3:
        raise ValueError(f"three {NUMBERS}")
    numbers = tuple(number for part in parts if (number := _number(part)) is not None)
    return numbers if len(numbers) == 3 else None


def _whole(value: object) -> int:
    if isinstance(value, bool | float) or not re.fullmatch(r"-?[0-9]{1,18}", str(value)):
        raise ValueError("a whole number (int64): a float cannot hold an id above 2^53")
    return int(str(value))


def _number(value: object) -> float | None:
    try:
        number = float(str(value))
    except ValueError:
        number = math.inf
    if math.isinf(number):
        raise ValueError(NUMBERS)
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
