"""Rules of cells: they change how excitable a cell is, not its synapses.

Enters: the cells of a group and what they did. Leaves: changed thresholds.
"""

# Axes: N cells, B batch.

from __future__ import annotations

import torch
from torch import Tensor, nn

from connectome2net.runtime.plasticity.memory import RunningMean
from connectome2net.runtime.plasticity.rule import Activity
from connectome2net.runtime.share import batch_mean


class CellRule(nn.Module):
    """A local rule that changes the cells of one population, a run of rows of their group."""

    @torch.no_grad()
    def forward(self, cells: nn.Module, did: Activity) -> None:
        """Change the cells of a group once, after a batch.

        Args:
            cells: the cells of the group.
            did: what they did.
        """
        self.change(cells, did)

    def change(self, cells: nn.Module, did: Activity) -> None:
        """Change the cells once; what a rule is."""
        raise NotImplementedError


class CellRules(nn.ModuleList):
    """The rules of one population; they act one after the other.

    Args:
        rules: in the order in which they act.
    """

    def __init__(self, *rules: CellRule) -> None:
        super().__init__(rules)

    def forward(self, cells: nn.Module, did: Activity) -> None:
        """Let every rule act once; see ``CellRule``."""
        for rule in self:
            rule(cells, did)


class Intrinsic(CellRule):
    """Intrinsic homeostasis: ``threshold += rate * (mean - target)``.

    The mean is a running mean of each cell's rate that has this batch in it already. A cell that was too quiet becomes
    easier to excite (Desai, Rutherford and Turrigiano 1999, Nature Neurosci. 2:515, doi 10.1038/9165).

    Args:
        rows_before: rows of the group before the first cell of the population.
        cells: how many cells the population has.
        rate: learning rate per batch, in thresholds per rate.
        target: the wanted mean rate.
        memory_batches: batches that the mean remembers.
    """

    def __init__(self, *, rows_before: int, cells: int, rate: float, target: float, memory_batches: int) -> None:
        super().__init__()
        self.rows = slice(rows_before, rows_before + cells)
        self.rate = rate
        self.target = target
        self.mean = RunningMean(cells, memory_batches=memory_batches)

    def change(self, cells: nn.Module, did: Activity) -> None:
        """Change the thresholds once."""
        mean_N: Tensor = self.mean(batch_mean(did.read_NB[self.rows].mean(1)))
        cells.get_parameter("threshold_N")[self.rows] += self.rate * (mean_N - self.target)
