"""Spiking cells against closed forms, a fine integrator, and the published script."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
import torch
from scipy.integrate import solve_ivp

from connectome2net.runtime.dynamics import IzhikevichCells, LifCells
from connectome2net.runtime.dynamics.spike import spike


def lif(*populations: int, **changes: Any) -> LifCells:
    arguments = {"tau_ms": 10.0, "tau_read_ms": 20.0, "dt_ms": 2.0, "refractory_steps": 0, "surrogate_slope": 2.0}
    arguments |= {"norm": "none", "noise": 0.0}
    return LifCells(populations=populations or (1,), **arguments | changes).double()


def izhikevich(*populations: int, **changes: Any) -> IzhikevichCells:
    arguments = {"a": 0.02, "b": 0.2, "c": -65.0, "d": 8.0, "input_scale": 1.0, "tau_read_ms": 20.0, "dt_ms": 1.0}
    arguments |= {"surrogate_slope": 2.0, "norm": "none", "noise": 0.0}
    return IzhikevichCells(populations=populations or (1,), **arguments | changes).double()


def run(cells: Any, current: float | torch.Tensor, steps: int, **given: Any) -> list[Any]:
    """The states after each step of a constant current (N, 1)."""
    number = len(cells.threshold_N)
    drive = torch.as_tensor(current).double().expand(number, 1)
    state, states = cells.rest(drive[:1]), []
    for _ in range(steps):
        state = cells(state, drive, **given)
        states.append(state)
    return states


def column(*values: float) -> torch.Tensor:
    return torch.tensor(values).double()[:, None]


def test_the_surrogate_gradient_is_that_of_a_fast_sigmoid() -> None:
    above = torch.tensor([-3.0, -0.5, -1e-9, 0.0, 0.25, 4.0], dtype=torch.float64, requires_grad=True)
    fired = spike(above, slope=2.5)
    assert fired.tolist() == [0, 0, 0, 1, 1, 1]
    fired.backward(torch.tensor([1.0, 2, 3, 4, 5, 6]).double())
    expected = [weight / (2.5 * abs(x) + 1) ** 2 for weight, x in zip(range(1, 7), above.tolist(), strict=True)]
    torch.testing.assert_close(above.grad, torch.tensor(expected).double())


@pytest.mark.parametrize("dt_ms", [0.1, 2.0, 50.0])
def test_lif_below_threshold_is_the_closed_form_at_any_step(dt_ms: float) -> None:
    states = run(lif(2, tau_ms=[10.0], dt_ms=dt_ms), 0.9, 7)
    expected = [0.9 * (1 - math.exp(-dt_ms * (at + 1) / 10)) for at in range(7)]
    np.testing.assert_allclose([float(state.v_NB.detach()[0]) for state in states], expected, rtol=1e-7)


@pytest.mark.parametrize("refractory_steps", [0, 100])
def test_lif_frequency_is_the_closed_form(refractory_steps: int) -> None:
    """f = 1 / (t_ref + tau ln(I / (I - 1))), Gerstner et al. 2014, Neuronal Dynamics, section 1.3."""
    dt_ms, currents = 0.02, (1.1, 1.5, 4.0)
    cells = lif(3, dt_ms=dt_ms, refractory_steps=refractory_steps)
    with torch.no_grad():
        states = run(cells, column(*currents), 8000)
    spikes = torch.cat([state.rate_NB for state in states], dim=1).numpy()
    for current, train in zip(currents, spikes, strict=True):
        times_ms = np.flatnonzero(train) * dt_ms
        assert len(times_ms) >= 6
        interval_ms = refractory_steps * dt_ms + 10 * math.log(current / (current - 1))
        assert np.mean(np.diff(times_ms)) == pytest.approx(interval_ms, rel=5e-3)


def test_lif_reset_subtracts_the_threshold_and_keeps_the_rest() -> None:
    """10 (1 - exp(-0.2)) = 1.813: a spike, 0.813 stays; then 10 + (0.813 - 10) exp(-0.2) = 2.478, 1.478 stays."""
    first, second = run(lif(), 10.0, 2)
    assert [first.rate_NB.item(), second.rate_NB.item()] == [1, 1]
    assert first.v_NB.item() == pytest.approx(10 - 10 * math.exp(-0.2) - 1, rel=1e-6)
    assert second.v_NB.item() == pytest.approx(9 - (10 - first.v_NB.item()) * math.exp(-0.2), rel=1e-6)
    assert second.read_NB.item() == pytest.approx(1 + math.exp(-0.1))


def test_lif_populations_have_time_constants_of_their_own() -> None:
    (state,) = run(lif(1, 2, tau_ms=[10.0, 5.0]), 0.5, 1)
    expected = [0.5 * (1 - math.exp(-0.2)), *[0.5 * (1 - math.exp(-0.4))] * 2]
    np.testing.assert_allclose(state.v_NB.detach().flatten(), expected, rtol=1e-6)


def test_a_refractory_cell_keeps_its_voltage_for_so_many_steps() -> None:
    states = run(lif(refractory_steps=2), 10.0, 5)
    assert [state.rate_NB.item() for state in states] == [1, 0, 0, 1, 0]
    assert states[0].v_NB.equal(states[2].v_NB)


def test_the_gradient_of_a_lif_cell_ignores_its_reset() -> None:
    """dv/dI over two steps is that of a leaky integrator, although there was a spike in between."""
    cells, drive = lif(), torch.full((1, 1), 10.0, dtype=torch.float64, requires_grad=True)
    state = cells(cells(cells.rest(drive), drive), drive)
    state.v_NB.backward()
    assert drive.grad.item() == pytest.approx(1 - math.exp(-0.4), rel=1e-6)


def test_graded_inhibition_lowers_the_current_and_spikes_stay_whole() -> None:
    """3 * 0.25 = 0.75 is below the threshold; 3 * 0.5 = 1.5 is above it."""
    states = run(lif(3, gain=torch.tensor([0.25, 0.5, 1.0])), 3.0, 200)
    counts = sum(state.rate_NB.detach() for state in states).flatten()
    assert counts[0] == 0
    assert 0 < counts[1] < counts[2]
    assert {value for state in states for value in state.rate_NB.flatten().tolist()} == {0.0, 1.0}


def test_the_norm_makes_a_sixth_of_the_cells_spike_whatever_their_drive_is() -> None:
    cells = lif(4000, norm="layer", dt_ms=50.0)
    drive = 0.1 * torch.randn(4000, 1, generator=torch.Generator().manual_seed(0)).double() - 7
    state = cells(cells.rest(drive[:1]), drive)
    assert float(state.rate_NB.detach().mean()) == pytest.approx(0.159, abs=0.02)


def published_script(a: Any, b: Any, c: Any, d: Any, S: Any, thalamic: Any) -> tuple[np.ndarray, float]:
    """The loop of Izhikevich 2003: the spikes of each ms (T, N), and the lowest voltage."""
    v, u, fired, lowest = np.full(len(a), -65.0), -65.0 * b, [], 0.0
    for current in thalamic:
        now = v >= 30
        fired.append(now)
        v, u = np.where(now, c, v), np.where(now, u + d, u)
        current = current + S[:, now].sum(1)
        v = v + 0.5 * (0.04 * v**2 + 5 * v + 140 - u + current)
        v = v + 0.5 * (0.04 * v**2 + 5 * v + 140 - u + current)
        u = u + a * (b * v - u)
        lowest = min(lowest, v.min())
    return np.array(fired), lowest


def test_izhikevich_spikes_are_those_of_the_published_script() -> None:
    """A tenth of its network: 80 excitatory and 20 inhibitory cells, each with numbers of its own, for 400 ms."""
    rng = np.random.default_rng(0)
    excitatory, inhibitory = rng.random(80), rng.random(20)
    a = np.concatenate([0.02 * np.ones(80), 0.02 + 0.08 * inhibitory])
    b = np.concatenate([0.2 * np.ones(80), 0.25 - 0.05 * inhibitory])
    c = np.concatenate([-65 + 15 * excitatory**2, -65 * np.ones(20)])
    d = np.concatenate([8 - 6 * excitatory**2, 2 * np.ones(20)])
    a, b, c, d = (values.astype(np.float32).astype(float) for values in (a, b, c, d))
    S = np.concatenate([0.5 * rng.random((100, 80)), -rng.random((100, 20))], axis=1) * 3
    thalamic = rng.standard_normal((400, 100)) * np.concatenate([5 * np.ones(80), 2 * np.ones(20)])
    expected, lowest = published_script(a, b, c, d, S, thalamic)
    assert lowest > -90, "the script has no floor"
    cells = izhikevich(*[1] * 100, a=a, b=b, c=c, d=d)
    W = torch.from_numpy(S)
    state, fired = cells.rest(W[:1]), []
    with torch.no_grad():
        for current in torch.from_numpy(thalamic):
            fired.append(state.rate_NB.flatten().numpy() > 0)
            state = cells(state, current[:, None], W @ state.rate_NB)
    assert expected.sum() > 200
    assert (np.array(fired) == expected).all()


def test_izhikevich_below_threshold_is_of_first_order() -> None:
    """Halving the step halves the error at 40 ms."""

    def slope(_: float, y: Any) -> list[float]:
        return [0.04 * y[0] ** 2 + 5 * y[0] + 140 - y[1] + 2, 0.02 * (0.2 * y[0] - y[1])]

    exact = solve_ivp(slope, (0, 40), [-65.0, -13.0], rtol=1e-11, atol=1e-11).y[0, -1]
    with torch.no_grad():
        errors = [run(izhikevich(dt_ms=40 / n), 2.0, n)[-1].v_NB.item() - exact for n in (80, 160, 320)]
    assert errors[0] / errors[1] == pytest.approx(2, abs=0.25)
    assert errors[1] / errors[2] == pytest.approx(2, abs=0.15)


def test_strong_inhibition_does_not_throw_a_cell_over_its_peak() -> None:
    """Explicit steps alone do it: from -65 to -565 mV, and from there to more than 5,000."""
    spikes, _ = published_script(*(np.array([x]) for x in (0.02, 0.2, -65, 8.0)), np.zeros((1, 1)), [[-1000.0]] * 50)
    assert spikes.any()
    states = run(izhikevich(), -1000.0, 50)
    assert not any(state.rate_NB.item() for state in states)
    assert min(state.v_NB.item() for state in states) == -90


def test_izhikevich_gradients_stay_finite_over_many_spikes() -> None:
    """A gradient that follows v through its upswing passes 1e20 here."""
    cells = izhikevich(input_scale=20.0)
    drive = torch.ones(1, 1, dtype=torch.float64, requires_grad=True)
    state, sent = cells.rest(drive), 0.0
    for _ in range(100):
        state = cells(state, drive)
        sent = sent + state.rate_NB
    assert sent.item() >= 5
    sent.sum().backward()
    assert 0 < drive.grad.item() < 1e3


@pytest.mark.parametrize("cells", [lif(2), izhikevich(2)], ids=["lif", "izhikevich"])
def test_gap_junctions_of_any_conductance_are_stable(cells: Any) -> None:
    """Cells are held between where they are and the voltage on the other side."""
    start = cells.rest(torch.zeros(1, 1).double())
    beyond = start.v_NB + column(0.5, -0.5)
    for conductance in (1.0, 1e3, 1e6):
        state = start
        for _ in range(20):
            junction = torch.stack([torch.full((2, 1), conductance).double(), conductance * beyond])
            state = cells(state, junction_JNB=junction)
        if conductance > 1:
            torch.testing.assert_close(state.v_NB, beyond, rtol=0.02, atol=0.02)


def test_lif_cells_with_a_gap_junction_are_of_first_order() -> None:
    """Two cells, one of them driven, against the solution of the coupled equations."""
    matrix = np.array([[-1.5, 0.5], [0.5, -1.5]]) / 10
    exact = solve_ivp(lambda _, v: matrix @ v + [0.09, 0], (0, 12), [0.0, 0.0], rtol=1e-11, atol=1e-12).y[:, -1]
    errors = []
    for steps in (12, 24, 48):
        cells, drive = lif(2, dt_ms=12 / steps), column(0.9, 0.0)
        state = cells.rest(drive[:1])
        for _ in range(steps):
            towards = 0.5 * state.v_NB.flip(0)
            state = cells(state, drive, junction_JNB=torch.stack([torch.full_like(towards, 0.5), towards]))
        errors.append(np.abs(state.v_NB.detach().flatten().numpy() - exact).max())
    assert errors[0] / errors[1] == pytest.approx(2, abs=0.2)
    assert errors[1] / errors[2] == pytest.approx(2, abs=0.1)
