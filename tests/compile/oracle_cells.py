"""One step of each kind of cell, slow and in numpy: the equations of the spec, for the cells of one population.

A state is a dictionary of arrays (n, B), with ``rate``, what is sent, and ``read``, what the readout sees. ``own`` are
the learned numbers of these cells. A drive is (n, B), or (2, n, B): excitatory, inhibitory. A junction is None, or for
each cell the sum of the conductances and that of conductance times the voltage on the other side.
"""

from __future__ import annotations

from typing import Any

import numpy as np

Array = np.ndarray[Any, np.dtype[np.float64]]
State = dict[str, Array]

VOLTAGE = {"lif": 0.0, "izhikevich": -65.0}
PATTERNS = {  # figure 2 of Izhikevich 2003
    "regular_spiking": (0.02, 0.2, -65, 8),
    "intrinsically_bursting": (0.02, 0.2, -55, 4),
    "chattering": (0.02, 0.2, -50, 2),
    "fast_spiking": (0.1, 0.2, -65, 2),
    "low_threshold_spiking": (0.02, 0.25, -65, 2),
}


def single(value: Any) -> Any:
    """What a number of a cell is once it is stored."""
    return np.float64(np.float32(value))


def number(value: Any, population: str) -> float:
    """The number of a population, where there may be one for each."""
    return float(value.get(population, value.get("*"))) if isinstance(value, dict) else float(value)


def sigmoid(x: Array) -> Array:
    return 1 / (1 + np.exp(-x))


def normal(x: Array) -> Array:
    """Mean 0 and variance 1 over the cells of a population, for each image."""
    return (x - x.mean(0)) / np.sqrt(x.var(0) + 1e-5)


def rest(form: Any, own: State, gain: Array, population: str, batch: int, inhibitory: bool) -> State:
    """The state of the cells of a population before the first step."""
    zero = np.zeros((len(gain), batch))
    if form.model == "rate":
        return {"rate": zero, "read": zero}
    if form.model == "conductance":
        v = zero + form.v_rest_mv
        return {"v": v} | opened(form, own, gain, v)
    if form.model == "elm":
        memory = np.zeros((len(gain), form.memory_units, batch))
        return {"rate": zero, "read": zero, "excited": zero, "inhibited": zero, "memory": memory}
    state = {"rate": zero, "read": zero, "v": zero + VOLTAGE[form.model]}
    if form.model == "lif":
        return state | {"wait": zero}
    return state | {"u": firing(form, population, inhibitory)[1] * state["v"]}


def step(
    form: Any, own: State, gain: Array, population: str, drive: Array, junction: Any, state: State, inhibitory: bool
) -> State:
    """The state one step later."""
    if form.model == "conductance":
        return conductance(form, own, gain, population, drive, junction, state)
    if form.model == "elm":
        return elm(form, own, gain, drive, state)
    current = normal(drive) * own["scale_N"][:, None] if form.norm == "layer" else drive
    current = current - own["threshold_N"][:, None]
    if form.model == "rate":
        leak = number(form.leak, population)
        leak = single(leak) if isinstance(form.leak, dict) else leak
        if form.learn_leak:
            leak = sigmoid(own["leak_logit_P"])[:, None]
        rate = (1 - leak) * state["rate"] + leak * gain * np.maximum(current, 0)
        return {"rate": rate, "read": rate}
    spiking = lif if form.model == "lif" else izhikevich
    new = spiking(form, population, gain * current, junction, state, inhibitory)
    return new | {"read": np.exp(-form.dt_ms / form.tau_read_ms) * state["read"] + new["rate"]}


def lif(form: Any, population: str, current: Array, junction: Any, state: State, inhibitory: bool) -> State:
    total, towards = (0.0, 0.0) if junction is None else junction
    rate = single(form.dt_ms / number(form.tau_ms, population))
    target = (current + towards) / (1 + total)
    v = target + (state["v"] - target) * np.exp(-rate * (1 + total))
    ready = state["wait"] == 0
    v = np.where(ready, v, state["v"])
    spike = ((v >= 1) & ready).astype(float)
    wait = np.where(spike > 0, form.refractory_steps, np.maximum(state["wait"] - 1, 0))
    return {"rate": spike, "v": v - spike, "wait": wait}


