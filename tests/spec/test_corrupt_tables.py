"""Corruptions of the two tables, and of what spec.json says of them."""

from __future__ import annotations

from pathlib import Path

import pytest
from corrupting import AGAIN, Case, cell, check, edge, put, record, table


def no_parquet(folder: Path) -> None:
    (folder / "cells.parquet").write_bytes(b"PAR1 and no more")
    record(folder, "cells", rows=12)


def unsorted(found):
    return found.take([1, 0, *range(2, found.num_rows)])


def repeated(found):
    return found.take([0, 0, *range(1, found.num_rows)])


def two_lamina(found):
    return found.append_column("lamina", found.column("lamina"))


def float_index(found):
    return found.set_column(1, "pre_index", found.column("pre_index").cast("float64"))


ACCOUNT = "/anatomy/steps/0"
FILES = [
    Case("account", "pairs", put(f"{ACCOUNT}/lost", 2), ACCOUNT, "12 kept and 2 lost", "together 13", AGAIN),
    Case("digest", "pairs", put("/anatomy/edges/sha256", "0" * 64), "/anatomy/edges/sha256", "", "0" * 64, AGAIN),
    Case("rows", "pairs", put("/anatomy/edges/rows", 36), "/anatomy/edges/rows", "36", "37, the rows of", AGAIN),
    Case(
        "no file",
        "pairs",
        put("/anatomy/cells/file", "a..b"),
        "/anatomy/cells/file",
        "no file a..b",
        "a parquet file beside spec.json",
        AGAIN,
    ),
    Case("no parquet", "pairs", no_parquet, "cells.parquet", "no parquet (", "a parquet table", AGAIN),
    Case(
        "no column",
        "pairs",
        table("cells", lambda found: found.drop_columns("lamina")),
        "cells.parquet/lamina",
        "no such column",
        "a column of string",
        AGAIN,
    ),
    Case(
        "column twice",
        "pairs",
        table("cells", two_lamina),
        "cells.parquet/lamina",
        "2 such columns",
        "a column of string",
        AGAIN,
    ),
    Case(
        "float index",
        "pairs",
        table("edges", float_index),
        "edges.parquet/pre_index",
        "a column of double",
        "a column of int32",
        AGAIN,
    ),
    Case(
        "no type",
        "pairs",
        cell("cell_type", 3, None),
        "cells.parquet/cell_type",
        "1 null",
        "a value in every row",
        AGAIN,
    ),
    Case(
        "cell_index",
        "pairs",
        cell("cell_index", 3, 12),
        "cells.parquet/cell_index",
        "something else",
        "0, 1, 2, ... in the order of the rows",
        AGAIN,
    ),
    Case(
        "nucleus twice",
        "pairs",
        cell("nucleus_id", 3, 1002),
        "cells.parquet/nucleus_id",
        "1002 twice",
        "each cell once",
        AGAIN,
    ),
    Case(
        "source id twice",
        "pairs",
        cell("source_id", 3, "1002"),
        "cells.parquet/source_id",
        "1002 twice",
        "each cell once",
        AGAIN,
    ),
    Case(
        "class",
        "feedforward",
        cell("ei_class", 0, "E"),
        "cells.parquet/ei_class",
        "'E'",
        "one of excitatory, inhibitory, unknown",
        AGAIN,
    ),
    Case(
        "lamina",
        "feedforward",
        cell("lamina", 0, "L23"),
        "cells.parquet/lamina",
        "'L23'",
        "one of L1, L2/3, L4, L5, L6, WM, unknown",
        AGAIN,
    ),
    Case(
        "position NaN",
        "pairs",
        cell("soma_y_nm", 0, float("nan")),
        "cells.parquet/soma_y_nm",
        "nan",
        "a finite number, or null where not measured",
        AGAIN,
    ),
    Case(
        "depth inf",
        "pairs",
        cell("soma_depth_um", 0, float("inf")),
        "cells.parquet/soma_depth_um",
        "inf",
        "a finite number",
        AGAIN,
    ),
    Case(
        "pre beyond the cells",
        "pairs",
        edge("pre_index", 36, 12),
        "edges.parquet/pre_index",
        "12",
        "a cell_index from 0 to 11",
        AGAIN,
    ),
    Case(
        "post below 0",
        "pairs",
        edge("post_index", 0, -1),
        "edges.parquet/post_index",
        "-1",
        "a cell_index from 0 to 11",
        AGAIN,
    ),
    Case(
        "order",
        "pairs",
        table("edges", unsorted),
        "edges.parquet",
        "row 1 out of order",
        "sorted by (post, pre)",
        AGAIN,
    ),
    Case(
        "pair twice",
        "pairs",
        table("edges", repeated),
        "edges.parquet",
        "the pair (post 0, pre 2) twice",
        "each pair once",
        AGAIN,
    ),
    Case("no synapse", "pairs", edge("synapse_count", 0, 0), "edges.parquet/synapse_count", "0", "at least 1", AGAIN),
    Case(
        "size below 0", "pairs", edge("total_size_vx", 0, -5), "edges.parquet/total_size_vx", "-5", "at least 0", AGAIN
    ),
]


@pytest.mark.parametrize("case", FILES, ids=lambda case: case.name)
def test_one_corruption_gives_exactly_its_issue(tmp_path: Path, case: Case) -> None:
    check(case, tmp_path)
