"""Specs that were made to take all the time or memory there is: one clear issue each, soon."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from columns import twelve_cells
from corrupting import read_json, record, write_json

from connectome2net.errors import Issue, SpecError
from connectome2net.spec import open_spec, read_spec, write_spec
from connectome2net.spec.parquet import read_table

MOST_SECONDS = 5


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    write_spec(twelve_cells("pairs"), tmp_path)
    return tmp_path


def issues_of(folder: Path) -> list[Issue]:
    """What is wrong with a spec; asked for soon."""
    start = time.process_time()
    _, issues = open_spec(folder)
    assert time.process_time() - start < MOST_SECONDS
    return issues


def text_of(folder: Path, change: Callable[[Any], object]) -> None:
    data = read_json(folder)
    change(data)
    write_json(folder, data)


def test_a_hundred_megabytes(folder: Path) -> None:
    with (folder / "spec.json").open("r+b") as file:
        file.truncate(100 * 1024**2)
    (issue,) = issues_of(folder)
    assert str(issue) == "/: found 104,857,600 bytes; wanted at most 67,108,864 -> extract again"


def test_millions_of_values(folder: Path) -> None:
    (folder / "spec.json").write_text("[" + "1," * 2_500_000 + "1]")
    (issue,) = issues_of(folder)
    assert str(issue) == "/: found 2,500,000 commas; wanted at most 2,000,000 -> extract again"


def test_hundreds_of_thousands_of_wrong_values(folder: Path) -> None:
    text_of(folder, lambda data: data["anatomy"].update(steps=[1] * 300_000))
    (issue,) = issues_of(folder)
    assert str(issue) == "/: found 300,000 places that do not fit; wanted SpecDocument -> extract again"


def test_many_issues_are_not_all_printed(folder: Path) -> None:
    text_of(folder, lambda data: data["anatomy"].update(steps=[1] * 9_000))
    with pytest.raises(SpecError, match=r"(?s)is not valid: 9000 issues.*and 8,900 more$") as error:
        read_spec(folder)
    assert len(error.value.issues) == 9_000
    assert len(str(error.value)) < 20_000


def test_a_late_key_twice_among_many(folder: Path) -> None:
    keys = ",".join(f'"k{at}": 1' for at in [*range(200_000), 199_999])
    (folder / "spec.json").write_text("{" + keys + "}")
    (issue,) = issues_of(folder)
    assert issue.found.startswith('no JSON (the key "k199999" twice in {"k0": 1')
    assert len(str(issue)) < 300


@pytest.mark.parametrize(("kind", "most"), [("populations", 1024), ("projections", 4096), ("schedule", 256)])
def test_more_parts_than_any_network_has(folder: Path, kind: str, most: int) -> None:
    text_of(folder, lambda data: data["network"].update({kind: data["network"][kind][:1] * (most + 1)}))
    (issue,) = issues_of(folder)
    assert issue.path == f"/network/{kind}"
    assert issue.wanted.startswith(f"at most {most} items")


def test_as_many_parts_as_there_may_be(folder: Path) -> None:
    """All pairs of 1,024 populations in each of 1,000 projections, over phases of 4,096 steps with long delays."""

    def change(data: Any) -> None:
        network = data["network"]
        network["populations"] = [{"name": f"p{at}", "select": {"cell_type": [f"{at}"]}} for at in range(1024)]
        network["projections"] = [{"name": f"w{at}", "delay_steps": 4096} for at in range(1000)]
        network["schedule"] = [{"populations": ["*"], "steps": 4096}] * 256
        network["input"]["population"] = network["readout"]["populations"][0] = "p0"
        network["readout"]["populations"] = ["p1"]

    text_of(folder, change)
    found = issues_of(folder)
    assert len(found) == 1024
    assert str(found[0]).startswith("/network/populations/0/select: found no cell; wanted at least one; cell_type from")


def test_many_unknown_names_are_not_a_long_text_each(folder: Path) -> None:
    def change(data: Any) -> None:
        network = data["network"]
        network["populations"] = [{"name": f"p{at}", "select": {}} for at in range(1024)]
        network["projections"] = [{"name": f"w{at}", "pre": [f"x{at}"]} for at in range(4096)]

    text_of(folder, change)
    found = issues_of(folder)
    assert len(found) > 4096
    assert max(len(issue.wanted) for issue in found) < 1000
    assert any(issue.wanted.endswith("p98, p99, and 924 more") for issue in found)


def test_long_texts_are_cut_where_they_are_shown(folder: Path) -> None:
    text_of(folder, lambda data: data["network"].update({"x" * 100_000: 1}))
    (issue,) = issues_of(folder)
    assert len(issue.path) > 100_000
    assert len(str(issue)) < 2_000


# Tables


def write_edges(folder: Path, table: pa.Table, *, rows: int) -> Path:
    path = folder / "edges.parquet"
    pq.write_table(table, path, compression="zstd")
    record(folder, "edges", rows=rows)
    return path


def test_a_table_of_rows_that_its_bytes_do_not_justify(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Rows of one value take nearly no bytes; a file that was made by hand could tell of billions."""
    monkeypatch.setattr("connectome2net.spec.parquet.ALWAYS_BYTES", 2**20)
    monkeypatch.setattr("connectome2net.spec.parquet.MOST_TIMES", 100)
    zeros = pa.array(np.zeros(2_000_000, np.int32))
    schema = pa.schema([pa.field(name, pa.int32()) for name in ("post_index", "pre_index", "synapse_count")])
    path = write_edges(folder, pa.table([zeros] * 3, schema=schema), rows=2_000_000)
    (issue,) = issues_of(folder)
    size = path.stat().st_size
    assert str(issue).startswith(
        f"edges.parquet: found 2,000,000 rows of 24,000,000 bytes in a file of {size:,}; "
        f"wanted at most {max(100 * size, 2**20):,} bytes of rows -> extract again"
    )


