"""Phases and ways of learning that do not fit the rest of the network: each gives exactly its issue."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from corrupting import CHANGE, Case, Corruption, both, check, put

SCHEDULE, LEARNING = "/network/schedule", "/network/learning"
FIRST = f"{SCHEDULE}/0"
NULL = "or set learning to null"


def settling(*corruptions: Corruption, **phase: Any) -> Corruption:
    """Equilibrium propagation in a network that it fits, and what no longer fits."""
    fits = [
        put("/network/dynamics", {"model": "rate", "norm": "none"}),
        put(SCHEDULE, [{"populations": ["*"], "steps": 50, "tolerance": 1e-4} | phase]),
        put(LEARNING, {"kind": "equilibrium"}),
    ]
    return both(*fits, *corruptions)


def reservoir(*corruptions: Corruption) -> Corruption:
    return both(put(LEARNING, {"kind": "reservoir"}), *corruptions)


CASES = [
    Case("no steps", "column", put(f"{FIRST}/steps", 0), f"{FIRST}/steps", "0", "greater than or equal to 1", CHANGE),
    Case(
        "negative tolerance",
        "column",
        put(f"{FIRST}/tolerance", -0.1),
        f"{FIRST}/tolerance",
        "-0.1",
        "greater than or equal to 0",
        CHANGE,
    ),
    Case(
        "checkpoint of nothing",
        "column",
        put(f"{FIRST}/checkpoint", 0),
        f"{FIRST}/checkpoint",
        "0",
        "greater than or equal to 1",
        CHANGE,
    ),
    Case(
        "checkpoint of all",
        "column",
        put(f"{FIRST}/checkpoint", 4),
        f"{FIRST}/checkpoint",
        "4, of 4 steps",
        "fewer than the steps",
        "about the square root of steps needs least memory; or leave it out",
    ),
    Case(
        "settling with a delay",
        "column",
        both(put(f"{FIRST}/steps", 40), put(f"{FIRST}/tolerance", 0.01), put("/network/projections/0/delay_steps", 1)),
        f"{FIRST}/tolerance",
        "0.01, while projection 'recurrent' has a delay",
        "no tolerance: rates may rest while others are on their way",
        "leave tolerance out; or set delay_steps to 0",
    ),
    Case(
        "no such way of learning",
        "column",
        put(LEARNING, {"kind": "magic"}),
        f"{LEARNING}/kind",
        "'magic'",
        "'equilibrium' or 'feedback_alignment' or 'reservoir'",
        CHANGE,
    ),
    Case(
        "no nudge",
        "column",
        settling(put(LEARNING, {"kind": "equilibrium", "nudge": 0})),
        f"{LEARNING}/nudge",
        "0",
        "greater than 0",
        CHANGE,
    ),
    Case(
        "equilibrium with a norm",
        "column",
        settling(put("/network/dynamics/norm", "layer")),
        "/network/dynamics/norm",
        "'layer'",
        "'none': a norm couples the cells, and a nudge then has an answer that is no gradient",
        f"set norm to none, {NULL}",
    ),
    Case(
        "equilibrium that learns a leak",
        "column",
        settling(put("/network/dynamics", {"model": "rate", "norm": "none", "leak": 0.5, "learn_leak": True})),
        "/network/dynamics/learn_leak",
        "true",
        "false: a leak does not move the fixed point",
        f"set it to false, {NULL}",
    ),
    Case(
        "equilibrium of cells with spikes",
        "column",
        settling(put("/network/dynamics", {"model": "lif"})),
        "/network/dynamics/model",
        "'lif'",
        "'rate': the fixed point of rates is what learns",
        f"use rate, {NULL}",
    ),
    Case(
        "equilibrium with noise",
        "column",
        settling(put("/network/noise", {"sigma": 0.1})),
        "/network/noise",
        "noise",
        "null: the difference of two fixed points is divided by the nudge, and so is the noise",
        f"set noise to null, {NULL}",
    ),
    Case(
        "equilibrium with a delay",
        "column",
        both(settling(put("/network/projections/0/delay_steps", 2)), put(f"{FIRST}/tolerance", None)),
        "/network/projections/0/delay_steps",
        "2",
        "0: a delay does not move a fixed point",
        f"set it to 0, {NULL}",
    ),
    Case(
        "equilibrium with a rule of steps",
        "column",
        settling(
            put("/network/plasticity", {"reward": {"rule": "three_factor", "rate": 0.1, "tau_steps": 3}}),
            put("/network/projections/0/plasticity", ["reward"]),
        ),
        "/network/projections/0/plasticity",
        "'reward', which looks at every step",
        "rules that look at the fixed point only",
        f"remove it, {NULL}",
    ),
    Case(
        "equilibrium of several phases",
        "pairs",
        settling(put(SCHEDULE, [{"populations": ["*"], "steps": 3}] * 2)),
        SCHEDULE,
        "2 phases",
        "one phase of all populations, which settles",
        f"set its populations to ['*'], {NULL}",
    ),
    Case(
        "equilibrium without settling",
        "column",
        settling(tolerance=None),
        f"{FIRST}/tolerance",
        "nothing",
        "a tolerance: the phase has to settle",
        "add tolerance, 0.0001 for instance",
    ),
    Case(
        "equilibrium with checkpoints",
        "column",
        settling(checkpoint=5),
        f"{FIRST}/checkpoint",
        "5",
        "none: no state is kept anyway",
        "leave it out",
    ),
    Case(
        "reservoir without ridge",
        "column",
        put(LEARNING, {"kind": "reservoir", "ridge": []}),
        f"{LEARNING}/ridge",
        "[]",
        "at least 1 item",
        CHANGE,
    ),
    Case(
        "reservoir with noise",
        "column",
        reservoir(put("/network/noise", {"sigma": 0.1})),
        "/network/noise",
        "noise",
        "null: there is one pass, without noise",
        "set noise to null; ridge regularises",
    ),
    *(
        Case(
            f"reservoir with dropout in {part}",
            "column",
            reservoir(put(f"/network/{part}/dropout", 0.5)),
            f"/network/{part}/dropout",
            "0.5",
            "0: there is one pass, and it sees all rates",
            "set it to 0; ridge regularises",
        )
        for part in ("front_end", "readout")
    ),
    Case(
        "reservoir with a rule",
        "column",
        reservoir(
            put("/network/plasticity", {"oja": {"rule": "oja", "rate": 0.1}}),
            put("/network/projections/0/plasticity", ["oja"]),
        ),
        "/network/projections/0/plasticity",
        "'oja'",
        "no rule: the strengths of a reservoir stay",
        f"remove it, {NULL}",
    ),
]


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_one_corruption_gives_exactly_its_issue(tmp_path: Path, case: Case) -> None:
    check(case, tmp_path)
