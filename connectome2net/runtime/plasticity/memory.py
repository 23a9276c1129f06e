"""What rules remember: means from batch to batch, traces from step to step.

Enters: numbers of a batch, or the steps of a pass. Leaves: running means in buffers; traces.
"""

# Axes: N cells, B batch, T steps.

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor, nn


class RunningMean(nn.Module):
    """A mean over batches: plain over the first ones, then forgetting exponentially.

        mean += (x - mean) / min(batches, memory)

    Args:
        cells: how many means.
        memory_batches: batches that it remembers.
    """

    mean_N: Tensor
    batches: Tensor

    def __init__(self, cells: int, *, memory_batches: int) -> None:
        super().__init__()
        self.memory_batches = memory_batches
        self.register_buffer("mean_N", torch.zeros(cells))
        self.register_buffer("batches", torch.zeros((), dtype=torch.int64))

    def forward(self, value_N: Tensor) -> Tensor:
        """Take a batch in and return the mean, (N,)."""
        self.batches += 1
        self.mean_N += (value_N - self.mean_N) / self.batches.clamp(max=self.memory_batches)
        return self.mean_N


def decay(tau: float, step: float = 1.0) -> float:
    """Return what is left after a step of what falls to 1/e in ``tau``; both in one unit."""
    return math.exp(-step / tau)


def traces(steps: Sequence[Tensor], left: float) -> list[Tensor]:
    """Return the trace that each step finds, (N, B): ``sum over n >= 1 of left^n x(n steps ago)``.

    Args:
        steps: what leaves the trace, (N, B) each, oldest first.
        left: what is left of it after a step.
    """
    found_T = [torch.zeros_like(x_NB) for x_NB in steps[:1]]
    for x_NB in steps[:-1]:
        found_T.append(left * (found_T[-1] + x_NB))
    return found_T
