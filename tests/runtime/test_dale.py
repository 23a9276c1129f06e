"""Signs survive whatever is done to what is learned; silent edges stay silent; the audit can fail."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
import torch
from dense_rules import DALE_ONLY, RULES
from hypothesis import given, settings
from hypothesis import strategies as st
from patterns import arrays_of
from torch import nn, optim

from connectome2net.runtime.audit import audit_dale
from connectome2net.runtime.plasticity import Activity, Rules
from connectome2net.runtime.sparse import Projection

MASK = np.random.default_rng(0).random((12, 9)) < 0.4
ANATOMY = np.random.default_rng(1).random((12, 9))
SIGN = np.where(np.arange(9) % 2, -1.0, 1.0)
EDGES = int(MASK.sum())


def projection(sign: str = "dale") -> Projection:
    return Projection(arrays_of(MASK, sign=True, anatomy=ANATOMY), "W", sign=sign)


def dense(matrix: Projection) -> torch.Tensor:
    with torch.no_grad():
        return matrix.pattern.rows(matrix.weight_E()).to_dense()


def obeys(matrix: Projection) -> bool:
    found = dense(matrix).sign().numpy()
    return bool(np.isin(found * SIGN, (0, 1)).all() and (found[~MASK] == 0).all())


OPTIMISERS: dict[str, Any] = {
    "sgd": lambda parameters: optim.SGD(parameters, lr=1e6),
    "momentum": lambda parameters: optim.SGD(parameters, lr=10.0, momentum=0.99, nesterov=True),
    "adam": lambda parameters: optim.Adam(parameters, lr=5.0),
    "adamw": lambda parameters: optim.AdamW(parameters, lr=1.0, weight_decay=0.9),
    "rprop": lambda parameters: optim.Rprop(parameters, lr=3.0),
}


@pytest.mark.parametrize("name", OPTIMISERS)
def test_signs_survive_any_optimiser(name: str) -> None:
    torch.manual_seed(0)
    matrix = projection()
    optimiser = OPTIMISERS[name](matrix.parameters())
    for _ in range(20):
        rate, wanted = torch.randn(9, 16), 100 * torch.randn(12, 16)
        optimiser.zero_grad()
        (matrix(rate) - wanted).square().sum().backward()
        optimiser.step()
        assert obeys(matrix)
    assert not torch.isnan(dense(matrix)).any()
    assert audit_dale(matrix) == {"edges": EDGES, "violations": 0, "free": 0}


@settings(max_examples=80, deadline=None)
@given(theta=st.lists(st.floats(-1e6, 1e6, width=32), min_size=EDGES, max_size=EDGES))
def test_signs_survive_any_theta(theta: list[float]) -> None:
    matrix = projection()
    matrix.theta_E.data = torch.tensor(theta)
    assert obeys(matrix)
    assert audit_dale(matrix)["violations"] == 0


SIZES: dict[str, Any] = {
    "rate": st.floats(-1e3, 1e3),
    "target": st.floats(1e-3, 1e2),
    "memory_batches": st.integers(1, 5),
    "tau_steps": st.floats(1e-3, 1e3),
    **dict.fromkeys(("depression", "a2_plus", "a3_plus", "a2_minus", "a3_minus", "target_hz"), st.floats(0, 1e2)),
    **dict.fromkeys(("tau_ms", "tau_plus_ms", "tau_minus_ms", "tau_x_ms", "tau_y_ms", "dt_ms"), st.floats(1e-2, 1e3)),
}
"""What a parameter of a rule may be, and much more."""


def any_parameters(name: str) -> Any:
    kind, form, _ = RULES[name]
    return st.fixed_dictionaries({key: SIZES[key] for key in form}).map(lambda chosen: (kind, chosen))


@settings(max_examples=200, deadline=None)
@given(
    rule=st.sampled_from(list(RULES)).flatmap(any_parameters),
    steps=st.integers(1, 4),
    size=st.floats(1e-3, 1e3),
    seed=st.integers(0, 10),
)
def test_signs_survive_any_rule(rule: Any, steps: int, size: float, seed: int) -> None:
    generator = torch.Generator().manual_seed(seed)
    matrix = projection()
    kind, form = rule
    acts = kind(matrix, **form)
    for _ in range(steps):
        pre, post = (
            Activity(drawn[0], [*drawn])
            for drawn in (size * torch.randn(3, cells, 4, generator=generator) for cells in (9, 12))
        )
        acts(matrix, pre, post, torch.randn(4, generator=generator))
    strength = matrix.strength_E()
    assert (strength > 0).all()
    assert obeys(matrix)
    assert audit_dale(matrix) == {"edges": EDGES, "violations": 0, "free": 0}


def test_the_audit_counts_each_violation() -> None:
    matrix = projection()
    matrix.anatomy_E[[0, 3]] *= -1
    matrix.theta_E.data[5] = torch.nan
    assert audit_dale(nn.ModuleDict({"W": matrix})) == {"edges": EDGES, "violations": 3, "free": 0}


def test_the_audit_looks_at_weights_and_not_at_how_they_are_made() -> None:
    class Broken(Projection):
        def weight_E(self) -> torch.Tensor:
            return self.anatomy_E * self.theta_E

    matrix = Broken(arrays_of(MASK, sign=True, anatomy=ANATOMY), "W", sign="dale")
    inhibitory = int(MASK[:, SIGN < 0].sum())
    assert audit_dale(matrix)["violations"] == inhibitory


def test_free_signs_are_not_touched() -> None:
    torch.manual_seed(0)
    matrix = projection("free")
    assert matrix.sign_E is None
    assert (matrix.theta_E < 0).any()
    torch.testing.assert_close(matrix.weight_E(), matrix.anatomy_E * matrix.theta_E, rtol=0, atol=0)
    wanted = torch.linspace(-2, 2, EDGES)
    matrix.set_strength(wanted)
    assert matrix.strength_E().equal(wanted)
    assert audit_dale(nn.ModuleList([matrix, projection()])) == {"edges": EDGES, "violations": 0, "free": EDGES}


def test_strength_starts_at_one_under_dale() -> None:
    torch.testing.assert_close(projection().strength_E(), torch.ones(EDGES), rtol=0, atol=1e-7)
    double = projection().double()
    torch.testing.assert_close(double.strength_E(), torch.ones(EDGES).double(), rtol=0, atol=5e-8)


def test_free_strength_starts_as_a_standard_normal_number() -> None:
    torch.manual_seed(0)
    start = Projection(arrays_of(np.ones((100, 100), dtype=bool)), "W", sign="free").theta_E.detach()
    assert abs(float(start.mean())) < 0.03
    assert float(start.std()) == pytest.approx(1, abs=0.03)


def test_strength_round_trip_in_float32() -> None:
    matrix = Projection(arrays_of(np.ones((1000, 1), dtype=bool), sign=True), "W", sign="dale")
    wanted = torch.logspace(-6, math.log10(50), 1000)
    matrix.set_strength(wanted)
    assert (matrix.strength_E() / wanted - 1).abs().max() < 2e-6


@pytest.mark.parametrize("sign", ["dale", "free"])
def test_setting_the_same_strength_leaves_every_bit(sign: str) -> None:
    """The inverse of softplus is not exact, and strengths below the smallest were once lifted to it."""
    matrix = projection(sign)
    matrix.theta_E.data = torch.linspace(-60, 60, EDGES)
    before = matrix.theta_E.clone()
    matrix.set_strength(matrix.strength_E())
    assert matrix.theta_E.equal(before)


def test_an_edge_without_a_sign_is_refused() -> None:
    arrays = arrays_of(MASK, sign=True)
    arrays["W.sign"][0] = 0
    with pytest.raises(ValueError, match="an edge under Dale's law has no sign"):
        Projection(arrays, "W", sign="dale")


@pytest.mark.parametrize("sign", ["dale", "free"])
def test_silent_edges_stay_silent(sign: str) -> None:
    """After training and plasticity a cell is moved by the cells that have an edge to it, and by no other."""
    torch.manual_seed(0)
    matrix = projection(sign)
    optimiser = optim.Adam(matrix.parameters(), lr=0.5)
    rules = Rules(
        *(kind(matrix, **form) for name, (kind, form, _) in RULES.items() if sign == "dale" or name not in DALE_ONLY)
    )
    for _ in range(5):
        pre, post = torch.rand(9, 8), torch.rand(12, 8)
        optimiser.zero_grad()
        (matrix(pre) - post).square().sum().backward()
        optimiser.step()
        rules(matrix, Activity(pre, [pre, pre]), Activity(post, [post, post]), torch.rand(8))
    rate = torch.rand(9, 1)
    for pre in range(9):
        moved = rate.clone()
        moved[pre] += 100.0
        changed = (matrix(moved) != matrix(rate)).squeeze(1).numpy()
        assert not changed[~MASK[:, pre]].any()
        assert changed[MASK[:, pre]].all()
    assert len(matrix.theta_E) == EDGES, "a weight outside the pattern has no place to be"


def test_print_tells_size_and_sign() -> None:
    assert f"9 -> 12 cells, {EDGES} edges, dale" in repr(projection())
