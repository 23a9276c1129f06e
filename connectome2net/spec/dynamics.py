"""How a cell turns its drive into what it sends: ``network.dynamics`` of spec.json.

Enters: parsed JSON. Leaves: frozen models, one for each kind of cell; the equations are in ``runtime.dynamics``.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Discriminator, Field, Tag

from connectome2net.spec.part import InOrder, NonNegative, Part, Positive

Who = Annotated[str, Field(pattern=r"^(\*|[A-Za-z][A-Za-z0-9_]{0,23})$")]
"""A population, or ``*`` for all that are not named."""

Leak = Annotated[float, Field(gt=0, le=1)]
Millivolts = Annotated[float, Field(ge=-200, le=200)]
Norm = Literal["layer", "none"]


def _form(value: Any) -> str:
    return "parts" if isinstance(value, Mapping | Part) else "plain"


OneOrEach = Discriminator(_form)
"""One number for all cells, or one for each population."""

Leaks = Annotated[Annotated[Leak, Tag("plain")] | Annotated[dict[Who, Leak], InOrder, Tag("parts")], OneOrEach]
Times = Annotated[
    Annotated[Positive, Tag("plain")] | Annotated[dict[Who, Positive], InOrder, Tag("parts")],
    OneOrEach,
]


class Rate(Part):
    """``rate <- (1 - leak) rate + leak relu(norm(drive))``, one step.

    Attributes:
        leak: the part of a rate that is replaced in one step (dt / tau); one number, or one for each population.
        learn_leak: the leak of each population is learned, from there on.
        norm: ``layer``: LayerNorm over the cells of each population, with a gain and a bias per cell.
    """

    model: Literal["rate"] = "rate"
    leak: Leaks = 1.0
    learn_leak: bool = False
    norm: Norm = "layer"


class Lif(Part):
    """Leaky integrate-and-fire: ``tau dv/dt = -v + norm(drive)``, a spike and ``v <- v - 1`` where ``v >= 1``.

    Attributes:
        tau_ms: membrane time constant, one or one for each population. 10 ms is that of a cortical cell in an active
            network (Destexhe et al. 2003, doi 10.1038/nrn1198), and lets a step of 2 ms matter.
        tau_read_ms: the readout and the rules of rates see spikes through an exponential filter; 20 ms, so that it
            spans a presentation of some tens of milliseconds. A regular train of f spikes per second comes to
            ``f tau_read_ms / 1000`` there, less in a pass that is not much longer.
        dt_ms: length of a step; 2 ms is the absolute refractory time, in which there is at most one spike.
        refractory_steps: further steps after a spike in which the voltage stays where the reset left it.
        surrogate_slope: of the surrogate gradient ``1 / (slope |v - 1| + 1)^2``. The shape matters little, the scale
            does (Zenke and Vogels 2021, doi 10.1162/neco_a_01367); drives have deviation 1.
        norm: ``layer``: LayerNorm of the current over the cells of each population, with a gain and a bias per cell, so
            that some cells of every population reach threshold, given time: within 4 steps of 2 ms only those whose
            current is above 1.8, and populations that others drive fire later. Let a pass last some tau_ms for each.
    """

    model: Literal["lif"]
    tau_ms: Times = 10.0
    tau_read_ms: Positive = 20.0
    dt_ms: Positive = 2.0
    refractory_steps: Annotated[int, Field(ge=0, le=4096)] = 0
    surrogate_slope: NonNegative = 2.0
    norm: Norm = "layer"


class Firing(Part):
    """The four numbers of Izhikevich's model; v in mV, time in ms."""

    a: Annotated[float, Field(gt=0, le=1)]
    b: float
    c: Annotated[float, Field(ge=-90, lt=30)]
    d: float


Pattern = Literal["regular_spiking", "intrinsically_bursting", "chattering", "fast_spiking", "low_threshold_spiking"]
Firings = Annotated[Annotated[Pattern, Tag("plain")] | Annotated[Firing, Tag("parts")], OneOrEach]

PATTERNS: dict[str, Firing] = {
    "regular_spiking": Firing(a=0.02, b=0.2, c=-65, d=8),
    "intrinsically_bursting": Firing(a=0.02, b=0.2, c=-55, d=4),
    "chattering": Firing(a=0.02, b=0.2, c=-50, d=2),
    "fast_spiking": Firing(a=0.1, b=0.2, c=-65, d=2),
    "low_threshold_spiking": Firing(a=0.02, b=0.25, c=-65, d=2),
}
"""Figure 2 of Izhikevich 2003, doi 10.1109/TNN.2003.820440."""


