"""Izhikevich's cells.

Enters: a state and drives. Leaves: the state one step later.
"""

# Axes: N cells, B batch, J total conductance of gap junctions and its product with the voltages beyond them.

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Final, NamedTuple

import torch
from torch import Tensor

from connectome2net.runtime.dynamics.cells import Cells
from connectome2net.runtime.dynamics.drive import spread
from connectome2net.runtime.dynamics.spike import spike

PEAK_MV: Final = 30.0
REST_MV: Final = -65.0
"""As in the published script; u starts at b v."""

UPSWING_MV: Final = -62.5
"""Above it v drives itself upward: the derivative of 0.04 v^2 + 5 v is positive."""

LOWEST_MV: Final = -90.0
"""Near the reversal potential of potassium, below which no current of a cell draws it.

An explicit step of half a millisecond is stable where ``|1 + 0.5 (0.08 v + 5)| < 1``, above -112 mV: below that it
would throw a strongly inhibited cell up over its peak.
"""


class IzhikevichState(NamedTuple):
    """The state of Izhikevich's cells.

    Attributes:
        rate_NB: 1 for a spike in this step, else 0.
        read_NB: the spike train, filtered exponentially.
        v_NB: the voltage in mV.
        u_NB: the recovery variable.
    """

    rate_NB: Tensor
    read_NB: Tensor
    v_NB: Tensor
    u_NB: Tensor


class IzhikevichCells(Cells):
    """Izhikevich's simple model of spiking neurons (2003, doi 10.1109/TNN.2003.820440).

        dv/dt = 0.04 v^2 + 5 v + 140 - u + I,    du/dt = a (b v - u),    in ms and mV
        a spike where v >= 30 mV, and then v <- c, u <- u + d
        I = input_scale gain (scale norm(drive) - threshold + noise) + sum over gap junctions g (v_pre - v)
        read <- exp(-dt / tau_read) read + spike

    Integrated as in the published script: two explicit half steps of v, then one step of u, with v kept at or above
    -90 mV, where these steps are stable; gap junctions are taken implicitly, so that they are stable at any
    conductance.

    Gradients do not follow v through its own upswing, where they would grow several hundredfold in a spike: above
    -62.5 mV they take v for an integrator of its currents, and the surrogate gradient stands for the spike. The resets
    have none (see ``LifCells``).

    Args:
        populations: number of cells of each population, in the order of the rows.
        a: rate at which u recovers, per ms; each of the four is one number, or one of each population.
        b: how much u follows v.
        c: the voltage after a spike, in mV.
        d: what a spike adds to u.
        input_scale: I where the current is 1.
        tau_read_ms: time constant of the filter of the spikes.
        dt_ms: length of a step, at most 1.
        surrogate_slope: see ``spike``; voltages count in units of 95 mV, the way from rest to the peak.
        norm: as in ``Cells``; likewise ``noise`` and ``gain``.
        noise: see ``norm``.
        gain: see ``norm``.
    """

    a_N1: Tensor
    b_N1: Tensor
    c_N1: Tensor
    d_N1: Tensor

    def __init__(
        self,
        *,
        populations: Sequence[int],
        a: float | Sequence[float],
        b: float | Sequence[float],
        c: float | Sequence[float],
        d: float | Sequence[float],
        input_scale: float,
        tau_read_ms: float,
        dt_ms: float,
        surrogate_slope: float,
        norm: str,
        noise: float,
        gain: Tensor | None = None,
    ) -> None:
        super().__init__(populations=populations, norm=norm, noise=noise, gain=gain)
        self.input_scale = input_scale
        self.dt_ms = dt_ms
        self.surrogate_slope = surrogate_slope
        self.read_decay = math.exp(-dt_ms / tau_read_ms)
        for name, value in {"a": a, "b": b, "c": c, "d": d}.items():
            self.register_buffer(f"{name}_N1", spread(value, populations).float(), persistent=False)

    def rest(self, like: Tensor) -> IzhikevichState:
        """Return cells at rest, for a batch as large as ``like``."""
        zero_NB = self.zeros(like)
        v_NB = zero_NB + REST_MV
        return IzhikevichState(zero_NB, zero_NB, v_NB, self.b_N1 * v_NB)

    def forward(
        self, state: IzhikevichState, *drives_NB: Tensor, junction_JNB: Tensor | None = None
    ) -> IzhikevichState:
        """Return the state one step later.

        Args:
            state: the state before.
            drives_NB: currents, (N, B).
            junction_JNB: see ``sparse.Junctions``.
        """
        current_NB = self.input_scale * self.inhibit(self.current(state.v_NB, drives_NB))
        v_NB, u_NB = state.v_NB, state.u_NB
        for _ in range(2):
            v_NB = self._half_step(v_NB, current_NB - u_NB, junction_JNB)
        u_NB = u_NB + self.dt_ms * self.a_N1 * (self.b_N1 * v_NB - u_NB)
        spike_NB = spike((v_NB - PEAK_MV) / (PEAK_MV - REST_MV), slope=self.surrogate_slope)
        fired_NB = spike_NB.detach()
        v_NB = torch.where(fired_NB > 0, self.c_N1, v_NB)
        u_NB = u_NB + self.d_N1 * fired_NB
        return IzhikevichState(spike_NB, self.read_decay * state.read_NB + spike_NB, v_NB, u_NB)

    def _half_step(self, v_NB: Tensor, current_NB: Tensor, junction_JNB: Tensor | None) -> Tensor:
        half_ms = self.dt_ms / 2
        own_NB = 0.04 * v_NB * v_NB + 5 * v_NB + 140
        own_NB = torch.where(v_NB > UPSWING_MV, own_NB.detach(), own_NB)
        new_NB = v_NB + half_ms * (own_NB + current_NB)
        if junction_JNB is not None:
            new_NB = (new_NB + half_ms * junction_JNB[1]) / (1 + half_ms * junction_JNB[0])
        return new_NB.clamp_min(LOWEST_MV)
