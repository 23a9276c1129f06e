"""Each rule against its equation: by hand on three cells, and as a dense matrix under a mask."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from dense_rules import DALE_ONLY, OF_SPIKES, RULES
from patterns import arrays_of

from connectome2net.runtime import pattern
from connectome2net.runtime.plasticity import Activity, Hebbian, Homeostatic, Inhibitory, Oja, ThreeFactor
from connectome2net.runtime.sparse import Projection

MASK = np.array([[0, 1, 1], [1, 0, 0], [0, 1, 0]], dtype=bool)
"""Cell 0 hears 1 and 2, cell 1 hears 0, cell 2 hears 1: edges in this order. Under Dale's law cell 1 is inhibitory."""

PRE = torch.tensor([[1.0, 3.0], [2.0, 0.0], [0.5, 1.5]])
POST = torch.tensor([[1.0, 1.0], [0.0, 2.0], [4.0, 0.0]])
REWARD = torch.tensor([1.0, 0.0])
"""Three cells, two images. <post pre>: 0 from 1: (1*2 + 1*0) / 2 = 1; 0 from 2: (0.5 + 1.5) / 2 = 1;
1 from 0: (0*1 + 2*3) / 2 = 3; 2 from 1: (4*2 + 0*0) / 2 = 4. <post^2>: 1, 2, 8. <post>: 1, 1, 2. <pre>: 2, 1, 1."""

BEFORE = [1.0, 0.5, 2.0, 1.5]

BY_HAND: dict[str, list[float]] = {
    "hebbian": [1.0 + 0.1, 0.5 + 0.1, 2.0 + 0.3, 1.5 + 0.4],
    "oja": [1.0, 0.5 + 0.1 * (1 - 0.5), 2.0 + 0.1 * (3 - 4), 1.5 + 0.1 * (4 - 12)],
    # post off its mean: (0 0), (-1 1), (2 -2); pre: (-1 1), (1 -1), (-0.5 0.5)
    "covariance": [1.0, 0.5, 2.0 + 0.1 * (1 + 1) / 2, 1.5 + 0.1 * (2 + 2) / 2],
    # thresholds <post^2> / 0.5 = 2, 4, 16; post (post - threshold): (-1 -1), (0 -4), (-48 0)
    "bcm": [1.0 + 0.1 * -2 / 2, 0.5 + 0.1 * -2 / 2, 2.0 + 0.1 * -12 / 2, 1.5 + 0.1 * -96 / 2],
    # cell 1 is inhibitory: onto a cell that is too quiet its edge shrinks, onto one that is too loud it grows
    "homeostatic": [1.0 * 0.95, 0.5 * 1.05, 2.0 * 1.05, 1.5 * 1.05],
    # post - 0.3: (0.7 0.7), (3.7 -0.3) where cell 1 sends (2 0)
    "inhibitory": [1.0 + 0.1 * 1.4 / 2, 0.5, 2.0, 1.5 + 0.1 * 7.4 / 2],
    # (0 0) in the first step, then PRE and POST: no pair of steps has both
    "differential_hebbian": BEFORE,
    # reward - baseline: 0.5, -0.5; one step, so that post * pre is all there is: (0.5 1.5), (0 6) of excitatory edges
    "three_factor": [1.0, 0.5 + 0.1 * -0.5 / 2, 2.0 + 0.1 * -3 / 2, 1.5],
}
SIGNED = [(name, sign) for name in RULES for sign in ("dale", "free") if sign == "dale" or name not in DALE_ONLY]


def projection(strength: list[float], sign: str) -> Projection:
    matrix = Projection(arrays_of(MASK, sign=True), "W", sign=sign)
    matrix.set_strength(torch.tensor(strength))
    return matrix


@pytest.mark.parametrize("name", BY_HAND)
def test_rule_by_hand(name: str) -> None:
    kind, form, _ = RULES[name]
    matrix = projection(BEFORE, "dale")
    kind(matrix, **form)(matrix, Activity(PRE, [PRE]), Activity(POST, [POST]), REWARD)
    expected = torch.tensor(BY_HAND[name]).clamp_min(1e-6)  # no strength under Dale's law is smaller
    torch.testing.assert_close(matrix.strength_E(), expected, rtol=1e-6, atol=1e-9)


def test_homeostasis_by_hand_under_free_signs() -> None:
    matrix = projection(BEFORE, "free")
    Homeostatic(matrix, rate=0.1, target=1.5)(matrix, Activity(PRE), Activity(POST))
    torch.testing.assert_close(matrix.strength_E(), torch.tensor([1.0 * 1.05, 0.5 * 1.05, 2.0 * 1.05, 1.5 * 0.95]))


