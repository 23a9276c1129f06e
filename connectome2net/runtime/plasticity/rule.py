"""What every plasticity rule is, and what it sees.

Enters: a projection, the activity at its two ends, perhaps a reward. Leaves: changed strengths, on existing edges only.

Under Dale's law a strength is the size of a weight and stays positive; under free signs it is signed. A rule costs
O(edges) per batch. What a rule remembers from batch to batch is a buffer, so that a checkpoint holds it. A mean over
the batch is a ``batch_mean``, since several processes may share the batch.
"""

# Axes: E edges, N postsynaptic cells, M presynaptic cells, B batch, T steps.

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from connectome2net.runtime.share import batch_mean
from connectome2net.runtime.sparse import Projection


class Activity:
    """What the cells of a group did in the last batch.

    Args:
        read: (N, B) rates at the end; of spiking cells, their filtered spikes.
        steps: rates or spikes of each step, T of (N, B), oldest first; empty where no rule asks for them.
    """

    def __init__(self, read: Tensor, steps: Sequence[Tensor] = ()) -> None:
        self.read_NB = read.detach()
        self.steps_T = tuple(rate_NB.detach() for rate_NB in steps)


def together_E(projection: Projection, post_NB: Tensor, pre_MB: Tensor) -> Tensor:
    """Return ``<post * pre>`` of each edge, (E,)."""
    return batch_mean(_together_here_E(projection, post_NB, pre_MB))


def together_in_steps_E(projection: Projection, post_T: Sequence[Tensor], pre_T: Sequence[Tensor]) -> Tensor:
    """Return ``sum over steps <post * pre>`` of each edge, (E,)."""
    total_E = torch.zeros_like(projection.anatomy_E)
    for post_NB, pre_MB in zip(post_T, pre_T, strict=True):
        total_E += _together_here_E(projection, post_NB, pre_MB)
    return batch_mean(total_E)


def _together_here_E(projection: Projection, post_NB: Tensor, pre_MB: Tensor) -> Tensor:
    return projection.pattern.sample(post_NB, pre_MB) / pre_MB.shape[1]


class Rule(nn.Module):
    """A local rule that changes the strengths of one projection on top of what the optimiser does."""

    @torch.no_grad()
    def forward(self, projection: Projection, pre: Activity, post: Activity, reward_B: Tensor | None = None) -> None:
        """Change the strengths of a projection once, after a batch.

        Args:
            projection: whose strengths change.
            pre: what its presynaptic cells did.
            post: what its postsynaptic cells did.
            reward_B: how good the answer to each image was; only rules that learn from reward look at it.
        """
        self.change(projection, pre, post, reward_B)

    def change(self, projection: Projection, pre: Activity, post: Activity, reward_B: Tensor | None) -> None:
        """Change the strengths once; what a rule is."""
        raise NotImplementedError


class Rules(nn.ModuleList):
    """The rules of one projection; they act one after the other.

    Args:
        rules: in the order in which they act.
    """

    def __init__(self, *rules: Rule) -> None:
        super().__init__(rules)

    def forward(self, projection: Projection, pre: Activity, post: Activity, reward_B: Tensor | None = None) -> None:
        """Let every rule act once; see ``Rule``."""
        for rule in self:
            rule(projection, pre, post, reward_B)
