"""Twelve cells with a rate each, slow and dense: what is recorded and held must equal it.

Fresh weights of the network `column` without a norm: sign * synapses / all synapses of the projection onto the cell.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from columns import CELLS, EDGES, twelve_cells

import connectome2net as c2n
from connectome2net.spec import Spec

LEAK = 0.5
PIXELS = {"height": 6, "width": 6, "adaptation": False, "blocks": []}
OF_TYPE = {"23P": "L23E", "4P": "L4E", "5P-IT": "L5E", "6P-CT": "L6E", "WM-P": "L6E", "Unsure E": "E"}
POPULATION = [OF_TYPE.get(cell[1], "I") for cell in CELLS]
SCHEDULES: dict[str, list[dict[str, Any]]] = {
    "together": [{"populations": ["*"], "steps": 4}],
    "phases": [
        {"populations": ["L4E", "I"], "steps": 2},
        {"populations": ["L23E", "L5E", "L6E", "E", "I"], "steps": 3},
        {"populations": ["L23E"], "steps": 1},
    ],
}


def spec_of(schedule: str = "together", **changes: Any) -> Spec:
    changes = {"dynamics": {"leak": LEAK, "norm": "none"}, "front_end": PIXELS} | changes
    return twelve_cells("column", schedule=changes.pop("phases", SCHEDULES[schedule]), **changes)


def model_of(folder: Path, schedule: str = "together", **changes: Any) -> Any:
    """The network in float64 and evaluation mode; strengths are 1, and thresholds let every cell send."""
    model = c2n.load(c2n.compile_spec(spec_of(schedule, **changes), out=folder / "compiled"), seed=1).double().eval()
    for name, parameter in model.named_parameters():
        if name.endswith("threshold_N"):
            parameter.data.fill_(-0.3)
        if name.endswith("theta_E"):
            parameter.data.fill_(math.log(math.e - 1))
    return model


def image(count: int = 3) -> torch.Tensor:
    return torch.rand(count, 1, 6, 6, generator=torch.Generator().manual_seed(0), dtype=torch.float64)


def members(population: str) -> list[int]:
    return [at for at, name in enumerate(POPULATION) if name == population]


def updated(names: Sequence[str]) -> list[int]:
    return [at for at, name in enumerate(POPULATION) if name in names or "*" in names]


def weights() -> np.ndarray:
    """W[post, pre] over the twelve cells."""
    matrix = np.zeros((12, 12))
    for post, pre, synapses, _ in EDGES:
        matrix[post, pre] = synapses
    matrix /= np.maximum(matrix.sum(1), 1)[:, None]
    return matrix.astype(np.float32).astype(float) * [-1 if cell[2] == "inhibitory" else 1 for cell in CELLS]


def run(
    model: Any, image_BCHW: torch.Tensor, schedule: str = "together", held: Mapping[int, Any] = {}
) -> tuple[list[np.ndarray], np.ndarray]:
    """The rates (12, B) after each step of the schedule, and the logits; ``held`` cells have their rate always."""
    driven = model.input(model.front_end(image_BCHW)).detach().numpy()
    group = next(item for item in model.program.groups if item.name == model.program.input.group)
    order = [cell for name in group.populations for cell in members(name)]
    seen = np.zeros((12, len(image_BCHW)))
    seen[order] = driven
    rate = np.zeros_like(seen)
    for cell, value in held.items():
        rate[cell] = value
    steps = []
    for phase in SCHEDULES[schedule]:
        for _ in range(phase["steps"]):
            new = rate.copy()
            cells = updated(phase["populations"])
            target = np.maximum(seen + weights() @ rate + 0.3, 0)
            new[cells] = (1 - LEAK) * rate[cells] + LEAK * target[cells]
            for cell, value in held.items():
                new[cell] = value
            rate = new
            steps.append(rate)
    read = [cell for name in ("L23E", "L5E", "L6E", "E", "I") for cell in members(name)]
    groups = {item.name: [cell for name in item.populations for cell in members(name)] for item in model.program.groups}
    in_order = [cell for name in model.program.readout.groups for cell in groups[name] if cell in read]
    linear = model.readout.linear
    logits = linear.weight.detach().numpy() @ rate[in_order] + linear.bias.detach().numpy()[:, None]
    return steps, logits.T
