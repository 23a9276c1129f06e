"""Rewiring: weak edges are pruned, and as many others grow, among the edges that were compiled.

Enters: a projection and the rates at its two ends. Leaves: other edges active, as many as before.
"""

# Axes: E edges, N postsynaptic cells, M presynaptic cells, B batch.

from __future__ import annotations

import torch
from torch import Tensor

from connectome2net.runtime.plasticity.rule import Activity, Rule, together_E
from connectome2net.runtime.sparse import Projection


class Structural(Rule):
    """Structural plasticity within the compiled edges: those are allowed, a constant number of them is active.

    Every so many batches the active edges with the smallest ``|weight|`` are pruned and as many grow that were
    inactive until then (sparse evolutionary training, Mocanu et al. 2018, Nature Commun. 9:2383, doi
    10.1038/s41467-018-04316-3; the constant number also in deep rewiring, Bellec et al. 2018, arXiv 1711.05136). Which
    grow is drawn from torch's global generator, or they are those with the largest ``<post * pre>`` of this batch. An
    edge grows as it starts in a fresh network: strength 1 under Dale's law, else a standard normal number. What the
    optimiser remembers of an edge stays.

    Args:
        projection: whose edges; from now on only a part of them is active, drawn at random.
        active: the part of the compiled edges that is active.
        every: batches between two prunings.
        fraction: the part of the active edges that is pruned, as far as there are inactive ones to grow.
        regrow: ``random`` or ``coactivity``.
    """

    batches: Tensor

    def __init__(self, projection: Projection, *, active: float, every: int, fraction: float, regrow: str) -> None:
        super().__init__()
        projection.activate(active)
        self.every = every
        self.fraction = fraction
        self.regrow = regrow
        self.register_buffer("batches", torch.zeros((), dtype=torch.int64))

    def change(self, projection: Projection, pre: Activity, post: Activity, reward_B: Tensor | None) -> None:
        """Count a batch, and prune and regrow if it is time to."""
        self.batches += 1
        if int(self.batches) % self.every:
            return
        active_E = projection.active_E
        assert active_E is not None
        active = int(active_E.sum())
        count = min(round(self.fraction * active), len(active_E) - active)
        size_E = projection.weight_E().abs().masked_fill(~active_E, torch.inf)
        if self.regrow == "coactivity":
            wish_E = together_E(projection, post.read_NB, pre.read_NB)
        else:
            wish_E = torch.rand_like(size_E)
        weakest = size_E.topk(count, largest=False).indices
        projection.exchange(weakest, wish_E.masked_fill(active_E, -torch.inf).topk(count).indices)
