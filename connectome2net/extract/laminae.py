"""Cells -> laminae.

Enters: cell types and depths. Leaves: one of L1, L2/3, L4, L5, L6, WM, unknown for each cell, and the cells whose
type and depth disagree.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from connectome2net.sources.microns import LAMINA_BOTTOM_UM, TYPE_LAMINA
from connectome2net.spec.model import LaminaBorder, Laminae

DEEPEST_UM = 1000.0
TOLERANCE_UM = 50.0
"""Types mingle at borders: only a soma further than this outside the lamina of its type is a contradiction."""

_names = (*LAMINA_BOTTOM_UM, "WM")
_bottoms = (*LAMINA_BOTTOM_UM.values(), DEEPEST_UM)
_tops = (0.0, *LAMINA_BOTTOM_UM.values())
BORDERS_UM = {name: (top, bottom) for name, top, bottom in zip(_names, _tops, _bottoms, strict=True)}

LAMINAE = Laminae(
    method="excitatory cells by their type where it names a lamina; all others by the depth of the soma",
    borders=tuple(LaminaBorder(name=name, top_um=top, bottom_um=bottom) for name, (top, bottom) in BORDERS_UM.items()),
    why="the depth at which the dominant excitatory type of this column changes; L1 ends at 80 um by choice",
)


def assign_laminae(cell_type: npt.NDArray[np.str_], depth_um: npt.NDArray[np.float64]) -> npt.NDArray[np.str_]:
    """Return the lamina of each cell.

    Args:
        cell_type: (N,).
        depth_um: (N,), um below the pia; NaN where not known.

    Returns:
        (N,): from the type where it tells, else from the depth, else ``unknown``.
    """
    by_depth = np.array(_names)[np.searchsorted(_bottoms[:-1], depth_um, side="right")]
    by_type = np.array([TYPE_LAMINA.get(name, "") for name in cell_type], dtype=by_depth.dtype)
    lamina = np.where(np.isnan(depth_um), "unknown", by_depth)
    return np.where(by_type != "", by_type, lamina)


def contradicts_depth(cell_type: npt.NDArray[np.str_], depth_um: npt.NDArray[np.float64]) -> npt.NDArray[np.bool_]:
    """Tell which cells lie more than ``TOLERANCE_UM`` outside the lamina that their type names.

    Args:
        cell_type: (N,).
        depth_um: (N,), um below the pia.

    Returns:
        (N,).
    """
    tops, bottoms = (
        np.array([BORDERS_UM[TYPE_LAMINA[name]][side] if name in TYPE_LAMINA else np.nan for name in cell_type])
        for side in (0, 1)
    )
    return (depth_um < tops - TOLERANCE_UM) | (depth_um > bottoms + TOLERANCE_UM)
