"""Rules of spike times, measured as experiments measure them: single pairs, trains of pairs, a circuit that settles."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from patterns import arrays_of

from connectome2net.runtime.plasticity import (
    STDP,
    Activity,
    DifferentialHebbian,
    InhibitorySTDP,
    Rule,
    TripletSTDP,
)
from connectome2net.runtime.sparse import Projection

MASK = np.array([[0, 1, 1], [1, 0, 0], [0, 1, 0]], dtype=bool)
"""Cell 0 hears 1 and 2, cell 1 hears 0, cell 2 hears 1: edges in this order."""

VISUAL_CORTEX = {"rate": 1.0, "a2_plus": 5e-10, "a3_plus": 6.2e-3, "a2_minus": 7e-3, "a3_minus": 2.3e-4}
VISUAL_CORTEX |= {"tau_plus_ms": 16.8, "tau_x_ms": 101.0, "tau_minus_ms": 33.7, "tau_y_ms": 125.0}
"""Pfister and Gerstner 2006, table 4: visual cortex, full model, all to all."""


def train(cells: list[list[int]], steps: int) -> Activity:
    """One image: the steps in which each cell fires."""
    spikes = torch.zeros(steps, len(cells), 1, dtype=torch.float64)
    for cell, times in enumerate(cells):
        spikes[times, cell] = 1.0
    return Activity(spikes[-1], [*spikes])


def changes(kind: type[Rule], form: Any, pre: list[list[int]], post: list[list[int]], steps: int) -> list[float]:
    """The change of the strength of each edge, from 1; all to all, or under MASK for three cells."""
    mask = MASK if len(pre) == 3 else np.ones((len(post), len(pre)), dtype=bool)
    matrix = Projection(arrays_of(mask), "W", sign="free").double()
    matrix.set_strength(torch.ones(int(mask.sum()), dtype=torch.float64))
    kind(matrix, **form)(matrix, train(pre, steps), train(post, steps))
    return (matrix.strength_E() - 1).tolist()


def test_stdp_by_hand() -> None:
    """Presynaptic cell 0 fires in step 1, cell 1 in 2 and 4, cell 2 never; postsynaptic 0 in 3, 1 in 1, 2 in 5."""
    form = {"rate": 0.1, "depression": 0.5, "tau_plus_ms": 10.0, "tau_minus_ms": 20.0, "dt_ms": 2.0}
    found = changes(STDP, form, [[1], [2, 4], []], [[3], [1], [5]], 6)
    expected = [
        0.1 * np.exp(-2 / 10) - 0.1 * 0.5 * np.exp(-2 / 20),  # 1 -> 0: a step before, and one after
        0.0,  # 2 -> 0: silent
        0.0,  # 0 -> 1: in one step
        0.1 * np.exp(-6 / 10) + 0.1 * np.exp(-2 / 10),  # 1 -> 2: three steps before, and one before
    ]
    assert found == pytest.approx(expected, rel=1e-6, abs=1e-12)


def test_triplets_by_hand() -> None:
    """0 -> 1: post, pre, post in steps 0, 1, 2. 1 -> 2: pre, post, pre in steps 0, 2, 3. 1 -> 0: nothing after pre."""
    form = VISUAL_CORTEX | {"rate": 2.0, "dt_ms": 5.0}
    found = changes(TripletSTDP, form, [[1], [0, 3], []], [[], [0, 2], [2]], 4)
    potentiation = np.exp(-5 / 16.8) * (5e-10 + 6.2e-3 * np.exp(-10 / 125))
    depression = np.exp(-5 / 33.7) * 7e-3
    pair = np.exp(-10 / 16.8) * 5e-10
    pre_post_pre = np.exp(-5 / 33.7) * (7e-3 + 2.3e-4 * np.exp(-15 / 101))
    expected = [0.0, 0.0, 2 * (potentiation - depression), 2 * (pair - pre_post_pre)]
    assert found == pytest.approx(expected, rel=1e-6, abs=1e-12)


def test_inhibition_from_spikes_by_hand() -> None:
    """Cell 1 is the inhibitory one: it fires in step 2; postsynaptic cell 0 in steps 1 and 4, cell 2 in step 2."""
    matrix = Projection(arrays_of(MASK, sign=True), "W", sign="dale").double()
    rule = InhibitorySTDP(matrix, rate=0.1, target_hz=10.0, tau_ms=20.0, dt_ms=5.0)
    rule(matrix, train([[2], [2], [1]], 5), train([[1, 4], [1], [2]], 5))
    usual = 0.010 * 5 * (1 + 2 * np.exp(-5 / 20) + 2 * np.exp(-10 / 20))  # two steps before and two after
    expected = [1 + 0.1 * (np.exp(-5 / 20) + np.exp(-10 / 20) - usual), 1.0, 1.0, 1 + 0.1 * (1 - usual)]
    assert matrix.strength_E().tolist() == pytest.approx(expected, rel=1e-6)


@pytest.mark.parametrize("dt_ms", [0.5, 1.0, 2.0])
def test_the_window_of_stdp_is_two_exponentials(dt_ms: float) -> None:
    """Song, Miller and Abbott 2000: A+ exp(-t/20 ms) for pre before post, -1.05 A+ exp(t/20 ms) for post before pre."""
    form = {"rate": 0.005, "depression": 1.05, "tau_plus_ms": 20.0, "tau_minus_ms": 20.0, "dt_ms": dt_ms}
    lags = np.arange(-40, 41)
    posts = [[40 + int(lag)] for lag in lags]
    found = np.array(changes(STDP, form, [[40]], posts, 81))
    time_ms = lags * dt_ms
    published = np.where(time_ms > 0, np.exp(-np.abs(time_ms) / 20), -1.05 * np.exp(-np.abs(time_ms) / 20)) * 0.005
    np.testing.assert_allclose(found, np.where(lags == 0, 0, published), rtol=1e-6, atol=1e-12)


def pairing(lag_ms: int, frequency_hz: float) -> float:
    """The change by 60 pairs at a frequency; at 0.1 Hz a pair does not know of the one before."""
    count = 1 if frequency_hz < 1 else 60
    pre = [50 + round(1000 * n / frequency_hz) for n in range(count)]
    post = [time + lag_ms for time in pre]
    return changes(TripletSTDP, VISUAL_CORTEX | {"dt_ms": 1.0}, [pre], [post], pre[-1] + 100)[0] * 60 / count


def test_triplets_depend_on_frequency_as_pairs_in_visual_cortex_do() -> None:
    """Pfister and Gerstner 2006, on data of Sjostrom et al. 2001, doi 10.1016/S0896-6273(01)00542-6.

    Pre before post does nothing at 0.1 Hz and potentiates more and more; post before pre depresses at low frequencies
    and potentiates at high ones. No rule of pairs does this.
    """
    before = [pairing(10, frequency) for frequency in (0.1, 10, 20, 40, 50)]
    after = [pairing(-10, frequency) for frequency in (0.1, 10, 20, 40, 50)]
    assert abs(before[0]) < 1e-6
    assert before == sorted(before)
    assert 0.4 < before[-1] < 1.0
    assert max(after[:3]) < -0.05
    assert min(after[3:]) > 0.05
    assert after[0] == pytest.approx(-60 * 7e-3 * np.exp(-10 / 33.7), rel=1e-6)


def test_the_target_of_inhibition_holds_in_short_passes_and_is_the_papers_in_long_ones() -> None:
    """Cells that fire at the target, independently of each other, change nothing on average; 8 ms and 4 s."""
    arrays = arrays_of(np.ones((1, 1), dtype=bool)) | {"W.sign": -torch.ones(1, dtype=torch.int8)}
    for steps, images in ((4, 400_000), (2_000, 500)):
        matrix = Projection(arrays, "W", sign="dale")
        rule = InhibitorySTDP(matrix, rate=1.0, target_hz=20.0, tau_ms=20.0, dt_ms=2.0)
        draw = torch.Generator().manual_seed(0)
        pre_T, post_T = ((torch.rand(steps, 1, images, generator=draw) < 0.04).float().unbind() for _ in range(2))
        spikes = float(torch.stack(pre_T).sum() / images)
        rule(matrix, Activity(pre_T[-1], pre_T), Activity(post_T[-1], post_T))
        change = float(matrix.strength_E().detach()) - 1
        assert change / spikes == pytest.approx(0, abs=0.02)  # 2 tau target is 0.8


def test_inhibition_from_spikes_drives_rates_to_the_target() -> None:
    """Cells that fire with a chance that excitation raises and inhibition lowers, in steps of 1 ms, to 30 Hz."""
    torch.manual_seed(0)
    arrays = arrays_of(np.ones((4, 20), dtype=bool), sign=True) | {"W.sign": -torch.ones(20, dtype=torch.int8)}
    matrix = Projection(arrays, "W", sign="dale")
    matrix.set_strength(torch.full((80,), 0.02))
    rule = InhibitorySTDP(matrix, rate=2e-4, target_hz=30.0, tau_ms=20.0, dt_ms=1.0)
    driven_N = torch.tensor([0.05, 0.12, 0.2, 0.3])[:, None]
    rates_hz = []
    for _ in range(60):
        pre_MBT = (torch.rand(20, 4, 400) < 0.1).float()
        chance_NBT = (driven_N + matrix(pre_MBT.flatten(1)).detach()).view(4, 4, 400)
        post_NBT = (torch.rand(4, 4, 400) < chance_NBT).float()
        rates_hz.append(1000 * post_NBT.mean((1, 2)))
        rule(matrix, *(Activity(x[..., -1], x.unbind(2)) for x in (pre_MBT, post_NBT)))
    assert (rates_hz[0] - 30).abs().max() > 100
    torch.testing.assert_close(torch.stack(rates_hz[-30:]).mean(0), torch.full((4,), 30.0), rtol=0, atol=7.0)


def test_rates_that_rise_after_their_input_are_strengthened() -> None:
    """By hand: the input is 1 in step 1; one cell rises from 0 to 2 in step 3, another falls from 2 to 0."""
    matrix = Projection(arrays_of(np.ones((2, 1), dtype=bool)), "W", sign="free")
    matrix.set_strength(torch.zeros(2))
    pre = [torch.full((1, 1), float(step == 1)) for step in range(5)]
    post = [torch.tensor([[2.0 * (step >= 3)], [2.0 * (step < 3)]]) for step in range(5)]
    DifferentialHebbian(matrix, rate=0.1, tau_steps=4.0)(matrix, Activity(pre[-1], pre), Activity(post[-1], post))
    expected = 0.1 * 2 * np.exp(-2 / 4)
    assert matrix.theta_E.tolist() == pytest.approx([expected, -expected], rel=1e-6)
