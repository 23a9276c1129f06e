"""What reaches a cell in a step.

Enters: drives, and what was sent in the past. Leaves: their sum; what was sent some steps ago; normalised drives;
conductances of an image; the numbers of populations as numbers of cells.
"""

# Axes: N cells, P populations, B batch, S excitatory and inhibitory.

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor


def total(*drives_NB: Tensor) -> Tensor:
    """Return the sum of one drive (N, B) or more."""
    return sum(drives_NB[1:], start=drives_NB[0])


def sent(past: Sequence[Tensor], steps: int) -> Tensor:
    """Return the rates (N, B) that were sent some steps ago; what was sent before the first step is the rest."""
    return past[max(0, len(past) - 1 - steps)]


def conductance(drive_NB: Tensor) -> Tensor:
    """Return the positive part of a drive as excitatory, its negative part as inhibitory conductance, (2, N, B)."""
    return torch.stack([drive_NB, -drive_NB]).relu()


def normalise(drive_NB: Tensor, populations: Sequence[int]) -> Tensor:
    """Return drives (..., N, B) with mean 0 and variance 1 over the cells of each population, for each image.

    LayerNorm (Ba et al. 2016, arXiv 1607.06450); it does not depend on the batch.
    """
    parts = []
    for part_NB in torch.split(drive_NB, list(populations), dim=-2):
        variance, mean = torch.var_mean(part_NB, dim=-2, correction=0, keepdim=True)
        parts.append((part_NB - mean) * torch.rsqrt(variance + 1e-5))
    return parts[0] if len(parts) == 1 else torch.cat(parts, dim=-2)


def spread(value: float | Sequence[float], populations: Sequence[int]) -> Tensor:
    """Return one number, or one of each population, as a number of each cell, float64 (N, 1)."""
    number_P = [value] * len(populations) if isinstance(value, int | float) else list(value)
    value_P = torch.tensor(number_P, dtype=torch.float64)
    return value_P.repeat_interleave(torch.tensor(populations))[:, None]
