"""The part of a batch that this process computes, where several processes share each batch.

Enters: which images of the batch are here. Leaves: random numbers and means as if the whole batch were here.

Every process starts a batch with the same seed and draws the random numbers of the whole batch, of which it uses those
of its own images. So it does not matter how a batch is split, and what is drawn afterwards, by rules, agrees too. A
process that computes alone draws and averages as if this module did not exist.
"""

# Axes: N cells, B batch.

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional as F


@dataclass(frozen=True)
class Share:
    """Images of a batch that are here.

    Attributes:
        first: images of the batch before them.
        count: how many they are.
        batch: images of the batch.
        weight: of a mean over them in the mean over the batch; those of all processes add up to 1.
        total: adds up a tensor over all processes, which call it in the same order.
        device: where the images are.
    """

    first: int
    count: int
    batch: int
    weight: float
    total: Callable[[Tensor], Tensor]
    device: torch.device

    def mine(self, whole: Tensor, *, axis: int) -> Tensor:
        """Return the part of something that the whole batch has."""
        return whole.narrow(axis, self.first, self.count)


# The backward pass of a network draws and averages too, in threads of its own: so neither an argument nor a
# context variable.
_share: Share | None = None


@contextmanager
def sharing(share: Share | None) -> Iterator[None]:
    """Within this, a batch is shared; None: it is all here."""
    global _share
    before, _share = _share, share
    try:
        yield
    finally:
        _share = before


def noise_like(value: Tensor) -> Tensor:
    """Return standard normal numbers like those of a state, whose last axis is the batch."""
    if _share is None:
        return torch.randn_like(value)
    return _share.mine(torch.randn_like(value.new_empty(*value.shape[:-1], _share.batch)), axis=-1)


def batch_mean(mean: Tensor) -> Tensor:
    """Return a mean over the batch, from that over the images that are here."""
    return mean if _share is None else _share.total(mean * _share.weight)


def everywhere(condition: bool) -> bool:
    """Tell whether a condition holds in all processes that share this batch."""
    if _share is None:
        return condition
    return not bool(_share.total(torch.tensor(float(not condition), device=_share.device)))


class Dropout(nn.Dropout):
    """Dropout, as in torch, that does not depend on how a batch is split."""

    def forward(self, value: Tensor, *, axis: int = 0) -> Tensor:
        """Drop at random in training; ``axis`` is that of the batch."""
        if _share is None or not self.training or not self.p:
            return super().forward(value)
        shape = list(value.shape)
        shape[axis] = _share.batch
        whole = value.new_ones(shape)
        if value.dim() == 4 and value.is_contiguous(memory_format=torch.channels_last):
            whole = whole.contiguous(memory_format=torch.channels_last)  # the order in which numbers are drawn
        return value * _share.mine(F.dropout(whole, self.p), axis=axis)
