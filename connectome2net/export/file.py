"""One file, written all or not at all.

Enters: where, and how. Leaves: the file, or nothing.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from connectome2net.atomic import replacing
from connectome2net.errors import ExportError


@contextmanager
def new_file(path: Path, *, force: bool) -> Iterator[Path]:
    """Give a place to write to, and move what was written to its own place at the end.

    Args:
        path: the file to write.
        force: write over a file that lies there.

    Raises:
        ExportError: something lies there, or there is no folder to write to.
    """
    if path.is_dir() or (path.exists() and not force):
        fix = "choose another place with --out" + ("" if path.is_dir() else ", or write over it with --force")
        raise ExportError("something lies here", where=path, wanted="an empty place", fix=fix)
    if not path.parent.is_dir():
        raise ExportError("there is no such folder", where=path.parent, fix="make it, or choose another with --out")
    with replacing(path) as part:
        yield part
