"""What each kind of cell computes, as a reader of model.py sees it.

Enters: nothing. Leaves: class of cells -> lines of its equation, and a sentence.
"""

from __future__ import annotations

from typing import Final

EQUATIONS: Final[dict[str, tuple[tuple[str, ...], str]]] = {
    "RateCells": (
        (
            "drive <- x + W rate",
            "rate  <- (1 - leak) rate + leak gain relu(norm(drive) - threshold + noise)",
        ),
        "The norm has a learned scale per cell; the gain is 1 where no graded inhibition is declared.",
    ),
    "LifCells": (
        (
            "drive   <- x + W spike",
            "tau v'   = -v + gain (norm(drive) - threshold + noise) + sum of g (v_pre - v)",
            "spike   <- v >= 1, and then v <- v - 1",
            "read    <- exp(-dt / tau_read) read + spike",
        ),
        "The norm has a learned scale per cell; g are gap junctions. What the readout sees is the filtered spikes.",
    ),
    "IzhikevichCells": (
        (
            "drive <- x + W spike",
            "I     <- input_scale gain (norm(drive) - threshold + noise) + sum of g (v_pre - v)",
            "v'     = 0.04 v^2 + 5 v + 140 - u + I",
            "u'     = a (b v - u)",
            "spike <- v >= 30 mV, and then v <- c, u <- u + d",
            "read  <- exp(-dt / tau_read) read + spike",
        ),
        "The norm has a learned scale per cell; g are gap junctions. What the readout sees is the filtered spikes.",
    ),
    "ConductanceCells": (
        (
            "g_e, g_i <- scale (x + W rate), over excitatory and over inhibitory edges",
            "tau v'    = v_rest - v + g_e (e_e - v) + g_i (e_i - v) + sum of g (v_pre - v)",
            "rate     <- gain sigmoid((v - v_half) / slope - threshold)",
        ),
        "Of x, the positive part excites and the negative part inhibits; g are gap junctions.",
    ),
    "ElmCells": (
        (
            "trace_e, trace_i <- exp(-dt / tau_trace) trace + x + W rate, over excitatory and over inhibitory edges",
            "kept   <- exp(-dt / tau) memory",
            "memory <- kept + (1 - exp(-dt update / tau)) 1.7159 tanh(2/3 mlp(norm(trace_e, trace_i), kept))",
            "rate   <- gain relu(output memory + bias)",
        ),
        "Of x, the positive part excites and the negative part inhibits; every cell has an mlp of its own.",
    ),
}
