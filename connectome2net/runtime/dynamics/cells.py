"""What cells that are driven by a current share: norm, threshold, noise, gain.

Enters: the drives of a step. Leaves: the current of each cell.
"""

# Axes: N cells, B batch.

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from connectome2net.runtime.dynamics.drive import normalise, total
from connectome2net.runtime.share import noise_like


class Cells(nn.Module):
    """Cells with a LayerNorm of their drive per population.

        current <- scale norm(drive) - threshold + noise

    The norm is over the cells of a population, for each image by itself, with a learned scale and threshold per
    cell (Ba et al. 2016, arXiv 1607.06450). It does not depend on the batch.

    Args:
        populations: number of cells of each population, in the order of the rows.
        norm: ``layer``, or ``none``: then only the threshold is learned.
        noise: standard deviation of Gaussian noise on the normalised drive, in training only.
        gain: (N,) graded inhibition: a factor of each cell's rate, or of its current where it spikes.
    """

    gain_N: Tensor | None

    def __init__(self, *, populations: Sequence[int], norm: str, noise: float, gain: Tensor | None = None) -> None:
        super().__init__()
        self.populations = list(populations)
        self.norm = norm
        self.noise = noise
        cells = sum(populations)
        self.scale_N = nn.Parameter(torch.ones(cells)) if norm == "layer" else None
        self.threshold_N = nn.Parameter(torch.zeros(cells))
        self.register_buffer("gain_N", None if gain is None else gain.clone(), persistent=False)

    def zeros(self, like: Tensor) -> Tensor:
        """Return zeros, (N, B), for a batch as large as ``like``."""
        return like.new_zeros(len(self.threshold_N), like.shape[0])

    def inhibit(self, value_NB: Tensor) -> Tensor:
        """Return a rate or a current, lowered by graded inhibition."""
        return value_NB if self.gain_N is None else value_NB * self.gain_N[:, None]

    def current(self, like_NB: Tensor, drives_NB: Sequence[Tensor]) -> Tensor:
        """Return the current (N, B) of some drives (N, B), perhaps of none."""
        drive_NB = total(*drives_NB) if drives_NB else torch.zeros_like(like_NB)
        if self.scale_N is not None:
            drive_NB = normalise(drive_NB, self.populations) * self.scale_N[:, None]
        drive_NB = drive_NB - self.threshold_N[:, None]
        if self.training and self.noise:
            drive_NB = drive_NB + self.noise * noise_like(drive_NB)
        return drive_NB
