"""Ridge regression of a readout: how a reservoir is trained.

Enters: a model whose other parts stay as they are, and images. Leaves: the model with a readout, and its penalty.

With x the rates of a cell that are read, y the classes as ones and zeros, both less their means over the training
images, the readout is ``W = <y x^T> (<x x^T> + ridge s 1)^-1`` where s is the mean variance of a rate: the least mean
squared error plus ``ridge s |W|^2`` (Lukosevicius and Jaeger 2009, doi 10.1016/j.cosrev.2009.03.005).
"""

# Axes: N cells that are read, B batch, K classes.

from __future__ import annotations

import warnings
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Final

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from connectome2net.errors import TrainError
from connectome2net.tasks import Dataset, ImageSet
from connectome2net.train.config import TrainConfig
from connectome2net.train.epoch import evaluate_images

USED: Final = {"seed", "validation_fraction", "skip_broken", "labels", "device", "backend"}
"""The settings of training that mean something where only a readout is solved."""


def is_reservoir(model: nn.Module) -> bool:
    """Tell whether only the readout of a compiled network learns, by ridge regression."""
    program: Any = model.program
    return program.learning is not None and program.learning.kind == "reservoir"


def warn_of_ignored(config: TrainConfig) -> None:
    """Warn of settings that were given and mean nothing for a reservoir."""
    if ignored := sorted(config.model_fields_set - USED):
        text = f"this network is a reservoir: its readout is solved in one pass; ignored: {', '.join(ignored)}"
        warnings.warn(text, stacklevel=5)


def solve_readout(model: nn.Module, dataset: Dataset, ridges: Sequence[float]) -> float:
    """Give a model the readout of least squares on the training images, and return its penalty.

    There is one pass over the training images, without augmentation; memory is that of a matrix of cells by cells.

    Args:
        model: a compiled network, on the device where it computes.
        dataset: the training images are learned from; the validation images choose among several penalties.
        ridges: penalties, in units of the mean variance of a rate.

    Raises:
        TrainError: no rate that is read depends on the image, or one is not finite.
    """
    moments = _moments(model, dataset.train)
    linear: Any = model.readout.linear  # type: ignore[union-attr]
    answers = [_solution(moments, ridge) for ridge in ridges]

    def put(at: int) -> None:
        with torch.no_grad():
            for parameter, value in zip((linear.weight, linear.bias), answers[at], strict=True):
                parameter.copy_(value)

    def accuracy(at: int) -> float:
        put(at)
        return evaluate_images(model, dataset.validation)[1]

    best = max(range(len(ridges)), key=accuracy) if len(ridges) > 1 else 0
    put(best)
    return ridges[best]


@dataclass(frozen=True)
class _Moments:
    """Means over the images, and means of products less the products of means; float64."""

    x_N: Tensor
    y_K: Tensor
    xx_NN: Tensor
    xy_NK: Tensor


def _moments(model: nn.Module, images: ImageSet) -> _Moments:
    sums: list[Tensor] = []
    for x_BN, y_BK in _pairs(model, images):
        parts = [x_BN.sum(0), y_BK.sum(0), x_BN.T @ x_BN, x_BN.T @ y_BK]
        sums = [total + part for total, part in zip(sums, parts, strict=True)] if sums else parts
    x_N, y_K, xx_NN, xy_NK = (total / len(images) for total in sums)
    moments = _Moments(x_N, y_K, xx_NN - torch.outer(x_N, x_N), xy_NK - torch.outer(x_N, y_K))
    variance = float(moments.xx_NN.trace())
    if not 1e-12 * float(xx_NN.trace()) < variance < float("inf"):
        found = "rates that are the same for every image" if variance < float("inf") else "rates that are not finite"
        fix = "change the dynamics in the spec; look at the rates with connectome2net.inside.record"
        wanted = "rates that depend on the image"
        raise TrainError("a readout cannot be solved", where="reservoir", found=found, wanted=wanted, fix=fix)
    return moments


@torch.no_grad()
def _pairs(model: nn.Module, images: ImageSet, *, batch: int = 256) -> Iterator[tuple[Tensor, Tensor]]:
    """Yield the rates that are read and what is learned, ones and zeros or distributions, in evaluation mode."""
    linear: Any = model.eval().readout.linear  # type: ignore[union-attr]
    seen: list[Tensor] = []
    handle = linear.register_forward_pre_hook(lambda module, given: seen.append(given[0]))
    try:
        for start in range(0, len(images), batch):
            image_BHW = torch.from_numpy(images.image_NHW[start : start + batch]).to(linear.weight.device)
            if images.target_NK is None:
                y_BK = F.one_hot(torch.from_numpy(images.label_N[start : start + batch]), linear.out_features)
            else:
                y_BK = torch.from_numpy(images.target_NK[start : start + batch])
            model(image_BHW[:, None].float() / 255)
            yield seen.pop().double(), y_BK.to(linear.weight.device).double()
    finally:
        handle.remove()


def _solution(moments: _Moments, ridge: float) -> tuple[Tensor, Tensor]:
    """Return the weights (K, N) and the biases (K,) of the readout."""
    penalty = ridge * moments.xx_NN.diagonal().mean()
    cells = len(moments.x_N)
    penalised_NN = moments.xx_NN + penalty * torch.eye(cells, dtype=torch.float64, device=moments.x_N.device)
    weight_NK = torch.linalg.solve(penalised_NN, moments.xy_NK)
    return weight_NK.T, moments.y_K - moments.x_N @ weight_NK
