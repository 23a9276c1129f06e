"""Arrays of a sparse block from a dense mask, written out by hand and not by the compiler."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from connectome2net.runtime.pattern import Pattern


def arrays_of(mask: np.ndarray, *, sign: bool = False, anatomy: np.ndarray | None = None) -> dict[str, Tensor]:
    """The arrays of a block named W.

    Args:
        mask: (N, M), which edges exist.
        sign: whether Dale's law holds; then presynaptic cells are excitatory and inhibitory in turns.
        anatomy: (N, M), anatomy where edges exist; 1 by default.
    """
    post, pre = np.nonzero(mask)
    number = {edge: at for at, edge in enumerate(zip(post, pre, strict=True))}
    transposed = sorted(zip(pre, post, strict=True))
    anatomy = np.ones(mask.shape) if anatomy is None else anatomy
    arrays = {
        "post_start": [0, *np.cumsum(mask.sum(1))],
        "pre_index": pre,
        "pre_start": [0, *np.cumsum(mask.sum(0))],
        "post_index": [post for _, post in transposed],
        "order": [number[post, pre] for pre, post in transposed],
    }
    tensors = {f"W.{name}": torch.tensor(np.asarray(values, dtype=np.int32)) for name, values in arrays.items()}
    tensors["W.anatomy"] = torch.tensor(anatomy[mask].astype(np.float32))
    if sign:
        tensors["W.sign"] = torch.tensor([1 - 2 * (at % 2) for at in range(mask.shape[1])], dtype=torch.int8)
    return tensors


def pattern_of(mask: np.ndarray) -> Pattern:
    """The edges of a mask (N, M)."""
    names = ("post_start", "pre_index", "pre_start", "post_index", "order")
    return Pattern(*(arrays_of(mask)[f"W.{name}"] for name in names))
