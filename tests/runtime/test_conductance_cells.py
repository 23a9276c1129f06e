"""Conductance-based cells and Expressive Leaky Memory cells against closed forms and a fine integrator."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
import torch
from scipy.integrate import solve_ivp

from connectome2net.runtime.dynamics import ConductanceCells, ElmCells, RateCells, Rates, conductance


def graded(*populations: int, **changes: Any) -> ConductanceCells:
    arguments = {"tau_ms": 10.0, "dt_ms": 5.0, "v_rest_mv": -65.0, "e_excitatory_mv": 0.0, "e_inhibitory_mv": -75.0}
    arguments |= {"v_half_mv": -45.0, "slope_mv": 8.0, "noise": 0.0}
    return ConductanceCells(populations=populations or (1,), **arguments | changes).double()


def elm(*populations: int, **changes: Any) -> ElmCells:
    arguments = {"memory_units": 3, "hidden": 4, "tau_trace_ms": 5.0, "tau_min_ms": 2.0, "tau_max_ms": 50.0}
    arguments |= {"update": 5.0, "dt_ms": 3.0, "norm": "none", "noise": 0.0}
    return ElmCells(populations=populations or (2,), **arguments | changes).double()


def drive_of(excitatory: float, inhibitory: float) -> torch.Tensor:
    return torch.tensor([[[excitatory]], [[inhibitory]]]).double()


IMAGE = torch.zeros(1, 1).double()


@pytest.mark.parametrize("dt_ms", [0.1, 5.0, 200.0])
def test_constant_conductances_give_the_closed_form_at_any_step(dt_ms: float) -> None:
    """v goes to (v_rest + 2 * 0 + 0.5 * -75) / 3.5, with the time constant 10 / 3.5 ms."""
    cells, drive = graded(dt_ms=dt_ms), drive_of(2.0, 0.5)
    state, target = cells.rest(IMAGE), (-65 - 37.5) / 3.5
    for step in range(1, 4):
        state = cells(state, drive)
        expected = target + (-65 - target) * math.exp(-3.5 * step * dt_ms / 10)
        assert state.v_NB.item() == pytest.approx(expected, rel=1e-6)
        assert state.rate_NB.item() == pytest.approx(1 / (1 + math.exp(-(expected + 45) / 8)), rel=1e-5)


def test_a_cell_without_drive_stays_at_rest() -> None:
    cells = graded(2)
    state = cells(cells.rest(IMAGE))
    assert state.v_NB.flatten().tolist() == [-65.0, -65.0]
    assert state.rate_NB[0].item() == pytest.approx(1 / (1 + math.exp(2.5)))


@pytest.mark.parametrize("strength", [1.0, 1e3, 1e6])
def test_voltages_stay_between_the_reversal_potentials(strength: float) -> None:
    """At a step of ten time constants; an explicit step leaves them at once."""
    cells = graded(50, dt_ms=100.0)
    state = cells.rest(IMAGE)
    generator = torch.Generator().manual_seed(0)
    for _ in range(30):
        drive = strength * torch.rand(2, 50, 1, generator=generator).double()
        state = cells(state, drive)
        assert float(state.v_NB.detach().min()) >= -75
        assert float(state.v_NB.detach().max()) <= 0
    assert -65 + 10 * strength * (0 + 65) > 0, "the explicit step"


def test_a_network_of_conductances_is_of_first_order() -> None:
    """Three cells against a fine integrator of the continuous equations: halving the step halves the error."""
    W = np.array([[0.0, 1.2, -0.8], [2.0, 0.0, -0.5], [0.7, 1.5, 0.0]])
    seen = np.array([[0.8, 0.0, 0.1], [0.0, 0.3, 0.0]])

    def slope(_: float, v: Any) -> Any:
        rate = 1 / (1 + np.exp(-(v + 45) / 8))
        excitatory, inhibitory = seen[0] + np.maximum(W, 0) @ rate, seen[1] + np.maximum(-W, 0) @ rate
        return (-65 - v + excitatory * (0 - v) + inhibitory * (-75 - v)) / 10

    exact = solve_ivp(slope, (0, 20), [-65.0] * 3, rtol=1e-11, atol=1e-11).y[:, -1]
    errors = []
    parts = torch.from_numpy(np.stack([np.maximum(W, 0), np.maximum(-W, 0)]))
    image = torch.from_numpy(seen)[:, :, None]
    for steps in (20, 40, 80):
        cells = graded(3, dt_ms=20 / steps)
        state = cells.rest(IMAGE)
        for _ in range(steps):
            state = cells(state, image, parts @ state.rate_NB)
        errors.append(np.abs(state.v_NB.detach().flatten().numpy() - exact).max())
    assert errors[0] > 1e-3
    assert errors[0] / errors[1] == pytest.approx(2, abs=0.2)
    assert errors[1] / errors[2] == pytest.approx(2, abs=0.1)


def test_gap_junctions_join_the_conductances() -> None:
    """tau v' = -65 - v + 1 (0 - v) + 4 (-30 - v) is at rest at -185 / 6."""
    cells = graded(dt_ms=500.0)
    junction = torch.tensor([[[4.0]], [[4 * -30.0]]]).double()
    state = cells(cells.rest(IMAGE), drive_of(1.0, 0.0), junction_JNB=junction)
    assert state.v_NB.item() == pytest.approx(-185 / 6)


