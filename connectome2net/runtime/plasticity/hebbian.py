"""Rules of mean rates: Hebb, Oja, covariance, BCM, synaptic scaling.

Enters: a projection and the rates at its two ends. Leaves: changed strengths.

<x> is the mean over the batch.
"""

# Axes: E edges, N postsynaptic cells, M presynaptic cells, B batch.

from __future__ import annotations

from torch import Tensor

from connectome2net.runtime.plasticity.memory import RunningMean
from connectome2net.runtime.plasticity.rule import Activity, Rule, together_E
from connectome2net.runtime.share import batch_mean
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
        change_E = together_E(projection, post.read_NB, pre.read_NB)
        projection.set_strength(projection.strength_E() + self.rate * change_E)


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
        hebbian_E = together_E(projection, post.read_NB, pre.read_NB)
        power_E = batch_mean(post.read_NB.square().mean(1))[projection.pattern.row_of_edge()]
        strength_E = projection.strength_E()
        projection.set_strength(strength_E + self.rate * (hebbian_E - power_E * strength_E))


class Covariance(Rule):
    """Co-active beyond the usual, stronger: ``strength += rate * <(post - mean post) (pre - mean pre)>``.

    Sejnowski 1977, J. Math. Biology 4:303, doi 10.1007/BF00275079. The means are running means of each cell that have
    this batch in them already.

    Args:
        rate: learning rate per batch.
        memory_batches: batches that the means remember.
    """

    def __init__(self, projection: Projection, *, rate: float, memory_batches: int) -> None:
        super().__init__()
        self.rate = rate
        post, pre = projection.pattern.shape
        self.post = RunningMean(post, memory_batches=memory_batches)
        self.pre = RunningMean(pre, memory_batches=memory_batches)

    def change(self, projection: Projection, pre: Activity, post: Activity, reward_B: Tensor | None) -> None:
        """Change the strengths of a projection once."""
        post_NB = post.read_NB - self.post(batch_mean(post.read_NB.mean(1)))[:, None]
        pre_MB = pre.read_NB - self.pre(batch_mean(pre.read_NB.mean(1)))[:, None]
        projection.set_strength(projection.strength_E() + self.rate * together_E(projection, post_NB, pre_MB))


class BCM(Rule):
    """Above a sliding threshold stronger, below it weaker: ``strength += rate * <post (post - threshold) pre>``.

    Bienenstock, Cooper and Munro 1982, J. Neurosci. 2:32, doi 10.1523/JNEUROSCI.02-01-00032.1982. The threshold is
    ``mean post^2 / target`` (Intrator and Cooper 1992, Neural Networks 5:3, doi 10.1016/S0893-6080(05)80003-6), a
    running mean of each cell that has this batch in it already.

    Args:
        rate: learning rate per batch.
        target: the rate at which a cell that always has it stays as it is.
        memory_batches: batches that the threshold remembers.
    """

    def __init__(self, projection: Projection, *, rate: float, target: float, memory_batches: int) -> None:
        super().__init__()
        self.rate = rate
        self.target = target
        self.power = RunningMean(projection.pattern.shape[0], memory_batches=memory_batches)

    def change(self, projection: Projection, pre: Activity, post: Activity, reward_B: Tensor | None) -> None:
        """Change the strengths of a projection once."""
        post_NB = post.read_NB
        threshold_N = self.power(batch_mean(post_NB.square().mean(1))) / self.target
        change_E = together_E(projection, post_NB * (post_NB - threshold_N[:, None]), pre.read_NB)
        projection.set_strength(projection.strength_E() + self.rate * change_E)


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
        error_E = (self.target - batch_mean(post.read_NB.mean(1)))[projection.pattern.row_of_edge()]
        factor_E = 1 + self.rate * projection.weight_E().sign() * error_E
        projection.set_strength(projection.strength_E() * factor_E.clamp_min(0))
