"""Which edges a sparse matrix has.

Enters: compressed rows of ``W[post, pre]``, and the same transposed. Leaves: a checked ``Pattern``.
"""

# Axes: E edges, N postsynaptic cells, M presynaptic cells, B batch.

from __future__ import annotations

import warnings
from dataclasses import dataclass

import torch
from torch import Tensor

from connectome2net.runtime.kernel import TYPES, find_kernel


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
            grows = not bool((start < 0).any()) and not bool((start.diff() < 0).any())  # a diff of these cannot wrap
            if int(start[0]) != 0 or int(start[-1]) != edges or not grows:
                raise ValueError(f"the rows do not hold {edges} edges")
            if len(index) != edges or not _within(index, cells):
                raise ValueError(f"an edge ends outside {cells} cells")
        if len(self.order) != edges or not _within(self.order, edges):
            raise ValueError("the transposed edges are no permutation")
        place = self.order.long()
        if not bool(torch.zeros(edges, dtype=torch.bool, device=place.device).index_fill(0, place, True).all()):
            raise ValueError("the transposed edges are no permutation")
        column_of_edge = torch.repeat_interleave(self.pre_start.diff())
        if not (self.pre_index[place].equal(column_of_edge) and self.row_of_edge()[place].equal(self.post_index)):
            raise ValueError("the transposed edges are others")

    def rows(self, value_E: Tensor) -> Tensor:
        """Return W as a sparse matrix (N, M)."""
        return _csr(self.post_start, self.pre_index, value_E, self.shape)

    def columns(self, value_E: Tensor) -> Tensor:
        """Return W transposed as a sparse matrix (M, N)."""
        return _csr(self.pre_start, self.post_index, value_E[self.order], self.shape[::-1])

    def sample(self, post_NB: Tensor, pre_MB: Tensor) -> Tensor:
        """Return ``sum over B of post * pre`` at each edge, (E,), without a graph."""
        post_NB, pre_MB = post_NB.detach().contiguous(), pre_MB.detach().contiguous()
        kernel = find_kernel() if post_NB.device.type == "cpu" and post_NB.dtype in TYPES else None
        if kernel is not None:
            return kernel.sample(self.pre_start, self.post_index, self.order, post_NB, pre_MB)
        if has_sparse_products(post_NB.device):
            return self.sample_with_torch(post_NB, pre_MB)
        return (post_NB[self.row_of_edge()] * pre_MB[self.pre_index]).sum(1)

    def sample_with_torch(self, post_NB: Tensor, pre_MB: Tensor) -> Tensor:
        """Return the same by the sparse products of torch."""
        zero = self.rows(post_NB.new_zeros(len(self.pre_index)))
        return torch.sparse.sampled_addmm(zero, post_NB, pre_MB.t(), beta=0.0).values()

    def row_of_edge(self) -> Tensor:
        """Return the postsynaptic cell of each edge, (E,)."""
        return torch.repeat_interleave(self.post_start.diff())


def _within(index: Tensor, size: int) -> bool:
    return not len(index) or (int(index.min()) >= 0 and int(index.max()) < size)


def _csr(start: Tensor, index: Tensor, value: Tensor, shape: tuple[int, int]) -> Tensor:
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="Sparse CSR tensor support is in beta state", category=UserWarning)
        return torch.sparse_csr_tensor(start, index, value, shape, check_invariants=False)


def has_sparse_products(device: torch.device) -> bool:
    """Tell whether torch has sparse products on a device."""
    has_mkl: bool = torch.backends.mkl.is_available()  # type: ignore[no-untyped-call]
    return device.type == "cuda" or (device.type == "cpu" and has_mkl)
