"""Published figures of the V1 column, on which the stand-in is calibrated.

Enters: nothing. Leaves: data.
Reference: Schneider-Mizell et al., Nature 640:448 (2025); MICrONS Consortium, Nature 640:435 (2025).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class CellType:
    """A cell type of the column.

    Attributes:
        cells: number of cells.
        depth_um: uppermost and lowermost soma below the pia, from the borders of the laminae.
        axons: the part of its axons that was proofread (v1300).
        like: the type whose connections it takes, where the figure does not show it.
        inhibitory: its class.
        mtype: a name that the automatic classification gives to such cells.
    """

    cells: int
    depth_um: tuple[float, float]
    axons: float
    like: str = ""
    inhibitory: bool = False
    mtype: str = ""


TYPES: Mapping[str, CellType] = {
    "23P": CellType(349, (80, 250), 349 / 349, mtype="L2b"),
    "4P": CellType(266, (250, 370), 265 / 266, mtype="L4b"),
    "5P-IT": CellType(137, (370, 510), 110 / 137, mtype="L5a"),
    "5P-NP": CellType(10, (370, 510), 2 / 10, mtype="L5NP"),
    "5P-PT": CellType(38, (370, 510), 38 / 38, mtype="L5ET"),
    "6P-CT": CellType(143, (510, 730), 88 / 143, mtype="L6tall-c"),
    "6P-IT": CellType(192, (510, 730), 70 / 189, mtype="L6short-a"),
    "6P-U": CellType(28, (510, 730), 13 / 28, mtype="L6short-b"),
    "WM-P": CellType(20, (730, 760), 0 / 3, like="6P-U", mtype="L6wm"),
    "Unsure E": CellType(5, (250, 510), 1 / 5, like="5P-IT", mtype="L5b"),
    "BC": CellType(59, (80, 730), 59 / 59, inhibitory=True, mtype="PTC"),
    "BPC": CellType(33, (80, 730), 33 / 33, inhibitory=True, mtype="ITC"),
    "MC": CellType(41, (80, 730), 41 / 41, inhibitory=True, mtype="DTC"),
    "NGC": CellType(17, (10, 80), 16 / 16, inhibitory=True, mtype="STC"),
    "Unsure I": CellType(13, (510, 730), 13 / 13, like="NGC", inhibitory=True, mtype="STC"),
}

FIGURE_TYPES = ("23P", "4P", "5P-IT", "5P-NP", "5P-PT", "6P-CT", "6P-IT", "6P-U", "BC", "BPC", "MC", "NGC")

FIGURE_SYNAPSES = np.array(
    [
        [6708, 1373, 976, 16, 2342, 398, 448, 76, 5068, 755, 5293, 324],
        [4030, 4181, 2113, 10, 1143, 671, 560, 89, 4602, 413, 2904, 215],
        [1838, 799, 822, 14, 594, 536, 389, 89, 1683, 199, 1050, 125],
        [50, 10, 44, 1, 46, 133, 104, 23, 48, 7, 50, 1],
        [53, 26, 92, 25, 83, 152, 101, 21, 316, 17, 376, 7],
        [65, 183, 163, 53, 129, 425, 355, 72, 204, 26, 917, 8],
        [243, 188, 190, 20, 170, 686, 886, 132, 1413, 58, 428, 96],
        [33, 50, 26, 7, 29, 153, 103, 26, 169, 7, 160, 13],
        [14679, 9970, 4292, 32, 2754, 1496, 2421, 353, 2518, 324, 636, 24],
        [172, 189, 189, 5, 213, 313, 176, 43, 856, 205, 1165, 48],
        [16325, 9379, 2845, 61, 1947, 839, 705, 153, 1554, 938, 278, 286],
        [655, 217, 109, 4, 157, 70, 116, 15, 73, 73, 17, 76],
    ]
)
"""Synapses between column cells with proofread axons at v1718; rows pre, columns post, both ``FIGURE_TYPES``."""

EDGES, SYNAPSES = 75_251, 141_452
"""Edges and synapses of the whole column; the figure is scaled to these sums."""

SYNAPSES_PER_EDGE = np.array([[1.13, 1.72], [2.69, 2.61]])
"""Mean of the column by class, rows pre, columns post, excitatory before inhibitory."""

LOG_SIZE_MEAN, LOG_SIZE_SD = 8.45, 1.10
"""Natural logarithm of a synapse's size in voxels, over all inputs of three 23P cells at v343."""

EXTENDED_FULLY = 0.08
"""The part of the proofread axons that was followed to all its ends."""
