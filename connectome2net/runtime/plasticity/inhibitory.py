"""Plasticity of inhibition: it grows onto cells above their target and shrinks onto cells below it.

Enters: a projection and what the cells at its two ends did. Leaves: changed strengths of its inhibitory edges.
"""

# Axes: E edges, N postsynaptic cells, M presynaptic cells, B batch.

from __future__ import annotations

import torch
from torch import Tensor

from connectome2net.runtime.plasticity.rule import Activity, Rule, together_E
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
        if projection.sign_E is None:
            raise ValueError("inhibitory plasticity acts under Dale's law only")
        self.rate = rate
        self.target = target

    def change(self, projection: Projection, pre: Activity, post: Activity, reward_B: Tensor | None) -> None:
        """Change the strengths of a projection once."""
        change_E = together_E(projection, post.read_NB - self.target, pre.read_NB)
        grow_inhibition(projection, self.rate * change_E)


def grow_inhibition(projection: Projection, change_E: Tensor) -> None:
    """Add to the strengths of the inhibitory edges."""
    assert projection.sign_E is not None
    projection.set_strength(projection.strength_E() + torch.where(projection.sign_E < 0, change_E, 0.0))
