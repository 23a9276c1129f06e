"""Cells whose synapses are conductances.

Enters: a state and conductances. Leaves: the state one step later.
"""

# Axes: N cells, B batch, S excitatory and inhibitory conductance, J total conductance of gap junctions and its product
# with the voltages beyond them.

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor, nn

from connectome2net.runtime.dynamics.drive import spread, total
from connectome2net.runtime.share import noise_like


class Voltages(NamedTuple):
    """The state of conductance-based cells.

    Attributes:
        rate_NB: how open the synapses of each cell are, from 0 to 1; also what is read out.
        v_NB: the voltage in mV.
    """

    rate_NB: Tensor
    v_NB: Tensor

    @property
    def read_NB(self) -> Tensor:
        """What the readout and the rules see, (N, B)."""
        return self.rate_NB


class ConductanceCells(nn.Module):
    """Graded conductance-based cells with liquid time constants.

        tau dv/dt = v_rest - v + g_e (e_excitatory - v) + g_i (e_inhibitory - v) + sum over gap junctions g (v_pre - v)
        g_e = scale * sum over excitatory edges W rate,    g_i = the same over inhibitory ones
        rate = gain sigmoid((v - v_half) / slope - threshold)

    Conductances are in units of the leak's. The more are open, the faster the cell: the time constant is
    ``tau / (1 + g)`` (Hasani et al. 2021, arXiv 2006.04439; Lechner et al. 2020, doi 10.1038/s42256-020-00237-3; graded
    synapses: Wicks et al. 1996, doi 10.1523/JNEUROSCI.16-12-04017.1996). There each synapse has a sigmoid of its own;
    here all synapses of a presynaptic cell share one, so that a step is a sparse product, and what an edge learns is
    its conductance. A reversal potential follows from the sign of the presynaptic cell.

    The step is exponential Euler: exact while conductances are constant, of first order where they change. It moves v
    towards a mean of reversal potentials and never past it, so that v stays between the lowest and the highest of
    them, at any conductance and any step; an explicit step leaves them where ``dt (1 + g) > tau``. The fused step of
    the liquid time-constant papers (implicit Euler) is as stable, but not exact for constant conductances.

    There is no norm of the drive: a conductance is not negative, and its division by itself (v goes to a weighted mean)
    is a norm of its own. Noise is a current that moves the voltage by ``noise`` slopes of the sigmoid in a step; in
    training only.

    Args:
        populations: number of cells of each population, in the order of the rows.
        tau_ms: time constant without synapses; one number, or one of each population.
        dt_ms: length of a step.
        v_rest_mv: reversal potential of the leak.
        e_excitatory_mv: reversal potential of excitatory synapses.
        e_inhibitory_mv: reversal potential of inhibitory synapses.
        v_half_mv: the voltage at which half of a cell's synapses are open, before learning.
        slope_mv: voltage that opens synapses e-fold, at low rates.
        noise: standard deviation, in slopes.
        gain: (N,) factor of each cell's rate; graded inhibition.
    """

    rate_N1: Tensor
    gain_N: Tensor | None

    def __init__(
        self,
        *,
        populations: Sequence[int],
        tau_ms: float | Sequence[float],
        dt_ms: float,
        v_rest_mv: float,
        e_excitatory_mv: float,
        e_inhibitory_mv: float,
        v_half_mv: float,
        slope_mv: float,
        noise: float,
        gain: Tensor | None = None,
    ) -> None:
        super().__init__()
        self.v_rest_mv = v_rest_mv
        self.e_excitatory_mv = e_excitatory_mv
        self.e_inhibitory_mv = e_inhibitory_mv
        self.v_half_mv = v_half_mv
        self.slope_mv = slope_mv
        self.noise = noise
        self.log_scale_N = nn.Parameter(torch.zeros(sum(populations)))
        self.threshold_N = nn.Parameter(torch.zeros(sum(populations)))
        self.register_buffer("rate_N1", (dt_ms / spread(tau_ms, populations)).float(), persistent=False)
        self.register_buffer("gain_N", None if gain is None else gain.clone(), persistent=False)

    def rest(self, like: Tensor) -> Voltages:
        """Return cells at rest, for a batch as large as ``like``: their synapses are open a little."""
        v_NB = like.new_full((len(self.threshold_N), like.shape[0]), self.v_rest_mv)
        return Voltages(self.open(v_NB), v_NB)

    def open(self, v_NB: Tensor) -> Tensor:
        """Return how open the synapses of cells with a voltage are, (N, B)."""
        rate_NB = torch.sigmoid((v_NB - self.v_half_mv) / self.slope_mv - self.threshold_N[:, None])
        return rate_NB if self.gain_N is None else rate_NB * self.gain_N[:, None]

    def forward(self, state: Voltages, *drives_SNB: Tensor, junction_JNB: Tensor | None = None) -> Voltages:
        """Return the state one step later.

        Args:
            state: the state before.
            drives_SNB: excitatory and inhibitory conductances, (2, N, B).
            junction_JNB: see ``sparse.Junctions``.
        """
        open_NB = torch.ones_like(state.v_NB)
        towards_NB = torch.full_like(state.v_NB, self.v_rest_mv)
        if drives_SNB:
            excitatory_NB, inhibitory_NB = total(*drives_SNB) * self.log_scale_N.exp()[:, None]
            open_NB = open_NB + excitatory_NB + inhibitory_NB
            towards_NB = towards_NB + self.e_excitatory_mv * excitatory_NB + self.e_inhibitory_mv * inhibitory_NB
        if junction_JNB is not None:
            open_NB = open_NB + junction_JNB[0]
            towards_NB = towards_NB + junction_JNB[1]
        target_NB = towards_NB / open_NB
        v_NB = target_NB + (state.v_NB - target_NB) * torch.exp(-self.rate_N1 * open_NB)
        if self.training and self.noise:
            v_NB = v_NB + self.noise * self.slope_mv * noise_like(v_NB)
        return Voltages(self.open(v_NB), v_NB)