@pytest.mark.parametrize("has_kernel", [True, False])
@pytest.mark.parametrize("has_mkl", [True, False])
@pytest.mark.parametrize(("name", "sign"), SIGNED)
def test_rule_equals_dense_under_a_mask(
    name: str, sign: str, has_mkl: bool, has_kernel: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Over seven batches, so that what a rule remembers counts, and what it forgets."""
    if not has_kernel:
        monkeypatch.setattr(pattern, "find_kernel", lambda: None)
    if not has_mkl:
        monkeypatch.setattr(torch.backends.mkl, "is_available", lambda: False)
    torch.manual_seed(0)
    draw = np.random.default_rng(0)
    mask = draw.random((20, 15)) < 0.3
    matrix = Projection(arrays_of(mask, sign=True), "W", sign=sign).double()
    if sign == "dale":
        matrix.set_strength(torch.rand(int(mask.sum()), dtype=torch.float64) + 2)  # far from where growth is cut off
    kind, form, equation = RULES[name]
    rule = kind(matrix, **form).double()
    expected, memory = np.zeros(mask.shape), {}
    expected[mask] = matrix.strength_E().detach().numpy()
    for _ in range(7):
        pre, post = draw.random((6, 15, 8)), draw.random((6, 20, 8))
        if name in OF_SPIKES:
            pre, post = (pre < 0.3).astype(float), (post < 0.3).astype(float)
        reward = (draw.random(8) < 0.5).astype(float)
        before = expected[mask]
        signs = 1.0 - 2 * (np.arange(15) % 2) if sign == "dale" else np.sign(expected)
        expected = equation(expected, signs, pre, post, reward, memory, **form) * mask
        rule(matrix, *(Activity(torch.tensor(x[-1]), list(torch.tensor(x))) for x in (pre, post)), torch.tensor(reward))
        assert np.abs(expected[mask] - before).max() > 1e-4
    torch.testing.assert_close(matrix.pattern.rows(matrix.strength_E().detach()).to_dense().numpy(), expected)


@pytest.mark.parametrize(("name", "sign"), SIGNED)
def test_rate_zero_changes_nothing(name: str, sign: str) -> None:
    matrix = projection(BEFORE, sign)
    matrix.theta_E.data = torch.tensor([-40.0, 0.3, 7.7, 123.4])
    before = matrix.theta_E.clone()
    kind, form, _ = RULES[name]
    rule = kind(matrix, **form | {"rate": 0.0})
    for _ in range(100):
        rule(matrix, Activity(PRE, [PRE, PRE / 2]), Activity(POST, [POST, POST / 2]), REWARD)
    assert matrix.theta_E.equal(before)


@pytest.mark.parametrize("name", RULES)
def test_what_a_rule_remembers_is_in_its_state(name: str) -> None:
    """Going on from a state dict equals never having stopped; nothing that is remembered is trained."""
    kind, form, _ = RULES[name]
    torch.manual_seed(0)
    batches = [[torch.rand(3, 4) for _ in range(6)] + [(torch.rand(4) < 0.5).float()] for _ in range(5)]

    def act(rule: torch.nn.Module, matrix: Projection, part: list[list[torch.Tensor]]) -> None:
        for *steps, reward in part:
            rule(matrix, Activity(steps[0], steps[:3]), Activity(steps[3], steps[3:]), reward)

    whole, stopped, resumed = (projection(BEFORE, "dale") for _ in range(3))
    rules = [kind(matrix, **form) for matrix in (whole, stopped, resumed)]
    act(rules[0], whole, batches)
    act(rules[1], stopped, batches[:2])
    resumed.load_state_dict(stopped.state_dict())
    rules[2].load_state_dict(rules[1].state_dict())
    act(rules[2], resumed, batches[2:])
    assert resumed.theta_E.equal(whole.theta_E)
    assert all(rules[2].state_dict()[key].equal(value) for key, value in rules[0].state_dict().items())
    assert not list(rules[0].parameters())
    remembers = name in ("covariance", "bcm", "three_factor")
    assert bool(rules[0].state_dict()) == remembers


@pytest.mark.parametrize("reward", [None, torch.ones(3)], ids=["none", "too many"])
def test_a_rule_of_reward_wants_one_for_each_image(reward: torch.Tensor | None) -> None:
    matrix = projection(BEFORE, "dale")
    rule = ThreeFactor(matrix, rate=0.1, tau_steps=1.0, memory_batches=10)
    found = "none" if reward is None else r"shape \(3,\)"
    with pytest.raises(ValueError, match=f"learns from reward: found {found}, wanted one for each of 2 images"):
        rule(matrix, Activity(PRE, [PRE]), Activity(POST, [POST]), reward)


def test_inhibitory_plasticity_wants_signs() -> None:
    with pytest.raises(ValueError, match="under Dale's law only"):
        Inhibitory(projection(BEFORE, "free"), rate=0.1, target=1.0)


def test_silent_cells_change_nothing_under_hebb_and_oja() -> None:
    for kind in (Hebbian, Oja):
        matrix = projection(BEFORE, "dale")
        before = matrix.theta_E.clone()
        kind(matrix, rate=0.5)(matrix, Activity(PRE), Activity(torch.zeros(3, 2)))
        assert matrix.theta_E.equal(before)


def test_homeostasis_never_turns_a_sign() -> None:
    matrix = projection([1.0, -0.5, 2.0, 1.5], "free")
    Homeostatic(matrix, rate=10.0, target=0.0)(matrix, Activity(PRE), Activity(POST))
    assert matrix.strength_E().tolist() == [0.0, -0.5 * 11, 0.0, 0.0]


def test_a_rule_keeps_the_graph_of_autograd_out() -> None:
    matrix = projection(BEFORE, "dale")
    Hebbian(matrix, rate=0.1)(matrix, Activity(PRE.clone().requires_grad_()), Activity(POST))
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
