"""What the reconstruction does to cells: somata merged into one segment, arbours cut where the volume ends.

Enters: cells of the column, and all nuclei of the volume where the source has them. Leaves: cells that are one segment
each, and which of them a user must know about.
"""

from __future__ import annotations

from collections.abc import Mapping

import ibis
import numpy as np
import numpy.typing as npt
import pyarrow as pa

from connectome2net.extract.quality import Account
from connectome2net.sources.engine import collect
from connectome2net.sources.microns import NUCLEI, POSITION
from connectome2net.sources.source import MAPPED_CELLS, Source

Mask = npt.NDArray[np.bool_]

SOMATA_NM: Mapping[str, tuple[tuple[float, float], tuple[float, float]]] = {
    "minnie65": ((251_136.0, 1_631_808.0), (603_080.0, 1_105_200.0)),
}
"""Least and greatest x, and z, of the somata of a volume, where its nuclei are not at hand; measured on the 91,423
cells of version 1300."""
NEAR_UM = 100.0
"""Nearer than this to the border, even basal dendrites are cut. A choice; axons reach further."""


def unmerged(cells: pa.Table, account: Account) -> pa.Table:
    """Leave out cells that share a segment: their synapses cannot be told apart, and would count twice."""
    root, known = cells.column("root_id"), np.asarray(cells.column("root_id").is_valid())
    _, which, times = np.unique(root.drop_null().to_numpy(), return_inverse=True, return_counts=True)
    alone = ~known
    alone[known] = times[which] == 1
    why = "merged with another cell of the column: both have one root id"
    return account.keep("cells in a segment of their own", cells, alone, why=why, named="source_id")


def merged_outside(source: Source, cells: pa.Table) -> Mask:
    """Tell which cells share their segment with a nucleus outside the column."""
    if NUCLEI not in source or MAPPED_CELLS in source:
        return np.zeros(cells.num_rows, dtype=bool)
    roots = ibis.memtable(cells.select(["root_id"]))
    nuclei = source[NUCLEI].table.semi_join(roots, [("pt_root_id", "root_id")])
    counted = nuclei.distinct(on=("id",)).group_by("pt_root_id").aggregate(nuclei=ibis._.count())
    shared = collect(counted.filter(counted.nuclei > 1), file=source[NUCLEI].file).column("pt_root_id").to_numpy()
    return np.isin(cells.column("root_id").to_numpy(), shared)


def near_border(source: Source, position_nm: npt.NDArray[np.float64], *, within_um: float) -> Mask:
    """Tell which cells lie near a side of the volume (least or greatest x or z), where arbours are cut.

    Args:
        source: its nuclei tell where the volume ends.
        position_nm: (N, 3); NaN where not known.
        within_um: how near, um.

    Returns:
        (N,); false where nobody knows.
    """
    limits = _limits_nm(source)
    if limits is None:
        return np.zeros(len(position_nm), dtype=bool)
    lateral_um = position_nm[:, [0, 2]] / 1000
    least, greatest = np.array(limits).T / 1000
    return ((lateral_um - least < within_um) | (greatest - lateral_um < within_um)).any(axis=1)


def _limits_nm(source: Source) -> tuple[tuple[float, float], tuple[float, float]] | None:
    if source.synthetic:
        return None
    if NUCLEI not in source:
        return next((limits for name, limits in SOMATA_NM.items() if source.dataset.startswith(name)), None)
    nuclei, sides = source[NUCLEI].table, ((POSITION[0], 0), (POSITION[2], 2))
    measures = {f"{what}_{name}": getattr(nuclei[name], what)() for name, _ in sides for what in ("min", "max")}
    found = collect(nuclei.aggregate(**measures), file=source[NUCLEI].file).to_pylist()[0]
    if any(value is None for value in found.values()):
        return None
    x, z = ((found[f"min_{n}"] * source.unit_nm[a], found[f"max_{n}"] * source.unit_nm[a]) for n, a in sides)
    return x, z
