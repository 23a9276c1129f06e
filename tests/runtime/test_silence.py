"""The audit of silent pairs: it finds what passes outside the edges, however the product is computed."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from patterns import arrays_of
from torch import nn

from connectome2net.runtime import audit
from connectome2net.runtime.audit import audit_silence
from connectome2net.runtime.backends import BACKENDS
from connectome2net.runtime.sparse import Projection

MASK = np.random.default_rng(0).random((40, 30)) < 0.2
EDGES = int(MASK.sum())
CLEAN = {"edges": EDGES, "outside": 0, "wrong": 0, "silent": 0, "cells": 30, "probed": 30}


def projection(**changes: Any) -> Projection:
    matrix = Projection(arrays_of(MASK, sign=True), "W", sign="dale")
    matrix.theta_E.data = torch.randn(EDGES)
    for name, value in changes.items():
        setattr(matrix, name, value)
    return matrix


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("impulses", [256, 7])
def test_every_backend_passes_what_the_edges_say(backend: str, impulses: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(audit, "IMPULSES", impulses)
    assert audit_silence(projection(backend=backend)) == CLEAN


class Leaking(Projection):
    """A product in which one pair without an edge passes something, two edges too much, and one nothing."""

    def forward(self, rate_MB: torch.Tensor) -> torch.Tensor:
        drive_NB = super().forward(rate_MB).clone()
        (post, pre), (one, other, third) = np.argwhere(~MASK)[17], np.argwhere(MASK)[[3, 50, 90]]
        drive_NB[post] += 1e-12 * rate_MB[pre]
        for at, factor in ((one, 0.01), (other, 0.5)):
            drive_NB[at[0]] += factor * self.dense[at[0], at[1]] * rate_MB[at[1]]
        drive_NB[third[0]] -= self.dense[third[0], third[1]] * rate_MB[third[1]]
        return drive_NB


def test_what_passes_elsewhere_is_counted() -> None:
    matrix = projection()
    matrix.__class__ = Leaking
    dense = torch.zeros(MASK.shape)
    dense[torch.from_numpy(MASK)] = matrix.weight_E().detach()
    matrix.dense = dense
    assert audit_silence(nn.ModuleDict({"W": matrix})) == CLEAN | {"outside": 1, "wrong": 3}


def test_edges_whose_weight_is_nothing_are_silent_and_not_wrong() -> None:
    matrix = projection()
    matrix.theta_E.data[:4] = -200.0
    assert audit_silence(matrix) == CLEAN | {"silent": 4}


def test_a_weight_that_is_no_number_does_not_pass() -> None:
    matrix = projection()
    matrix.theta_E.data[5] = float("nan")
    found = audit_silence(matrix)
    assert found["wrong"] >= 1


def test_where_it_costs_too_much_cells_are_drawn(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(audit, "IMPULSES", 2)
    monkeypatch.setattr(audit, "MOST_PRODUCTS", 11 * EDGES)
    assert audit_silence(projection()) == CLEAN | {"probed": 11}


def test_a_projection_without_edges() -> None:
    matrix = Projection(arrays_of(np.zeros((3, 2), dtype=bool)), "W", sign="free")
    assert audit_silence(matrix) == dict.fromkeys(CLEAN, 0) | {"cells": 2, "probed": 2}
