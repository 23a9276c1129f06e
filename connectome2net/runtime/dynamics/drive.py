"""What reaches a cell in a step.

Enters: drives, and what was sent in the past. Leaves: their sum; what was sent some steps ago.
"""

# Axes: N cells, B batch.

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor


def total(*drives_NB: Tensor) -> Tensor:
    """Return the sum of one drive (N, B) or more."""
    return sum(drives_NB[1:], start=drives_NB[0])


def sent(past: Sequence[Tensor], steps: int) -> Tensor:
    """Return the rates (N, B) that were sent some steps ago; what was sent before the first step is the rest."""
    return past[max(0, len(past) - 1 - steps)]
