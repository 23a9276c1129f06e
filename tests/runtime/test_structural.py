"""Rewiring: who is pruned, who grows, and that an inactive edge is as good as none."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from dense_rules import RULES
from hypothesis import given, settings
from hypothesis import strategies as st
from patterns import arrays_of
from torch import optim

from connectome2net.runtime.audit import audit_dale
from connectome2net.runtime.plasticity import Activity, Rules, Structural
from connectome2net.runtime.sparse import Projection

SMALL = np.array([[0, 1, 1], [1, 0, 0], [0, 1, 0]], dtype=bool)
"""Cell 0 hears 1 and 2, cell 1 hears 0, cell 2 hears 1: edges in this order."""

MASK = np.random.default_rng(0).random((12, 9)) < 0.4
EDGES = int(MASK.sum())


def rewired(sign: str = "dale", **form: Any) -> tuple[Projection, Structural]:
    matrix = Projection(arrays_of(MASK, sign=True), "W", sign=sign)
    return matrix, Structural(matrix, **{"active": 0.5, "every": 1, "fraction": 0.3, "regrow": "random"} | form)


def act(rule: torch.nn.Module, matrix: Projection) -> None:
    pre, post = torch.rand(9, 4), torch.rand(12, 4)
    rule(matrix, Activity(pre, [pre]), Activity(post, [post]), torch.rand(4))


def dense(matrix: Projection) -> torch.Tensor:
    found = torch.zeros(MASK.shape)
    found[torch.from_numpy(MASK)] = matrix.weight_E().detach()
    return found


def test_by_hand() -> None:
    """Of edges 0, 1, 2 with strengths 0.5, 0.2, 3 the second is pruned; edge 3 grows, and starts with strength 1."""
    matrix = Projection(arrays_of(SMALL, sign=True), "W", sign="dale")
    rule = Structural(matrix, active=0.75, every=2, fraction=0.3, regrow="random")
    matrix.active_E.copy_(torch.tensor([True, True, True, False]))
    matrix.theta_E.data = torch.tensor([0.5, 0.2, 3.0, 7.0]).expm1().log()
    rate = Activity(torch.ones(3, 2))
    rule(matrix, rate, rate)
    assert matrix.weight_E().tolist() == pytest.approx([-0.5, 0.2, 3.0, 0.0])  # one batch, of two
    rule(matrix, rate, rate)
    assert matrix.active_E.tolist() == [True, False, True, True]
    assert matrix.weight_E().tolist() == pytest.approx([-0.5, 0.0, 3.0, -1.0])


def test_coactive_edges_grow() -> None:
    """Edges 1 and 2 are inactive; <post * pre> is 1 at edge 1 and 3 at edge 2. Edge 3 has no anatomy and goes."""
    anatomy = np.array([[0, 1, 1], [1, 0, 0], [0, 1e-3, 0]])
    matrix = Projection(arrays_of(SMALL, sign=True, anatomy=anatomy), "W", sign="dale")
    rule = Structural(matrix, active=0.5, every=1, fraction=0.5, regrow="coactivity")
    matrix.active_E.copy_(torch.tensor([True, False, False, True]))
    pre = torch.tensor([[1.0, 3.0], [2.0, 0.0], [0.5, 1.5]])
    post = torch.tensor([[1.0, 1.0], [0.0, 2.0], [4.0, 0.0]])
    rule(matrix, Activity(pre), Activity(post))
    assert matrix.active_E.tolist() == [True, False, True, False]


@pytest.mark.parametrize("sign", ["dale", "free"])
def test_many_rounds_equal_a_dense_reference(sign: str) -> None:
    """Coactivity draws nothing under Dale's law; under free signs only who is active is compared."""
    torch.manual_seed(0)
    matrix, rule = rewired(sign, regrow="coactivity", every=2, fraction=0.4)
    active = np.zeros(MASK.shape, dtype=bool)
    active[MASK] = matrix.active_E.numpy()
    draw = np.random.default_rng(1)
    for batch in range(1, 13):
        matrix.set_strength(torch.tensor(draw.random(EDGES), dtype=torch.float32))
        pre, post = draw.random((9, 4)), draw.random((12, 4))
        weight, together = np.abs(dense(matrix).numpy()), post @ pre.T
        rule(matrix, *(Activity(torch.tensor(x, dtype=torch.float32)) for x in (pre, post)))
        if batch % 2 == 0:
            count = round(0.4 * active.sum())
            weak = sorted(np.argwhere(active).tolist(), key=lambda at: weight[*at])[:count]
            strong = sorted(np.argwhere(MASK & ~active).tolist(), key=lambda at: -together[*at])[:count]
            active[tuple(np.transpose(weak))] = False
            active[tuple(np.transpose(strong))] = True
        assert (matrix.active_E.numpy() == active[MASK]).all()
        assert ((dense(matrix) != 0).numpy() == active).all()


