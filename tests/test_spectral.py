"""The spectral radius equals that of all eigenvalues, by every way."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from scipy import sparse
from scipy.sparse.linalg import ArpackNoConvergence

from connectome2net import spectral
from connectome2net.spectral import spectral_radius


def gives_up(*_: Any, **__: Any) -> None:
    raise ArpackNoConvergence("no", np.zeros(0), np.zeros((0, 0)))


def random_matrix(cells: int, *, loops: bool = True) -> np.ndarray:
    draw = np.random.default_rng(1)
    dense = draw.normal(size=(cells, cells)) * (draw.random((cells, cells)) < 0.05)
    return dense if loops else np.tril(dense, -1)


def largest(dense: np.ndarray) -> float:
    return float(abs(np.linalg.eigvals(dense)).max())


@pytest.mark.parametrize("parts", [1, 3])
@pytest.mark.parametrize("small", [10, 10_000], ids=["arpack", "dense"])
def test_the_radius_is_the_same_by_every_way(parts: int, small: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Components that only lead to each other keep their own eigenvalues."""
    monkeypatch.setattr(spectral, "SMALL", small)
    dense = sparse.block_diag([random_matrix(150) * (1 + part) for part in range(parts)]).toarray()
    draw = np.random.default_rng(2)
    dense += np.tril(draw.normal(size=dense.shape), -150) * (draw.random(dense.shape) < 0.02)
    assert spectral_radius(sparse.csr_array(dense)) == pytest.approx(largest(dense), rel=1e-6)


def test_without_a_loop_the_radius_is_nothing_and_an_autapse_is_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(spectral, "SMALL", 10)
    dense = random_matrix(150, loops=False)
    assert spectral_radius(sparse.csr_array(dense)) == 0
    dense[7, 7] = -0.3
    assert spectral_radius(sparse.csr_array(dense)) == 0.3


@pytest.mark.parametrize(("most", "error"), [(2_000, 1e-9), (100, 0.02)], ids=["all eigenvalues", "growth"])
def test_where_arpack_does_not_converge(most: int, error: float, monkeypatch: pytest.MonkeyPatch) -> None:
    """Excitation and inhibition as in a column: one eigenvalue is the largest, and a vector grows by it."""
    monkeypatch.setattr(spectral, "eigs", gives_up)
    monkeypatch.setattr(spectral, "DENSE", most)
    rng = np.random.default_rng(0)
    matrix = sparse.random_array((700, 700), density=0.05, rng=rng).tocsr()
    matrix.data *= np.where(rng.random(700) < 0.2, -3, 1)[matrix.indices]
    assert spectral_radius(matrix) == pytest.approx(largest(matrix.toarray()), rel=error)
