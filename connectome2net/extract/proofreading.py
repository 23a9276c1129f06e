"""How far each cell was proofread, and which cells a user accepts as presynaptic.

Enters: cells and the proofreading table. Leaves: what is known of each axon and dendrite.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from connectome2net.errors import ExtractError
from connectome2net.sources.microns import PROOFREADING
from connectome2net.sources.source import MAPPED_CELLS, Source

FULL = "axon_fully_extended"
COLUMNS: Mapping[str, tuple[str, pa.DataType]] = {
    "axon_proofread": ("status_axon", pa.bool_()),
    "axon_strategy": ("strategy_axon", pa.string()),
    "dendrite_proofread": ("status_dendrite", pa.bool_()),
    "dendrite_strategy": ("strategy_dendrite", pa.string()),
}
"""Our column -> theirs, and its type."""
REQUIREMENTS = ("proofread-axon", "fully-extended-axon")


def proofreading(source: Source, cells: pa.Table) -> pa.Table:
    """Return what is known of the proofreading of each cell.

    Returns:
        Columns ``axon_proofread``, ``dendrite_proofread`` (bool), ``axon_strategy``, ``dendrite_strategy`` (text), and
        ``stale`` (bool: the axon was looked at when the cell had another root id); null where nothing is known.
    """
    known: dict[int, dict[str, Any]] = {}
    current: dict[int, bool] = {}
    if PROOFREADING in source:
        for row in source[PROOFREADING].read().to_pylist():
            root = row["pt_root_id"]
            known[root] = row
            if "valid_id" in row:
                current[root] = current.get(root, False) or row["valid_id"] == root
    roots = cells.column("root_id").to_pylist()
    rows = [known.get(root, {}) for root in roots]
    if MAPPED_CELLS in source:
        rows = [{"status_axon": word} for word in cells.column("axon_proofread").to_pylist()]
    stale = [not current[root] if root in current else None for root in roots]
    columns = {name: pa.array([row.get(theirs) for row in rows], kind) for name, (theirs, kind) in COLUMNS.items()}
    return pa.table({**columns, "stale": pa.array(stale, pa.bool_())})


def accepted(proofread: pa.Table, requirement: str) -> npt.NDArray[np.bool_]:
    """Tell which cells fulfil a requirement; where nothing is known, it is not fulfilled.

    Raises:
        ExtractError: there is no such requirement, or nothing is known of any axon.
    """
    if requirement not in REQUIREMENTS:
        raise ExtractError(
            "there is no such requirement", where="--require", found=requirement, wanted=" or ".join(REQUIREMENTS)
        )
    status = proofread.column("axon_proofread")
    if status.null_count == len(status):
        raise ExtractError(
            "nothing is known of the proofreading of any axon",
            where=f"--require {requirement}",
            wanted=f"the table {PROOFREADING} beside the others",
        )
    if requirement == "fully-extended-axon" and proofread.column("axon_strategy").null_count == len(status):
        raise ExtractError(
            "nothing is known of how far axons were extended",
            where=f"--require {requirement}",
            wanted=f"the column strategy_axon in {PROOFREADING}",
            fix="require proofread-axon",
        )
    fulfilled = np.array([bool(word) for word in status.to_pylist()])
    if requirement == "fully-extended-axon":
        fulfilled &= np.array([word == FULL for word in proofread.column("axon_strategy").to_pylist()])
    return fulfilled
