"""Feedback alignment against a backward pass written out with dense matrices and a mask."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from columns import twelve_cells
from patterns import arrays_of

from connectome2net import compile_spec, load
from connectome2net.runtime.gradients import exact_gradients, gradient_angles
from connectome2net.runtime.sparse import Projection

MASK = np.random.default_rng(0).random((7, 7)) < 0.4
STEPS, BATCH = 4, 3


def projection(*, sign: str, feedback: str | None, seed: int = 1) -> Projection:
    torch.manual_seed(seed)
    anatomy = np.random.default_rng(1).uniform(0.2, 1, MASK.shape)
    made = Projection(arrays_of(MASK, sign=sign == "dale", anatomy=anatomy), "W", sign=sign, feedback=feedback).double()
    made.theta_E.data += 0.2 * torch.randn(len(made.theta_E), dtype=torch.float64)
    return made


def dense(value_E: torch.Tensor) -> np.ndarray:
    full = np.zeros(MASK.shape)
    full[MASK] = value_E.detach().numpy()
    return full


@pytest.mark.parametrize("feedback", ["random", "concordant"])
@pytest.mark.parametrize("sign", ["dale", "free"])
def test_errors_return_through_the_feedback_and_edges_learn_as_always(sign: str, feedback: str) -> None:
    """``rate <- tanh(W rate + x)``: four steps, and the loss is ``c rate`` at the end."""
    matrix = projection(sign=sign, feedback=feedback)
    drawn = np.random.default_rng(2)
    x, c = drawn.normal(size=(7, BATCH)), drawn.normal(size=(7, BATCH))
    rates = [drawn.normal(size=(7, BATCH))]
    W, B = dense(matrix.weight_E()), dense(matrix.feedback_E)
    if feedback == "concordant":
        B = np.abs(B) * np.sign(W)
    for _ in range(STEPS):
        rates.append(np.tanh(W @ rates[-1] + x))
    of_weight, of_rate, of_input = np.zeros_like(W), c, np.zeros_like(x)
    for before, after in zip(rates[-2::-1], rates[:0:-1], strict=True):
        of_drive = of_rate * (1 - after**2)
        of_weight, of_input, of_rate = of_weight + MASK * (of_drive @ before.T), of_input + of_drive, B.T @ of_drive

    weights, drive = matrix.weights(), torch.tensor(x, requires_grad=True)
    rate = start = torch.tensor(rates[0], requires_grad=True)
    for _ in range(STEPS):
        rate = torch.tanh(weights @ rate + drive)
    np.testing.assert_allclose(rate.detach().numpy(), rates[-1], rtol=0, atol=1e-15)
    weight_E = matrix.weight_E()
    (torch.tensor(c) * rate).sum().backward()
    (of_theta,) = torch.autograd.grad(weight_E, matrix.theta_E, torch.tensor(of_weight[MASK]))
    np.testing.assert_allclose(matrix.theta_E.grad.numpy(), of_theta.numpy(), rtol=1e-12, atol=1e-14)
    np.testing.assert_allclose(start.grad.numpy(), of_rate, rtol=1e-12, atol=1e-14)
    np.testing.assert_allclose(drive.grad.numpy(), of_input, rtol=1e-12, atol=1e-14)
    assert matrix.feedback_E.grad is None


def test_without_a_graph_and_where_gradients_are_exact_there_is_no_feedback() -> None:
    matrix, plain = projection(sign="dale", feedback="random"), projection(sign="dale", feedback=None)
    plain.theta_E.data = matrix.theta_E.data
    rate = torch.rand(7, BATCH, dtype=torch.float64, requires_grad=True)
    with torch.no_grad():
        assert torch.equal(matrix(rate), plain(rate))
    (wanted,) = torch.autograd.grad(plain(rate).square().sum(), rate)
    with exact_gradients():
        (found,) = torch.autograd.grad(matrix(rate).square().sum(), rate)
    (other,) = torch.autograd.grad(matrix(rate).square().sum(), rate)
    assert torch.equal(found, wanted)
    assert not torch.allclose(other, wanted)


def test_feedback_is_drawn_from_the_seed_and_is_as_large_as_the_weights_at_rest() -> None:
    torch.manual_seed(0)
    mask = np.random.default_rng(3).random((60, 60)) < 0.5
    made = [Projection(arrays_of(mask), "W", sign="free", feedback=feedback) for feedback in (None, "random")]
    assert made[0].feedback_E is None
    assert "feedback_E" not in made[0].state_dict()
    feedback_E = made[1].state_dict()["feedback_E"]
    assert float(feedback_E.std()) == pytest.approx(float(made[1].weight_E().detach().std()), rel=0.1)
    assert abs(float(torch.corrcoef(torch.stack([feedback_E, made[1].theta_E.detach()]))[0, 1])) < 0.1


def test_a_compiled_network_keeps_its_feedback_and_tells_its_angle(tmp_path: Path) -> None:
    spec = twelve_cells("pairs", learning={"kind": "feedback_alignment", "signs": "concordant"})
    folder = compile_spec(spec, out=tmp_path / "compiled")
    model, same, other = (load(folder, seed=seed).double() for seed in (1, 1, 2))
    for name, value in model.state_dict().items():
        if name.endswith("feedback_E"):
            assert torch.equal(value, same.state_dict()[name])
            assert not torch.equal(value, other.state_dict()[name])
    image = torch.rand(32, 1, 12, 16, dtype=torch.float64, generator=torch.Generator().manual_seed(3))
    angles = gradient_angles(model, image, torch.arange(32) % 3)
    assert angles["readout"] < 1e-6
    assert 1 < angles["all"] < 90
    model.eval()
    with torch.no_grad():
        logits = model(image)
    plain = load(compile_spec(twelve_cells("pairs"), out=tmp_path / "plain"), seed=1).double().eval()
    plain.load_state_dict({name: value for name, value in model.state_dict().items() if "feedback" not in name})
    assert torch.equal(logits, plain(image))
