"""Timing for rates: what rises after its input is strengthened.

Enters: a projection and the rates of the cells at its two ends in each step. Leaves: changed strengths.
"""

# Axes: N postsynaptic cells, M presynaptic cells, B batch, T steps.

from __future__ import annotations

from itertools import pairwise

from torch import Tensor

from connectome2net.runtime.plasticity.memory import decay, traces
from connectome2net.runtime.plasticity.rule import Activity, Rule, together_in_steps_E
from connectome2net.runtime.sparse import Projection


class DifferentialHebbian(Rule):
    """Differential Hebbian learning: ``strength += rate * sum over steps <trace of pre (post - post a step ago)>``.

    A presynaptic cell that was active before a postsynaptic rise gets stronger, one that was active before a fall
    weaker: STDP of mean rates (Roberts 1999, J. Comput. Neurosci. 7:235, doi 10.1023/A:1008910918445). The equation is
    that of Sutton and Barto 1981, Psychol. Rev. 88:135, doi 10.1037/0033-295X.88.2.135. A trace is
    ``sum over n >= 1 of exp(-n / tau) pre(n steps ago)``; it is theirs but for a factor ``exp(-1 / tau)``.

    Args:
        rate: learning rate per batch.
        tau_steps: steps in which a trace falls to 1/e.
    """

    def __init__(self, projection: Projection, *, rate: float, tau_steps: float) -> None:
        super().__init__()
        self.rate = rate
        self.left = decay(tau_steps)

    def change(self, projection: Projection, pre: Activity, post: Activity, reward_B: Tensor | None) -> None:
        """Change the strengths of a projection once."""
        rises_T = [later_NB - earlier_NB for earlier_NB, later_NB in pairwise(post.steps_T)]
        traces_T = traces(pre.steps_T, self.left)[1:]  # before the first step there was nothing to trace
        change_E = together_in_steps_E(projection, rises_T, traces_T)
        projection.set_strength(projection.strength_E() + self.rate * change_E)
