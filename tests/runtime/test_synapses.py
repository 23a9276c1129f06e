"""Conductances and gap junctions of a projection against dense sums."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from patterns import arrays_of

from connectome2net.runtime.audit import audit_dale
from connectome2net.runtime.sparse import Projection

MASK = np.random.default_rng(0).random((5, 6)) < 0.6
RING = np.array([[0, 1, 1], [1, 0, 1], [1, 1, 0]], dtype=bool)


def dense(projection: Projection) -> torch.Tensor:
    return projection.pattern.rows(projection.weight_E()).to_dense()


@pytest.mark.parametrize("sign", ["dale", "free"])
def test_conductances_are_the_two_signs_of_the_weights(sign: str) -> None:
    torch.manual_seed(0)
    projection = Projection(arrays_of(MASK, sign=sign == "dale"), "W", sign=sign).double()
    projection.theta_E.data.normal_()
    rate = torch.rand(6, 4).double()
    found = projection.conductances() @ rate
    W = dense(projection)
    torch.testing.assert_close(found, torch.stack([W.clamp_min(0) @ rate, (-W).clamp_min(0) @ rate]))
    torch.testing.assert_close(found[0] - found[1], projection(rate))
    found.square().sum().backward()
    gradient = projection.theta_E.grad.clone()
    projection.theta_E.grad = None
    W = dense(projection)
    torch.stack([W.clamp_min(0) @ rate, (-W).clamp_min(0) @ rate]).square().sum().backward()
    torch.testing.assert_close(gradient, projection.theta_E.grad)


def test_gap_junctions_by_hand() -> None:
    """Conductances 1 to 6, row after row: cell 0 has 1 and 2 to voltages 10 and 100, together 3, and 210."""
    g = np.zeros((3, 3))
    g[RING] = [1, 2, 3, 4, 5, 6]
    projection = Projection(arrays_of(RING, anatomy=g), "W", sign="positive").double()
    found = projection.junctions() @ torch.tensor([[1.0], [10.0], [100.0]]).double()
    expected = torch.tensor([[3.0, 7.0, 11.0], [210.0, 403.0, 65.0]]).double()
    torch.testing.assert_close(found[:, :, 0], expected, rtol=1e-6, atol=0)


def test_symmetric_gap_junctions_conserve_charge() -> None:
    """What one cell loses, others gain: the currents of all cells add up to nothing; otherwise they do not."""
    generator = np.random.default_rng(1)
    g = generator.random((3, 3))
    v = torch.from_numpy(generator.normal(-60, 20, (3, 7)))
    sums = []
    for conductance in (g + g.T, g):
        projection = Projection(arrays_of(RING, anatomy=conductance), "W", sign="positive").double()
        total, towards = projection.junctions() @ v
        current = towards - total * v
        assert float(current.detach().abs().max()) > 1
        sums.append(float(current.detach().sum(0).abs().max()))
    assert sums[0] < 1e-12 * 1e3
    assert sums[1] > 0.1


def test_a_gap_junction_is_never_negative_and_no_case_of_dales_law() -> None:
    projection = Projection(arrays_of(RING), "W", sign="positive")
    projection.set_strength(torch.full((6,), -3.0))
    assert float(projection.weight_E().detach().min()) > 0
    projection.theta_E.data.fill_(-80.0)
    assert float(projection.weight_E().detach().min()) >= 0
    assert audit_dale(projection) == {"edges": 0, "violations": 0, "free": 0}
    assert "positive" in repr(projection)
