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
    return strength + rate * (trace * surprise).mean(2)


RULES: dict[str, tuple[type[Rule], dict[str, Any], DenseRule]] = {
    "hebbian": (plasticity.Hebbian, {"rate": 0.1}, hebbian),
    "oja": (plasticity.Oja, {"rate": 0.1}, oja),
    "covariance": (plasticity.Covariance, {"rate": 0.1, "memory_batches": 3}, covariance),
    "bcm": (plasticity.BCM, {"rate": 0.1, "target": 0.5, "memory_batches": 3}, bcm),
    "homeostatic": (plasticity.Homeostatic, {"rate": 0.1, "target": 1.5}, homeostatic),
    "inhibitory": (plasticity.Inhibitory, {"rate": 0.1, "target": 0.3}, inhibitory),
    "three_factor": (plasticity.ThreeFactor, {"rate": 0.1, "tau_steps": 2.0, "memory_batches": 3}, three_factor),
}
"""Name in the spec -> class, parameters, equation."""

DALE_ONLY = frozenset({"inhibitory"})
OF_SPIKES = frozenset[str]()