def test_a_column_that_repeats_a_long_text(folder: Path) -> None:
    """One text of a megabyte in 2,000 rows is a file of a kilobyte, and 2 GB of texts."""
    table = pq.read_table(folder / "edges.parquet")
    text = pa.DictionaryArray.from_arrays(pa.array(np.zeros(2_000, np.int32)), pa.array(["x" * 2**20]))
    write_edges(folder, pa.table({"note": text, "more": np.zeros(2_000)}), rows=2_000)
    whole = (folder / "edges.parquet").read_bytes()
    assert len(whole) < 20_000
    found, issues = read_table(whole, "edges.parquet")
    assert found is None
    assert issues[0].found.startswith("2,000 rows of 2,097,184,000 bytes")
    assert table.num_rows == 37


def test_columns_of_lists(folder: Path) -> None:
    table = pq.read_table(folder / "edges.parquet")
    lists = pa.array([[1]] * table.num_rows)
    write_edges(folder, table.append_column("mine", lists), rows=table.num_rows)
    (issue,) = issues_of(folder)
    assert issue.path == "edges.parquet/mine"
    assert issue.found.startswith("a column of list<")
    assert issue.wanted == "columns of numbers, text or truth values"


@pytest.mark.parametrize(
    "column",
    [
        pa.array(["a", None, "b"] * 4),
        pa.array(["a", None, "b"] * 4, pa.large_string()),
        pa.array([b"a", None, b""] * 4),
        pa.array(["a", None, "b"] * 4).dictionary_encode(),
        pa.array([True, None, False] * 4),
        pa.array([1.5, None, -1] * 4),
        pa.nulls(12),
    ],
    ids=lambda column: str(column.type),
)
def test_columns_of_every_flat_kind_are_read_as_they_are(tmp_path: Path, column: pa.Array) -> None:
    table = pa.table({"mine": column, "other": pa.array(range(12))})
    pq.write_table(table, tmp_path / "table.parquet", row_group_size=5)
    found, issues = read_table((tmp_path / "table.parquet").read_bytes(), "table.parquet")
    assert issues == []
    assert found.equals(pq.read_table(tmp_path / "table.parquet"))
    assert json.dumps(found.column("other").to_pylist()) == json.dumps(list(range(12)))
