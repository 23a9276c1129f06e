"""What was downloaded, kept on disk.

Enters: rows of one query. Leaves: the same rows, as often as they are wanted, as long as the file is whole. A file has
its final name only when it is complete, so a killed download leaves pieces and never half a piece.
"""

from __future__ import annotations

import hashlib
import os
import re
import tempfile
import time
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet

from connectome2net.cache import cache_root
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

    def find(self, table: str, name: str) -> Path | None:
        """Return the file that keeps a query, or a piece of one; None if it is not there or broken."""
        for file in sorted((self.folder / table).glob(f"{name}-*.parquet")):
            if _sha256(file) == file.stem.removeprefix(f"{name}-"):
                return file
        return None

    def read(self, table: str, name: str) -> pa.Table | None:
        """Return what is kept, or None."""
        if (file := self.find(table, name)) is None:
            return None
        try:
            return pa.parquet.read_table(file, memory_map=False)
        except FileNotFoundError:  # another process has just finished with it
            return None

    def write(self, table: str, name: str, rows: pa.Table) -> Path:
        """Keep rows; the name of their file has its digest, so that a damaged file is noticed.

        The file appears whole under its name, or not at all.

        Raises:
            SourceError: the disk is full or the folder cannot be written.
        """
        folder = self.folder / table
        try:
            folder.mkdir(parents=True, exist_ok=True)
            handle, text = tempfile.mkstemp(dir=folder, prefix=".", suffix=".part")
            os.close(handle)
            unfinished = Path(text)
            try:
                pa.parquet.write_table(rows, unfinished)
                return unfinished.replace(folder / f"{name}-{_sha256(unfinished)}.parquet")
            finally:
                unfinished.unlink(missing_ok=True)
        except OSError as error:
            raise _unwritable(folder, error) from error

    def remove(self, table: str, names: Iterable[str]) -> None:
        """Remove pieces, and what killed downloads left of others."""
        for name in names:
            for piece in (self.folder / table).glob(f"{name}-*.parquet"):
                piece.unlink(missing_ok=True)
        for left in (self.folder / table).glob(".*.part"):
            with suppress(FileNotFoundError):  # another process has finished with it
                if time.time() - left.stat().st_mtime > STALE_S:
                    left.unlink()


def _sha256(file: Path) -> str:
    try:
        with file.open("rb") as opened:
            return hashlib.file_digest(opened, "sha256").hexdigest()
    except FileNotFoundError:  # another process has finished with it
        return ""


def _unwritable(folder: Path, error: OSError) -> SourceError:
    return SourceError(
        "the cache cannot be written",
        where=folder,
        found=error.strerror or error,
        fix="make room or permit writing there, or name another folder: C2N_CACHE=DIR",
    )


def cache_of(address: Address, folder: str | os.PathLike[str] | None = None) -> Cache:
    """Return the part of the cache that belongs to a version."""
    server = re.sub(r"\W+", "-", address.server.partition("://")[2] or address.server)
    root = cache_root() if folder is None else Path(folder).expanduser()
    return Cache(root / "cave" / server / address.datastack / str(address.version))
