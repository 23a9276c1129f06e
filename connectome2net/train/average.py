"""The running mean of what a model learns.

Enters: weights, after every step. Leaves: their mean over the last steps, in the place of the weights where it is asked
for. Late in training weights wander about a good place; their mean is nearer to it.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn, optim

NAME = "average"


class Average:
    """The exponential mean of the parameters of a model, after Polyak and Juditsky 1992, doi 10.1137/0330046.

    It lies beside the moments in the state of the optimiser, and so in every checkpoint.

    Args:
        model: that learns.
        optimiser: of its parameters.
        decay: the share of the mean that a step leaves; the first steps leave less, so that the first weights are soon
            forgotten. 0 takes no mean.
    """

    def __init__(self, model: nn.Module, optimiser: optim.Optimizer, decay: float) -> None:
        self.model, self.optimiser = model, optimiser
        self.decay = decay

    @torch.no_grad()
    def update(self, step: int) -> None:
        """Take the weights of now into the mean.

        Args:
            step: steps of training before this one.
        """
        part = 1 - min(self.decay, (1 + step) / (10 + step))
        for parameter, state in self._moving():
            if NAME in state:
                state[NAME].lerp_(parameter, part)
            else:
                state[NAME] = parameter.clone()

    @contextmanager
    def shown(self) -> Iterator[None]:
        """Let the model have the mean as its weights for a while; its own come back."""
        means = [(parameter, state[NAME]) for parameter, state in self._moving() if NAME in state]
        own = [(parameter, parameter.detach().clone()) for parameter, _ in means]
        _put(means)
        try:
            yield
        finally:
            _put(own)

    def _moving(self) -> Iterator[tuple[nn.Parameter, dict[str, Any]]]:
        """Yield what has been changed by the optimiser, with its state."""
        for parameter in self.model.parameters() if self.decay else ():
            if state := self.optimiser.state.get(parameter):
                yield parameter, state


@torch.no_grad()
def _put(values: list[tuple[nn.Parameter, Tensor]]) -> None:
    for parameter, value in values:
        parameter.copy_(value)
