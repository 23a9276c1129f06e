"""Cells with a rate.

Enters: a state and drives. Leaves: the state one step later.
"""

# Axes: N cells, B batch.

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor, nn

from connectome2net.runtime.dynamics.drive import total


class Rates(NamedTuple):
    """The state of rate cells.

    Attributes:
        rate_NB: what the cells send, and what is read out.
    """

    rate_NB: Tensor

    @property
    def read_NB(self) -> Tensor:
        """What the readout and the rules see, (N, B)."""
        return self.rate_NB


class RateCells(nn.Module):
    """Leaky rate units with a LayerNorm per population.

        rate <- (1 - leak) rate + leak gain relu(norm(drive) + noise)

    The norm is over the cells of a population, for each image by itself, with a learned scale and threshold per
    cell (Ba et al. 2016, arXiv 1607.06450). It does not depend on the batch.

    Args:
        populations: number of cells of each population, in the order of the rows.
        leak: the part of a rate that one step replaces (dt / tau), above 0 and at most 1.
        norm: ``layer``, or ``none``: then only the threshold is learned.
        noise: standard deviation of Gaussian noise on the normalised drive, in training only.
        gain: (N,) factor of each cell's rate; graded inhibition.
    """

    gain_N: Tensor | None

    def __init__(
        self,
        *,
        populations: Sequence[int],
        leak: float,
        norm: str,
        noise: float,
        gain: Tensor | None = None,
    ) -> None:
        super().__init__()
        self.populations = list(populations)
        self.leak = leak
        self.norm = norm
        self.noise = noise
        cells = sum(populations)
        self.scale_N = nn.Parameter(torch.ones(cells)) if norm == "layer" else None
        self.threshold_N = nn.Parameter(torch.zeros(cells))
        self.register_buffer("gain_N", None if gain is None else gain.clone(), persistent=False)

    def rest(self, like: Tensor) -> Rates:
        """Return rates of zero, (N, B), for a batch as large as ``like``."""
        return Rates(like.new_zeros(len(self.threshold_N), len(like)))

    def forward(self, state: Rates, *drives_NB: Tensor) -> Rates:
        """Return the state one step later; without any drive it is 0."""
        drive_NB = total(*drives_NB) if drives_NB else torch.zeros_like(state.rate_NB)
        if self.scale_N is not None:
            drive_NB = self.normalise(drive_NB) * self.scale_N[:, None]
        drive_NB = drive_NB - self.threshold_N[:, None]
        if self.training and self.noise:
            drive_NB = drive_NB + self.noise * torch.randn_like(drive_NB)
        new_NB = torch.relu(drive_NB)
        if self.gain_N is not None:
            new_NB = new_NB * self.gain_N[:, None]
        return Rates(new_NB if self.leak == 1 else torch.lerp(state.rate_NB, new_NB, self.leak))

    def normalise(self, drive_NB: Tensor) -> Tensor:
        """Return drives with mean 0 and variance 1 over the cells of each population."""
        parts = []
        for part_NB in torch.split(drive_NB, self.populations):
            variance, mean = torch.var_mean(part_NB, dim=0, correction=0, keepdim=True)
            parts.append((part_NB - mean) * torch.rsqrt(variance + 1e-5))
        return parts[0] if len(parts) == 1 else torch.cat(parts)
