"""Images -> what a network answers.

Enters: a network and images, perhaps changed on the way. Leaves: logits, and what each cell did meanwhile.
"""

# Axes: N images, U units, T steps, B batch, K classes; a population's cells are N too, as everywhere inside a network.

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from connectome2net.inside import record
from connectome2net.inside.layout import layout_of
from connectome2net.tasks import ImageSet

READ = "read_NB"
MOST_VALUES = 2**26
"""Of a recording in memory: so many images at a time are shown to a large network that its rates fit."""


@torch.no_grad()
def predict(
    model: nn.Module, images: ImageSet, *, batch: int = 256, change: Callable[[Tensor], Tensor] | None = None
) -> Tensor:
    """Return logits (N, K) on the CPU for a set of images, in their order.

    Args:
        model: a network, on the device where it computes; it is left in evaluation mode.
        images: what it sees.
        batch: images at a time.
        change: what is done to each batch (B, 1, H, W), values from 0 to 1, on the CPU; called in the order of images.
    """
    model.eval()
    device = next(model.parameters()).device
    answers = []
    for piece in torch.split(torch.from_numpy(images.image_NHW), batch):
        image_BCHW = piece[:, None].float() / 255
        shown_BCHW = image_BCHW if change is None else change(image_BCHW)
        answers.append(model(shown_BCHW.to(device)).cpu())
    return torch.cat(answers)


def predict_mirrored(model: nn.Module, images: ImageSet, logits_NK: Tensor) -> Tensor:
    """Return logarithms of probabilities (N, K): the mean of those of each image and of its mirror image.

    Args:
        model: a network; see ``predict``.
        images: what it sees.
        logits_NK: its answers to these images.
    """
    mirrored_NK = predict(model, images, change=lambda image_BCHW: image_BCHW.flip(3))
    both_2NK = torch.stack([logits_NK, mirrored_NK]).double().log_softmax(2)
    return both_2NK.logsumexp(0) - math.log(2)


@dataclass(frozen=True, eq=False)
class Activity:
    """What the units of a network do on average.

    Attributes:
        rate_U: mean over images of what is read of a unit after its last update: its rate, or its filtered spikes.
        active_U: the share of images for which that is more than 0.
    """

    rate_U: Tensor
    active_U: Tensor


@torch.no_grad()
def mean_activity(model: nn.Module, images: ImageSet) -> Activity:
    """Return what each unit does on average over images, in evaluation mode."""
    model.eval()
    layout, device = layout_of(model), next(model.parameters()).device
    units = len(layout.cell_index)
    rate_U, active_U = torch.zeros(units, dtype=torch.float64), torch.zeros(units, dtype=torch.float64)
    steps = sum(phase.steps for phase in model.program.phases)  # type: ignore[union-attr]
    batch = max(1, min(256, MOST_VALUES // max(1, units * steps)))
    for piece in torch.split(torch.from_numpy(images.image_NHW), batch):
        with record(model, variables=[READ]) as activity:
            model(piece[:, None].to(device).float() / 255)
        for name, (start, end) in layout.populations.items():
            read_NB = activity.of(name, READ)[-1].double().cpu()
            rate_U[start:end] += read_NB.sum(1)
            active_U[start:end] += (read_NB > 0).sum(1)
    return Activity(rate_U / len(images), active_U / len(images))
