"""Ways of computing ``W rate``: equal numbers, different speed.

Enters: a name and the place where it has to work. Leaves: a backend.
"""

from __future__ import annotations

from typing import Final

import torch

from connectome2net.runtime.backends.backend import Backend, Product
from connectome2net.runtime.backends.csr import Csr
from connectome2net.runtime.backends.dense import Dense
from connectome2net.runtime.backends.gather import Gather
from connectome2net.runtime.backends.native import Native
from connectome2net.runtime.pattern import Pattern

BACKENDS: Final[dict[str, Backend]] = {backend.name: backend for backend in (Native(), Csr(), Gather(), Dense())}
"""By name; the first that works here is taken where the one that is asked for does not."""

__all__ = ["BACKENDS", "Backend", "Product", "find_backend"]


def find_backend(name: str, pattern: Pattern, device: torch.device, dtype: torch.dtype) -> Backend:
    """Return the backend of that name, or the first that works for this matrix, on this device, in this type."""
    names = dict.fromkeys([name, *BACKENDS])
    return next(BACKENDS[name] for name in names if not BACKENDS[name].problem(pattern, device, dtype))
