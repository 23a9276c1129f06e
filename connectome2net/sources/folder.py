"""A folder of tables under their published names -> a checked source.

Enters: parquet, feather, csv or csv.gz files, folders of parquet files, the dumps of archived versions, and
``source.toml`` beside them; on this machine or on object storage. Leaves: ``Source``. Tables of synapses and of
connections are scanned where they lie; tables of cells are read.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

import ibis
import pyarrow.ipc
import pyarrow.parquet
from ibis.backends import BaseBackend
from ibis.backends.duckdb import Backend

from connectome2net.errors import SourceError
from connectome2net.sources.about import TOML, read_about
from connectome2net.sources.check import check
from connectome2net.sources.engine import collect, reading, start_engine
from connectome2net.sources.files import FORMS, LARGE, digest, is_text, parts_of, scan
from connectome2net.sources.footer import read_footer
from connectome2net.sources.microns import CONNECTIONS, SYNAPSES, TABLES
from connectome2net.sources.shape import conform
from connectome2net.sources.source import Source, SourceTable
from connectome2net.sources.storage import let_open, place

SCANNED = (SYNAPSES, CONNECTIONS)
"""Tables that may be larger than memory."""
ALSO: Mapping[str, tuple[str, ...]] = {SYNAPSES: ("synapses_pni_2_v1_filtered_view",)}
"""Other names under which a table is published."""
NO_TOML = (
    f"There is no {TOML} beside the tables: they are taken as minnie65_public of unknown materialization, "
    "positions in voxels of 4x4x40 nm as CAVE gives them"
)


def open_folder(
    path: str | os.PathLike[str], *, position_unit: str | None = None, engine: str = "duckdb", master: str | None = None
) -> Source:
    """Open the tables in a folder.

    Args:
        path: the folder, or its address on object storage.
        position_unit: nm, voxel or um; overrules ``source.toml``.
        engine: what scans synapses and connections: ``duckdb`` or ``spark``.
        master: address of the Spark master.

    Returns:
        A checked source. Where synapse rows are there, the connection table is not used.

    Raises:
        SourceError: a table or column is missing, broken, of two materializations or contradicts itself; the engine
            is not there.

    Example:
        >>> open_folder("microns/v1_column")["connections_with_nuclei"].rows  # doctest: +SKIP
        75251
    """
    folder = place(path)
    files = find_tables(folder)
    about = read_about(folder, position_unit=position_unit)
    notes: tuple[str, ...] = () if (folder / TOML).exists() else (NO_TOML,)
    if SYNAPSES in files and CONNECTIONS in files:
        notes += (f"{files[SYNAPSES].name} is there, so {files.pop(CONNECTIONS).name} is not used",)
    materialization = _one_materialization(files, about.materialization)
    large = start_engine(engine, master=master)
    small = large if isinstance(large, Backend) else start_engine()
    return check(
        Source(
            dataset=about.dataset,
            materialization=materialization,
            tables={
                name: _open_large(large, name, file) if name in SCANNED else _open_small(small, name, file)
                for name, file in files.items()
            },
            location=str(folder),
            citation=about.citation,
            position_unit=about.position_unit,
            position_voxel_nm=about.position_voxel_nm,
            notes=notes + tuple(_slow(file) for file in files.values() if is_text(file) and _size(file) > LARGE),
        )
    )


def find_tables(folder: Path) -> dict[str, Path]:
    """Return the file, or the folder of parquet files, of each known table.

    Raises:
        SourceError: there is no folder, or a table is there more than once.
    """
    if not folder.is_dir():
        found = "a file" if folder.exists() else "nothing"
        others = "without tables: --source synthetic or --source cave" if len(folder.parts) == 1 else ""
        raise SourceError(
            "the source is not a folder", where=folder, found=found, wanted="a folder of tables", fix=others
        )
    there = {item.name: item for item in folder.iterdir()}
    tables: dict[str, Path] = {}
    for name in TABLES:
        stems = (name, f"{name}_merged", *ALSO.get(name, ()))
        files = [there[stem + form] for stem in stems for form in (*FORMS, "") if stem + form in there]
        files = [file for file in files if file.suffix or file.is_dir()]
        if len(files) > 1:
            raise SourceError(
                f"the table {name} is there more than once",
                where=folder,
                found=", ".join(file.name for file in files),
                wanted="one file or folder per table",
                fix="remove all but one",
            )
        if files:
            tables[name] = files[0]
    return tables


def _one_materialization(files: Mapping[str, Path], stated: str) -> str:
    """Compare what source.toml and the files' own metadata say of the materialization."""
    says = {TOML: stated} | {file.name: stated_in(file) for file in files.values()}
    known = {where: version for where, version in says.items() if version not in ("", "unknown")}
    if len(set(known.values())) > 1:
        raise SourceError(
            "two materializations",
            where=", ".join(known),
            found=", ".join(f"{version} in {where}" for where, version in known.items()),
            wanted="one version of all tables: root ids of two versions cannot be joined",
            fix="take all tables from one materialization",
        )
    return next(iter(known.values()), "unknown")


def stated_in(file: Path) -> str:
    """Return the materialization that a parquet or feather file names in its metadata."""
    if is_text(file):
        return ""
    part = parts_of(file)[0]
    with reading(file.name), part.open("rb") as opened:
        if part.name.endswith(".feather"):
            schema = pyarrow.ipc.open_file(opened).schema
        else:
            schema = pyarrow.parquet.read_schema(opened)
    return (schema.metadata or {}).get(b"materialization", b"").decode()


def _open_large(engine: BaseBackend, name: str, file: Path) -> SourceTable:
    """Leave a table where it is; look at its rows only where its files do not say what is in them."""
    raw = scan(engine, file)
    footer = None
    if not is_text(file) and not file.name.endswith(".feather"):
        reader = start_engine()
        let_open(reader, file)
        footer = read_footer(reader, [str(part) for part in parts_of(file)])
    table, rows = conform(raw, TABLES[name], file=file.name, footer=footer)
    return SourceTable(name, file.name, rows, digest(file), table)


def _open_small(engine: BaseBackend, name: str, file: Path) -> SourceTable:
    """Read a table, so that no later step reads its file again and every engine can join with it."""
    table, rows = conform(scan(engine, file), TABLES[name], file=file.name)
    return SourceTable(name, file.name, rows, digest(file), ibis.memtable(collect(table, file=file.name)))


def _size(file: Path) -> int:
    return int(file.stat().st_size)


def _slow(file: Path) -> str:
    return f"{file.name} is read from end to end at every step; c2n convert makes parquet of it, once"
