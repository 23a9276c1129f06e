"""Does a network obey what its spec declares?

Enters: a model. Leaves: counts of violations.
"""

# Axes: E edges, N postsynaptic cells, M presynaptic cells, B batch of impulses.

from __future__ import annotations

import torch
from torch import Tensor, nn

from connectome2net.runtime.sparse import Projection

IMPULSES = 256
"""Presynaptic cells that are probed at a time."""

MOST_PRODUCTS = 2 * 10**9
"""Edges times impulses that an audit of one projection may cost; where that is too little, cells are drawn."""

TOLERANCE = 2e-3
"""Relative; the products of some devices have ten bits of mantissa."""


@torch.no_grad()
def audit_dale(model: nn.Module) -> dict[str, int]:
    """Count the edges whose weight has not the sign of its presynaptic cell.

    Args:
        model: a compiled network, fresh or trained.

    Returns:
        ``edges`` under Dale's law, ``violations`` among them (the other sign, or no number), and
        ``free`` edges, to which the law does not apply. Gap junctions are not counted: the law is about transmitters.
    """
    edges = violations = free = 0
    for module in _projections(model):
        if module.sign == "positive":
            continue
        if module.sign_E is None:
            free += len(module.theta_E)
            continue
        edges += len(module.theta_E)
        violations += int((~(module.weight_E() * module.sign_E >= 0)).sum())
    return {"edges": edges, "violations": violations, "free": free}


@torch.no_grad()
def audit_silence(model: nn.Module) -> dict[str, int]:
    """Count the pairs of cells where something passes although no synapse was seen.

    One presynaptic cell of a projection at a time sends 1 and all others 0, through the product that the model uses.
    What comes out is a column of W as it acts, and must be the weight of each measured edge, and exactly 0 elsewhere.
    Where all cells were probed, this proves for each projection, with the weights that it has now, that it is what
    its edges say and nothing else; that there are no other projections is what ``load`` checks, when it writes model.py
    again and compares. A norm of drives is no projection, and couples the cells of a population all the same.

    Args:
        model: a compiled network, fresh or trained.

    Returns:
        ``edges``; ``outside``: pairs without an edge where something passes; ``wrong``: edges that do not pass their
        weight; ``silent``: edges whose weight is 0; ``cells``: presynaptic cells of all projections, and ``probed``:
        how many of them were probed: all, or as many drawn at random as ``MOST_PRODUCTS`` allows.
    """
    found = dict.fromkeys(("edges", "outside", "wrong", "silent", "cells", "probed"), 0)
    for module in _projections(model):
        edges, (_, cells) = len(module.theta_E), module.pattern.shape
        most = max(IMPULSES, MOST_PRODUCTS // max(1, edges))
        drawn_M = torch.randperm(cells, generator=torch.Generator().manual_seed(0))[:most].sort().values
        counts = [_probe(module, pre_B) for pre_B in torch.split(drawn_M.to(module.theta_E.device), IMPULSES)]
        found["outside"] += sum(outside for outside, _ in counts)
        found["wrong"] += sum(wrong for _, wrong in counts)
        found["silent"] += int((module.weight_E() == 0).sum())
        found["edges"] += edges
        found["cells"] += cells
        found["probed"] += len(drawn_M)
    return found


def _probe(projection: Projection, pre_B: Tensor) -> tuple[int, int]:
    """Return the pairs outside the edges that pass something, and the edges that pass something wrong."""
    pattern, weight_E = projection.pattern, projection.weight_E()
    cells = pattern.shape[1]
    rate_MB = weight_E.new_zeros(cells, len(pre_B))
    rate_MB[pre_B, torch.arange(len(pre_B), device=pre_B.device)] = 1
    drive_NB = projection(rate_MB)
    wanted_NB = torch.zeros_like(drive_NB)
    is_edge_NB = torch.zeros_like(drive_NB, dtype=torch.bool)
    column_M = torch.full((cells,), -1, device=pre_B.device)
    column_M[pre_B] = torch.arange(len(pre_B), device=pre_B.device)
    # By the transposed rows: the product forward uses the others.
    column_E = column_M[torch.repeat_interleave(pattern.pre_start.diff())]
    chosen = column_E >= 0
    post_e, column_e = pattern.post_index[chosen].long(), column_E[chosen]
    wanted_NB[post_e, column_e] = weight_E[pattern.order[chosen].long()].to(drive_NB)
    is_edge_NB[post_e, column_e] = True
    passes = drive_NB != 0
    right = torch.isclose(drive_NB, wanted_NB, rtol=TOLERANCE, atol=0.0)
    return int((passes & ~is_edge_NB).sum()), int((is_edge_NB & ~right).sum())


def _projections(model: nn.Module) -> list[Projection]:
    return [module for module in model.modules() if isinstance(module, Projection)]
