"""Local rules that change strengths on top of backpropagation.

Enters: a projection and the rates at its two ends. Leaves: changed strengths, on existing edges only.

Under Dale's law a strength is the size of a weight and stays positive; under free signs it is signed. <x> is the mean
over the batch. Each rule costs O(edges).
"""

# Axes: E edges, N postsynaptic cells, M presynaptic cells, B batch.

from __future__ import annotations

import torch
from torch import Tensor

from connectome2net.runtime.sparse import Projection


class Hebbian:
    """Co-active, stronger: ``strength += rate * <post * pre>`` (Hebb 1949, The Organization of Behavior).

    Args:
        rate: learning rate per batch.
    """

    def __init__(self, *, rate: float) -> None:
        self.rate = rate

    @torch.no_grad()
    def __call__(self, projection: Projection, pre_MB: Tensor, post_NB: Tensor) -> None:
        """Change the strengths of a projection once."""
        together_E = projection.pattern.sample(post_NB, pre_MB) / pre_MB.shape[1]
        projection.set_strength(projection.strength_E() + self.rate * together_E)


class Oja:
    """Hebb with a forgetting term: ``strength += rate * (<post * pre> - <post^2> strength)``.

    Oja 1982, J. Math. Biology 15:267, doi 10.1007/BF00275687.

    Args:
        rate: learning rate per batch.
    """

    def __init__(self, *, rate: float) -> None:
        self.rate = rate

    @torch.no_grad()
    def __call__(self, projection: Projection, pre_MB: Tensor, post_NB: Tensor) -> None:
        """Change the strengths of a projection once."""
        together_E = projection.pattern.sample(post_NB, pre_MB) / pre_MB.shape[1]
        power_E = post_NB.square().mean(1)[projection.pattern.row_of_edge()]
        strength_E = projection.strength_E()
        projection.set_strength(strength_E + self.rate * (together_E - power_E * strength_E))


class Homeostatic:
    """Mean rate off its target, pulled back: ``strength *= 1 + rate * sign * (target - <post>)``.

    All strengths onto a cell are scaled alike (synaptic scaling, Turrigiano 2008, doi 10.1016/j.cell.2008.10.008);
    the sign of the weight turns the change round for inhibition, which grows where excitation shrinks (Kilman et al.
    2002, J. Neurosci. 22:1328).

    Args:
        rate: learning rate per batch.
        target: the wanted mean rate.
    """

    def __init__(self, *, rate: float, target: float) -> None:
        self.rate = rate
        self.target = target

    @torch.no_grad()
    def __call__(self, projection: Projection, pre_MB: Tensor, post_NB: Tensor) -> None:
        """Change the strengths of a projection once."""
        error_E = (self.target - post_NB.mean(1))[projection.pattern.row_of_edge()]
        factor_E = 1 + self.rate * projection.weight_E().sign() * error_E
        projection.set_strength(projection.strength_E() * factor_E.clamp_min(0))
