"""The sparse step: ``drive = W rate`` with ``W[post, pre]``, forward and backward in O(edges).

Enters: compressed rows, the same transposed, signs and anatomy. Leaves: a projection whose strengths are learned.

Native autograd of torch.sparse makes a dense gradient of N x M numbers. Here the gradient of the rates is a product
with the transposed rows, which the compiler has laid out, and the gradient of the weights is sampled at the edges.
"""

# Axes: E edges, N postsynaptic cells, M presynaptic cells, B batch.

from __future__ import annotations

import warnings
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.autograd.function import once_differentiable
from torch.nn import functional as F

STRENGTH_AT_REST = 0.5413248546129181
"""The theta at which softplus is 1."""

SMALLEST_STRENGTH = 1e-6
"""Rules keep a strength at least this large where Dale's law holds, so that softplus can be inverted."""


@dataclass(frozen=True)
class Pattern:
    """The edges of ``W[post, pre]``: compressed rows, and the same transposed.

    Attributes:
        post_start: (N + 1,) where each row begins.
        pre_index: (E,) the presynaptic cell of each edge, row after row.
        pre_start: (M + 1,) where each transposed row begins.
        post_index: (E,) the postsynaptic cell of each transposed edge.
        order: (E,) the place of each transposed edge among the rows.
    """

    post_start: Tensor
    pre_index: Tensor
    pre_start: Tensor
    post_index: Tensor
    order: Tensor

    @property
    def shape(self) -> tuple[int, int]:
        """(N, M)."""
        return len(self.post_start) - 1, len(self.pre_start) - 1

    def check(self) -> None:
        """Check that both orders hold the same edges, all of them inside the matrix.

        Raises:
            ValueError: they do not; a product could read past the end of its operands.
        """
        rows, columns = self.shape
        edges = len(self.pre_index)
        for start, index, cells in (
            (self.post_start, self.pre_index, columns),
            (self.pre_start, self.post_index, rows),
        ):
            if int(start[0]) != 0 or int(start[-1]) != edges or bool((start.diff() < 0).any()):
                raise ValueError(f"the rows do not hold {edges} edges")
            if len(index) != edges or not _within(index, cells):
                raise ValueError(f"an edge ends outside {cells} cells")
        if len(self.order) != edges or not _within(self.order, edges) or bool((self.order.bincount() != 1).any()):
            raise ValueError("the transposed edges are no permutation")
        column_of_edge = torch.repeat_interleave(self.pre_start.diff())
        place = self.order.long()
        if not (self.pre_index[place].equal(column_of_edge) and self.row_of_edge()[place].equal(self.post_index)):
            raise ValueError("the transposed edges are others")

    def rows(self, value_E: Tensor) -> Tensor:
        """Return W as a sparse matrix (N, M)."""
        return _csr(self.post_start, self.pre_index, value_E, self.shape)

    def columns(self, value_E: Tensor) -> Tensor:
        """Return W transposed as a sparse matrix (M, N)."""
        return _csr(self.pre_start, self.post_index, value_E[self.order], self.shape[::-1])

    def sample(self, post_NB: Tensor, pre_MB: Tensor) -> Tensor:
        """Return ``sum over B of post * pre`` at each edge, (E,)."""
        if _has_sparse_products(post_NB.device):
            zero = self.rows(post_NB.new_zeros(len(self.pre_index)))
            return torch.sparse.sampled_addmm(zero, post_NB, pre_MB.t(), beta=0.0).values()
        return (post_NB[self.row_of_edge()] * pre_MB[self.pre_index]).sum(1)

    def row_of_edge(self) -> Tensor:
        """Return the postsynaptic cell of each edge, (E,)."""
        return torch.repeat_interleave(self.post_start.diff())


def _within(index: Tensor, size: int) -> bool:
    return not len(index) or (int(index.min()) >= 0 and int(index.max()) < size)


def _csr(start: Tensor, index: Tensor, value: Tensor, shape: tuple[int, int]) -> Tensor:
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="Sparse CSR tensor support is in beta state", category=UserWarning)
        return torch.sparse_csr_tensor(start, index, value, shape, check_invariants=False)


