"""Rules that change strengths: ``network.plasticity`` of spec.json.

Enters: parsed JSON. Leaves: frozen models, one for each rule; the rules themselves are in ``runtime.plasticity``.

``<x>`` is the mean over the images of a batch. A rate of learning is per batch. ``memory_batches`` is how many batches
a running mean remembers: it is the plain mean of the first ones, and forgets exponentially from then on.
"""

from __future__ import annotations

from typing import Annotated, Final, Literal

from pydantic import Field

from connectome2net.spec.part import NonNegative, Part, Positive

Batches = Annotated[int, Field(ge=1, le=1_000_000)]


class Hebbian(Part):
    """``strength += rate * <post * pre>``, averaged over the batch (Hebb 1949)."""

    rule: Literal["hebbian"]
    rate: NonNegative


class Oja(Part):
    """``strength += rate * (<post * pre> - <post^2> strength)`` (Oja 1982, doi 10.1007/BF00275687)."""

    rule: Literal["oja"]
    rate: NonNegative


class Covariance(Part):
    """``strength += rate * <(post - mean post) (pre - mean pre)>`` (Sejnowski 1977, doi 10.1007/BF00275079).

    Attributes:
        memory_batches: batches that the means of both cells remember.
    """

    rule: Literal["covariance"]
    rate: NonNegative
    memory_batches: Batches = 100


class BCM(Part):
    """``strength += rate * <post (post - threshold) pre>``, ``threshold = mean post^2 / target``.

    Bienenstock, Cooper and Munro 1982, doi 10.1523/JNEUROSCI.02-01-00032.1982; the threshold as in Intrator and Cooper
    1992, doi 10.1016/S0893-6080(05)80003-6.

    Attributes:
        target: the rate at which a cell that always has it stays as it is.
        memory_batches: batches that the threshold of a cell remembers.
    """

    rule: Literal["bcm"]
    rate: NonNegative
    target: Positive = 1.0
    memory_batches: Batches = 100


class Homeostatic(Part):
    """``strength *= 1 + rate * sign * (target - <post>)`` (synaptic scaling, Turrigiano 2008)."""

    rule: Literal["homeostatic"]
    rate: NonNegative
    target: NonNegative


class Inhibitory(Part):
    """``strength += rate * <pre (post - target)>``, of inhibitory edges; others stay as they are.

    Vogels et al. 2011, doi 10.1126/science.1211095, the form for rates.

    Attributes:
        target: the rate that inhibition drives each cell to.
    """

    rule: Literal["inhibitory"]
    rate: NonNegative
    target: NonNegative


class ThreeFactor(Part):
    """``strength += rate * <(reward - baseline) eligibility>``, for each image by itself.

    In each step ``eligibility <- exp(-1 / tau) eligibility + post * pre``. The reward is 1 where the answer was right,
    else 0; the baseline is its running mean (Izhikevich 2007, doi 10.1093/cercor/bhl152; Fremaux and Gerstner 2016, doi
    10.3389/fncir.2015.00085).

    Attributes:
        tau_steps: steps in which an eligibility falls to 1/e.
        memory_batches: batches that the baseline remembers.
    """

    rule: Literal["three_factor"]
    rate: NonNegative
    tau_steps: Positive
    memory_batches: Batches = 100


Rule = Annotated[Hebbian | Oja | Covariance | BCM | Homeostatic | Inhibitory | ThreeFactor, Field(discriminator="rule")]

NEED_STEPS: Final = frozenset({"three_factor"})
"""Rules that look at every step of a batch."""
