"""Rules of mean rates: Hebb, Oja, homeostasis.

Enters: a projection and the rates at its two ends. Leaves: changed strengths.

<x> is the mean over the batch.
"""

# Axes: E edges, N postsynaptic cells, M presynaptic cells, B batch.

from __future__ import annotations

from torch import Tensor

from connectome2net.runtime.plasticity.rule import Activity, Rule
from connectome2net.runtime.sparse import Projection


class Hebbian(Rule):
    """Co-active, stronger: ``strength += rate * <post * pre>`` (Hebb 1949, The Organization of Behavior).

    Args:
        rate: learning rate per batch.
    """

    def __init__(self, projection: Projection, *, rate: float) -> None:
        super().__init__()
        self.rate = rate

    def change(self, projection: Projection, pre: Activity, post: Activity, reward_B: Tensor | None) -> None:
        """Change the strengths of a projection once."""
        together_E = _together_E(projection, pre, post)
        projection.set_strength(projection.strength_E() + self.rate * together_E)


class Oja(Rule):
    """Hebb with a forgetting term: ``strength += rate * (<post * pre> - <post^2> strength)``.

    Oja 1982, J. Math. Biology 15:267, doi 10.1007/BF00275687.

    Args:
        rate: learning rate per batch.
    """

    def __init__(self, projection: Projection, *, rate: float) -> None:
        super().__init__()
        self.rate = rate

    def change(self, projection: Projection, pre: Activity, post: Activity, reward_B: Tensor | None) -> None:
        """Change the strengths of a projection once."""
        together_E = _together_E(projection, pre, post)
        power_E = post.read_NB.square().mean(1)[projection.pattern.row_of_edge()]
        strength_E = projection.strength_E()
        projection.set_strength(strength_E + self.rate * (together_E - power_E * strength_E))


class Homeostatic(Rule):
    """Mean rate off its target, pulled back: ``strength *= 1 + rate * sign * (target - <post>)``.

    All strengths onto a cell are scaled alike (synaptic scaling, Turrigiano 2008, doi 10.1016/j.cell.2008.10.008);
    the sign of the weight turns the change round for inhibition, which grows where excitation shrinks (Kilman et al.
    2002, J. Neurosci. 22:1328).

    Args:
        rate: learning rate per batch.
        target: the wanted mean rate.
    """

    def __init__(self, projection: Projection, *, rate: float, target: float) -> None:
        super().__init__()
        self.rate = rate
        self.target = target

    def change(self, projection: Projection, pre: Activity, post: Activity, reward_B: Tensor | None) -> None:
        """Change the strengths of a projection once."""
        error_E = (self.target - post.read_NB.mean(1))[projection.pattern.row_of_edge()]
        factor_E = 1 + self.rate * projection.weight_E().sign() * error_E
        projection.set_strength(projection.strength_E() * factor_E.clamp_min(0))


def _together_E(projection: Projection, pre: Activity, post: Activity) -> Tensor:
    """Return ``<post * pre>`` of each edge."""
    return projection.pattern.sample(post.read_NB, pre.read_NB) / pre.read_NB.shape[1]
