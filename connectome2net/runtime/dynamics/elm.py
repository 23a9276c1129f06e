"""Expressive Leaky Memory cells.

Enters: a state and drives. Leaves: the state one step later.
"""

# Axes: N cells, B batch, S excitatory and inhibitory, D memory units, H hidden units, I inputs of a cell's network.

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor, nn

from connectome2net.runtime.dynamics.drive import normalise, total
from connectome2net.runtime.share import noise_like


class Memories(NamedTuple):
    """The state of Expressive Leaky Memory cells.

    Attributes:
        rate_NB: what the cells send, and what is read out.
        trace_SNB: filtered excitatory and inhibitory drive.
        memory_NDB: the memory units of each cell.
    """

    rate_NB: Tensor
    trace_SNB: Tensor
    memory_NDB: Tensor

    @property
    def read_NB(self) -> Tensor:
        """What the readout and the rules see, (N, B)."""
        return self.rate_NB


class ElmCells(nn.Module):
    """Expressive Leaky Memory neurons (Spieler et al. 2023, arXiv 2306.16922), in the form with branches.

        trace  <- exp(-dt / tau_trace) trace + drive,    one trace of the excitatory drive, one of the inhibitory
        kept   <- exp(-dt / tau) memory
        memory <- kept + (1 - exp(-dt update / tau)) 1.7159 tanh(2/3 mlp(norm(trace), kept))
        rate   <- gain relu(output memory + bias)

    Every cell has a network ``mlp`` of its own with one hidden layer (relu), and memory units whose time constants
    are spread evenly on a logarithmic scale. Parameters are O(cells). Two differences from the paper: the branches
    are the two signs of the drive, because here a synapse's strength belongs to its edge; and the output is rectified,
    because Dale's law holds only if what a cell sends is not negative. The norm is a LayerNorm of each trace over the
    cells of a population, without numbers of its own, because the network that follows has them.

    Args:
        populations: number of cells of each population, in the order of the rows.
        memory_units: memory units of each cell.
        hidden: hidden units of each cell's network.
        tau_trace_ms: time constant of the traces.
        tau_min_ms: shortest time constant of memory.
        tau_max_ms: longest time constant of memory.
        update: lambda of the paper: how much faster memory takes up than it forgets.
        dt_ms: length of a step.
        learn_tau: the time constants are learned, per cell, between the shortest and the longest.
        norm: ``layer`` or ``none``.
        noise: standard deviation of Gaussian noise on the traces, after the norm, in training only.
        gain: (N,) factor of each cell's rate; graded inhibition.
    """

    place_D: Tensor
    gain_N: Tensor | None

    def __init__(
        self,
        *,
        populations: Sequence[int],
        memory_units: int,
        hidden: int,
        tau_trace_ms: float,
        tau_min_ms: float,
        tau_max_ms: float,
        update: float,
        dt_ms: float,
        norm: str,
        noise: float,
        learn_tau: bool = False,
        gain: Tensor | None = None,
    ) -> None:
        super().__init__()
        self.populations = list(populations)
        self.tau_range_ms = (tau_min_ms, tau_max_ms)
        self.update = update
        self.dt_ms = dt_ms
        self.norm = norm
        self.noise = noise
        self.trace_decay = math.exp(-dt_ms / tau_trace_ms)
        cells, inputs = sum(populations), 2 + memory_units
        self.in_NHI = nn.Parameter(_uniform(cells, hidden, inputs))
        self.in_bias_NH1 = nn.Parameter(torch.zeros(cells, hidden, 1))
        self.out_NDH = nn.Parameter(_uniform(cells, memory_units, hidden))
        self.out_bias_ND1 = nn.Parameter(torch.zeros(cells, memory_units, 1))
        self.read_N1D = nn.Parameter(_uniform(cells, 1, memory_units))
        self.bias_N = nn.Parameter(torch.zeros(cells))
        place_D = torch.linspace(0, 1, memory_units)
        self.register_buffer("place_D", place_D, persistent=False)
        start_ND = torch.logit(place_D, eps=0.01).repeat(cells, 1)
        self.place_logit_ND = nn.Parameter(start_ND) if learn_tau else None
        self.register_buffer("gain_N", None if gain is None else gain.clone(), persistent=False)

    def rest(self, like: Tensor) -> Memories:
        """Return empty memories, for a batch as large as ``like``."""
        cells, units, batch = len(self.bias_N), self.out_NDH.shape[1], like.shape[0]
        shapes = ((cells, batch), (2, cells, batch), (cells, units, batch))
        return Memories(*(like.new_zeros(shape) for shape in shapes))

    def forward(self, state: Memories, *drives_SNB: Tensor) -> Memories:
        """Return the state one step later.

        Args:
            state: the state before.
            drives_SNB: excitatory and inhibitory drives, (2, N, B).
        """
        trace_SNB = self.trace_decay * state.trace_SNB
        if drives_SNB:
            trace_SNB = trace_SNB + total(*drives_SNB)
        seen_SNB = normalise(trace_SNB, self.populations) if self.norm == "layer" else trace_SNB
        if self.training and self.noise:
            seen_SNB = seen_SNB + self.noise * noise_like(seen_SNB)
        step_ND1 = (self.dt_ms / self.tau_ms()).unsqueeze(-1)
        kept_NDB = torch.exp(-step_ND1) * state.memory_NDB
        inputs_NIB = torch.cat([seen_SNB.transpose(0, 1), kept_NDB], dim=1)
        hidden_NHB = torch.relu(torch.baddbmm(self.in_bias_NH1, self.in_NHI, inputs_NIB))
        new_NDB = 1.7159 * torch.tanh(2 / 3 * torch.baddbmm(self.out_bias_ND1, self.out_NDH, hidden_NHB))
        memory_NDB = kept_NDB - torch.expm1(-self.update * step_ND1) * new_NDB
        rate_NB = torch.relu(torch.bmm(self.read_N1D, memory_NDB).squeeze(1) + self.bias_N[:, None])
        return Memories(rate_NB if self.gain_N is None else rate_NB * self.gain_N[:, None], trace_SNB, memory_NDB)

    def tau_ms(self) -> Tensor:
        """Return the time constants of memory, (D,), or (N, D) where they are learned."""
        shortest, longest = self.tau_range_ms
        place = self.place_D if self.place_logit_ND is None else torch.sigmoid(self.place_logit_ND)
        return shortest * (longest / shortest) ** place


def _uniform(cells: int, outputs: int, inputs: int) -> Tensor:
    """Return a matrix of each cell, drawn as that of ``torch.nn.Linear``."""
    return torch.randn(cells, outputs, inputs) / inputs**0.5
