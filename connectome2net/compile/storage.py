"""Sparse or dense: how the matrix of a block is best computed, from its size alone.

Enters: cells and edges of a block. Leaves: a word. The same on every machine; ``--backend auto`` measures instead.
"""

from __future__ import annotations

from typing import Final, Literal

DENSE_FROM: Final = 0.5
"""The density from which a full matrix is quicker.

Forward and backward, at batch 128 on two cores, a full product takes 6 ns for a number of its matrix, the compiled
kernel 9 ns for an edge and torch's sparse products 29 ns (real column, ``benchmarks/sparse_step.py``): a half lies
between.
"""

LARGEST: Final = 2**20
"""Numbers of the largest full matrix. A column of a thousand cells stays sparse whatever its density."""


def choose_storage(*, edges: int, pre: int, post: int) -> Literal["sparse", "dense"]:
    """Return how a block of some edges between ``pre`` and ``post`` cells is stored."""
    return "dense" if edges >= DENSE_FROM * pre * post and pre * post <= LARGEST else "sparse"
