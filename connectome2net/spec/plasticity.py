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


class InhibitorySTDP(Part):
    """``strength += rate * exp(-t / tau)`` for two spikes t apart, ``-= rate * 2 tau target`` for a presynaptic spike.

    The form for spikes of ``inhibitory``: every pair of a pass counts, in any order (Vogels et al. 2011, doi
    10.1126/science.1211095). Of 2 tau, the area of the window, only what lies within the pass counts, so that the
    target holds in a short one too. It acts on inhibitory edges; others stay as they are.

    Attributes:
        rate: the change of a strength by a pair without time between.
        target_hz: the rate that inhibition drives each cell to, spikes per second.
        tau_ms: time constant of the window; the paper's.
    """

    rule: Literal["inhibitory_stdp"]
    rate: NonNegative
    target_hz: NonNegative
    tau_ms: Positive = 20.0


class STDP(Part):
    """``strength += rate * exp(-t / tau_plus)`` for a pair with post t after pre, less the other way round.

    With pre t after post ``strength -= rate * depression * exp(-t / tau_minus)``. Every pair of spikes in a pass counts
    (Bi and Poo 1998, doi 10.1523/JNEUROSCI.18-24-10464.1998). The defaults are those of Song, Miller and Abbott 2000,
    doi 10.1038/78829, whose rate is 0.005 of the largest strength. They describe excitatory synapses; here the
    magnitudes of all edges of a projection change, as with ``triplet_stdp``.

    Attributes:
        rate: the change of a strength by a pair without time between, A_plus.
        depression: A_minus / A_plus.
        tau_plus_ms: time constant of potentiation.
        tau_minus_ms: time constant of depression.
    """

    rule: Literal["stdp"]
    rate: NonNegative
    depression: NonNegative = 1.05
    tau_plus_ms: Positive = 20.0
    tau_minus_ms: Positive = 20.0


class TripletSTDP(Part):
    """``strength += rate * r1 (a2_plus + a3_plus o2)`` at a postsynaptic spike, less at a presynaptic one.

    There ``strength -= rate * o1 (a2_minus + a3_minus r2)``. r1 and r2 are traces of the presynaptic cell with time
    constants tau_plus and tau_x, o1 and o2 of the postsynaptic cell with tau_minus and tau_y. Pfister and Gerstner
    2006, doi 10.1523/JNEUROSCI.1425-06.2006; the defaults are their fit to visual cortex, full model, all to all.

    Attributes:
        rate: factor of all changes; 1 is the paper's.
        a2_plus: potentiation by a pair.
        a3_plus: potentiation by post, pre, post.
        a2_minus: depression by a pair.
        a3_minus: depression by pre, post, pre.
        tau_plus_ms: time constant of r1.
        tau_x_ms: time constant of r2.
        tau_minus_ms: time constant of o1.
        tau_y_ms: time constant of o2.
    """

    rule: Literal["triplet_stdp"]
    rate: NonNegative = 1.0
    a2_plus: NonNegative = 5e-10
    a3_plus: NonNegative = 6.2e-3
    a2_minus: NonNegative = 7e-3
    a3_minus: NonNegative = 2.3e-4
    tau_plus_ms: Positive = 16.8
    tau_x_ms: Positive = 101.0
    tau_minus_ms: Positive = 33.7
    tau_y_ms: Positive = 125.0


class DifferentialHebbian(Part):
    """``strength += rate * sum over steps <trace of pre (post - post a step ago)>``: STDP of rates.

    The trace is ``sum over n >= 1 of exp(-n / tau) pre(n steps ago)``. Sutton and Barto 1981, doi
    10.1037/0033-295X.88.2.135; why it is STDP: Roberts 1999, doi 10.1023/A:1008910918445.

    Attributes:
        tau_steps: steps in which a trace falls to 1/e.
    """

    rule: Literal["differential_hebbian"]
    rate: NonNegative
    tau_steps: Positive


class ThreeFactor(Part):
    """``strength += rate * <(reward - baseline) eligibility>``, for each image by itself.

    Under Dale's law it acts on excitatory edges; others stay as they are. In each step
    ``eligibility <- exp(-1 / tau) eligibility + post * pre``. The reward is 1 where the answer was right,
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


class Structural(Part):
    """Every so many batches the weakest active edges are pruned, and as many inactive ones grow.

    All of this is within the compiled edges: they are what is allowed, and a constant number of them is active. An edge
    that grows starts as in a fresh network. Mocanu et al. 2018, doi 10.1038/s41467-018-04316-3; Bellec et al. 2018,
    arXiv 1711.05136.

    Attributes:
        active: the part of the edges that is active; inactive ones weigh exactly 0.
        every: batches between two prunings; the default is about an epoch of FER-2013, as in Mocanu et al.
        fraction: the part of the active edges that is pruned each time; Mocanu et al. use 0.3.
        regrow: which edges grow: drawn at ``random``, or by ``coactivity``, those with the largest ``<post * pre>``.
    """

    rule: Literal["structural"]
    active: Annotated[float, Field(gt=0, lt=1)]
    every: Batches = 400
    fraction: Annotated[float, Field(gt=0, le=1)] = 0.3
    regrow: Literal["random", "coactivity"] = "random"


class Intrinsic(Part):
    """``threshold += rate * (mean rate - target)``: a rule of cells, which populations name.

    Desai, Rutherford and Turrigiano 1999, doi 10.1038/9165.

    Attributes:
        rate: thresholds per rate and batch.
        target: the mean rate that each cell strives for.
        memory_batches: batches that the mean of a cell remembers.
    """

    rule: Literal["intrinsic"]
    rate: NonNegative
    target: NonNegative
    memory_batches: Batches = 100


Rule = Annotated[
    Hebbian
    | Oja
    | Covariance
    | BCM
    | Homeostatic
    | Inhibitory
    | InhibitorySTDP
    | STDP
    | TripletSTDP
    | DifferentialHebbian
    | ThreeFactor
    | Structural
    | Intrinsic,
    Field(discriminator="rule"),
]

OF_CELLS: Final = frozenset({"intrinsic"})
"""Rules of cells, which populations name; projections name all others."""

OF_INHIBITION: Final = frozenset({"inhibitory", "inhibitory_stdp"})
"""Rules that act on inhibitory edges only."""

OF_SPIKES: Final = frozenset({"inhibitory_stdp", "stdp", "triplet_stdp"})
"""Rules of spike times, which must know how long a step is."""

NEED_STEPS: Final = OF_SPIKES | {"differential_hebbian", "three_factor"}
"""Rules that look at every step of a batch."""
