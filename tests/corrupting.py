"""Change one thing in a written spec. Table edits bring digest and row count up to date, so that only they show."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from columns import twelve_cells

from connectome2net.errors import SpecError
from connectome2net.spec import open_spec, read_spec, write_spec

Corruption = Callable[[Path], object]

AGAIN = "extract again; the tables are not meant to be edited"
CHANGE = "change the value, or leave the key out if it has a default"
NAME = r"text that matches ^[A-Za-z][A-Za-z0-9_]{0,23}$"


@dataclass(frozen=True)
class Case:
    """The corruption of a network's spec and the one issue that must come of it; texts by their beginning."""

    name: str
    network: str
    corrupt: Corruption
    path: str
    found: str
    wanted: str
    fix: str


def check(case: Case, folder: Path) -> None:
    """Corrupt a written spec, and see exactly the issue of the case."""
    write_spec(twelve_cells(case.network), folder)
    case.corrupt(folder)
    _, issues = open_spec(folder)
    assert [issue.path for issue in issues] == [case.path], "\n".join(map(str, issues))
    (issue,) = issues
    assert issue.found.startswith(case.found)
    assert issue.wanted.startswith(case.wanted)
    assert issue.fix.startswith(case.fix)
    assert issue.fix
    with pytest.raises(SpecError, match="is not valid: 1 issue\n") as error:
        read_spec(folder)
    assert str(error.value).endswith(f"  {issue}")
    assert error.value.issues == (issue,)


def write_json(folder: Path, data: Any) -> None:
    (folder / "spec.json").write_text(json.dumps(data), encoding="utf-8")


def read_json(folder: Path) -> Any:
    return json.loads((folder / "spec.json").read_text(encoding="utf-8"))


def _holder(data: Any, pointer: str) -> tuple[Any, Any]:
    """The object or list that a JSON pointer ends in, and the last step."""
    *way, last = [int(step) if step.isdigit() else step for step in pointer.split("/")[1:]]
    for step in way:
        data = data[step]
    return data, last


def put(pointer: str, value: Any) -> Corruption:
    """Set what stands at a JSON pointer."""

    def corrupt(folder: Path) -> None:
        data = read_json(folder)
        holder, last = _holder(data, pointer)
        holder[last] = value
        write_json(folder, data)

    return corrupt


def add(pointer: str, value: Any) -> Corruption:
    """Append to the list at a JSON pointer."""

    def corrupt(folder: Path) -> None:
        data = read_json(folder)
        holder, last = _holder(data, pointer)
        holder[last].append(value)
        write_json(folder, data)

    return corrupt


def drop(pointer: str) -> Corruption:
    """Remove what stands at a JSON pointer."""

    def corrupt(folder: Path) -> None:
        data = read_json(folder)
        holder, last = _holder(data, pointer)
        del holder[last]
        write_json(folder, data)

    return corrupt


def text(old: str, new: str) -> Corruption:
    """Replace the first occurrence of some text in spec.json."""

    def corrupt(folder: Path) -> None:
        content = (folder / "spec.json").read_text(encoding="utf-8")
        assert old in content, f"{old} is not in spec.json"
        (folder / "spec.json").write_text(content.replace(old, new, 1), encoding="utf-8")

    return corrupt


def raw(content: bytes) -> Corruption:
    """Replace spec.json."""
    return lambda folder: (folder / "spec.json").write_bytes(content)


def table(name: str, change: Callable[[pa.Table], pa.Table]) -> Corruption:
    """Change a table."""

    def corrupt(folder: Path) -> None:
        changed = change(pq.read_table(folder / f"{name}.parquet"))
        pq.write_table(changed, folder / f"{name}.parquet")
        record(folder, name, rows=changed.num_rows)

    return corrupt


def cell(column: str, row: int, value: Any) -> Corruption:
    """Set one value of the cells table."""
    return table("cells", lambda found: _set(found, column, row, value))


def edge(column: str, row: int, value: Any) -> Corruption:
    """Set one value of the edges table."""
    return table("edges", lambda found: _set(found, column, row, value))


def _set(found: pa.Table, column: str, row: int, value: Any) -> pa.Table:
    at = found.column_names.index(column)
    values = found.column(at).to_pylist()
    values[row] = value
    field = pa.field(column, found.schema.field(at).type)
    return found.set_column(at, field, pa.array(values, field.type))


def record(folder: Path, name: str, *, rows: int) -> None:
    """Write digest and row count of a table into spec.json."""
    data = read_json(folder)
    digest = hashlib.sha256((folder / f"{name}.parquet").read_bytes()).hexdigest()
    data["anatomy"][name] |= {"sha256": digest, "rows": rows}
    write_json(folder, data)


def both(*corruptions: Corruption) -> Corruption:
    """Make two changes, where one alone would be two corruptions."""

    def corrupt(folder: Path) -> None:
        for change in corruptions:
            change(folder)

    return corrupt
