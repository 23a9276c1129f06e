"""Cells with a rate.

Enters: a state and drives. Leaves: the state one step later.
"""

# Axes: N cells, P populations, B batch.

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor, nn

from connectome2net.runtime.dynamics.cells import Cells
from connectome2net.runtime.dynamics.drive import spread


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


class RateCells(Cells):
    """Leaky rate units with a LayerNorm per population (Wilson and Cowan 1972, doi 10.1016/S0006-3495(72)86068-5).

        rate <- (1 - leak) rate + leak gain relu(scale norm(drive) - threshold + noise)

    Args:
        populations: number of cells of each population, in the order of the rows.
        leak: the part of a rate that one step replaces (dt / tau), above 0 and at most 1; one number, or one of each
            population.
        learn_leak: the leak of each population is learned, as the sigmoid of a number, so that it stays within 0
            and 1; it starts at ``leak``, below 1.
        norm: as in ``Cells``; likewise ``noise`` and ``gain``.
        noise: see ``norm``.
        gain: see ``norm``.
    """

    leak_N1: Tensor | None

    def __init__(
        self,
        *,
        populations: Sequence[int],
        leak: float | Sequence[float],
        norm: str,
        noise: float,
        learn_leak: bool = False,
        gain: Tensor | None = None,
    ) -> None:
        super().__init__(populations=populations, norm=norm, noise=noise, gain=gain)
        self.leak = leak
        start_P = spread(leak, [1] * len(populations)).flatten().float()
        self.leak_logit_P = nn.Parameter(torch.logit(start_P)) if learn_leak else None
        of_cell = None if isinstance(leak, int | float) else spread(leak, populations).float()
        self.register_buffer("leak_N1", of_cell, persistent=False)

    def rest(self, like: Tensor) -> Rates:
        """Return rates of zero, (N, B), for a batch as large as ``like``."""
        return Rates(self.zeros(like))

    def forward(self, state: Rates, *drives_NB: Tensor) -> Rates:
        """Return the state one step later; without any drive it is 0."""
        new_NB = self.inhibit(torch.relu(self.current(state.rate_NB, drives_NB)))
        if self.leak == 1 and self.leak_logit_P is None:
            return Rates(new_NB)
        return Rates(torch.lerp(state.rate_NB, new_NB, self.leaks()))

    def leaks(self) -> Tensor | float:
        """Return the leak of all cells, or of each cell, (N, 1)."""
        if self.leak_logit_P is not None:
            size_P = torch.tensor(self.populations, device=self.leak_logit_P.device)
            return torch.sigmoid(self.leak_logit_P).repeat_interleave(size_P)[:, None]
        return self.leak if self.leak_N1 is None else self.leak_N1  # type: ignore[return-value]
