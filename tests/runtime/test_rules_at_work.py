"""What the rules were made for, in small circuits."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from patterns import arrays_of

from connectome2net.runtime.plasticity import BCM, Activity, Inhibitory, ThreeFactor
from connectome2net.runtime.sparse import Projection


@pytest.mark.parametrize(("rate", "sign"), [(0.5, -1), (0.9, -1), (1.1, 1), (3.0, 1)])
def test_bcm_depresses_below_its_threshold_and_potentiates_above_it(rate: float, sign: int) -> None:
    """A cell that used to have rate 1: its threshold is 1."""
    matrix = Projection(arrays_of(np.ones((1, 1), dtype=bool), sign=True), "W", sign="dale")
    rule = BCM(matrix, rate=0.01, target=1.0, memory_batches=10_000)
    for _ in range(1000):
        rule(matrix, Activity(torch.ones(1, 1)), Activity(torch.ones(1, 1)))
    assert float(matrix.strength_E().detach()) == pytest.approx(1.0, abs=1e-6)
    rule(matrix, Activity(torch.ones(1, 1)), Activity(torch.full((1, 1), rate)))
    threshold = 1 + (rate**2 - 1) / 1001  # the threshold has slid a little with this batch
    assert float(matrix.strength_E().detach()) == pytest.approx(1 + 0.01 * rate * (rate - threshold), abs=1e-5)
    assert np.sign(float(matrix.strength_E().detach()) - 1) == sign


def test_bcm_makes_a_cell_select_one_of_two_patterns() -> None:
    """Bienenstock et al. 1982: of two patterns that come equally often, one drives the cell to 2 and the other to 0."""
    torch.manual_seed(1)
    matrix = Projection(arrays_of(np.ones((8, 2), dtype=bool)), "W", sign="free")
    matrix.set_strength(1 + 0.1 * torch.randn(16))
    rule = BCM(matrix, rate=0.02, target=1.0, memory_batches=10)
    pattern_MB = torch.tensor([[1.0, 0.4], [0.4, 1.0]])
    for _ in range(3000):
        post_NB = torch.relu(matrix(pattern_MB))
        rule(matrix, Activity(pattern_MB), Activity(post_NB))
    low, high = torch.relu(matrix(pattern_MB)).detach().sort(1).values.T
    assert low.max() < 1e-2
    torch.testing.assert_close(high, torch.full((8,), 2.0), rtol=0, atol=1e-2)


def test_inhibitory_plasticity_drives_rates_to_the_target() -> None:
    """A cell that is driven too much gets more inhibition, one that is driven too little loses it."""
    torch.manual_seed(0)
    arrays = arrays_of(np.random.default_rng(0).random((6, 40)) < 0.7, sign=True)
    matrix = Projection(arrays, "W", sign="dale")
    rule = Inhibitory(matrix, rate=0.02, target=1.5)
    excitation = matrix.weight_E()[matrix.sign_E > 0]
    driven_N = torch.linspace(2, 6, 6)[:, None]
    means = []
    for _ in range(1500):
        pre_MB = 0.4 + 0.2 * torch.rand(40, 16)
        post_NB = torch.relu(driven_N + matrix(pre_MB))
        rule(matrix, Activity(pre_MB), Activity(post_NB))
        means.append(post_NB.mean(1).detach())
    assert (torch.stack(means[:20]).mean(0) - 1.5).abs().max() > 1
    torch.testing.assert_close(torch.stack(means[-500:]).mean(0), torch.full((6,), 1.5), rtol=0, atol=0.05)
    assert matrix.weight_E()[matrix.sign_E > 0].equal(excitation)


def choices(*, shuffled: bool) -> float:
    """The part of right choices after learning which of two cells to make active for which of two patterns."""
    torch.manual_seed(0)
    arrays = arrays_of(np.ones((2, 10), dtype=bool)) | {"W.sign": torch.ones(10, dtype=torch.int8)}
    matrix = Projection(arrays, "W", sign="dale")
    rule = ThreeFactor(matrix, rate=0.1, tau_steps=2.0, memory_batches=20)
    pattern_MS = (torch.arange(10)[:, None] < 5) == torch.tensor([True, False])
    right, past = [], torch.zeros(0)
    for _ in range(300):
        stimulus_B = torch.randint(2, (32,))
        pre_MB = pattern_MS[:, stimulus_B].float()
        chosen_B = torch.multinomial(torch.softmax(matrix(pre_MB).detach().T, 1), 1)[:, 0]
        post_NB = torch.nn.functional.one_hot(chosen_B, 2).T.float()
        reward_B = (chosen_B == stimulus_B).float()
        right.append(reward_B.mean())
        past = torch.cat([past, reward_B])
        given_B = past[torch.randint(len(past), (32,))] if shuffled else reward_B
        rule(matrix, Activity(pre_MB, [pre_MB] * 3), Activity(post_NB, [post_NB * 0, post_NB, post_NB]), given_B)
    return float(torch.stack(right[-50:]).mean())


def test_three_factors_learn_a_choice_and_shuffled_reward_teaches_nothing() -> None:
    assert choices(shuffled=False) > 0.95
    assert choices(shuffled=True) < 0.75


def test_an_eligibility_fades() -> None:
    """By hand: what happened n steps before the reward counts exp(-n / tau)."""
    changes = []
    for at in range(5):
        matrix = Projection(arrays_of(np.ones((1, 1), dtype=bool)), "W", sign="free")
        matrix.set_strength(torch.zeros(1))
        steps = [torch.full((1, 2), float(step == at)) for step in range(5)]
        rule = ThreeFactor(matrix, rate=1.0, tau_steps=2.0, memory_batches=100)
        left = torch.tensor([[1.0, 0.0]])  # of the two images, only the one with reward was seen
        rule(matrix, Activity(steps[-1], steps), Activity(steps[-1] * left, [x * left for x in steps]), left[0])
        changes.append(float(matrix.theta_E.detach()))
    assert changes == pytest.approx([0.25 * np.exp(-n / 2) for n in (4, 3, 2, 1, 0)], rel=1e-6)
