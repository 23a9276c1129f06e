"""A spec -> three files.

Enters: a ``Spec``. Leaves: spec.json, cells.parquet, edges.parquet in one folder, all or none.
"""

from __future__ import annotations

import json
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from connectome2net.atomic import write_files
from connectome2net.errors import SpecError
from connectome2net.spec.digest import digest_bytes
from connectome2net.spec.model import Spec, SpecDocument


def table_bytes(table: pa.Table) -> bytes:
    """Return a table as parquet; equal tables give equal bytes."""
    sink = pa.BufferOutputStream()
    pq.write_table(table.replace_schema_metadata(None).combine_chunks(), sink, compression="zstd")
    return sink.getvalue().to_pybytes()


def make_spec(document: SpecDocument, *, cells: pa.Table, edges: pa.Table) -> Spec:
    """Return a spec whose document carries the digests and row counts of its tables."""
    return Spec(_with_digests(document, _table_files(cells, edges), cells, edges), cells, edges)


def document_text(document: SpecDocument) -> str:
    """Return spec.json as text: every assumption, defaults too; parts that are switched off are left out."""
    content = document.model_dump(mode="json", exclude_none=True)
    return json.dumps(content, indent=2, ensure_ascii=False) + "\n"


def spec_file(folder: str | Path) -> Path:
    """Return where spec.json lies in a folder; a path of spec.json stands for its folder, as in ``read_spec``."""
    path = Path(folder)
    return path if path.name == "spec.json" else path / "spec.json"


def write_spec(spec: Spec, folder: str | Path, *, force: bool = False) -> Path:
    """Write a spec and its tables.

    Args:
        spec: what to write.
        folder: where, or the spec.json to be; made if it is not there.
        force: write over another spec that lies there.

    Returns:
        The path of spec.json.

    Raises:
        SpecError: another spec or other tables lie there, or the folder is a file.
    """
    path = spec_file(folder)
    folder = path.parent
    # Digests anew, because another release of arrow writes the same table in other bytes.
    files = _table_files(spec.cells, spec.edges)
    document = _with_digests(spec.document, files, spec.cells, spec.edges)
    files["spec.json"] = document_text(document).encode()
    _refuse_others(folder, files, force=force)
    folder.mkdir(parents=True, exist_ok=True)
    write_files({folder / name: content for name, content in files.items()})
    return path


def _table_files(cells: pa.Table, edges: pa.Table) -> dict[str, bytes]:
    return {"cells.parquet": table_bytes(cells), "edges.parquet": table_bytes(edges)}


def _with_digests(document: SpecDocument, files: dict[str, bytes], cells: pa.Table, edges: pa.Table) -> SpecDocument:
    anatomy, record = document.anatomy, {}
    for name, table, old in (("cells", cells, anatomy.cells), ("edges", edges, anatomy.edges)):
        file = f"{name}.parquet"
        facts = {"file": file, "sha256": digest_bytes(files[file]), "rows": table.num_rows}
        record[name] = old.model_copy(update=facts)
    return document.model_copy(update={"anatomy": anatomy.model_copy(update=record)})


def _refuse_others(folder: Path, files: dict[str, bytes], *, force: bool) -> None:
    if folder.exists() and not folder.is_dir():
        raise SpecError("a file lies here", where=folder, wanted="a folder", fix="choose another folder with --out")
    for name, content in files.items():
        path = folder / name
        if path.exists() and not force and path.read_bytes() != content:
            raise SpecError(
                "another spec lies here",
                where=path,
                wanted="an empty place, so that nobody's edits are lost",
                fix="choose another folder with --out, or write over it with --force",
            )
