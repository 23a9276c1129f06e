"""Where files lie: on this machine, or on object storage.

Enters: a path, or an address with ``://`` in it. Leaves: a path that can be listed and opened, and which the engine
can open too.
"""

from __future__ import annotations

import os
from datetime import UTC, datetime
from pathlib import Path
from typing import cast

from ibis.backends import BaseBackend

from connectome2net.errors import SourceError

READERS = {"gs": "gcsfs", "gcs": "gcsfs", "s3": "s3fs", "s3a": "s3fs", "http": "aiohttp", "https": "aiohttp"}
"""Packages by kind of address; all go through universal-pathlib."""


def place(text: str | os.PathLike[str]) -> Path:
    """Return the path of a file or folder.

    Args:
        text: a local path, or an address that fsspec knows: ``gs://bucket/folder``, ``s3://``, ``https://``.

    Returns:
        A path. One on object storage has the same methods.

    Raises:
        SourceError: what reads such an address is not installed, or there is nothing that reads it.
    """
    address = str(text)
    if "://" not in address:
        return Path(address)
    from fsspec import available_protocols

    protocol = address.split("://")[0]
    if protocol in ("file", "local") or protocol not in available_protocols():
        raise _unknown(address)
    try:
        from upath import UPath

        remote = UPath(address)
        _ = remote.fs  # is made here, so that what is missing is missed here
    except ImportError as error:
        raise SourceError(
            f"what reads {protocol}:// is not installed",
            where=address,
            found=str(error),
            fix=f"pip install universal-pathlib {READERS.get(protocol, '')}".strip(),
        ) from error
    return cast(Path, remote)


def _unknown(address: str) -> SourceError:
    wanted = "a local path, gs://, s3:// or https://"
    return SourceError("no such kind of storage", where=address, found=address.split("://")[0], wanted=wanted)


def is_local(path: Path) -> bool:
    """Tell whether a file lies on this machine."""
    return isinstance(path, Path)


def let_open(engine: BaseBackend, path: Path) -> None:
    """Let DuckDB open files where a path lies. Spark opens addresses by itself, as its cluster is configured."""
    if engine.name != "duckdb" or is_local(path):
        return
    from fsspec import AbstractFileSystem

    storage, connection = path.fs, engine.con  # type: ignore[attr-defined]
    protocols = [storage.protocol] if isinstance(storage.protocol, str) else storage.protocol
    if {*protocols} & {*connection.list_filesystems()}:
        return
    if type(storage).modified is AbstractFileSystem.modified:  # https:// does not tell, and DuckDB asks
        storage.modified = lambda path: datetime.fromtimestamp(0, UTC)
    connection.register_filesystem(storage)
