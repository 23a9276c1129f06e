"""A spec -> three files.

Enters: a ``Spec``. Leaves: spec.json, cells.parquet, edges.parquet in one folder, all or none.
"""

from __future__ import annotations

import json
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from connectome2net.errors import SpecError
from connectome2net.spec.digest import digest_bytes
from connectome2net.spec.model import Spec, SpecDocument, TableFile


def table_bytes(table: pa.Table) -> bytes:
    """Return a table as parquet; equal tables give equal bytes."""
    sink = pa.BufferOutputStream()
    pq.write_table(table, sink, compression="zstd", store_schema=True)
    return sink.getvalue().to_pybytes()


def make_spec(document: SpecDocument, *, cells: pa.Table, edges: pa.Table) -> Spec:
    """Return a spec whose document carries the digests and row counts of its tables."""
    record = {
        name: TableFile(file=f"{name}.parquet", sha256=digest_bytes(table_bytes(table)), rows=table.num_rows)
        for name, table in (("cells", cells), ("edges", edges))
    }
    anatomy = document.anatomy.model_copy(update=record)
    return Spec(document.model_copy(update={"anatomy": anatomy}), cells, edges)


def document_text(document: SpecDocument) -> str:
    """Return spec.json as text: what was left at its default is left out, except the format."""
    content = document.model_dump(mode="json", exclude_defaults=True)
    content = {"format": document.format, "format_version": document.format_version} | content
    return json.dumps(content, indent=2, ensure_ascii=False) + "\n"


def write_spec(spec: Spec, folder: str | Path, *, force: bool = False) -> Path:
    """Write a spec and its tables.

    Args:
        spec: what to write.
        folder: where; made if it is not there.
        force: write over another spec that lies there.

    Returns:
        The path of spec.json.

    Raises:
        SpecError: another spec lies there.
    """
    folder = Path(folder)
    path = folder / "spec.json"
    text = document_text(spec.document)
    if path.exists() and not force and path.read_text() != text:
        raise SpecError(
            "another spec lies here",
            where=path,
            wanted="an empty place, so that nobody's edits are lost",
            fix="choose another folder with --out, or write over it with --force",
        )
    contents = {
        spec.anatomy.cells.file: table_bytes(spec.cells),
        spec.anatomy.edges.file: table_bytes(spec.edges),
        "spec.json": text.encode(),
    }
    folder.mkdir(parents=True, exist_ok=True)
    for name, content in contents.items():
        (folder / f".{name}.part").write_bytes(content)
    for name in contents:
        (folder / f".{name}.part").replace(folder / name)
    return path
