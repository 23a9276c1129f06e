"""Local rules that change strengths on top of backpropagation.

Enters: a projection and the rates at its two ends. Leaves: changed strengths, on existing edges only.

Under Dale's law a strength is the size of a weight and stays positive; under free signs it is signed. <x> is the mean
over the batch. Each rule costs O(edges).
"""

# Axes: E edges, N postsynaptic cells, M presynaptic cells, B batch.

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from connectome2net.runtime.sparse import Projection


@dataclass(frozen=True, kw_only=True)
class Hebbian:
    """Co-active, stronger: ``strength += rate * <post * pre>`` (Hebb 1949, The Organization of Behavior).

    Args:
        rate: learning rate per batch.
    """

    rate: float

    @torch.no_grad()
    def __call__(self, projection: Projection, pre_MB: Tensor, post_NB: Tensor) -> None:
        """Change the strengths of a projection once."""
        together_E = _together_E(projection, pre_MB, post_NB)
        projection.set_strength(projection.strength_E() + self.rate * together_E)


@dataclass(frozen=True, kw_only=True)
class Oja:
    """Hebb with a forgetting term: ``strength += rate * (<post * pre> - <post^2> strength)``.

    Oja 1982, J. Math. Biology 15:267, doi 10.1007/BF00275687.

    Args:
        rate: learning rate per batch.
    """

    rate: float

    @torch.no_grad()
    def __call__(self, projection: Projection, pre_MB: Tensor, post_NB: Tensor) -> None:
        """Change the strengths of a projection once."""
        together_E = _together_E(projection, pre_MB, post_NB)
        power_E = post_NB.square().mean(1)[projection.pattern.row_of_edge()]
        strength_E = projection.strength_E()
        projection.set_strength(strength_E + self.rate * (together_E - power_E * strength_E))


@dataclass(frozen=True, kw_only=True)
class Homeostatic:
    """Mean rate off its target, pulled back: ``strength *= 1 + rate * sign * (target - <post>)``.

    All strengths onto a cell are scaled alike (synaptic scaling, Turrigiano 2008, doi 10.1016/j.cell.2008.10.008);
    the sign of the weight turns the change round for inhibition, which grows where excitation shrinks (Kilman et al.
    2002, J. Neurosci. 22:1328).

    Args:
        rate: learning rate per batch.
        target: the wanted mean rate.
    """

    rate: float
    target: float

    @torch.no_grad()
    def __call__(self, projection: Projection, pre_MB: Tensor, post_NB: Tensor) -> None:
        """Change the strengths of a projection once."""
        error_E = (self.target - post_NB.mean(1))[projection.pattern.row_of_edge()]
        factor_E = 1 + self.rate * projection.weight_E().sign() * error_E
        projection.set_strength(projection.strength_E() * factor_E.clamp_min(0))


def _together_E(projection: Projection, pre_MB: Tensor, post_NB: Tensor) -> Tensor:
    """Return ``<post * pre>`` of each edge."""
    return projection.pattern.sample(post_NB, pre_MB) / pre_MB.shape[1]
