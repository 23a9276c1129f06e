"""Rules with a third factor: what was active before a reward that beats the usual one is strengthened.

Enters: a projection, the steps of the cells at its two ends, the reward of each image. Leaves: changed strengths.
"""

# Axes: N cells, M presynaptic cells, B batch, T steps.

from __future__ import annotations

import torch
from torch import Tensor

from connectome2net.runtime.plasticity.memory import RunningMean, decay
from connectome2net.runtime.plasticity.rule import Activity, Rule, together_in_steps_E
from connectome2net.runtime.share import batch_mean
from connectome2net.runtime.sparse import Projection


class ThreeFactor(Rule):
    """Reward times eligibility: ``strength += rate * <(reward - baseline) eligibility>``.

        eligibility <- exp(-1 / tau) eligibility + post * pre    in each step of a pass

    The reward comes after the last step (Izhikevich 2007, Cerebral Cortex 17:2443, doi 10.1093/cercor/bhl152); the
    baseline, a running mean that has this batch in it already, makes it a surprise (Fremaux and Gerstner 2016, doi
    10.3389/fncir.2015.00085). Each edge has a trace for each image, since images are trials of their own. The traces
    are linear in post, so weighting post by what the image earned and by what is left of the step gives the mean of
    their products with the reward without ever storing edges x images numbers. Under Dale's law it acts on the
    excitatory edges, as in the paper; others stay as they are, for a larger inhibitory strength would undo what was
    rewarded.

    Args:
        rate: learning rate per batch.
        tau_steps: steps in which an eligibility falls to 1/e.
        memory_batches: batches that the baseline remembers.
    """

    def __init__(self, projection: Projection, *, rate: float, tau_steps: float, memory_batches: int) -> None:
        super().__init__()
        self.rate = rate
        self.left = decay(tau_steps)
        self.baseline = RunningMean(1, memory_batches=memory_batches)

    def change(self, projection: Projection, pre: Activity, post: Activity, reward_B: Tensor | None) -> None:
        """Change the strengths of a projection once.

        Raises:
            ValueError: there is no reward, or not one for each image.
        """
        surprise_B = self.surprise(reward_B, like=post.read_NB)
        ago_T = range(len(post.steps_T) - 1, -1, -1)
        earned_T = [x_NB * (self.left**ago * surprise_B) for ago, x_NB in zip(ago_T, post.steps_T, strict=True)]
        change_E = self.rate * together_in_steps_E(projection, earned_T, pre.steps_T)
        if projection.sign_E is not None:
            change_E = torch.where(projection.sign_E > 0, change_E, 0.0)
        projection.set_strength(projection.strength_E() + change_E)

    def surprise(self, reward_B: Tensor | None, *, like: Tensor) -> Tensor:
        """Return ``reward - baseline`` of each image, (B,)."""
        if reward_B is None or reward_B.shape != like.shape[1:]:
            found = "none" if reward_B is None else f"shape {tuple(reward_B.shape)}"
            raise ValueError(f"a rule learns from reward: found {found}, wanted one for each of {like.shape[1]} images")
        reward_B = reward_B.to(like)
        return reward_B - self.baseline(batch_mean(reward_B.mean(0, keepdim=True)))
