"""Rules of spike times: pairs and triplets.

Enters: a projection and the spikes of the cells at its two ends in each step. Leaves: changed strengths.

Pairs in one step have no order and change nothing. A delay of the projection does not count: times are those at which
cells fire. A change is added whatever the strength is, so that homeostatic rules go well with these.
"""

# Axes: E edges, N postsynaptic cells, M presynaptic cells, B batch, T steps.

from __future__ import annotations

from torch import Tensor

from connectome2net.runtime.plasticity.memory import decay, traces
from connectome2net.runtime.plasticity.rule import Activity, Rule, together_in_steps_E
from connectome2net.runtime.sparse import Projection


class STDP(Rule):
    """Pairs of spikes: pre before post stronger, post before pre weaker.

        strength += rate * exp(-t / tau_plus)                  for each pair with post t after pre
        strength -= rate * depression * exp(-t / tau_minus)    for each pair with pre t after post

    All pairs of a pass count; the sum is averaged over the images. Bi and Poo 1998, J. Neurosci. 18:10464, doi
    10.1523/JNEUROSCI.18-24-10464.1998, measured it; the form is that of Song, Miller and Abbott 2000, Nature Neurosci.
    3:919, doi 10.1038/78829.

    Args:
        rate: the change of a strength by a pair without time between, A_plus.
        depression: A_minus / A_plus.
        tau_plus_ms: time constant of potentiation.
        tau_minus_ms: time constant of depression.
        dt_ms: length of a step.
    """

    def __init__(
        self,
        projection: Projection,
        *,
        rate: float,
        depression: float,
        tau_plus_ms: float,
        tau_minus_ms: float,
        dt_ms: float,
    ) -> None:
        super().__init__()
        self.rate = rate
        self.depression = depression
        self.plus = decay(tau_plus_ms, dt_ms)
        self.minus = decay(tau_minus_ms, dt_ms)

    def change(self, projection: Projection, pre: Activity, post: Activity, reward_B: Tensor | None) -> None:
        """Change the strengths of a projection once."""
        stronger_E = together_in_steps_E(projection, post.steps_T, traces(pre.steps_T, self.plus))
        weaker_E = together_in_steps_E(projection, traces(post.steps_T, self.minus), pre.steps_T)
        change_E = stronger_E - self.depression * weaker_E
        projection.set_strength(projection.strength_E() + self.rate * change_E)


class TripletSTDP(Rule):
    """Triplets of spikes, so that the frequency of pairs counts, all to all.

        strength += rate * r1 (a2_plus + a3_plus o2)      at a postsynaptic spike
        strength -= rate * o1 (a2_minus + a3_minus r2)    at a presynaptic spike

    r1 and r2 are traces of the presynaptic cell with time constants tau_plus and tau_x, o1 and o2 of the postsynaptic
    cell with tau_minus and tau_y; a spike does not see what it adds itself. Pfister and Gerstner 2006, J. Neurosci.
    26:9673, doi 10.1523/JNEUROSCI.1425-06.2006.

    Args:
        rate: factor of all changes; 1 is the paper's.
        a2_plus: potentiation by a pair.
        a3_plus: potentiation by post, pre, post.
        a2_minus: depression by a pair.
        a3_minus: depression by pre, post, pre.
        tau_plus_ms: time constant of r1.
        tau_x_ms: time constant of r2.
        tau_minus_ms: time constant of o1.
        tau_y_ms: time constant of o2.
        dt_ms: length of a step.
    """

    def __init__(
        self,
        projection: Projection,
        *,
        rate: float,
        a2_plus: float,
        a3_plus: float,
        a2_minus: float,
        a3_minus: float,
        tau_plus_ms: float,
        tau_x_ms: float,
        tau_minus_ms: float,
        tau_y_ms: float,
        dt_ms: float,
    ) -> None:
        super().__init__()
        self.rate = rate
        self.a2_plus, self.a3_plus, self.a2_minus, self.a3_minus = a2_plus, a3_plus, a2_minus, a3_minus
        self.plus, self.x = decay(tau_plus_ms, dt_ms), decay(tau_x_ms, dt_ms)
        self.minus, self.y = decay(tau_minus_ms, dt_ms), decay(tau_y_ms, dt_ms)

    def change(self, projection: Projection, pre: Activity, post: Activity, reward_B: Tensor | None) -> None:
        """Change the strengths of a projection once."""
        r1_T, r2_T = traces(pre.steps_T, self.plus), traces(pre.steps_T, self.x)
        o1_T, o2_T = traces(post.steps_T, self.minus), traces(post.steps_T, self.y)
        post_T = [x_NB * (self.a2_plus + self.a3_plus * o2_NB) for x_NB, o2_NB in zip(post.steps_T, o2_T, strict=True)]
        pre_T = [x_MB * (self.a2_minus + self.a3_minus * r2_MB) for x_MB, r2_MB in zip(pre.steps_T, r2_T, strict=True)]
        change_E = together_in_steps_E(projection, post_T, r1_T) - together_in_steps_E(projection, o1_T, pre_T)
        projection.set_strength(projection.strength_E() + self.rate * change_E)
