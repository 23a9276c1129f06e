"""Sparse products of torch: compressed rows forward, the compiled transpose and a sampled product backward.

Enters: weights of edges. Leaves: their product. MKL computes it on a CPU, cuSPARSE on a GPU.

Native autograd of torch.sparse makes a dense gradient of N x M numbers. Here the gradient of the rates is a product
with the transposed rows, which the compiler has laid out, and the gradient of the weights is sampled at the edges.
"""

# Axes: E edges, N postsynaptic cells, M presynaptic cells, B batch.

from __future__ import annotations

from functools import cached_property
from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

from connectome2net.runtime.backends.backend import Product
from connectome2net.runtime.pattern import Pattern, has_sparse_products


class Csr:
    """Needs a torch with sparse products: MKL, or a GPU."""

    name = "csr"

    def problem(self, pattern: Pattern, device: torch.device, dtype: torch.dtype) -> str:
        """Return why it cannot be used here; empty if it can."""
        if torch.compiler.is_compiling():
            return "torch.compile sees no sparse tensors"
        if not has_sparse_products(device):
            return f"torch has no sparse products on this {device.type}"
        if device.type == "cpu" and dtype not in (torch.float32, torch.float64):
            return f"MKL has no sparse product in {str(dtype).removeprefix('torch.')}"
        return ""

    def hold(self, weight_E: Tensor, pattern: Pattern) -> Product:
        """Build the sparse matrix once and return its product."""
        matrix = _Matrix(weight_E.detach(), pattern)
        return lambda rate_MB: _Product.apply(weight_E, rate_MB, matrix)  # type: ignore[no-untyped-call]


class _Matrix:
    """W and, when it is first asked for, W transposed."""

    def __init__(self, weight_E: Tensor, pattern: Pattern) -> None:
        self.weight_E = weight_E
        self.pattern = pattern
        self.rows = pattern.rows(weight_E)

    @cached_property
    def columns(self) -> Tensor:
        return self.pattern.columns(self.weight_E)


class _Product(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, weight_E: Tensor, rate_MB: Tensor, matrix: _Matrix) -> Tensor:
        ctx.save_for_backward(rate_MB)
        ctx.matrix = matrix
        return matrix.rows @ rate_MB

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient_NB: Tensor) -> tuple[Tensor | None, Tensor | None, None]:
        (rate_MB,) = ctx.saved_tensors
        matrix: _Matrix = ctx.matrix
        gradient_NB = gradient_NB.contiguous()
        of_weight = matrix.pattern.sample_with_torch(gradient_NB, rate_MB) if ctx.needs_input_grad[0] else None
        of_rate = matrix.columns @ gradient_NB if ctx.needs_input_grad[1] else None
        return of_weight, of_rate, None
