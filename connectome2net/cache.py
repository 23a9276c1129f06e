"""Where what can be made again is kept: downloads, compiled kernels, measured times.

Enters: the environment. Leaves: a folder, which may not be there yet.
"""

from __future__ import annotations

import os
from pathlib import Path


def cache_root() -> Path:
    """Return ``$C2N_CACHE``, or the folder of this package in the user's cache."""
    if chosen := os.environ.get("C2N_CACHE"):
        return Path(chosen).expanduser()
    above = os.environ.get("XDG_CACHE_HOME")
    return (Path(above) if above else Path.home() / ".cache") / "connectome2net"
