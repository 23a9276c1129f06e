"""Every rule of the spec compiles, loads, acts and is counted right, and comes with its parameters."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any, get_args

import dense_rules
import numpy as np
import pytest
import torch
from columns import network_data, twelve_cells
from test_emit import is_formatted
from torch.nn import functional as F

from connectome2net import compile_spec, load
from connectome2net.compile.emit import emit
from connectome2net.compile.lower import lower
from connectome2net.compile.parameters import count_parameters
from connectome2net.compile.program import Program
from connectome2net.compile.rules import KINDS
from connectome2net.load import parameter_counts
from connectome2net.runtime import plasticity
from connectome2net.runtime.audit import audit_dale
from connectome2net.spec import Spec
from connectome2net.spec.plasticity import Rule
from connectome2net.spec.validate import validate

RULES: dict[str, dict[str, Any]] = {
    "hebbian": {"rate": 0.01},
    "oja": {"rate": 0.01},
    "covariance": {"rate": 0.01, "memory_batches": 5},
    "bcm": {"rate": 0.01, "target": 0.5, "memory_batches": 5},
    "homeostatic": {"rate": 0.01, "target": 0.5},
    "inhibitory": {"rate": 0.01, "target": 0.5},
    "differential_hebbian": {"rate": 0.01, "tau_steps": 2.0},
    "three_factor": {"rate": 0.01, "tau_steps": 2.0, "memory_batches": 5},
}
"""Parameters of each rule; every one differs from its default."""

REWIRING: dict[str, dict[str, Any]] = {
    "structural": {"active": 0.5, "every": 2, "fraction": 0.4, "regrow": "coactivity"}
}
"""The same for the rule that changes which edges are active."""

OF_SPIKES: dict[str, dict[str, Any]] = {
    "inhibitory_stdp": {"rate": 0.01, "target_hz": 5.0, "tau_ms": 10.0},
    "stdp": {"rate": 0.01, "depression": 1.2, "tau_plus_ms": 17.0, "tau_minus_ms": 34.0},
    "triplet_stdp": {"rate": 0.5, "a2_plus": 0.01, "a3_plus": 0.02, "a2_minus": 0.03, "a3_minus": 0.04}
    | {"tau_plus_ms": 15.0, "tau_x_ms": 100.0, "tau_minus_ms": 30.0, "tau_y_ms": 110.0},
}
"""The same for rules of spike times."""


OF_CELLS: dict[str, dict[str, Any]] = {"intrinsic": {"rate": 0.01, "target": 0.5, "memory_batches": 5}}
"""The same for rules that populations name."""


def with_rule(name: str, **changes: Any) -> Spec:
    """The pairs with one rule on each projection that inhibits, or on every other one."""
    network = network_data("pairs")
    projections, populations = network["projections"], network["populations"]
    for item in populations[::2]:
        item["plasticity"] = ["it"] * (name in OF_CELLS)
    for item in projections:
        fits = name not in OF_CELLS and (name == "inhibitory") == (item["pre"] == ["I"])
        item["plasticity"] = ["it"] * fits
    rules = {"it": {"rule": name} | (RULES | REWIRING | OF_CELLS)[name] | changes}
    return twelve_cells("pairs", populations=populations, projections=projections, plasticity=rules)


def test_every_rule_is_here() -> None:
    union = get_args(get_args(Rule)[0])
    assert {get_args(part.model_fields["rule"].annotation)[0] for part in union} == KINDS.keys()
    assert RULES.keys() | REWIRING.keys() | OF_SPIKES.keys() | OF_CELLS.keys() == KINDS.keys()


@pytest.mark.parametrize("model", ["lif", "izhikevich"])
@pytest.mark.parametrize("name", OF_SPIKES)
def test_a_rule_of_spikes_runs_from_a_spec_and_equals_its_equation(name: str, model: str, tmp_path: Path) -> None:
    """On the spikes that the compiled cells fired; the dense equation sums them pair by pair."""
    network = network_data("pairs") | {"dynamics": {"model": model}, "schedule": [{"populations": ["*"], "steps": 30}]}
    for item in network["projections"]:
        item["plasticity"] = ["it"] * ((name == "inhibitory_stdp") == (item["pre"] == ["I"]))
    spec = twelve_cells("pairs", **network | {"plasticity": {"it": {"rule": name} | OF_SPIKES[name]}})
    assert validate(spec) == []
    (rule,) = lower(spec)[0].rules
    assert rule.arguments == OF_SPIKES[name] | {"dt_ms": spec.network.dynamics.dt_ms}
    model = load(compile_spec(spec, out=tmp_path / "compiled")).double()
    torch.manual_seed(0)
    model.cells_all.threshold_N.data.fill_(-1.0)  # so that enough of twelve cells fire
    model(torch.rand(6, 1, 12, 16, dtype=torch.float64))
    spikes = np.stack(model.activity["all"].steps_T)
    assert set(np.unique(spikes)) == {0, 1}
    expected = {}
    for block in (item for item in model.program.blocks if item.rules):
        matrix = model.get_submodule(f"W_{block.name}")
        mask = matrix.pattern.rows(torch.ones(block.edges)).to_dense().bool().numpy()
        before, sign = np.zeros(mask.shape), np.zeros(mask.shape)
        before[mask], sign[mask] = matrix.strength_E().detach(), matrix.sign_E
        after = dense_rules.RULES[name][2](before, sign, spikes, spikes, None, {}, **rule.arguments)[mask]
        expected[block.name] = torch.tensor(after)
    model.plasticity_step()
    for name, strength_E in expected.items():
        found_E = model.get_submodule(f"W_{name}").strength_E().detach()
        torch.testing.assert_close(found_E, strength_E, rtol=1e-6, atol=1e-6)
    assert max(float((strength_E - 1).abs().max()) for strength_E in expected.values()) > 1e-3


@pytest.mark.parametrize("name", RULES | REWIRING)
def test_a_rule_runs_from_a_spec(name: str, tmp_path: Path) -> None:
    spec = with_rule(name)
    assert validate(spec) == []
    program = lower(spec)[0]
    (rule,) = program.rules
    assert rule.arguments == (RULES | REWIRING)[name]
    model = load(compile_spec(spec, out=tmp_path / "compiled"))
    assert count_parameters(program) == parameter_counts(model)
    acting = [module for module in model.modules() if isinstance(module, plasticity.Rule)]
    assert {type(item).__name__ for item in acting} == {rule.kind}
    ruled = [block.name for block in program.blocks if block.rules]
    assert len(acting) == len(ruled) > 0
    start = {key: value.clone() for key, value in model.state_dict().items() if key.startswith("W_")}
    torch.manual_seed(0)
    for _ in range(3):
        model(torch.rand(6, 1, 12, 16))
        model.plasticity_step(torch.tensor([1.0, 0, 0, 1, 0, 1]))
    changed = {key[2:].split(".")[0] for key, value in start.items() if not model.state_dict()[key].equal(value)}
    assert changed
    assert changed <= set(ruled)
    assert audit_dale(model)["violations"] == 0


@pytest.mark.parametrize("name", RULES | REWIRING | OF_SPIKES | OF_CELLS)
def test_the_text_of_a_rule_is_as_the_formatter_leaves_it(name: str) -> None:
    """With short names and with long ones; of a rule of spikes, in the place of another."""
    spec = with_rule("hebbian" if name in OF_SPIKES else name)
    program = lower(spec)[0]
    if name in OF_SPIKES:
        rule = program.rules[0].model_copy(update={"kind": KINDS[name], "arguments": OF_SPIKES[name] | {"dt_ms": 2.0}})
        program = program.model_copy(update={"rules": (rule,)})
    text = emit(program)
    assert f"plasticity.{KINDS[name]}(" in text
    assert is_formatted(text)
    long = {"L4E": "L4E_cells_of_lamina_4_45", "L4E_E": "from_L4E_to_E_of_24_char", "from_I": "I_" + 22 * "x"}
    text = re.sub(r"\b(L4E|L4E_E|from_I)\b", lambda found: long[found[0]], program.model_dump_json())
    assert is_formatted(emit(Program.model_validate_json(text)))


def test_rules_of_cells_run_from_a_spec(tmp_path: Path) -> None:
    """L4E has a group of its own; I are the last three of the nine cells of the other group."""
    spec = with_rule("intrinsic")
    assert validate(spec) == []
    assert [population.rules for population in lower(spec)[0].populations] == [("it",), (), ("it",)]
    model = load(compile_spec(spec, out=tmp_path / "compiled"))
    assert count_parameters(lower(spec)[0]) == parameter_counts(model)
    torch.manual_seed(0)
    expected = {name: torch.zeros(cells) for name, cells in (("L4E", 3), ("E_I", 9))}
    means: dict[str, torch.Tensor] = {}
    for batch in range(1, 8):
        model(torch.rand(6, 1, 12, 16))
        for name, rows in (("L4E", slice(3)), ("E_I", slice(6, 9))):
            rate = model.activity[name].read_NB[rows].mean(1)
            before = means.get(name, torch.zeros(3))
            means[name] = before + (rate - before) / min(batch, 5)
            expected[name][rows] += 0.01 * (means[name] - 0.5)
        model.plasticity_step()
    torch.testing.assert_close(model.cells_L4E.threshold_N.detach(), expected["L4E"])
    torch.testing.assert_close(model.cells_E_I.threshold_N.detach(), expected["E_I"])


@pytest.mark.parametrize("name", RULES | OF_CELLS)
def test_rate_zero_trains_as_no_rule_does(name: str, tmp_path: Path) -> None:
    """Bit for bit, with an optimiser beside it."""
    ends = []
    for spec in (
        with_rule(name, rate=0.0),
        twelve_cells("pairs", plasticity=dict.fromkeys(network_data("pairs")["plasticity"])),
    ):
        model = load(compile_spec(spec, out=tmp_path / "compiled"))
        optimiser = torch.optim.Adam(model.parameters(), lr=0.01)
        torch.manual_seed(0)
        for _ in range(3):
            loss = F.cross_entropy(model(torch.rand(6, 1, 12, 16)), torch.arange(6) % 3)
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()
            model.plasticity_step(torch.ones(6))
        ends.append(dict(model.named_parameters()))
    assert all(value.equal(ends[1][key]) for key, value in ends[0].items())
