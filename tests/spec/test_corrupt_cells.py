"""Corruptions of the cells of a network and of its gap junctions."""

from __future__ import annotations

from pathlib import Path

import pytest
from columns import CELLS, EDGES, twelve_cells
from corrupting import CHANGE, Case, cell, check, put

from connectome2net.spec import open_spec, write_spec
from connectome2net.spec.digest import digest_document
from connectome2net.spec.dynamics import Rate
from connectome2net.spec.validate import validate

DYNAMICS = "/network/dynamics"
JUNCTIONS = "/network/projections/4"
KNOWN = "one of L4E, E, I, or *"
MODELS = "'rate' or 'lif' or 'izhikevich' or 'conductance' or 'elm'"
E_AND_I = [{"lamina": ["L4"]}, {"lamina": ["L2/3", "L5", "L6", "WM", "unknown"]}, {"lamina": ["L1"]}]
"""Populations by lamina: only L1 has cells of one class."""
E = [at for at, (_, kind, *_) in enumerate(CELLS) if kind in ("23P", "5P-IT", "6P-CT", "WM-P", "Unsure E")]
AMONG_E = {(post, pre) for post, pre, *_ in EDGES if post in E and pre in E}
ONE_WAY = len([pair for pair in AMONG_E if pair[::-1] not in AMONG_E])


CASES = [
    Case("no such model", "spiking", put(f"{DYNAMICS}/model", "hh"), f"{DYNAMICS}/model", "'hh'", MODELS, CHANGE),
    Case(
        "leak of a population above 1",
        "pairs",
        put(f"{DYNAMICS}/leak", {"*": 0.5, "I": 1.5}),
        f"{DYNAMICS}/leak/I",
        "1.5",
        "less than or equal to 1",
        CHANGE,
    ),
    Case(
        "no leak at all",
        "pairs",
        put(f"{DYNAMICS}/leak", {}),
        f"{DYNAMICS}/leak",
        "nothing for L4E",
        "a number for each population",
        "add it, or * for all others",
    ),
    Case(
        "leak of no population",
        "pairs",
        put(f"{DYNAMICS}/leak", {"*": 0.5, "L5E": 0.2}),
        f"{DYNAMICS}/leak",
        "'L5E'",
        KNOWN,
        "mend its spelling or declare it",
    ),
    Case(
        "a population without a leak",
        "pairs",
        put(f"{DYNAMICS}/leak", {"L4E": 0.5, "I": 0.2}),
        f"{DYNAMICS}/leak",
        "nothing for E",
        "a number for each population",
        "add it, or * for all others",
    ),
    Case(
        "a learned leak of 1",
        "pairs",
        put(DYNAMICS, {"leak": 1.0, "learn_leak": True}),
        f"{DYNAMICS}/leak",
        "1, at the end of what can be learned",
        "less than 1",
        "start lower, at 0.5, or set learn_leak to false",
    ),
    Case(
        "time constant of no population",
        "spiking",
        put(f"{DYNAMICS}/tau_ms/X", 3.0),
        f"{DYNAMICS}/tau_ms",
        "'X'",
        KNOWN,
        "mend its spelling or declare it",
    ),
    Case(
        "longer steps than Izhikevich's",
        "pairs",
        put(DYNAMICS, {"model": "izhikevich", "dt_ms": 2.0}),
        f"{DYNAMICS}/dt_ms",
        "2.0",
        "less than or equal to 1",
        CHANGE,
    ),
    Case(
        "no such pattern",
        "pairs",
        put(DYNAMICS, {"model": "izhikevich", "firing": {"I": "bursting"}}),
        f"{DYNAMICS}/firing/I",
        '"bursting"',
        "'regular_spiking', 'intrinsically_bursting', 'chattering', 'fast_spiking' or 'low_threshold_spiking'",
        CHANGE,
    ),
    Case(
        "three of four numbers",
        "pairs",
        put(DYNAMICS, {"model": "izhikevich", "firing": {"I": {"a": 0.02, "b": 0.2, "c": -65.0}}}),
        f"{DYNAMICS}/firing/I/d",
        "nothing",
        "a value",
        "add it",
    ),
    Case(
        "firing of no population",
        "pairs",
        put(DYNAMICS, {"model": "izhikevich", "firing": {"X": "chattering"}}),
        f"{DYNAMICS}/firing",
        "'X'",
        KNOWN,
        "mend its spelling or declare it",
    ),
    Case(
        "spikes that are held",
        "spiking",
        put("/network/schedule", [{"populations": ["*"], "steps": 6}, {"populations": ["L4E", "E"], "steps": 6}]),
        "/network/schedule/1/populations",
        "'I' is held, and would repeat the spikes of its last step",
        "populations of lif cells in all phases after their first",
        "add it, or make the schedule one phase",
    ),
    Case(
        "times of memory in the wrong order",
        "pairs",
        put(DYNAMICS, {"model": "elm", "tau_min_ms": 200.0}),
        f"{DYNAMICS}/tau_min_ms",
        "200, not below tau_max_ms, 150",
        "the shorter of the two",
        "make it shorter",
    ),
    Case(
        "free signs and reversal potentials",
        "graded",
        put("/network/projections/0/sign", "free"),
        "/network/projections/0/sign",
        "free, between cells with reversal potentials",
        "dale",
        "declare the projection dale, or choose other dynamics",
    ),
    Case(
        "gap junctions of rates",
        "pairs",
        put(f"{JUNCTIONS}/synapse", "electrical"),
        f"{JUNCTIONS}/synapse",
        "electrical, between cells of the model rate, without a voltage",
        "dynamics of the model lif, izhikevich, conductance",
        "declare the projection chemical, or choose such dynamics",
    ),
    Case(
        "gap junctions of any sign",
        "spiking",
        put(f"{JUNCTIONS}/sign", "free"),
        f"{JUNCTIONS}/sign",
        "free, but the conductance of a gap junction is never negative",
        "dale, which for gap junctions means positive",
        "leave the key out",
    ),
    Case(
        "gap junctions with a delay",
        "spiking",
        put(f"{JUNCTIONS}/delay_steps", 2),
        f"{JUNCTIONS}/delay_steps",
        "2, but a gap junction has no synaptic delay",
        "0",
        "leave the key out, or declare the projection chemical",
    ),
    Case(
        "gap junctions that conduct one way",
        "spiking",
        put("/network/projections/1", {"name": "E_E", "pre": ["E"], "post": ["E"], "synapse": "electrical"}),
        "/network/projections/1/synapse",
        f"electrical, and {ONE_WAY} of {len(AMONG_E)} edges have none the other way",
        "both (post, pre) and (pre, post): a gap junction conducts both ways",
        "give the edges table both edges of each gap junction, or declare the projection chemical",
    ),
    Case(
        "gap junctions with a rule",
        "spiking",
        put(f"{JUNCTIONS}/plasticity", ["oja"]),
        f"{JUNCTIONS}/plasticity",
        "'oja', a rule of chemical synapses",
        "no rule",
        "leave the key out, or declare the projection chemical",
    ),
]


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_one_corruption_gives_exactly_its_issue(tmp_path: Path, case: Case) -> None:
    check(case, tmp_path)