@settings(max_examples=60, deadline=None)
@given(
    active=st.floats(0.01, 0.99),
    every=st.integers(1, 3),
    fraction=st.floats(0.01, 1.0),
    regrow=st.sampled_from(["random", "coactivity"]),
    sign=st.sampled_from(["dale", "free"]),
    seed=st.integers(0, 5),
)
def test_the_count_is_kept_and_nothing_grows_outside(
    active: float, every: int, fraction: float, regrow: str, sign: str, seed: int
) -> None:
    """With an optimiser beside it, whose momentum does not stop when an edge is pruned."""
    torch.manual_seed(seed)
    matrix, rule = rewired(sign, active=active, every=every, fraction=fraction, regrow=regrow)
    optimiser = optim.Adam(matrix.parameters(), lr=0.3)
    count = max(1, round(active * EDGES))
    for _ in range(5):
        optimiser.zero_grad()
        (matrix(torch.rand(9, 4)) - torch.rand(12, 4)).square().sum().backward()
        assert (matrix.theta_E.grad[~matrix.active_E] == 0).all()
        optimiser.step()
        act(rule, matrix)
        assert int(matrix.active_E.sum()) == count
        assert (matrix.weight_E()[~matrix.active_E] == 0).all()
        assert (dense(matrix)[~torch.from_numpy(MASK)] == 0).all()
        assert audit_dale(matrix)["violations"] == 0


def test_an_edge_grows_as_it_starts_in_a_fresh_network_wherever_an_optimiser_left_it() -> None:
    torch.manual_seed(0)
    for sign in ("dale", "free"):
        matrix, rule = rewired(sign, every=3, fraction=1.0)
        optimiser = optim.SGD(matrix.parameters(), lr=0.5, momentum=0.9, weight_decay=0.1)
        for _ in range(3):
            before = matrix.active_E.clone()
            optimiser.zero_grad()
            (matrix(torch.rand(9, 4)) - 3).square().sum().backward()
            optimiser.step()
            act(rule, matrix)
        grown_E = matrix.strength_E()[matrix.active_E & ~before].detach()
        assert len(grown_E) > 5
        if sign == "dale":
            torch.testing.assert_close(grown_E, torch.ones_like(grown_E))
        else:
            assert grown_E.abs().max() < 5
            assert len(grown_E.unique()) == len(grown_E)


def test_no_rule_moves_an_inactive_edge() -> None:
    torch.manual_seed(0)
    matrix, _ = rewired()
    rules = Rules(*(kind(matrix, **form) for kind, form, _ in RULES.values()))
    before = matrix.theta_E.clone()
    for _ in range(3):
        act(rules, matrix)
    assert matrix.theta_E[~matrix.active_E].equal(before[~matrix.active_E])
    assert (matrix.theta_E != before)[matrix.active_E].all()


def test_an_inactive_edge_is_as_good_as_none() -> None:
    """The drive, and both gradients, are those of a projection that was compiled without it."""
    torch.manual_seed(0)
    matrix, _ = rewired()
    matrix.theta_E.data.normal_()
    fewer = MASK.copy()
    fewer[MASK] = matrix.active_E.numpy()
    other = Projection(arrays_of(fewer, sign=True), "W", sign="dale")
    other.theta_E.data = matrix.theta_E.data[matrix.active_E].clone()
    rate = torch.rand(9, 4)
    results = []
    for one in (matrix, other):
        seen = rate.clone().requires_grad_()
        drive = one(seen)
        drive.square().sum().backward()
        results.append((drive, seen.grad))
    for found, expected in zip(*results, strict=True):
        torch.testing.assert_close(found, expected)
    torch.testing.assert_close(matrix.theta_E.grad[matrix.active_E], other.theta_E.grad)


@pytest.mark.parametrize("feedback", ["random", "concordant"])
def test_errors_do_not_return_over_an_inactive_edge(feedback: str) -> None:
    matrix = Projection(arrays_of(MASK, sign=True), "W", sign="dale", feedback=feedback)
    matrix.activate(0.01)
    (edge,) = matrix.active_E.nonzero()[0].tolist()
    rate = torch.rand(9, 4, requires_grad=True)
    (matrix.weights() @ rate).sum().backward()
    assert rate.grad.abs().sum(1).nonzero().flatten().tolist() == [int(matrix.pre_index[edge])]


def test_who_grows_depends_on_the_seed_and_what_is_remembered_on_nothing_else() -> None:
    """Going on from a state dict equals never having stopped, where the generator is seeded for each batch."""

    def run(matrix: Projection, rule: Structural, batches: range) -> None:
        for batch in batches:
            torch.manual_seed(100 + batch)
            act(rule, matrix)

    torch.manual_seed(0)
    whole, stopped, resumed = (rewired(every=2) for _ in range(3))
    stopped[0].load_state_dict(whole[0].state_dict())
    run(*whole, range(7))
    run(*stopped, range(3))
    assert stopped[0].state_dict().keys() == {"theta_E", "active_E"}
    assert stopped[1].state_dict()["batches"] == 3
    for new, old in zip(resumed, stopped, strict=True):
        new.load_state_dict(old.state_dict())
    run(*resumed, range(3, 7))
    assert resumed[0].active_E.equal(whole[0].active_E)
    assert resumed[0].theta_E.equal(whole[0].theta_E)
    assert not resumed[0].active_E.equal(stopped[0].active_E)
    assert not list(whole[1].parameters())


def test_without_a_structural_rule_there_is_no_mask() -> None:
    matrix = Projection(arrays_of(MASK, sign=True), "W", sign="dale")
    assert matrix.active_E is None
    assert matrix.state_dict().keys() == {"theta_E"}
