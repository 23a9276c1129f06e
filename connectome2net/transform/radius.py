"""The spectral radius of the weights before learning.

Enters: a ``Spec``. Leaves: one number.
"""

from __future__ import annotations

import numpy as np
from scipy import sparse
from scipy.sparse.csgraph import connected_components
from scipy.sparse.linalg import ArpackError, eigs

from connectome2net.spec import Spec
from connectome2net.spec.tables import edge_index, values
from connectome2net.transform.weights import weights_of_edges
from connectome2net.transform.wiring import edge_projections

SMALL = 400
"""Up to so many cells all eigenvalues are computed."""
DENSE = 2_000
"""Up to so many, where ARPACK does not converge."""
STEPS = 300
DIGITS = 6
"""Radii are rounded, so that another machine gives the same scale."""
SIGN = {"excitatory": 1.0, "inhibitory": -1.0, "unknown": 0.0}


def spectral_radius(spec: Spec) -> float:
    """Return the spectral radius of the weights before learning, six digits; 0, exactly, where there is no loop.

    Where Dale's law holds, weights are what they are. Where a projection has free signs, its weights are random numbers
    of mean 0, and the radius is the root of that of the matrix of their variances (Aljadeff, Stern and Sharpee 2015,
    doi 10.1103/PhysRevLett.114.088101), here the squares of their magnitudes; if only some are free, all weights are
    taken as such. Delays and gap junctions are left out.
    """
    pre, post = edge_index(spec.edges)
    chemical = np.array(
        [item.synapse == "chemical" for item in spec.network.projections] + [False]
    )  # -1: no projection
    used = chemical[edge_projections(spec)]
    pre, post, weight = pre[used], post[used], weights_of_edges(spec)[used]
    free = any(item.sign == "free" for item in spec.network.projections)
    if free:
        weight **= 2
    else:
        sign = np.array([SIGN[word] for word in values(spec.cells, "ei_class")])
        weight *= sign[pre]
    size = spec.cells.num_rows
    radius = _of_components(sparse.csr_array((weight, (post, pre)), shape=(size, size)))
    return float(f"{np.sqrt(radius) if free else radius:.{DIGITS}g}")


def _of_components(matrix: sparse.csr_array) -> float:
    """Return the largest radius of the strongly connected components, in which a matrix is block triangular."""
    matrix.eliminate_zeros()
    count, part_N = connected_components(matrix, connection="strong")
    size = np.bincount(part_N, minlength=count)
    radius = float(abs(matrix.diagonal()[size[part_N] == 1]).max(initial=0.0))
    for part in np.flatnonzero(size > 1):
        cells = np.flatnonzero(part_N == part)
        radius = max(radius, _of_matrix(matrix[cells][:, cells] if count > 1 else matrix))
    return radius


def _of_matrix(matrix: sparse.csr_array) -> float:
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
