"""A spike, and its surrogate gradient.

Enters: how far a voltage is above its threshold. Leaves: 1 for a spike and 0 for none, with a gradient to learn from.
"""

# Axes: N cells, B batch.

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable


class _Spike(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, above_NB: Tensor, slope: float) -> Tensor:
        ctx.save_for_backward(above_NB)
        ctx.slope = slope
        return (above_NB >= 0).to(above_NB)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient_NB: Tensor) -> tuple[Tensor, None]:
        (above_NB,) = ctx.saved_tensors
        return gradient_NB / (ctx.slope * above_NB.abs() + 1).square(), None


def spike(above_NB: Tensor, *, slope: float) -> Tensor:
    """Return 1 where a voltage is at or above its threshold, else 0.

    The gradient of that step is 0 nearly everywhere. In its place stands that of a fast sigmoid,
    ``1 / (slope |above| + 1)^2`` (SuperSpike: Zenke and Ganguli 2018, doi 10.1162/neco_a_01086; surrogate gradients:
    Neftci, Mostafa and Zenke 2019, doi 10.1109/MSP.2019.2931595).

    Args:
        above_NB: voltage less threshold.
        slope: how fast the surrogate falls off on both sides of the threshold.
    """
    return _Spike.apply(above_NB, slope)  # type: ignore[no-untyped-call]