class Izhikevich(Part):
    """Izhikevich 2003: ``v' = 0.04 v^2 + 5 v + 140 - u + I``, ``u' = a (b v - u)``, reset to c, d at 30 mV.

    Attributes:
        firing: population -> a pattern of figure 2 of the paper, or ``{a, b, c, d}``; ``*`` for all others. What is not
            given follows from the class of the cells: excitatory ones are regular spiking, inhibitory ones fast
            spiking, as in the paper's network.
        input_scale: I where the normalised drive is 1. 20 makes a cell that is one deviation above the mean of its
            population spike within 5 ms.
        tau_read_ms: as for ``lif``.
        dt_ms: length of a step, at most the 1 ms of the paper, in two half steps of v.
        surrogate_slope: as for ``lif``, with voltages in units of 95 mV, the way from rest to the peak.
        norm: as for ``lif``.
    """

    model: Literal["izhikevich"]
    firing: Annotated[dict[Who, Firings], InOrder] = {}
    input_scale: Positive = 20.0
    tau_read_ms: Positive = 20.0
    dt_ms: Annotated[float, Field(gt=0, le=1)] = 1.0
    surrogate_slope: NonNegative = 2.0
    norm: Norm = "layer"


class Conductance(Part):
    """Graded synapses that are conductances, with liquid time constants: ``tau v' = v_rest - v + sum of g (e - v)``.

    All projections obey Dale's law: the reversal potential of a synapse follows from the class of its presynaptic cell.
    The image drives cells by conductances too: the positive part of what they see excites, the negative part inhibits.

    Attributes:
        tau_ms: time constant without synapses, one or one for each population; it becomes shorter by ``1 / (1 + g)``.
        dt_ms: length of a step; half of tau, so that a few steps cross the column.
        v_rest_mv: reversal potential of the leak.
        e_excitatory_mv: reversal potential of excitatory synapses (AMPA and NMDA: 0).
        e_inhibitory_mv: reversal potential of inhibitory synapses (GABA_A: chloride, near -75).
        v_half_mv: where half of a cell's synapses are open before learning: 20 mV above rest, where a cell gets when
            excitatory synapses and leak conduct about as 1 to 2.
        slope_mv: of the sigmoid that opens synapses. Models of graded synapses have some millivolts (8: Kunert et al.
            2014, doi 10.1103/PhysRevE.89.052805); of 3, 5 and 8, networks learned drawn faces best with 5.
    """

    model: Literal["conductance"]
    tau_ms: Times = 10.0
    dt_ms: Positive = 5.0
    v_rest_mv: Millivolts = -65.0
    e_excitatory_mv: Millivolts = 0.0
    e_inhibitory_mv: Millivolts = -75.0
    v_half_mv: Millivolts = -45.0
    slope_mv: Positive = 5.0


class Elm(Part):
    """Expressive Leaky Memory neurons: a small network of its own in each cell (Spieler et al. 2023, arXiv 2306.16922).

    Attributes:
        memory_units: units of memory in each cell.
        hidden: hidden units of each cell's network; twice its memory, as in the paper.
        tau_trace_ms: of the traces of excitatory and inhibitory drive; the paper's.
        tau_min_ms: shortest time constant of memory; the paper's.
        tau_max_ms: longest time constant of memory; the paper's for a cortical cell.
        update: lambda of the paper; its value.
        dt_ms: length of a step; 10 ms, so that a few steps reach into the range of the memory.
        learn_tau: the time constants are learned, per cell, within their bounds.
        norm: ``layer``: LayerNorm of the traces over the cells of each population.
    """

    model: Literal["elm"]
    memory_units: Annotated[int, Field(ge=1, le=1024)] = 4
    hidden: Annotated[int, Field(ge=1, le=1024)] = 8
    tau_trace_ms: Positive = 5.0
    tau_min_ms: Positive = 1.0
    tau_max_ms: Positive = 150.0
    update: Positive = 5.0
    dt_ms: Positive = 10.0
    learn_tau: bool = False
    norm: Norm = "layer"


def _named(value: Any) -> Any:
    """Say that the model is ``rate`` where a spec from before there were others says nothing."""
    return {"model": "rate"} | value if isinstance(value, dict) else value


Dynamics = Annotated[
    Annotated[Rate | Lif | Izhikevich | Conductance | Elm, Field(discriminator="model")], BeforeValidator(_named)
]
