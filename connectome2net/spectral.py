"""The spectral radius of a sparse matrix.

Enters: a square matrix. Leaves: the largest absolute value of its eigenvalues.
"""

from __future__ import annotations

import numpy as np
from scipy import sparse
from scipy.sparse.csgraph import connected_components
from scipy.sparse.linalg import ArpackError, eigs

SMALL = 400
"""Up to so many cells all eigenvalues are computed."""
DENSE = 2_000
"""Up to so many, where ARPACK does not converge."""
STEPS = 300


def spectral_radius(matrix: sparse.csr_array) -> float:
    """Return the spectral radius; 0, exactly, where there is no loop.

    It is the largest of those of the strongly connected components, in which a matrix is block triangular. Where ARPACK
    does not converge on a component of more than ``DENSE`` cells, it is how much a vector grows in a step, to some
    percent.
    """
    matrix.eliminate_zeros()
    count, part_N = connected_components(matrix, connection="strong")
    size = np.bincount(part_N, minlength=count)
    radius = float(abs(matrix.diagonal()[size[part_N] == 1]).max(initial=0.0))
    for part in np.flatnonzero(size > 1):
        cells = np.flatnonzero(part_N == part)
        radius = max(radius, _of_component(matrix[cells][:, cells] if count > 1 else matrix))
    return radius


def _of_component(matrix: sparse.csr_array) -> float:
    size = matrix.shape[0]
    start = np.random.default_rng(0).random(size)
    if size > SMALL:
        try:
            found = eigs(matrix, k=1, v0=start, maxiter=STEPS, tol=1e-7, return_eigenvectors=False)
        except ArpackError:
            if size > DENSE:
                return _growth(matrix, start)
        else:
            return float(abs(found).max())
    return float(abs(np.linalg.eigvals(matrix.toarray())).max())


def _growth(matrix: sparse.csr_array, start: np.ndarray) -> float:
    """Return how much a vector grows in a step on average: the radius, where many eigenvalues are nearly as large."""
    vector, logarithms = start, []
    for _ in range(STEPS):
        vector = matrix @ vector
        norm = float(np.linalg.norm(vector))
        if norm == 0:
            return 0.0
        vector /= norm
        logarithms.append(np.log(norm))
    return float(np.exp(np.mean(logarithms[STEPS // 3 :])))
