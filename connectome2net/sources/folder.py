"""A folder of tables under their published names -> a checked source.

Enters: parquet, feather, csv or csv.gz files, and ``source.toml`` beside them. Leaves: ``Source``. Tables are not
read into memory: parquet and csv are scanned by DuckDB, feather is mapped.
"""

from __future__ import annotations

import hashlib
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import ibis
import ibis.expr.types as ir
import pyarrow.feather
import pyarrow.parquet

from connectome2net.errors import SourceError
from connectome2net.sources.check import check
from connectome2net.sources.microns import CITATION, CONNECTIONS, SYNAPSES, TABLES, VOXEL_NM
from connectome2net.sources.shape import UNREADABLE, conform, unreadable
from connectome2net.sources.source import Source, SourceTable, checked_unit, missing_table

FORMS = (".parquet", ".feather", ".csv", ".csv.gz")
TOML = "source.toml"
TOML_KEYS = ("dataset", "materialization", "position_unit", "position_voxel_nm", "citation")
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
    about = _read_toml(folder / TOML)
    notes: tuple[str, ...] = () if about else (NO_TOML,)
    if SYNAPSES in files and CONNECTIONS in files:
        notes += (f"{files[SYNAPSES].name} is there, so {files.pop(CONNECTIONS).name} is not used",)
    if not files:
        raise missing_table(", ".join(TABLES), folder, {})
    materialization = _one_materialization(files, str(about.get("materialization", "unknown")))
    engine = ibis.duckdb.connect()
    return check(
        Source(
            dataset=about.get("dataset", "minnie65_public"),
            materialization=materialization,
            tables={name: _open(engine, name, file) for name, file in files.items()},
            location=str(folder),
            citation=tuple(about.get("citation", CITATION)),
            position_unit=checked_unit(
                position_unit or about.get("position_unit", "voxel"),
                where="--position-unit" if position_unit else f"{TOML}, position_unit",
            ),
            position_voxel_nm=tuple(about.get("position_voxel_nm", VOXEL_NM)),
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


def _read_toml(path: Path) -> Mapping[str, Any]:
    if not path.exists():
        return {}
    try:
        about = tomllib.loads(path.read_text(encoding="utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError, OSError) as error:
        raise unreadable(path, error) from error
    if unknown := [key for key in about if key not in TOML_KEYS]:
        raise SourceError(
            "Unknown key in source.toml", where=path, found=", ".join(unknown), wanted=", ".join(TOML_KEYS)
        )
    texts = [about.get("dataset", ""), *_as_list(about.get("citation", []))]
    voxel = about.get("position_voxel_nm", list(VOXEL_NM))
    sizes_fit = isinstance(voxel, list) and len(voxel) == 3 and all(isinstance(x, int | float) and x > 0 for x in voxel)
    if not (all(isinstance(text, str) for text in texts) and sizes_fit):
        raise SourceError(
            "A value in source.toml is not understood",
            where=path,
            found=f"{about}",
            wanted="text, a list of texts for citation, three sizes in nm for position_voxel_nm",
        )
    return about | ({"citation": _as_list(about["citation"])} if "citation" in about else {})


def _as_list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]


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


def _open(engine: ibis.backends.duckdb.Backend, name: str, file: Path) -> SourceTable:
    try:
        raw = _scan(engine, file)
    except UNREADABLE as error:
        raise unreadable(file.name, error) from error
    table, rows = conform(raw, TABLES[name], file=file.name)
    with file.open("rb") as opened:
        digest = hashlib.file_digest(opened, "sha256").hexdigest()
    return SourceTable(name, file.name, rows, digest, table)


def _scan(engine: ibis.backends.duckdb.Backend, file: Path) -> ir.Table:
    """Let DuckDB see a file. CSV comes as text, so that no reader guesses that an id is a float."""
    if file.suffix == ".parquet":
        return engine.read_parquet(file)
    if file.suffix == ".feather":
        return ibis.memtable(pyarrow.feather.read_table(file, memory_map=True))
    return engine.read_csv(file, all_varchar=True, header=True, delim=",")
