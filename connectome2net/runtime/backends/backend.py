"""What a way of multiplying by a sparse matrix has to offer.

Enters: nothing. Leaves: the protocol that every backend fulfils.
"""

# Axes: E edges, N postsynaptic cells, M presynaptic cells, B batch.

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

import torch
from torch import Tensor

from connectome2net.runtime.pattern import Pattern

Product = Callable[[Tensor], Tensor]
"""Presynaptic rates (M, B) -> drive (N, B), differentiable in the rates and in the weights that it was made of."""


class Backend(Protocol):
    """A way of computing ``W rate``, forward and backward. All ways give the same numbers, within rounding."""

    name: str

    def problem(self, pattern: Pattern, device: torch.device, dtype: torch.dtype) -> str:
        """Return why it cannot be used here; empty if it can."""
        ...

    def hold(self, weight_E: Tensor, pattern: Pattern) -> Product:
        """Prepare the weights (E,) of one pass, once for all its steps, and return their product."""
        ...
