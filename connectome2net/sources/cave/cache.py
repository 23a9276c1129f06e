"""What was downloaded, kept on disk.

Enters: rows of one query. Leaves: the same rows, as often as they are wanted, as long as the file is whole. A file has
its final name only when it is complete, so a killed download leaves pieces and never half a piece.
"""

from __future__ import annotations

import os
import re
import tempfile
import time
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet

from connectome2net.errors import SourceError
from connectome2net.sources.cave.address import Address

STALE_S = 3600
"""A temporary file of this age was left by a process that was killed."""


@dataclass(frozen=True)
class Cache:
    """Tables of one version.

    Attributes:
        folder: ``cave/SERVER/DATASTACK/VERSION`` in the cache.
    """

    folder: Path

    def file(self, table: str, name: str) -> Path:
        """Return where a query, or a piece of one, is kept."""
        return self.folder / table / f"{name}.parquet"

    def read(self, table: str, name: str) -> pa.Table | None:
        """Return what is kept; None where there is nothing or where the file is broken."""
        try:
            # a damaged page is noticed by its checksum, a file of another origin by its metadata
            kept = pa.parquet.read_table(
                self.file(table, name), page_checksum_verification=True, use_threads=False, memory_map=False
            )
        except (OSError, pa.ArrowException):
            return None
        about = kept.schema.metadata or {}
        complete = about.get(b"query") == name.encode() and about.get(b"rows") == str(kept.num_rows).encode()
        return kept.replace_schema_metadata(None) if complete else None

    def write(self, table: str, name: str, rows: pa.Table) -> Path:
        """Keep rows.

        Raises:
            SourceError: the disk is full or the folder cannot be written.
        """
        about = {"query": name, "rows": str(rows.num_rows), "materialization": self.folder.name}
        path = self.file(table, name)
        with _Writing(path) as unfinished:
            pa.parquet.write_table(rows.replace_schema_metadata(about), unfinished, write_page_checksum=True)
        return path

    def tables(self) -> list[str]:
        """Return the tables that the server is known to have; none where it was not asked yet."""
        try:
            return (self.folder / "tables.txt").read_text().split()
        except OSError:
            return []

    def write_tables(self, tables: Iterable[str]) -> None:
        """Keep the list of tables."""
        with _Writing(self.folder / "tables.txt") as unfinished:
            unfinished.write_text("\n".join(tables) + "\n")

    def remove(self, table: str, names: Iterable[str]) -> None:
        """Remove pieces, and what killed downloads left of others."""
        for name in names:
            self.file(table, name).unlink(missing_ok=True)
        for left in (self.folder / table).glob(".*.part"):
            if left.exists() and time.time() - left.stat().st_mtime > STALE_S:
                left.unlink(missing_ok=True)


class _Writing:
    """A file that appears whole under its name, or not at all."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __enter__(self) -> Path:
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            handle, unfinished = tempfile.mkstemp(dir=self.path.parent, prefix=".", suffix=".part")
        except OSError as error:
            raise _unwritable(self.path, error) from error
        os.close(handle)
        self.unfinished = Path(unfinished)
        return self.unfinished

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: object) -> None:
        try:
            if error is None:
                self.unfinished.replace(self.path)
        except OSError as failed:
            error = failed
        if error is not None:
            self.unfinished.unlink(missing_ok=True)
        if isinstance(error, OSError):
            raise _unwritable(self.path, error) from error


def _unwritable(path: Path, error: OSError) -> SourceError:
    return SourceError(
        "The cache cannot be written",
        where=path.parent,
        found=error.strerror or error,
        fix="make room or permit writing there, or name another folder: C2N_CACHE=DIR",
    )


def cache_root(folder: str | os.PathLike[str] | None = None) -> Path:
    """Return the cache: the folder named, else ``C2N_CACHE``, else that of the platform."""
    if chosen := os.fspath(folder) if folder is not None else os.environ.get("C2N_CACHE"):
        return Path(chosen).expanduser()
    above = os.environ.get("XDG_CACHE_HOME")
    return (Path(above) if above else Path.home() / ".cache") / "connectome2net"


def cache_of(address: Address, folder: str | os.PathLike[str] | None = None) -> Cache:
    """Return the part of the cache that belongs to a version."""
    server = re.sub(r"\W+", "-", address.server.partition("://")[2] or address.server)
    return Cache(cache_root(folder) / "cave" / server / address.datastack / str(address.version))
