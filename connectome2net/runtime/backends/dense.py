"""A full matrix with zeros where there is no edge.

Enters: weights of edges. Leaves: their product. Memory and time are O(N x M), so it serves small or nearly full blocks,
and GPUs.
"""

# Axes: E edges, N postsynaptic cells, M presynaptic cells, B batch.

from __future__ import annotations

import torch
from torch import Tensor

from connectome2net.runtime.backends.backend import Product
from connectome2net.runtime.pattern import Pattern

LARGEST = {"cpu": 2**25, "cuda": 2**29}
"""Most numbers of a full matrix, by kind of device: 134 MB and 2.1 GB in float32, and as much again for a gradient."""


class Dense:
    """The weights are put into a full matrix once per pass; their gradients are read out of a full gradient."""

    name = "dense"

    def problem(self, pattern: Pattern, device: torch.device, dtype: torch.dtype) -> str:
        """Return why it cannot be used here; empty if it can."""
        rows, columns = pattern.shape
        if rows * columns > LARGEST.get(device.type, LARGEST["cpu"]):
            return f"a full matrix of {rows:,} x {columns:,} cells needs {rows * columns * dtype.itemsize / 1e9:.1f} GB"
        return ""

    def hold(self, weight_E: Tensor, pattern: Pattern) -> Product:
        """Build the full matrix once and return its product."""
        rows, columns = pattern.shape
        place_E = pattern.row_of_edge().long() * columns + pattern.pre_index
        matrix_NM = weight_E.new_zeros(rows * columns).index_copy(0, place_E, weight_E).view(rows, columns)
        return matrix_NM.matmul
