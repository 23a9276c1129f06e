"""Each rule against its equation: by hand on three cells, and as a dense matrix under a mask."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from patterns import arrays_of

from connectome2net.runtime import pattern
from connectome2net.runtime.plasticity import Activity, Hebbian, Homeostatic, Oja, Rule
from connectome2net.runtime.sparse import Projection

MASK = np.array([[0, 1, 1], [1, 0, 0], [0, 1, 0]], dtype=bool)
"""Cell 0 hears 1 and 2, cell 1 hears 0, cell 2 hears 1: edges in this order."""

PRE = torch.tensor([[1.0, 3.0], [2.0, 0.0], [0.5, 1.5]])
POST = torch.tensor([[1.0, 1.0], [0.0, 2.0], [4.0, 0.0]])
"""Three cells, two images. <post pre>: 0 from 1: (1*2 + 1*0) / 2 = 1; 0 from 2: (0.5 + 1.5) / 2 = 1;
1 from 0: (0*1 + 2*3) / 2 = 3; 2 from 1: (4*2 + 0*0) / 2 = 4. <post^2>: 1, 2, 8. <post>: 1, 1, 2."""

BEFORE = [1.0, 0.5, 2.0, 1.5]

HEBBIAN = [1.0 + 0.1, 0.5 + 0.1, 2.0 + 0.3, 1.5 + 0.4]
OJA = [1.0, 0.5 + 0.1 * (1 - 0.5), 2.0 + 0.1 * (3 - 4), 1.5 + 0.1 * (4 - 12)]
RULES: list[tuple[type[Rule], dict[str, float]]] = [
    (Hebbian, {"rate": 0.1}),
    (Oja, {"rate": 0.1}),
    (Homeostatic, {"rate": 0.1, "target": 1.5}),
]
BY_HAND: list[tuple[Any, str, list[float]]] = [
    *((RULES[0], sign, HEBBIAN) for sign in ("dale", "free")),
    *((RULES[1], sign, OJA) for sign in ("dale", "free")),
    (RULES[2], "free", [1.0 * 1.05, 0.5 * 1.05, 2.0 * 1.05, 1.5 * 0.95]),
    # cell 1 is inhibitory: onto a cell that is too quiet its edge shrinks, onto one that is too loud it grows
    (RULES[2], "dale", [1.0 * 0.95, 0.5 * 1.05, 2.0 * 1.05, 1.5 * 1.05]),
]
NAMES = [rule.__name__ for rule, _ in RULES]


def projection(strength: list[float], sign: str) -> Projection:
    matrix = Projection(arrays_of(MASK, sign=True), "W", sign=sign)
    matrix.set_strength(torch.tensor(strength))
    return matrix


def act(rule: tuple[type[Rule], dict[str, float]], matrix: Projection, pre: torch.Tensor, post: torch.Tensor) -> None:
    """Let a rule act once."""
    kind, arguments = rule
    kind(matrix, **arguments)(matrix, Activity(pre), Activity(post))


@pytest.mark.parametrize(("rule", "sign", "expected"), BY_HAND)
def test_rule_by_hand(rule: Any, sign: str, expected: list[float]) -> None:
    matrix = projection(BEFORE, sign)
    act(rule, matrix, PRE, POST)
    torch.testing.assert_close(matrix.strength_E(), torch.tensor(expected), rtol=1e-6, atol=0)


def dense_step(rule: Any, strength: torch.Tensor, pre: torch.Tensor, post: torch.Tensor, *, dale: bool) -> torch.Tensor:
    """The equations of spec.network on a full matrix."""
    kind, form = rule
    batch = pre.shape[1]
    together = torch.einsum("nb,mb->nm", post, pre) / batch
    if kind is Hebbian:
        return strength + form["rate"] * together
    if kind is Oja:
        return strength + form["rate"] * (together - (post**2).mean(1, keepdim=True) * strength)
    sign = 1 - 2 * (torch.arange(strength.shape[1]) % 2) if dale else strength.sign()
    return strength * (1 + form["rate"] * sign * (form["target"] - post.mean(1, keepdim=True)))


@pytest.mark.parametrize("has_kernel", [True, False])
@pytest.mark.parametrize("has_mkl", [True, False])
@pytest.mark.parametrize("sign", ["dale", "free"])
@pytest.mark.parametrize("rule", RULES, ids=NAMES)
def test_rule_equals_dense_under_a_mask(
    rule: Any, sign: str, has_mkl: bool, has_kernel: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    if not has_kernel:
        monkeypatch.setattr(pattern, "find_kernel", lambda: None)
    if not has_mkl:
        monkeypatch.setattr(torch.backends.mkl, "is_available", lambda: False)
    torch.manual_seed(0)
    mask = np.random.default_rng(0).random((20, 15)) < 0.3
    matrix = Projection(arrays_of(mask, sign=True), "W", sign=sign).double()
    expected = torch.zeros(mask.shape, dtype=torch.float64)
    expected[mask] = matrix.strength_E().detach()
    for _ in range(3):
        pre, post = torch.rand(15, 8, dtype=torch.float64), torch.rand(20, 8, dtype=torch.float64)
        act(rule, matrix, pre, post)
        expected = dense_step(rule, expected, pre, post, dale=sign == "dale") * torch.from_numpy(mask)
    torch.testing.assert_close(matrix.pattern.rows(matrix.strength_E().detach()).to_dense(), expected)


@pytest.mark.parametrize("sign", ["dale", "free"])
@pytest.mark.parametrize("rule", RULES, ids=NAMES)
def test_rate_zero_changes_nothing(rule: Any, sign: str) -> None:
    matrix = projection(BEFORE, sign)
    matrix.theta_E.data = torch.tensor([-40.0, 0.3, 7.7, 123.4])
    before = matrix.theta_E.clone()
    for _ in range(100):
        act((rule[0], rule[1] | {"rate": 0.0}), matrix, PRE, POST)
    assert matrix.theta_E.equal(before)


def test_silent_cells_change_nothing_under_hebb_and_oja() -> None:
    for kind in (Hebbian, Oja):
        matrix = projection(BEFORE, "dale")
        before = matrix.theta_E.clone()
        act((kind, {"rate": 0.5}), matrix, PRE, torch.zeros(3, 2))
        assert matrix.theta_E.equal(before)


def test_homeostasis_never_turns_a_sign() -> None:
    matrix = projection([1.0, -0.5, 2.0, 1.5], "free")
    act((Homeostatic, {"rate": 10.0, "target": 0.0}), matrix, PRE, POST)
    assert matrix.strength_E().tolist() == [0.0, -0.5 * 11, 0.0, 0.0]


def test_a_rule_keeps_the_graph_of_autograd_out() -> None:
    matrix = projection(BEFORE, "dale")
    act((Hebbian, {"rate": 0.1}), matrix, PRE.clone().requires_grad_(), POST)
    assert matrix.theta_E.is_leaf
    assert matrix.theta_E.grad is None


def test_oja_settles_at_the_first_principal_component() -> None:
    """Oja 1982: with post = w . pre the weights turn to the first eigenvector, at length 1."""
    torch.manual_seed(0)
    cloud = torch.randn(2000, 3) @ torch.diag(torch.tensor([3.0, 1.0, 0.5])) @ torch.linalg.qr(torch.randn(3, 3))[0]
    matrix = Projection(arrays_of(np.ones((1, 3), dtype=bool)), "W", sign="free")
    rule = Oja(matrix, rate=0.01)
    for _ in range(400):
        pre = cloud.T
        with torch.no_grad():
            post = matrix(pre)
        rule(matrix, Activity(pre), Activity(post))
    first = torch.linalg.eigh(cloud.T @ cloud)[1][:, -1]
    strength = matrix.theta_E.detach()
    assert float((strength @ first).abs()) == pytest.approx(1, abs=1e-3)
    assert float(strength.norm()) == pytest.approx(1, abs=1e-3)
