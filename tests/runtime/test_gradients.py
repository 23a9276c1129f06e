"""Angles between gradients, where they are known."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from connectome2net.runtime.gradients import are_exact, exact_gradients, gradient_angles


class Turned(nn.Module):
    """A linear model whose weights are told a gradient that is turned by an angle, unless gradients are exact."""

    def __init__(self, degrees: float) -> None:
        super().__init__()
        self.weight = nn.ParameterDict({"W": nn.Parameter(torch.tensor([[1.0, 2.0]], dtype=torch.float64))})
        self.fixed = nn.Parameter(torch.zeros(1), requires_grad=False)
        self.silent = nn.Parameter(torch.zeros(1, dtype=torch.float64))
        self.bias = nn.Parameter(torch.zeros(1, dtype=torch.float64))
        turn = math.radians(degrees)
        self.turn = torch.tensor(
            [[math.cos(turn), math.sin(turn)], [-math.sin(turn), math.cos(turn)]], dtype=torch.float64
        )

    def forward(self, image_BCHW: Tensor) -> Tensor:
        weight = self.weight["W"]
        if not are_exact():
            turned = weight @ self.turn
            weight = weight.detach() + turned - turned.detach()
        logit_B1 = image_BCHW.flatten(1) @ weight.T + self.bias + 0 * self.silent
        return torch.cat([logit_B1, -logit_B1], dim=1)


@pytest.mark.parametrize("degrees", [0.0, 1e-5, 30.0, 90.0, 135.0, 180.0])
def test_the_angle_is_that_by_which_the_gradient_was_turned(degrees: float) -> None:
    model = Turned(degrees).eval()
    image, label = torch.rand(4, 1, 1, 2, dtype=torch.float64), torch.tensor([0, 1, 1, 1])
    angles = gradient_angles(model, image, label)
    assert angles["weight"] == pytest.approx(degrees, abs=1e-7)
    assert angles["bias"] == pytest.approx(0, abs=1e-7)
    assert math.isnan(angles["silent"])
    assert "fixed" not in angles
    loss = F.cross_entropy(model(image), label)
    of_weight, of_bias = torch.autograd.grad(loss, [model.weight["W"], model.bias])
    part = float(of_weight.square().sum() / (of_weight.square().sum() + of_bias.square().sum()))
    cosine = part * math.cos(math.radians(degrees)) + 1 - part
    assert angles["all"] == pytest.approx(math.degrees(math.acos(min(1, cosine))), abs=1e-4)
    assert not model.training


def test_gradients_are_exact_only_within_the_context_even_after_an_error() -> None:
    def fail() -> None:
        with exact_gradients():
            assert are_exact()
            raise KeyError

    with pytest.raises(KeyError):
        fail()
    assert not are_exact()