def test_scale_threshold_and_gain() -> None:
    """Scale 2 makes conductances 2 and 1; threshold 1 is a slope; the gain 0.5 halves the rate."""
    cells = graded(dt_ms=500.0, gain=torch.tensor([0.5]))
    cells.log_scale_N.data.fill_(math.log(2))
    cells.threshold_N.data.fill_(1.0)
    state = cells(cells.rest(IMAGE), drive_of(1.0, 0.5))
    v = (-65 - 75) / 4
    assert state.v_NB.item() == pytest.approx(v)
    assert state.rate_NB.item() == pytest.approx(0.5 / (1 + math.exp(-(v + 45) / 8 + 1)))


def test_noise_moves_voltages_by_slopes_in_training_only() -> None:
    torch.manual_seed(0)
    cells = graded(20_000, noise=0.5)
    state = cells(cells.rest(IMAGE))
    assert float(state.v_NB.std()) == pytest.approx(4.0, rel=0.03)
    assert float(cells.eval()(cells.rest(IMAGE)).v_NB.std()) == 0


def test_an_image_excites_by_its_positive_and_inhibits_by_its_negative_part() -> None:
    seen = torch.tensor([[1.5, -2.0], [0.0, 3.0]])
    assert conductance(seen).tolist() == [[[1.5, 0.0], [0.0, 3.0]], [[0.0, 2.0], [0.0, 0.0]]]


def test_memory_decays_in_closed_form_with_time_constants_spread_evenly_on_a_logarithmic_scale() -> None:
    """2, 10 and 50 ms."""
    cells = elm()
    cells.out_NDH.data.zero_()
    state = cells.rest(torch.zeros(4, 1).double())
    state = state._replace(memory_NDB=torch.ones_like(state.memory_NDB))
    for _ in range(6):
        state = cells(state)
    expected = [math.exp(-18 / tau) for tau in (2, 10, 50)]
    np.testing.assert_allclose(state.memory_NDB.detach()[1, :, 3], expected, rtol=1e-5)


def test_memory_takes_up_a_constant_faster_than_it_forgets() -> None:
    """After n steps: (1 - exp(-dt update / tau)) c (1 - k^n) / (1 - k), with k = exp(-dt / tau)."""
    cells = elm()
    cells.out_NDH.data.zero_()
    cells.out_bias_ND1.data.fill_(0.6)
    state = cells.rest(IMAGE)
    for _ in range(5):
        state = cells(state)
    change = 1.7159 * math.tanh(0.4)
    expected = [
        (1 - math.exp(-15 / tau)) * change * (1 - math.exp(-15 / tau)) / (1 - math.exp(-3 / tau)) for tau in (2, 10, 50)
    ]
    np.testing.assert_allclose(state.memory_NDB.detach()[0, :, 0], expected, rtol=1e-5)


def test_traces_filter_the_two_drives_apart() -> None:
    cells = elm(1)
    state = cells(cells.rest(IMAGE), drive_of(2.0, 3.0))
    state = cells(state, drive_of(0.5, 0.0))
    decay = math.exp(-3 / 5)
    np.testing.assert_allclose(state.trace_SNB.flatten(), [2 * decay + 0.5, 3 * decay])


@pytest.mark.parametrize("pushed", [-50.0, 50.0])
def test_learned_time_constants_stay_within_their_bounds(pushed: float) -> None:
    cells = elm(learn_tau=True)
    np.testing.assert_allclose(cells.tau_ms().detach()[0], [2 * 25**0.01, 10, 50 / 25**0.01], rtol=1e-5)
    cells.place_logit_ND.data.fill_(pushed)
    assert float(cells.tau_ms().detach().min()) >= 2
    assert float(cells.tau_ms().detach().max()) <= 50


def test_elm_cells_send_no_negative_rate_and_learn_with_all_their_numbers() -> None:
    torch.manual_seed(0)
    cells = elm(30, norm="layer", learn_tau=True)
    state = cells.rest(torch.zeros(8, 1).double())
    for _ in range(4):
        state = cells(state, torch.rand(2, 30, 8).double())
    assert float(state.rate_NB.detach().min()) == 0
    state.read_NB.sum().backward()
    assert all(float(parameter.grad.abs().sum()) > 0 for parameter in cells.parameters())


def test_each_population_has_its_leak() -> None:
    """rate 4, no drive, threshold -1: 4 (1 - leak) + leak."""
    cells = RateCells(populations=[1, 2], leak=[0.25, 0.5], norm="none", noise=0.0).double()
    cells.threshold_N.data.fill_(-1.0)
    assert cells(Rates(torch.full((3, 1), 4.0).double())).rate_NB.flatten().tolist() == [3.25, 2.5, 2.5]


def test_a_learned_leak_starts_where_it_is_told_and_stays_within_0_and_1() -> None:
    cells = RateCells(populations=[1, 2], leak=[0.25, 0.5], learn_leak=True, norm="none", noise=0.0).double()
    state = Rates(torch.full((3, 1), 4.0).double())
    np.testing.assert_allclose(cells(state).rate_NB.detach().flatten(), [3, 2, 2], rtol=1e-6)
    optimiser = torch.optim.SGD(cells.parameters(), lr=1e3)
    for sign in (1, -1, 1):
        optimiser.zero_grad()
        (sign * cells(state).rate_NB.sum()).backward()
        optimiser.step()
        leaks = cells.leaks().detach()
        assert 0 <= float(leaks.min()) <= float(leaks.max()) <= 1
    assert len(cells.leak_logit_P) == 2
