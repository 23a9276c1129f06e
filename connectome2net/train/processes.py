"""The processes that train one network together.

Enters: a batch, a gradient. Leaves: the part of the batch that this process computes; the gradient of the whole batch.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor, distributed, nn

from connectome2net.errors import TrainError
from connectome2net.runtime.share import Share
from connectome2net.train.config import TrainConfig


@dataclass(frozen=True)
class Processes:
    """The processes of a training, seen from one of them.

    Attributes:
        rank: of this process; the first, 0, writes the run.
        count: how many they are.
        device: where this process computes; None: as the settings say.
        total: adds up a tensor over all processes, which call it in the same order.
    """

    rank: int = 0
    count: int = 1
    device: torch.device | None = None
    total: Callable[[Tensor], Tensor] = lambda value: value

    def share(self, batch: int) -> Share | None:
        """Return the images of a batch that this process computes; None for all of them, where it is alone.

        Each computes a run of images, as equal in length as can be. A batch with fewer images than processes is
        computed as a whole by each.
        """
        if self.count == 1:
            return None
        assert self.device is not None
        if batch < self.count:
            return Share(0, batch, batch, 1 / self.count, self.total, self.device)
        first, end = (rank * batch // self.count for rank in (self.rank, self.rank + 1))
        return Share(first, end - first, batch, (end - first) / batch, self.total, self.device)

    def add_up(self, model: nn.Module, *numbers: Tensor) -> list[Tensor]:
        """Give each parameter the gradient that all processes add up to; return the sums of some numbers.

        It is one message, whatever the number of parameters: these networks are small.
        """
        if self.count == 1:
            return list(numbers)
        parts = [parameter.grad for parameter in model.parameters() if parameter.grad is not None]
        flat = self.total(torch.cat([part.flatten() for part in [*parts, *numbers]]))
        *sums, rest = torch.split(flat, [*(part.numel() for part in parts), len(numbers)])
        for part, whole in zip(parts, sums, strict=True):
            part.copy_(whole.view_as(part))
        return list(rest)


ALONE = Processes()
"""One process, which needs no other."""


def is_spread(config: TrainConfig) -> bool:
    """Tell whether several processes train.

    Raises:
        TrainError: torchrun started more processes than the settings say.
    """
    wanted = config.devices * config.nodes
    started = int(os.environ.get("WORLD_SIZE", "1")) if distributed.is_torchelastic_launched() else 1
    if started > 1 and wanted == 1:
        fix = "say so with --devices (processes of a node) and --nodes"
        raise TrainError("torchrun started several processes", found=started, wanted=wanted, fix=fix)
    return wanted > 1


def is_first() -> bool:
    """Tell whether this process is the first, or the only one: the one that says what was done."""
    return not (distributed.is_available() and distributed.is_initialized() and distributed.get_rank())
