"""Where somata lie, and how deep below the pia.

Enters: positions in the unit of the source. Leaves: nanometres as the volume has them, and depth in micrometres.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import standard_transform

from connectome2net.errors import ExtractError
from connectome2net.sources.microns import POSITION
from connectome2net.sources.source import Source

FloatArray = npt.NDArray[np.float64]

FRAMES: Mapping[str, standard_transform.Dataset] = {"minnie65": standard_transform.minnie_ds}
"""Beginning of a data set's name -> the frame in which y is depth."""

CORTEX_UM = (0.0, 1000.0)
"""Mouse V1 is about 750 um thick: a median excitatory soma outside this range is no soma of cortex."""


def soma_position_nm(census: pa.Table, *, unit_nm: tuple[float, float, float]) -> FloatArray:
    """Return soma positions.

    Args:
        census: N cells with the split columns of a position.
        unit_nm: nanometres of one unit along x, y, z.

    Returns:
        (N, 3), nm; NaN where a cell has no position.
    """
    split = [census.column(name).to_numpy(zero_copy_only=False) for name in POSITION]
    position_nm = np.stack(split, axis=1).astype(np.float64) * np.asarray(unit_nm)
    position_nm[np.isnan(position_nm).any(axis=1)] = np.nan
    return position_nm


def soma_depth_um(position_nm: FloatArray, *, dataset: str) -> FloatArray:
    """Return depth below the pia: rotate so that y runs from pia to white matter, pia at 0.

    Args:
        position_nm: (N, 3).
        dataset: name of the data set.

    Returns:
        (N,), um, growing with depth; NaN where there is no position.

    Raises:
        ExtractError: nobody has measured the depth axis of this data set.

    Reference:
        standard-transform, github.com/CAVEconnectome/standard_transform
    """
    frame = next((frame for name, frame in FRAMES.items() if dataset.startswith(name)), None)
    if frame is None:
        raise ExtractError(
            "The depth axis of this data set is not known",
            where="source.toml, dataset",
            found=dataset,
            wanted=" or ".join(f"{name}..." for name in FRAMES),
        )
    depth_um = np.full(len(position_nm), np.nan)
    known = ~np.isnan(position_nm[:, 0])
    if known.any():
        depth_um[known] = frame.transform("nm").apply(position_nm[known])[:, 1]
    return depth_um


def check_depth(depth_um: FloatArray, excitatory: npt.NDArray[np.bool_], *, source: Source) -> None:
    """Refuse depths that cannot be right.

    Raises:
        ExtractError: the median excitatory soma is not in cortex, so the unit of position is wrong.
    """
    known = depth_um[excitatory & ~np.isnan(depth_um)]
    if not len(known):
        return
    median, (top, bottom) = float(np.median(known)), CORTEX_UM
    if not top <= median <= bottom:
        raise ExtractError(
            "The depths of the cells cannot be right",
            where=source.location,
            found=f"median depth of excitatory somata {median:,.0f} um, reading positions as {source.position_unit}",
            wanted=f"{top:.0f} to {bottom:,.0f} um",
            fix="name the unit with --position-unit nm, voxel or um, or in source.toml",
        )
