"""How far a way of learning is from the gradient.

Enters: a model, images, labels. Leaves: angles between what it learns from and the gradient of backpropagation.
"""

# Axes: B batch, C channels, H rows, W columns.

from __future__ import annotations

import math
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

import torch
from torch import Tensor, nn
from torch.nn import functional as F

_exact: ContextVar[bool] = ContextVar("exact", default=False)


@contextmanager
def exact_gradients() -> Iterator[None]:
    """Within this, models that learn in another way are differentiated by backpropagation through all steps."""
    token = _exact.set(True)
    try:
        yield
    finally:
        _exact.reset(token)


def are_exact() -> bool:
    """Tell whether gradients are exact for now; those of a compiled graph are what the network learns from."""
    return not torch.compiler.is_compiling() and _exact.get()


def gradient_angles(model: nn.Module, image_BCHW: Tensor, label_B: Tensor) -> dict[str, float]:
    """Return the angle between the gradient that a model learns from and that of backpropagation.

    Angles under 90 degrees mean that a small step lowers the loss (Lillicrap et al. 2016, doi 10.1038/ncomms13276).
    Gradients are of the cross entropy, in evaluation mode: without noise and dropout.

    Args:
        model: a compiled network.
        image_BCHW: grey images, values from 0 to 1.
        label_B: their classes.

    Returns:
        Degrees, for each part of the model (``front_end``, ``input``, ``cells_...``, ``W_...``, ``readout``) and
        for all of them together (``all``); NaN where one of the gradients is zero.
    """
    learned = _gradient(model, image_BCHW, label_B)
    with exact_gradients():
        exact = _gradient(model, image_BCHW, label_B)
    angles = {part: angle(learned[part], exact[part]) for part in exact}
    return angles | {"all": angle(*(torch.cat(list(parts.values())) for parts in (learned, exact)))}


def _gradient(model: nn.Module, image_BCHW: Tensor, label_B: Tensor) -> dict[str, Tensor]:
    """Return the gradient of each part of a model as one row of numbers; what does not learn is left out."""
    parameters = {name: item for name, item in model.named_parameters() if item.requires_grad}
    training = model.training
    with torch.enable_grad():
        loss = F.cross_entropy(model.eval()(image_BCHW), label_B)
        gradients = torch.autograd.grad(loss, list(parameters.values()), materialize_grads=True)
    model.train(training)
    parts: dict[str, list[Tensor]] = {}
    for name, gradient in zip(parameters, gradients, strict=True):
        parts.setdefault(name.split(".")[0], []).append(gradient.flatten().double())
    return {part: torch.cat(rows) for part, rows in parts.items()}


def angle(one: Tensor, other: Tensor) -> float:
    """Return the angle between two rows of numbers in degrees; NaN where one of them is zero."""
    # Half of it, as an arc tangent: the arc cosine of nearly 1 has half of the digits only.
    one, other = one / one.norm(), other / other.norm()
    return math.degrees(2 * math.atan2(float((one - other).norm()), float((one + other).norm())))
