"""Three files -> a spec that is known to be valid.

Enters: the path of spec.json or of its folder. Leaves: a ``Spec``, or one error with every issue.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pyarrow as pa

from connectome2net.errors import Issue, SpecError
from connectome2net.spec.digest import digest_bytes
from connectome2net.spec.model import Spec, TableFile
from connectome2net.spec.parquet import AGAIN, read_table
from connectome2net.spec.parse import parse_document, too_long
from connectome2net.spec.tables import CELLS_OPTIONAL, CELLS_SCHEMA, EDGES_OPTIONAL, EDGES_SCHEMA
from connectome2net.spec.validate import validate


def read_spec(path: str | Path) -> Spec:
    """Read and validate a spec.

    Args:
        path: spec.json, or the folder that holds it.

    Returns:
        The spec, valid.

    Raises:
        SpecError: with all issues, each with its place, what was found, what was wanted, and the way out.
    """
    spec, issues = open_spec(path)
    if issues or spec is None:
        raise SpecError(f"{path} is not valid: {len(issues)} issue{'s' * (len(issues) != 1)}", issues)
    return spec


def open_spec(path: str | Path) -> tuple[Spec | None, list[Issue]]:
    """Return a spec if its files have the right shape, and everything that is wrong with it.

    Raises:
        SpecError: there is no such file.
    """
    path = Path(path)
    path = path / "spec.json" if path.is_dir() else path
    if not path.is_file():
        raise SpecError(
            "there is no spec here", where=path, fix="make one with: c2n extract --column v1 --source synthetic"
        )
    if long := too_long(path.stat().st_size):
        return None, [long]
    document, issues = parse_document(path.read_bytes())
    if document is None:
        return None, issues
    anatomy = document.anatomy
    cells, cell_issues = _read_table(path.parent, "cells", anatomy.cells, CELLS_SCHEMA, CELLS_OPTIONAL)
    edges, edge_issues = _read_table(path.parent, "edges", anatomy.edges, EDGES_SCHEMA, EDGES_OPTIONAL)
    issues = cell_issues + edge_issues
    if cells is None or edges is None:
        return None, issues
    spec = Spec(document, cells, edges)
    return spec, issues + validate(spec)


def _read_table(
    folder: Path, name: str, record: TableFile, required: pa.Schema, optional: pa.Schema
) -> tuple[pa.Table | None, list[Issue]]:
    """Return a table if it has the columns of its schema, and everything that is wrong with its file."""
    path, pointer = folder / record.file, f"/anatomy/{name}"
    if not path.is_file():
        return None, [Issue(f"{pointer}/file", f"no file {record.file}", "a parquet file beside spec.json", AGAIN)]
    content = path.read_bytes()
    table, issues = read_table(content, record.file)
    if (digest := digest_bytes(content)) != record.sha256:
        issues = [Issue(f"{pointer}/sha256", digest, record.sha256, AGAIN), *issues]
    if table is None:
        return None, issues
    if table.num_rows != record.rows:
        issues.append(Issue(f"{pointer}/rows", f"{record.rows}", f"{table.num_rows}, the rows of {record.file}", AGAIN))
    schema = pa.schema([*required, *(field for field in optional if field.name in table.column_names)])
    shape = [*_columns(table, record.file, schema)]
    return (None if shape else _cast(table, schema)), issues + shape


def _columns(table: pa.Table, file: str, schema: pa.Schema) -> Iterator[Issue]:
    for field in schema:
        path, wanted = f"{file}/{field.name}", f"a column of {field.type}"
        if (times := table.column_names.count(field.name)) != 1:
            yield Issue(path, f"{times} such columns" if times else "no such column", wanted, AGAIN)
        elif (found := table.schema.field(field.name).type) != field.type and not _is_text(found, field.type):
            yield Issue(path, f"a column of {found}", wanted, AGAIN)
        elif not field.nullable and (nulls := table.column(field.name).null_count):
            yield Issue(path, f"{nulls} null{'s' * (nulls != 1)}", "a value in every row", AGAIN)


def _is_text(found: pa.DataType, wanted: pa.DataType) -> bool:
    return pa.types.is_large_string(found) and pa.types.is_string(wanted)


def _cast(table: pa.Table, schema: pa.Schema) -> pa.Table:
    """Return the table with exactly the types of its schema; columns of its own are kept."""
    for field in schema:
        at = table.column_names.index(field.name)
        table = table.set_column(at, field, table.column(at).cast(field.type))
    return table.combine_chunks()  # numpy then sees each column where it lies
