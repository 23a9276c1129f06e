"""Files that lie there whole or not at all.

Enters: contents, and where they belong. Leaves: at each place, after a failure or a kill too, the new file or the old.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path


def part_of(path: Path) -> Path:
    """Return where a file is written until it is whole."""
    return path.with_name(f".{path.name}.part")


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """Give a place to write to; what was written there takes the place of a file at the end.

    Raises:
        OSError: the file cannot be replaced.
    """
    part = part_of(path)
    try:
        yield part
        part.replace(path)
    finally:
        part.unlink(missing_ok=True)


def write_files(files: Mapping[Path, bytes]) -> None:
    """Write files that belong together; each gets its name when all are written, in this order.

    The contents are on the disk before the names are, so that this holds for a power failure, too.

    Raises:
        OSError: the disk is full, or does not let itself be written.
    """
    parts = {path: part_of(path) for path in files}
    try:
        for path, part in parts.items():
            part.write_bytes(files[path])
            with part.open("rb") as file:
                os.fsync(file.fileno())
        for path, part in parts.items():
            part.replace(path)
    finally:
        for part in parts.values():
            part.unlink(missing_ok=True)