def izhikevich(form: Any, population: str, current: Array, junction: Any, state: State, inhibitory: bool) -> State:
    a, b, c, d = firing(form, population, inhibitory)
    total, towards = (0.0, 0.0) if junction is None else junction
    half, v, u = form.dt_ms / 2, state["v"], state["u"]
    for _ in range(2):
        slope = 0.04 * v**2 + 5 * v + 140 - u + form.input_scale * current
        v = np.maximum((v + half * (slope + towards)) / (1 + half * total), -90)
    u = u + form.dt_ms * a * (b * v - u)
    spike = v >= 30
    return {"rate": spike.astype(float), "v": np.where(spike, c, v), "u": np.where(spike, u + d, u)}


def firing(form: Any, population: str, inhibitory: bool) -> list[float]:
    """The four numbers of a population: those that are given, or those of its class."""
    by_class = "fast_spiking" if inhibitory else "regular_spiking"
    given = form.firing.get(population, form.firing.get("*", by_class))
    numbers = PATTERNS[given] if isinstance(given, str) else (given.a, given.b, given.c, given.d)
    return [single(value) for value in numbers]


def opened(form: Any, own: State, gain: Array, v: Array) -> State:
    rate = gain * sigmoid((v - form.v_half_mv) / form.slope_mv - own["threshold_N"][:, None])
    return {"rate": rate, "read": rate}


def conductance(
    form: Any, own: State, gain: Array, population: str, drive: Array, junction: Any, state: State
) -> State:
    excited, inhibited = drive * np.exp(own["log_scale_N"])[:, None]
    total, towards = (0.0, 0.0) if junction is None else junction
    g = 1 + excited + inhibited + total
    target = (form.v_rest_mv + form.e_excitatory_mv * excited + form.e_inhibitory_mv * inhibited + towards) / g
    decay = np.exp(-single(form.dt_ms / number(form.tau_ms, population)) * g)
    v = decay * state["v"] + (1 - decay) * target
    return {"v": v} | opened(form, own, gain, v)


def elm(form: Any, own: State, gain: Array, drive: Array, state: State) -> State:
    decay = np.exp(-form.dt_ms / form.tau_trace_ms)
    traces = [decay * state[name] + drive[at] for at, name in enumerate(("excited", "inhibited"))]
    seen = [normal(trace) if form.norm == "layer" else trace for trace in traces]
    spread = np.linspace(0, 1, form.memory_units).astype(np.float32).astype(float)
    places = sigmoid(own["place_logit_ND"]) if form.learn_tau else np.tile(spread, (len(gain), 1))
    rate, memory = np.zeros_like(traces[0]), np.zeros_like(state["memory"])
    for cell, image in np.ndindex(rate.shape):
        tau = form.tau_min_ms * (form.tau_max_ms / form.tau_min_ms) ** places[cell]
        kept = np.exp(-form.dt_ms / tau) * state["memory"][cell, :, image]
        sees = np.array([seen[0][cell, image], seen[1][cell, image], *kept])
        hidden = np.maximum(own["in_NHI"][cell] @ sees + own["in_bias_NH1"][cell, :, 0], 0)
        change = 1.7159 * np.tanh(2 / 3 * (own["out_NDH"][cell] @ hidden + own["out_bias_ND1"][cell, :, 0]))
        memory[cell, :, image] = kept + (1 - np.exp(-form.dt_ms * form.update / tau)) * change
        rate[cell, image] = max(own["read_N1D"][cell, 0] @ memory[cell, :, image] + own["bias_N"][cell], 0)
    rate = gain * rate
    return {"rate": rate, "read": rate, "excited": traces[0], "inhibited": traces[1], "memory": memory}