def _has_sparse_products(device: torch.device) -> bool:
    has_mkl: bool = torch.backends.mkl.is_available()  # type: ignore[no-untyped-call]
    return device.type == "cuda" or (device.type == "cpu" and has_mkl)


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
    if _has_sparse_products(rate_MB.device):
        return _SparseProduct.apply(weight_E, rate_MB, pattern)  # type: ignore[no-untyped-call]
    drive = rate_MB.new_zeros(pattern.shape[0], rate_MB.shape[1])
    return drive.index_add(0, pattern.row_of_edge(), weight_E[:, None] * rate_MB[pattern.pre_index])


class Projection(nn.Module):
    """A sparse matrix ``W[post, pre] = sign[pre] * anatomy * strength``.

    Under ``dale`` the strength is ``softplus(theta)`` and starts at 1: no optimiser and no rule can change the sign
    of a weight. Under ``free`` the strength is theta itself and starts as a standard normal number.

    Args:
        arrays: arrays of the compiled folder; this module copies those that start with ``name``.
        name: the block of the program.
        sign: ``dale`` or ``free``.

    Raises:
        ValueError: the arrays are no sparse matrix, or an edge under Dale's law has no sign.
    """

    post_start: Tensor
    pre_index: Tensor
    pre_start: Tensor
    post_index: Tensor
    order: Tensor
    anatomy_E: Tensor
    sign_E: Tensor | None

    def __init__(self, arrays: dict[str, Tensor], name: str, *, sign: str) -> None:
        super().__init__()
        for key in ("post_start", "pre_index", "pre_start", "post_index", "order"):
            self.register_buffer(key, arrays[f"{name}.{key}"].clone(), persistent=False)
        self.register_buffer("anatomy_E", arrays[f"{name}.anatomy"].clone(), persistent=False)
        self.pattern.check()
        self.dale = sign == "dale"
        sign_E = arrays[f"{name}.sign"][self.pre_index.long()].to(self.anatomy_E) if self.dale else None
        if sign_E is not None and not bool((sign_E.abs() == 1).all()):
            raise ValueError("an edge under Dale's law has no sign")
        self.register_buffer("sign_E", sign_E, persistent=False)
        start = torch.full_like(self.anatomy_E, STRENGTH_AT_REST) if self.dale else torch.randn_like(self.anatomy_E)
        self.theta_E = nn.Parameter(start)

    @property
    def pattern(self) -> Pattern:
        """The edges, on the device of the module."""
        return Pattern(self.post_start, self.pre_index, self.pre_start, self.post_index, self.order)

    def strength_E(self) -> Tensor:
        """Return the learned factor of each edge, (E,)."""
        return F.softplus(self.theta_E) if self.dale else self.theta_E

    def weight_E(self) -> Tensor:
        """Return the weight of each edge, (E,)."""
        weight = self.anatomy_E * self.strength_E()
        return weight if self.sign_E is None else self.sign_E * weight

    @torch.no_grad()
    def set_strength(self, strength_E: Tensor) -> None:
        """Set the learned factor of each edge; under Dale's law it stays positive.

        Where it already has that value, theta keeps its bits: an inverse is never exact.
        """
        theta_E = strength_E
        if self.dale:
            theta_E = strength_E.clamp_min(SMALLEST_STRENGTH)
            theta_E = theta_E + torch.log(-torch.expm1(-theta_E))  # the inverse of softplus
        self.theta_E.copy_(torch.where(strength_E == self.strength_E(), self.theta_E, theta_E))

    def forward(self, rate_MB: Tensor) -> Tensor:
        """Return the drive (N, B) that presynaptic rates (M, B) cause."""
        return sparse_product(self.weight_E(), rate_MB, self.pattern)

    def extra_repr(self) -> str:
        """Return the size for ``print(model)``."""
        post, pre = self.pattern.shape
        return f"{pre:,} -> {post:,} cells, {len(self.theta_E):,} edges, {'dale' if self.dale else 'free'}"
