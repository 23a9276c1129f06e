"""What each cell is: its type, its sign, and whether its axon was proofread.

Enters: census rows and the proofreading table. Leaves: one value per cell.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from connectome2net.sources.microns import EI_WORDS, PROOFREADING, TYPE_SYNONYMS
from connectome2net.sources.source import Source


def cell_types(census: pa.Table) -> npt.NDArray[np.str_]:
    """Return the type of each cell under one name per type; ``unknown`` where the census is silent."""
    words = census.column("cell_type").to_pylist()
    return np.array([TYPE_SYNONYMS.get(word, word) or "unknown" for word in words], dtype=np.str_)


def ei_classes(census: pa.Table) -> npt.NDArray[np.str_]:
    """Return ``excitatory``, ``inhibitory`` or ``unknown`` for each cell, from ``classification_system``."""
    words = census.column("classification_system").to_pylist()
    return np.array([EI_WORDS[word] if word else "unknown" for word in words], dtype=np.str_)


def proofreading(source: Source, census: pa.Table) -> pa.Table:
    """Return what is known of the proofreading of each cell, in the order of the census.

    Returns:
        Columns ``axon_proofread`` (bool), ``strategy`` (text) and ``stale`` (bool: the axon was looked at when the
        cell had another root id); null where the table or the cell's row is absent.
    """
    known: dict[int, dict[str, object]] = {}
    if PROOFREADING in source:
        known = {row["pt_root_id"]: row for row in source[PROOFREADING].read().to_pylist()}
    rows = [known.get(root, {}) for root in census.column("pt_root_id").to_pylist()]
    stale = [row["valid_id"] != row["pt_root_id"] if "valid_id" in row else None for row in rows]
    return pa.table(
        {
            "axon_proofread": pa.array([row.get("status_axon") for row in rows], pa.bool_()),
            "strategy": pa.array([row.get("strategy_axon") for row in rows], pa.string()),
            "stale": pa.array(stale, pa.bool_()),
        }
    )
