"""Does a network obey what its spec declares?

Enters: a model. Leaves: counts of violations.
"""

# Axes: E edges.

from __future__ import annotations

import torch
from torch import nn

from connectome2net.runtime.sparse import Projection


@torch.no_grad()
def audit_dale(model: nn.Module) -> dict[str, int]:
    """Count the edges whose weight has not the sign of its presynaptic cell.

    Args:
        model: a compiled network, fresh or trained.

    Returns:
        ``edges`` under Dale's law, ``violations`` among them (the other sign, or no number), and
        ``free`` edges, to which the law does not apply.
    """
    edges = violations = free = 0
    for module in model.modules():
        if not isinstance(module, Projection):
            continue
        if module.sign_E is None:
            free += len(module.theta_E)
            continue
        edges += len(module.theta_E)
        violations += int((~(module.weight_E() * module.sign_E >= 0)).sum())
    return {"edges": edges, "violations": violations, "free": free}
