"""The equations of the rules as a slow dense network in numpy would have them: what each rule must equal.

A rule is a function of a full matrix of strengths (N, M), the sign of each presynaptic cell (M,), the steps (T, M, B)
and (T, N, B) of both ends, the reward (B,), its parameters, and a memory that it may write to. Times are summed pair by
pair, without traces.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from connectome2net.runtime import plasticity
from connectome2net.runtime.plasticity import Rule

Array = np.ndarray[Any, np.dtype[np.float64]]
Memory = dict[str, Array]
DenseRule = Callable[..., Array]


def together(post: Array, pre: Array) -> Array:
    """``<post * pre>``, (N, M)."""
    return np.einsum("nb,mb->nm", post, pre) / pre.shape[1]


def running(memory: Memory, name: str, value: Array, batches: int) -> Array:
    """A mean that is plain over the first batches and forgets exponentially from then on."""
    seen = memory.get(f"{name} seen", np.zeros(())) + 1
    old = memory.get(name, np.zeros_like(value))
    share = 1 / min(float(seen), batches)
    memory[f"{name} seen"], memory[name] = seen, (1 - share) * old + share * value
    return memory[name]


def hebbian(
    strength: Array, sign: Array, pre: Array, post: Array, reward: Array, memory: Memory, *, rate: float
) -> Array:
    return strength + rate * together(post[-1], pre[-1])


def oja(strength: Array, sign: Array, pre: Array, post: Array, reward: Array, memory: Memory, *, rate: float) -> Array:
    return strength + rate * (together(post[-1], pre[-1]) - (post[-1] ** 2).mean(1, keepdims=True) * strength)


def covariance(
    strength: Array, sign: Array, pre: Array, post: Array, reward: Array, memory: Memory, *, rate: float, **form: Any
) -> Array:
    of_pre = running(memory, "pre", pre[-1].mean(1), form["memory_batches"])
    of_post = running(memory, "post", post[-1].mean(1), form["memory_batches"])
    return strength + rate * together(post[-1] - of_post[:, None], pre[-1] - of_pre[:, None])


def bcm(
    strength: Array, sign: Array, pre: Array, post: Array, reward: Array, memory: Memory, *, rate: float, **form: Any
) -> Array:
    threshold = running(memory, "power", (post[-1] ** 2).mean(1), form["memory_batches"])[:, None] / form["target"]
    return strength + rate * together(post[-1] ** 2 - threshold * post[-1], pre[-1])


def homeostatic(
    strength: Array, sign: Array, pre: Array, post: Array, reward: Array, memory: Memory, *, rate: float, target: float
) -> Array:
    return strength * (1 + rate * sign * (target - post[-1].mean(1, keepdims=True)))


def inhibitory(
    strength: Array, sign: Array, pre: Array, post: Array, reward: Array, memory: Memory, *, rate: float, target: float
) -> Array:
    return strength + rate * together(post[-1] - target, pre[-1]) * (sign < 0)


def three_factor(
    strength: Array, sign: Array, pre: Array, post: Array, reward: Array, memory: Memory, *, rate: float, **form: Any
) -> Array:
    surprise = reward - running(memory, "baseline", reward.mean(), form["memory_batches"])
    trace = np.zeros((*strength.shape, len(reward)))
    for at in range(len(pre)):
        trace = np.exp(-1 / form["tau_steps"]) * trace + post[at][:, None] * pre[at][None]
    return strength + rate * (trace * surprise).mean(2) * (
        sign > 0 if sign.ndim == 1 else 1
    )  # a matrix of signs: they are free


def kernel(steps: int, window: Callable[[int], float]) -> Array:
    """A number for each pair of steps: of the time from the one of the row to the one of the column."""
    return np.array([[window(later - earlier) for later in range(steps)] for earlier in range(steps)])


def pairs(pre: Array, post: Array, window: Callable[[int], float]) -> Array:
    """``<sum over pairs of a presynaptic and a postsynaptic step of pre * post * window(post - pre)>``, (N, M)."""
    return np.einsum("smb,tnb,st->nm", pre, post, kernel(len(pre), window)) / pre.shape[2]


def after(tau: float) -> Callable[[int], float]:
    return lambda n: float(np.exp(-n / tau)) if n > 0 else 0.0


def stdp(
    strength: Array, sign: Array, pre: Array, post: Array, reward: Array, memory: Memory, *, rate: float, **form: Any
) -> Array:
    plus, minus = (after(form[name] / form["dt_ms"]) for name in ("tau_plus_ms", "tau_minus_ms"))
    return strength + rate * pairs(pre, post, lambda n: plus(n) - form["depression"] * minus(-n))


def triplet_stdp(
    strength: Array, sign: Array, pre: Array, post: Array, reward: Array, memory: Memory, *, rate: float, **form: Any
) -> Array:
    """Every triplet is visited: two spikes before a third one."""
    plus, x, minus, y = (
        kernel(len(pre), after(form[f"tau_{name}_ms"] / form["dt_ms"])) for name in ("plus", "x", "minus", "y")
    )
    change = form["a2_plus"] * np.einsum("tnb,smb,st->nm", post, pre, plus)
    change += form["a3_plus"] * np.einsum("tnb,smb,st,unb,ut->nm", post, pre, plus, post, y, optimize=True)
    change -= form["a2_minus"] * np.einsum("tmb,snb,st->nm", pre, post, minus)
    change -= form["a3_minus"] * np.einsum("tmb,snb,st,umb,ut->nm", pre, post, minus, pre, x, optimize=True)
    return strength + rate * change / pre.shape[2]


def inhibitory_stdp(
    strength: Array, sign: Array, pre: Array, post: Array, reward: Array, memory: Memory, *, rate: float, **form: Any
) -> Array:
    """What spikes at the target rate would give is taken off."""

    def window(n: int) -> float:
        return float(np.exp(-abs(n) * form["dt_ms"] / form["tau_ms"]))

    usual = np.full_like(post, form["target_hz"] * form["dt_ms"] / 1000)
    change = pairs(pre, post, window) - pairs(pre, usual, window)
    return strength + rate * change * (sign < 0)


def differential_hebbian(
    strength: Array, sign: Array, pre: Array, post: Array, reward: Array, memory: Memory, *, rate: float, **form: Any
) -> Array:
    return strength + rate * pairs(pre, np.diff(post, axis=0, prepend=0.0), after(form["tau_steps"]))


RULES: dict[str, tuple[type[Rule], dict[str, Any], DenseRule]] = {
    "hebbian": (plasticity.Hebbian, {"rate": 0.1}, hebbian),
    "oja": (plasticity.Oja, {"rate": 0.1}, oja),
    "covariance": (plasticity.Covariance, {"rate": 0.1, "memory_batches": 3}, covariance),
    "bcm": (plasticity.BCM, {"rate": 0.1, "target": 0.5, "memory_batches": 3}, bcm),
    "homeostatic": (plasticity.Homeostatic, {"rate": 0.1, "target": 1.5}, homeostatic),
    "inhibitory": (plasticity.Inhibitory, {"rate": 0.1, "target": 0.3}, inhibitory),
    "stdp": (
        plasticity.STDP,
        {"rate": 0.1, "depression": 0.8, "tau_plus_ms": 3.0, "tau_minus_ms": 5.0, "dt_ms": 2.0},
        stdp,
    ),
    "triplet_stdp": (
        plasticity.TripletSTDP,
        {"rate": 0.1, "a2_plus": 0.3, "a3_plus": 0.5, "a2_minus": 0.4, "a3_minus": 0.2}
        | {"tau_plus_ms": 3.0, "tau_x_ms": 8.0, "tau_minus_ms": 5.0, "tau_y_ms": 6.0, "dt_ms": 2.0},
        triplet_stdp,
    ),
    "inhibitory_stdp": (
        plasticity.InhibitorySTDP,
        {"rate": 0.1, "target_hz": 20.0, "tau_ms": 4.0, "dt_ms": 2.0},
        inhibitory_stdp,
    ),
    "differential_hebbian": (plasticity.DifferentialHebbian, {"rate": 0.1, "tau_steps": 2.0}, differential_hebbian),
    "three_factor": (plasticity.ThreeFactor, {"rate": 0.1, "tau_steps": 2.0, "memory_batches": 3}, three_factor),
}
"""Name in the spec -> class, parameters, equation."""

DALE_ONLY = frozenset({"inhibitory", "inhibitory_stdp"})
OF_SPIKES = frozenset({"stdp", "triplet_stdp", "inhibitory_stdp"})
