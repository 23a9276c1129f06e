"""Gather, multiply, add up: operations that every device has and every exporter understands.

Enters: weights of edges. Leaves: their product. Memory is O(edges x batch).
"""

# Axes: E edges, N postsynaptic cells, M presynaptic cells, B batch.

from __future__ import annotations

import torch
from torch import Tensor

from connectome2net.runtime.backends.backend import Product
from connectome2net.runtime.pattern import Pattern


class Gather:
    """Works everywhere; the slowest."""

    name = "gather"

    def problem(self, pattern: Pattern, device: torch.device, dtype: torch.dtype) -> str:
        """Return nothing: it can be used everywhere."""
        return ""

    def hold(self, weight_E: Tensor, pattern: Pattern) -> Product:
        """Look up the postsynaptic cells once and return the product."""
        # Not pattern.row_of_edge(): the size of what that returns depends on numbers, and no exporter follows it.
        post_E = torch.zeros_like(pattern.order, dtype=torch.long)
        post_E = post_E.index_copy(0, pattern.order.long(), pattern.post_index.long())
        pre_E = pattern.pre_index.long()

        def product(rate_MB: Tensor) -> Tensor:
            drive_NB = rate_MB.new_zeros(pattern.shape[0], rate_MB.shape[1])
            return drive_NB.index_add(0, post_E, weight_E[:, None] * rate_MB.index_select(0, pre_E))

        return product
