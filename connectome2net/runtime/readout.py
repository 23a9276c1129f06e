"""From the rates to the classes.

Enters: rates of some groups. Leaves: logits.
"""

# Axes: N cells, B batch, K classes.

from __future__ import annotations

import torch
from torch import Tensor, nn

from connectome2net.runtime.share import Dropout


class LinearReadout(nn.Module):
    """A linear map from the rates of some cells to the classes.

    Args:
        unit: (N,) rows of the concatenated rates that are read.
        classes: how many.
        dropout: the part of the rates that is dropped in training.
    """

    unit_N: Tensor

    def __init__(self, unit: Tensor, *, classes: int, dropout: float) -> None:
        super().__init__()
        self.register_buffer("unit_N", unit.long(), persistent=False)
        self.dropout = Dropout(dropout)
        self.linear = nn.Linear(len(unit), classes)

    def forward(self, *rates_NB: Tensor) -> Tensor:
        """Return logits (B, K)."""
        rate_NB = torch.cat(rates_NB).index_select(0, self.unit_N)
        return self.linear(self.dropout(rate_NB, axis=1).T)
