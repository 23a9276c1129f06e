"""The sparse product ``W rate``, forward and backward in O(edges).

Enters: weights of edges, presynaptic rates. Leaves: the drive of the postsynaptic cells, differentiable in both.

Native autograd of torch.sparse makes a dense gradient of N x M numbers. Here the gradient of the rates is a product
with the transposed rows, which the compiler has laid out, and the gradient of the weights is sampled at the edges.
"""

# Axes: E edges, N postsynaptic cells, M presynaptic cells, B batch.

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

from connectome2net.runtime.pattern import Pattern, has_sparse_products


class _SparseProduct(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, weight_E: Tensor, rate_MB: Tensor, pattern: Pattern) -> Tensor:
        ctx.save_for_backward(weight_E, rate_MB)
        ctx.pattern = pattern
        return pattern.rows(weight_E) @ rate_MB

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient_NB: Tensor) -> tuple[Tensor | None, Tensor | None, None]:
        weight_E, rate_MB = ctx.saved_tensors
        pattern: Pattern = ctx.pattern
        gradient_NB = gradient_NB.contiguous()
        of_weight = pattern.sample(gradient_NB, rate_MB) if ctx.needs_input_grad[0] else None
        of_rate = pattern.columns(weight_E) @ gradient_NB if ctx.needs_input_grad[1] else None
        return of_weight, of_rate, None


def sparse_product(weight_E: Tensor, rate_MB: Tensor, pattern: Pattern) -> Tensor:
    """Return ``W rate``, shape (N, B), differentiable in both.

    Args:
        weight_E: weights of the edges, row after row.
        rate_MB: presynaptic rates.
        pattern: the edges.
    """
    if has_sparse_products(rate_MB.device):
        return _SparseProduct.apply(weight_E, rate_MB, pattern)  # type: ignore[no-untyped-call]
    drive = rate_MB.new_zeros(pattern.shape[0], rate_MB.shape[1])
    return drive.index_add(0, pattern.row_of_edge(), weight_E[:, None] * rate_MB[pattern.pre_index])
