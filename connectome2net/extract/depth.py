"""How deep somata lie below the pia.

Enters: positions in nm. Leaves: depths in um, known to be those of cells of cortex.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from connectome2net.errors import ExtractError
from connectome2net.extract.axis import FRAMES, find_axis
from connectome2net.sources.source import MAPPED_CELLS, Source

FloatArray = npt.NDArray[np.float64]

CORTEX_UM = (0.0, 1000.0)
"""Mouse V1 is about 750 um thick: a median excitatory soma outside this range is no soma of cortex."""


def soma_depth_um(source: Source, cells: pa.Table, position_nm: FloatArray) -> FloatArray:
    """Return depths below the pia.

    Args:
        source: says where depth runs; a mapped source may give depths itself, or nobody knows them.
        cells: N cells.
        position_nm: (N, 3).

    Returns:
        (N,), um, growing with depth; NaN where nobody knows.

    Raises:
        ExtractError: nobody has measured the depth axis of this data set.
    """
    axis = find_axis(source)
    if MAPPED_CELLS in source and (axis is None or cells.column("depth_um").null_count < cells.num_rows):
        return cells.column("depth_um").to_numpy(zero_copy_only=False).astype(np.float64)
    if axis is None:
        raise ExtractError(
            "the depth axis of this data set is not known",
            where="source.toml, dataset",
            found=source.dataset,
            wanted=" or ".join(f"{name}..." for name in FRAMES),
        )
    depth_um = np.full(len(position_nm), np.nan)
    known = ~np.isnan(position_nm[:, 0])
    if known.any():
        depth_um[known] = axis.depth_um(position_nm[known])
    return depth_um


def check_depth(depth_um: FloatArray, excitatory: npt.NDArray[np.bool_], *, source: Source) -> None:
    """Refuse depths that cannot be right.

    Raises:
        ExtractError: the median excitatory soma is not in cortex, so the unit of position is wrong.
    """
    known = depth_um[excitatory & ~np.isnan(depth_um)]
    if not len(known) or MAPPED_CELLS in source:
        return
    median, (top, bottom) = float(np.median(known)), CORTEX_UM
    if not top <= median <= bottom:
        raise ExtractError(
            "the depths of the cells cannot be right",
            where=source.location,
            found=f"median depth of excitatory somata {median:,.0f} um, reading positions as {source.position_unit}",
            wanted=f"{top:.0f} to {bottom:,.0f} um",
            fix="name the unit with --position-unit nm, voxel or um, or in source.toml",
        )
