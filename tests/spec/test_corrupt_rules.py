"""Corruptions of plasticity rules, each with the one issue that must come of it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from corrupting import CHANGE, Case, both, check, put

RULE = "/network/plasticity/oja"
PROJECTION = "/network/projections"


def parameter(rule: str, key: str, value: Any, found: str, wanted: str, **others: Any) -> Case:
    """A rule with one parameter that it may not have."""
    form = {"rule": rule} | ({} if rule == "structural" else {"rate": 0.1}) | others | {key: value}
    return Case(f"{rule}: {key}", "pairs", put(RULE, form), f"{RULE}/{key}", found, wanted, CHANGE)


CASES = [
    parameter("hebbian", "rate", -1.0, "-1.0", "greater than or equal to 0"),
    parameter("oja", "rate", "fast", '"fast"', "a valid number"),
    parameter("covariance", "memory_batches", 0, "0", "greater than or equal to 1"),
    parameter("covariance", "memory_batches", 2.5, "2.5", "a valid integer"),
    parameter("bcm", "target", 0.0, "0.0", "greater than 0"),
    parameter("bcm", "rate", float("inf"), "Infinity", "a finite number"),
    parameter("homeostatic", "target", -1.0, "-1.0", "greater than or equal to 0"),
    parameter("three_factor", "tau_steps", 0.0, "0.0", "greater than 0"),
    Case(
        "no such rule",
        "pairs",
        put(f"{RULE}/rule", "hebb"),
        f"{RULE}/rule",
        "'hebb'",
        "'hebbian' or 'oja' or 'covariance'",
        CHANGE,
    ),
    parameter("stdp", "tau_plus_ms", 0.0, "0.0", "greater than 0"),
    parameter("triplet_stdp", "a3_plus", -1.0, "-1.0", "greater than or equal to 0"),
    parameter("inhibitory_stdp", "target_hz", "3", '"3"', "a valid number"),
    parameter("differential_hebbian", "tau_steps", -1.0, "-1.0", "greater than 0"),
    *(
        Case(
            f"{rule} of rates",
            "pairs",
            put("/network/plasticity/it", {"rule": rule, "rate": 0.1} | others),
            "/network/plasticity/it/rule",
            f"{rule}, with rate cells",
            "cells with spikes: lif or izhikevich",
            "use a rule of rates, or another model in dynamics",
        )
        for rule, others in (("stdp", {}), ("triplet_stdp", {}), ("inhibitory_stdp", {"target_hz": 3.0}))
    ),
    parameter("intrinsic", "memory_batches", -1, "-1", "greater than or equal to 1", target=1.0),
    parameter("structural", "active", 1.0, "1.0", "less than 1"),
    parameter("structural", "every", 0, "0", "greater than or equal to 1", active=0.5),
    parameter("structural", "fraction", 0.0, "0.0", "greater than 0", active=0.5),
    parameter("structural", "regrow", "gradient", '"gradient"', "'random' or 'coactivity'", active=0.5),
    Case(
        "two rules of structure",
        "pairs",
        both(
            *(put(f"/network/plasticity/{name}", {"rule": "structural", "active": 0.5}) for name in ("a", "b")),
            put(f"{PROJECTION}/2/plasticity", ["a", "b"]),
        ),
        f"{PROJECTION}/2/plasticity",
        "'a' and 'b', which are both structural",
        "one rule that says which edges are active",
        "remove one",
    ),
    Case(
        "rule of thresholds",
        "column",
        both(
            put("/network/dynamics", {"model": "elm"}),
            put("/network/plasticity/it", {"rule": "intrinsic", "rate": 0.1, "target": 1.0}),
        ),
        "/network/plasticity/it/rule",
        "intrinsic, with elm cells",
        "cells with a threshold: rate or lif or izhikevich or conductance",
        "set it to null, or use another model in dynamics",
    ),
    Case(
        "rule of cells in a projection",
        "pairs",
        both(
            put("/network/plasticity/it", {"rule": "intrinsic", "rate": 0.1, "target": 1.0}),
            put(f"{PROJECTION}/2/plasticity", ["it"]),
        ),
        f"{PROJECTION}/2/plasticity",
        "'it', a rule of cells (intrinsic)",
        "a rule of edges",
        "name it in a population",
    ),
    Case(
        "rule of edges in a population",
        "pairs",
        put("/network/populations/1/plasticity", ["oja"]),
        "/network/populations/1/plasticity",
        "'oja', a rule of edges (oja)",
        "a rule of cells: intrinsic",
        "name it in a projection",
    ),
    Case(
        "unknown rule in a population",
        "pairs",
        put("/network/populations/1/plasticity", ["it"]),
        "/network/populations/1/plasticity",
        "'it'",
        "one of hebbian, homeostatic, oja",
        "mend its spelling or declare it",
    ),
    Case(
        "inhibition under free signs",
        "pairs",
        both(
            put("/network/plasticity/it", {"rule": "inhibitory", "rate": 0.1, "target": 1.0}),
            put(f"{PROJECTION}/3/plasticity", ["it"]),
            put(f"{PROJECTION}/3/sign", "free"),
        ),
        f"{PROJECTION}/3/sign",
        "free, with 'it'",
        "dale, which tells inhibitory edges",
        "declare the projection dale, or use another rule",
    ),
    Case(
        "inhibition by excitatory cells",
        "pairs",
        both(
            put("/network/plasticity/it", {"rule": "inhibitory", "rate": 0.1, "target": 1.0}),
            put(f"{PROJECTION}/1/plasticity", ["it"]),
        ),
        f"{PROJECTION}/1/plasticity",
        "'it', and no inhibitory cell sends",
        "at least one",
        "use it in a projection from inhibitory cells",
    ),
]


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_one_corruption_gives_exactly_its_issue(tmp_path: Path, case: Case) -> None:
    check(case, tmp_path)
