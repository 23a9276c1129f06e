"""Plasticity of inhibition: it grows onto cells above their target and shrinks onto cells below it.

Enters: a projection and what the cells at its two ends did. Leaves: changed strengths of its inhibitory edges.
"""

# Axes: E edges, N postsynaptic cells, M presynaptic cells, B batch.

from __future__ import annotations

from itertools import accumulate

import torch
from torch import Tensor

from connectome2net.runtime.plasticity.memory import decay, traces
from connectome2net.runtime.plasticity.rule import Activity, Rule, together_E, together_in_steps_E
from connectome2net.runtime.sparse import Projection


class Inhibitory(Rule):
    """Inhibition that holds rates at a target: ``strength += rate * <pre (post - target)>``.

    The form for rates of Vogels et al. 2011, Science 334:1569, doi 10.1126/science.1211095. It acts on the inhibitory
    edges; others stay as they are.

    Args:
        rate: learning rate per batch.
        target: the rate that inhibition drives each postsynaptic cell to.

    Raises:
        ValueError: the projection has free signs, so that no edge is inhibitory for good.
    """

    def __init__(self, projection: Projection, *, rate: float, target: float) -> None:
        super().__init__()
        check_signs(projection)
        self.rate = rate
        self.target = target

    def change(self, projection: Projection, pre: Activity, post: Activity, reward_B: Tensor | None) -> None:
        """Change the strengths of a projection once."""
        change_E = together_E(projection, post.read_NB - self.target, pre.read_NB)
        grow_inhibition(projection, self.rate * change_E)


class InhibitorySTDP(Rule):
    """Inhibition that holds rates at a target, from spikes.

        strength += rate * exp(-t / tau)           for each pair of spikes with t between them, in any order
        strength -= rate * 2 tau target_hz         for each presynaptic spike

    All pairs of a pass count; the sum is averaged over the images. 2 tau is the area of the window; what lies before or
    after the pass is left out of it, since no spike can lie there: else the rate that balances both would be a multiple
    of the target in passes that are not much longer than tau. Vogels et al. 2011, Science 334:1569, doi
    10.1126/science.1211095. It acts on the inhibitory edges; others stay as they are.

    Args:
        rate: the change of a strength by a pair without time between.
        target_hz: the rate that inhibition drives each postsynaptic cell to, spikes per second.
        tau_ms: time constant of the window; 20 ms in the paper.
        dt_ms: length of a step.

    Raises:
        ValueError: the projection has free signs, so that no edge is inhibitory for good.
    """

    def __init__(self, projection: Projection, *, rate: float, target_hz: float, tau_ms: float, dt_ms: float) -> None:
        super().__init__()
        check_signs(projection)
        self.rate = rate
        self.target = target_hz * dt_ms / 1000
        self.left = decay(tau_ms, dt_ms)

    def change(self, projection: Projection, pre: Activity, post: Activity, reward_B: Tensor | None) -> None:
        """Change the strengths of a projection once."""
        # What of the window lies within the pass: up to each step, and from it on.
        window_T = list(accumulate(self.left**ago for ago in range(len(post.steps_T))))
        usual_T = [self.target * (before + after - 1) for before, after in zip(window_T, window_T[::-1], strict=True)]
        post_T = zip(post.steps_T, traces(post.steps_T, self.left), usual_T, strict=True)
        beyond_T = [spike_NB + trace_NB - usual for spike_NB, trace_NB, usual in post_T]
        at_pre_E = together_in_steps_E(projection, beyond_T, pre.steps_T)
        at_post_E = together_in_steps_E(projection, post.steps_T, traces(pre.steps_T, self.left))
        grow_inhibition(projection, self.rate * (at_pre_E + at_post_E))


def check_signs(projection: Projection) -> None:
    """Refuse a projection that has no inhibitory edges by law."""
    if projection.sign_E is None:
        raise ValueError("inhibitory plasticity acts under Dale's law only")


def grow_inhibition(projection: Projection, change_E: Tensor) -> None:
    """Add to the strengths of the inhibitory edges."""
    assert projection.sign_E is not None
    projection.set_strength(projection.strength_E() + torch.where(projection.sign_E < 0, change_E, 0.0))
