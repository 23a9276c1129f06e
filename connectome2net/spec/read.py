"""Three files -> a spec that is known to be valid.

Enters: the path of spec.json or of its folder. Leaves: a ``Spec``, or one error with every issue.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
from pydantic import ValidationError

from connectome2net.errors import Issue, SpecError
from connectome2net.spec.digest import digest_bytes
from connectome2net.spec.model import FORMAT_VERSION, Spec, SpecDocument, TableFile
from connectome2net.spec.tables import CELLS_SCHEMA, EDGES_SCHEMA
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
    document, issues = _parse(path.read_bytes())
    if document is None:
        return None, issues
    tables = {}
    for name, record, schema in (
        ("cells", document.anatomy.cells, CELLS_SCHEMA),
        ("edges", document.anatomy.edges, EDGES_SCHEMA),
    ):
        table, found = _read_table(path.parent, name, record, schema)
        issues += found
        if table is not None:
            tables[name] = table
    if len(tables) < 2:
        return None, issues
    spec = Spec(document, tables["cells"], tables["edges"])
    return spec, issues + validate(spec)


def _parse(content: bytes) -> tuple[SpecDocument | None, list[Issue]]:
    try:
        data = json.loads(content)
    except (ValueError, RecursionError) as error:
        return None, [Issue("/", f"no JSON ({error})", "a JSON object", "mend the text or extract again")]
    version = data.get("format_version") if isinstance(data, dict) else None
    if isinstance(version, int) and version > FORMAT_VERSION:
        return None, [Issue("/format_version", str(version), f"at most {FORMAT_VERSION}", "use a newer connectome2net")]
    try:
        return SpecDocument.model_validate_json(content, strict=True), []
    except ValidationError as error:
        return None, [_shape_issue(data, item) for item in error.errors(include_url=False)]


def _shape_issue(data: Any, item: Any) -> Issue:
    path, found = _pointer(data, item["loc"])
    kind, message = item["type"], item["msg"]
    if kind == "missing":
        return Issue(path, "nothing", "a value", "add it")
    if kind == "extra_forbidden":
        return Issue(path, "a key that the format does not have", "no such key", "remove it or mend its spelling")
    return Issue(path, _short(found), message[0].lower() + message[1:])


def _pointer(data: Any, location: Sequence[int | str]) -> tuple[str, Any]:
    """Return the JSON pointer of a pydantic location, without the tags that pydantic puts in for unions."""
    path = ""
    for depth, step in enumerate(location):
        inside = isinstance(data, dict) and step in data
        inside |= isinstance(data, list) and isinstance(step, int) and step < len(data)
        if inside:
            data = data[step]
        elif depth < len(location) - 1 or not isinstance(data, dict):
            continue
        path += "/" + str(step).replace("~", "~0").replace("/", "~1")
    return path or "/", data


def _short(value: Any) -> str:
    text = json.dumps(value, ensure_ascii=False, default=str)
    return text if len(text) <= 60 else text[:57] + "..."


def _read_table(folder: Path, name: str, record: TableFile, schema: pa.Schema) -> tuple[pa.Table | None, list[Issue]]:
    path, pointer = folder / record.file, f"/anatomy/{name}"
    again = "extract again; the tables are not meant to be edited"
    if not path.is_file():
        return None, [Issue(f"{pointer}/file", f"no file {record.file}", "a parquet file beside spec.json", again)]
    content = path.read_bytes()
    issues = []
    if (digest := digest_bytes(content)) != record.sha256:
        issues.append(Issue(f"{pointer}/sha256", digest, record.sha256, again))
    try:
        table = pq.read_table(pa.BufferReader(content))
    except (pa.ArrowException, OSError, ValueError) as error:
        return None, [*issues, Issue(record.file, f"no parquet ({error})", "a parquet table", again)]
    if table.num_rows != record.rows:
        issues.append(Issue(f"{pointer}/rows", f"{table.num_rows} rows", f"{record.rows} rows", again))
    shape = []
    for field in schema:
        column = f"{record.file}/{field.name}"
        if field.name not in table.column_names:
            shape.append(Issue(column, "no such column", f"a column of {field.type}", again))
        elif not _same_type(table.schema.field(field.name).type, field.type):
            shape.append(Issue(column, str(table.schema.field(field.name).type), str(field.type), again))
        elif not field.nullable and table.column(field.name).null_count:
            shape.append(Issue(column, f"{table.column(field.name).null_count} nulls", "a value in every row", again))
    return (None if shape else table), issues + shape


def _same_type(found: pa.DataType, wanted: pa.DataType) -> bool:
    return found == wanted or (pa.types.is_large_string(found) and pa.types.is_string(wanted))
