"""Leaky integrate-and-fire cells.

Enters: a state and drives. Leaves: the state one step later.
"""

# Axes: N cells, B batch, J total conductance of gap junctions and its product with the voltages beyond them.

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor

from connectome2net.runtime.dynamics.cells import Cells
from connectome2net.runtime.dynamics.drive import spread
from connectome2net.runtime.dynamics.spike import spike


class LifState(NamedTuple):
    """The state of leaky integrate-and-fire cells.

    Attributes:
        rate_NB: 1 for a spike in this step, else 0.
        read_NB: the spike train, filtered exponentially.
        v_NB: the voltage, in units of the threshold above rest.
        wait_NB: steps that a cell is still refractory.
    """

    rate_NB: Tensor
    read_NB: Tensor
    v_NB: Tensor
    wait_NB: Tensor


class LifCells(Cells):
    """Leaky integrate-and-fire cells (Lapicque 1907; Gerstner et al. 2014, Neuronal Dynamics, section 1.3).

        tau dv/dt = -v + current + sum over gap junctions g (v_pre - v)
        a spike where v >= 1, and then v <- v - 1
        read <- exp(-dt / tau_read) read + spike

    The voltage counts from rest in units of the threshold. A step is exact for a current that is constant within it
    (Rotter and Diesmann 1999, doi 10.1007/s004220050570), and stable for any conductance. The reset subtracts the
    threshold, which keeps the remainder; it has no gradient, because learning is better without (Zenke and Vogels
    2021, doi 10.1162/neco_a_01367). The norm of the current makes it a normal number: about a sixth of the cells of a
    population are driven above their threshold, whatever their inputs are. Gap junctions add after the norm. Graded
    inhibition lowers the current, because a spike is all or none.

    Args:
        populations: number of cells of each population, in the order of the rows.
        tau_ms: membrane time constant; one number, or one of each population.
        tau_read_ms: time constant of the filter of the spikes.
        dt_ms: length of a step.
        refractory_steps: steps after a spike in which the voltage stays where the reset left it.
        surrogate_slope: see ``spike``.
        norm: as in ``Cells``; likewise ``noise`` and ``gain``.
        noise: see ``norm``.
        gain: see ``norm``.
    """

    rate_N1: Tensor

    def __init__(
        self,
        *,
        populations: Sequence[int],
        tau_ms: float | Sequence[float],
        tau_read_ms: float,
        dt_ms: float,
        refractory_steps: int,
        surrogate_slope: float,
        norm: str,
        noise: float,
        gain: Tensor | None = None,
    ) -> None:
        super().__init__(populations=populations, norm=norm, noise=noise, gain=gain)
        self.refractory_steps = refractory_steps
        self.surrogate_slope = surrogate_slope
        self.read_decay = math.exp(-dt_ms / tau_read_ms)
        self.register_buffer("rate_N1", (dt_ms / spread(tau_ms, populations)).float(), persistent=False)

    def rest(self, like: Tensor) -> LifState:
        """Return cells at rest, for a batch as large as ``like``."""
        zero_NB = self.zeros(like)
        return LifState(zero_NB, zero_NB, zero_NB, zero_NB)

    def forward(self, state: LifState, *drives_NB: Tensor, junction_JNB: Tensor | None = None) -> LifState:
        """Return the state one step later.

        Args:
            state: the state before.
            drives_NB: currents, (N, B).
            junction_JNB: see ``sparse.Junctions``.
        """
        current_NB = self.inhibit(self.current(state.v_NB, drives_NB))
        v_NB = relax(state.v_NB, current_NB, self.rate_N1, junction_JNB)
        v_NB = torch.where(state.wait_NB > 0, state.v_NB, v_NB) if self.refractory_steps else v_NB
        spike_NB = spike(v_NB - 1, slope=self.surrogate_slope)
        if self.refractory_steps:
            spike_NB = spike_NB * (state.wait_NB == 0)
        wait_NB = state.wait_NB
        if self.refractory_steps:
            wait_NB = torch.where(spike_NB > 0, self.refractory_steps, (wait_NB - 1).clamp_min(0))
        read_NB = self.read_decay * state.read_NB + spike_NB
        return LifState(spike_NB, read_NB, v_NB - spike_NB.detach(), wait_NB)


def relax(v_NB: Tensor, target_NB: Tensor, rate_N1: Tensor, junction_JNB: Tensor | None) -> Tensor:
    """Return ``v`` after a step of ``dv/dt = rate (target - v + g_total (v_beyond - v))``, exactly."""
    if junction_JNB is None:
        return target_NB + (v_NB - target_NB) * torch.exp(-rate_N1)
    conductance_NB = 1 + junction_JNB[0]
    target_NB = (target_NB + junction_JNB[1]) / conductance_NB
    return target_NB + (v_NB - target_NB) * torch.exp(-rate_N1 * conductance_NB)
