"""Cells -> places of the feature map.

Enters: somata in nanometres. Leaves: for each cell the place whose neighbourhood it sees.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from scipy import stats

from connectome2net.compile.groups import Index
from connectome2net.spec import Spec
from connectome2net.spec.tables import values


def retinotopic_places(spec: Spec, cells: Index, *, height: int, width: int, place: str) -> npt.NDArray[np.int32]:
    """Return the place ``row * width + column`` of each cell, shape (cells,).

    Soma x runs along the width and soma z along the height: the two axes parallel to the cortical surface.

    Args:
        spec: the connectome.
        cells: indices of the cells that are driven.
        height: rows of the feature map.
        width: columns of the feature map.
        place: ``rank`` spreads the ranks of x and z evenly over the map; ``position`` spreads x and z themselves
            between their extremes.
    """
    column = _spread(values(spec.cells, "soma_x_nm")[cells], width, place)
    row = _spread(values(spec.cells, "soma_z_nm")[cells], height, place)
    return (row * width + column).astype(np.int32)


def _spread(position: npt.NDArray[np.float64], places: int, place: str) -> npt.NDArray[np.int64]:
    if place == "rank":
        fraction = (stats.rankdata(position, method="ordinal") - 0.5) / len(position)
    else:
        extent = np.ptp(position) or 1.0
        fraction = (position - position.min()) / extent
    return np.minimum((fraction * places).astype(np.int64), places - 1)
