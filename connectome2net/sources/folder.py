"""A folder of tables under their published names -> a checked source.

Enters: parquet, feather, csv or csv.gz files, and ``source.toml`` beside them. Leaves: ``Source``. Tables are not
read into memory: parquet and csv are scanned by DuckDB, feather is mapped.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from pathlib import Path

import ibis
import pyarrow.ipc
import pyarrow.parquet
from ibis.backends.duckdb import Backend

from connectome2net.errors import SourceError
from connectome2net.sources.about import TOML, read_about
from connectome2net.sources.check import check
from connectome2net.sources.files import FORMS, scan
from connectome2net.sources.microns import CONNECTIONS, SYNAPSES, TABLES
from connectome2net.sources.shape import UNREADABLE, conform, unreadable
from connectome2net.sources.source import Source, SourceTable

NO_TOML = (
    f"There is no {TOML} beside the tables: they are taken as minnie65_public of unknown materialization, "
    "positions in voxels of 4x4x40 nm as CAVE gives them"
)


def open_folder(path: str | Path, *, position_unit: str | None = None) -> Source:
    """Open the tables in a folder.

    Args:
        path: the folder.
        position_unit: nm, voxel or um; overrules ``source.toml``.

    Returns:
        A checked source. Where synapse rows are there, the connection table is not used.

    Raises:
        SourceError: a table or column is missing, broken, of two materializations or contradicts itself.

    Example:
        >>> open_folder("microns/v1_column")["connections_with_nuclei"].rows  # doctest: +SKIP
        75251
    """
    folder = Path(path)
    files = _find(folder)
    about = read_about(folder, position_unit=position_unit)
    notes: tuple[str, ...] = () if (folder / TOML).exists() else (NO_TOML,)
    if SYNAPSES in files and CONNECTIONS in files:
        notes += (f"{files[SYNAPSES].name} is there, so {files.pop(CONNECTIONS).name} is not used",)
    materialization = _one_materialization(files, about.materialization)
    engine = ibis.duckdb.connect()
    return check(
        Source(
            dataset=about.dataset,
            materialization=materialization,
            tables={name: _open(engine, name, file) for name, file in files.items()},
            location=str(folder),
            citation=about.citation,
            position_unit=about.position_unit,
            position_voxel_nm=about.position_voxel_nm,
            notes=notes,
        )
    )


def _find(folder: Path) -> dict[str, Path]:
    """Return the file of each known table."""
    if not folder.is_dir():
        found = "a file" if folder.exists() else "nothing"
        raise SourceError("The source is not a folder", where=folder, found=found, wanted="a folder of tables")
    found_files: dict[str, Path] = {}
    for name in TABLES:
        files = [folder / (name + form) for form in FORMS if (folder / (name + form)).is_file()]
        if len(files) > 1:
            raise SourceError(
                f"The table {name} is there more than once",
                where=folder,
                found=", ".join(file.name for file in files),
                wanted="one file per table",
                fix="remove all but one",
            )
        if files:
            found_files[name] = files[0]
    return found_files


def _one_materialization(files: Mapping[str, Path], stated: str) -> str:
    """Compare what source.toml and the files' own metadata say of the materialization."""
    says = {TOML: stated} | {file.name: _stated_in(file) for file in files.values()}
    known = {where: version for where, version in says.items() if version not in ("", "unknown")}
    if len(set(known.values())) > 1:
        raise SourceError(
            "Two materializations",
            where=", ".join(known),
            found=", ".join(f"{version} in {where}" for where, version in known.items()),
            wanted="one version of all tables: root ids of two versions cannot be joined",
            fix="take all tables from one materialization",
        )
    return next(iter(known.values()), "unknown")


def _stated_in(file: Path) -> str:
    """Return the materialization that a parquet or feather file names in its metadata."""
    try:
        if file.suffix == ".parquet":
            schema = pyarrow.parquet.read_schema(file)
        elif file.suffix == ".feather":
            with pyarrow.memory_map(str(file)) as mapped:
                schema = pyarrow.ipc.open_file(mapped).schema
        else:
            return ""
    except UNREADABLE as error:
        raise unreadable(file.name, error) from error
    return (schema.metadata or {}).get(b"materialization", b"").decode()


def _open(engine: Backend, name: str, file: Path) -> SourceTable:
    table, rows = conform(scan(engine, file), TABLES[name], file=file.name)
    with file.open("rb") as opened:
        digest = hashlib.file_digest(opened, "sha256").hexdigest()
    return SourceTable(name, file.name, rows, digest, table)
