"""How much of the accuracy is left when images are spoilt or cells are lost.

Enters: a network and test images. Leaves: the accuracy at each level of each disturbance.

The kinds follow Hendrycks and Dietterich (arXiv 1903.12261) and DeVries and Taylor (arXiv 1708.04552), with levels for
small grey images. All chance comes from fixed seeds: networks with the same images see the same noise and the same
squares, and of the same cells the same are lost, so that differences between runs are paired.
"""

# Axes: N images, B batch, C channels, H rows, W columns.

from __future__ import annotations

from collections.abc import Callable, Iterator
from math import ceil
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from connectome2net.evaluate.predict import predict
from connectome2net.inside import lesion
from connectome2net.progress import Screen
from connectome2net.tasks import ImageSet

LEVELS = {
    "noise": (0.0, 0.05, 0.1, 0.2, 0.3),
    "blur": (0.0, 0.5, 1.0, 1.5, 2.0),
    "occlusion": (0.0, 0.125, 0.25, 0.375, 0.5),
    "lesion": (0.0, 0.1, 0.25, 0.5, 0.75),
}
"""``noise``: standard deviation of Gaussian noise, 1 being the way from black to white; values are cut to [0, 1].
``blur``: standard deviation of a Gaussian filter in pixels, edges mirrored. ``occlusion``: side of a grey square (0.5)
at a random place, as a part of the image's side. ``lesion``: part of all cells of the network that are off, drawn at
random from all populations; those of a lower level are off at the higher ones too."""

SEED = 0
Change = Callable[[Tensor], Tensor]


def robustness(model: nn.Module, images: ImageSet, *, quiet: bool = False) -> dict[str, list[dict[str, float]]]:
    """Return the accuracy at each level of each disturbance; level 0 is first and disturbs nothing.

    Args:
        model: what ``load`` returned, on the device where it computes.
        images: to answer.
        quiet: show no bar.

    Returns:
        ``noise``, ``blur``, ``occlusion`` and ``lesion``: each a list of ``level`` and ``accuracy``. ``lesion`` is
        empty for a network without cells.
    """
    label_N = torch.from_numpy(images.label_N)

    def accuracy(change: Change | None = None) -> float:
        return float((predict(model, images, change=change).argmax(1) == label_N).double().mean())

    undisturbed = accuracy()
    changes = {"noise": add_noise, "blur": blur, "occlusion": occlude}
    found: dict[str, list[dict[str, float]]] = {kind: [] for kind in LEVELS}
    for kind, level in _shown(model, quiet=quiet):
        if not level:
            value = undisturbed
        elif kind == "lesion":
            with lesion(model, lost_cells(model, level)):
                value = accuracy()
        else:
            value = accuracy(changes[kind](level))
        found[kind].append({"level": level, "accuracy": value})
    return found


def _shown(model: nn.Module, *, quiet: bool) -> Iterator[tuple[str, float]]:
    """Yield kinds and levels, and show how many are done."""
    cells: Any = model.cell_index
    todo = [(kind, level) for kind, levels in LEVELS.items() for level in levels if kind != "lesion" or len(cells)]
    with Screen(quiet=quiet).percent(transient=True) as show:
        for done, item in enumerate(todo):
            show("robustness", 100 * done / len(todo))
            yield item


def lost_cells(model: nn.Module, part: float) -> np.ndarray[Any, Any]:
    """Return which cells (``cell_index``) are off when a part of them is lost."""
    cell_index = np.sort(np.asarray(model.cell_index))
    return np.random.default_rng(SEED).permutation(cell_index)[: round(part * len(cell_index))]


def add_noise(level: float) -> Change:
    """Return what adds Gaussian noise; the draws go on from batch to batch."""
    generator = torch.Generator().manual_seed(SEED)

    def change(image_BCHW: Tensor) -> Tensor:
        return (image_BCHW + level * torch.randn(image_BCHW.shape, generator=generator)).clamp(0, 1)

    return change


def blur(level: float) -> Change:
    """Return what filters with a Gaussian, cut off at three standard deviations."""
    from kornia.filters import gaussian_blur2d

    side = 2 * ceil(3 * level) + 1
    return lambda image_BCHW: gaussian_blur2d(image_BCHW, (side, side), (level, level), border_type="reflect")


def occlude(level: float) -> Change:
    """Return what hides a square; the places go on from batch to batch."""
    generator = torch.Generator().manual_seed(SEED)

    def change(image_BCHW: Tensor) -> Tensor:
        batch, _, height, width = image_BCHW.shape
        side = round(level * min(height, width))
        place_B2 = torch.rand(batch, 2, generator=generator)
        hidden_BH, hidden_BW = (
            _span(place_B2[:, axis] * (size - side + 1), side, size) for axis, size in enumerate((height, width))
        )
        return image_BCHW.masked_fill((hidden_BH[:, :, None] & hidden_BW[:, None, :])[:, None], 0.5)

    return change


def _span(start_B: Tensor, side: int, size: int) -> Tensor:
    """Return (B, size): True from a place on, for ``side`` pixels."""
    first_B1, at_S = start_B.long()[:, None], torch.arange(size)
    return (at_S >= first_B1) & (at_S < first_B1 + side)
