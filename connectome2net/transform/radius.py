"""The spectral radius of the weights before learning.

Enters: a ``Spec``. Leaves: one number.
"""

from __future__ import annotations

import numpy as np
from scipy import sparse

from connectome2net.spec import Spec
from connectome2net.spec.tables import edge_index, values
from connectome2net.spectral import spectral_radius as radius_of_matrix
from connectome2net.transform.weights import weights_of_edges
from connectome2net.transform.wiring import edge_projections

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
    radius = radius_of_matrix(sparse.csr_array((weight, (post, pre)), shape=(size, size)))
    return float(f"{np.sqrt(radius) if free else radius:.{DIGITS}g}")
