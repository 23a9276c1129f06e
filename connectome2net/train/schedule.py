"""The learning rate at each step, and which parameters decay.

Enters: the configuration. Leaves: a number; an optimiser. Nothing here has a state that a checkpoint could miss.
"""

from __future__ import annotations

import math
from typing import Any

from torch import nn, optim

from connectome2net.runtime.sparse import Projection
from connectome2net.train.config import TrainConfig

WARM_UP = 0.2
FIRST = 0.04
"""One-cycle: the part of all steps that rises, and the first rate as a part of the highest."""


def learning_rate(config: TrainConfig, step: int, steps: int) -> float:
    """Return the learning rate of a step, counted from 0."""
    if config.schedule == "constant":
        return config.learning_rate
    rise = WARM_UP * steps if config.schedule == "one_cycle" else 0.0
    if step < rise:
        return config.learning_rate * (1 - (1 - FIRST) * (1 + math.cos(math.pi * step / rise)) / 2)
    fallen = (step - rise) / max(1.0, steps - rise)
    return config.learning_rate * (1 + math.cos(math.pi * fallen)) / 2


def make_optimiser(model: nn.Module, config: TrainConfig) -> optim.Optimizer:
    """Return the optimiser; each group carries the ``factor`` of its learning rate.

    Only parameters with two axes or more decay.
    """
    strengths = [module.theta_E for module in model.modules() if isinstance(module, Projection)]
    known = {id(parameter) for parameter in strengths}
    others = [parameter for parameter in model.parameters() if id(parameter) not in known]
    groups: list[dict[str, Any]] = [
        {"params": [item for item in others if item.dim() > 1], "weight_decay": config.weight_decay, "factor": 1.0},
        {"params": [item for item in others if item.dim() <= 1], "weight_decay": 0.0, "factor": 1.0},
        {"params": strengths, "weight_decay": 0.0, "factor": config.strength_rate},
    ]
    kind = optim.AdamW if config.optimiser == "adamw" else optim.Adam
    return kind([group for group in groups if group["params"]], lr=config.learning_rate)