def test_populations_of_several_classes_must_say_how_they_fire(tmp_path: Path) -> None:
    """L4 and the rest have both classes, L1 has inhibitory cells only."""
    populations = [{"name": name, "select": item} for name, item in zip(("L4E", "E", "I"), E_AND_I, strict=True)]
    spec = twelve_cells("pairs", populations=populations, dynamics={"model": "izhikevich"})
    issues = [issue for issue in validate(spec) if issue.path == f"{DYNAMICS}/firing"]
    assert [issue.found.split(",")[0] for issue in issues] == ["'L4E'", "'E'"]
    assert all(issue.fix.startswith('say how it fires, such as "regular_spiking"') for issue in issues)
    spec = twelve_cells(
        "pairs", populations=populations, dynamics={"model": "izhikevich", "firing": {"*": "chattering"}}
    )
    assert not [issue for issue in validate(spec) if issue.path == f"{DYNAMICS}/firing"]


def test_gap_junctions_need_no_class_of_their_cells(tmp_path: Path) -> None:
    """A sign of a transmitter is asked for where there is a transmitter: cell 6 is inhibitory, and sends to others."""
    write_spec(twelve_cells("spiking"), tmp_path)
    cell("ei_class", 10, "unknown")(tmp_path)
    issues = open_spec(tmp_path)[1]
    assert not [issue for issue in issues if issue.path.startswith(f"{JUNCTIONS}/sign")]


def test_a_spec_from_before_there_were_models_has_rates_and_its_digest() -> None:
    old, new = (twelve_cells("pairs", dynamics=form) for form in ({"leak": 0.5}, {"model": "rate", "leak": 0.5}))
    assert old.network.dynamics == Rate(leak=0.5)
    assert digest_document(old.document) == digest_document(new.document)


def test_other_models_are_in_the_digest() -> None:
    forms = [{"model": model} for model in ("rate", "lif", "izhikevich", "conductance", "elm")]
    forms += [{"model": "rate", "learn_leak": True}, {"model": "rate", "leak": {"*": 0.5}}]
    assert len({digest_document(twelve_cells("pairs", dynamics=form).document) for form in forms}) == len(forms)
