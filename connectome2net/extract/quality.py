"""What was kept, what was lost, and what a user must know before believing a number.

Enters: the labelled cells. Leaves: the accounts and findings that stand in the spec.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from connectome2net.extract.laminae import TOLERANCE_UM, contradicts_depth
from connectome2net.spec.model import Finding, Step
from connectome2net.spec.tables import values

FULL = "axon_fully_extended"


def step(name: str, rows_in: int, kept: int, *, why: str) -> Step:
    """Return the account of one step: what is not kept is lost, and why."""
    lost = rows_in - kept
    return Step(name=name, rows_in=rows_in, kept=kept, lost=lost, why=why if lost else "")


def findings(cells: pa.Table, proofread: pa.Table, *, notes: tuple[str, ...]) -> tuple[Finding, ...]:
    """List what is unknown, contradictory or incomplete.

    Args:
        cells: the labelled cells, ``CELLS_SCHEMA``.
        proofread: what is known of their proofreading, in the same order.
        notes: what the source says of how it was read.
    """
    notes_found = [Finding(name="source", count=1, text=note) for note in notes]
    return (*notes_found, *_of_positions(cells), *_of_axons(cells, proofread))


def _of_positions(cells: pa.Table) -> Iterator[Finding]:
    depth_um = values(cells, "soma_depth_um")
    lamina, cell_type = values(cells, "lamina"), values(cells, "cell_type")
    yield from _finding("no position", cells, np.isnan(depth_um), "cells without a soma position; they are kept")
    yield from _finding(
        "unknown lamina", cells, lamina == "unknown", "cells whose lamina neither type nor depth tells; they are kept"
    )
    yield from _finding(
        "type contradicts depth",
        cells,
        contradicts_depth(cell_type, depth_um),
        f"cells more than {TOLERANCE_UM:.0f} um outside the lamina of their type; the type decides",
    )
    unknown = values(cells, "ei_class") == "unknown"
    yield from _finding("unknown class", cells, unknown, "cells that the census calls neither E nor I")


def _of_axons(cells: pa.Table, proofread: pa.Table) -> Iterator[Finding]:
    status = proofread.column("axon_proofread")
    if status.null_count == len(status):
        yield Finding(
            name="proofreading unknown",
            count=len(status),
            text="nothing is known of the proofreading of any axon: a missing output may be missing data",
        )
        return
    yield from _finding("proofreading unknown", cells, _mask(status.is_null()), "axons without a word on proofreading")
    full = np.array([word == FULL for word in proofread.column("strategy").to_pylist()])
    for name, which, text in (
        ("axon not proofread", ~_mask(status.fill_null(True)), "axons that nobody proofread"),
        ("axon incomplete", _mask(status.fill_null(False)) & ~full, "proofread axons not extended to all their ends"),
    ):
        if count := int(which.sum()):
            yield Finding(name=name, count=count, text=f"{text}: their missing outputs are missing data, not zeros")
    stale = _mask(proofread.column("stale").fill_null(False))
    yield from _finding("proofreading stale", cells, stale, "axons that changed after they were proofread")


def _mask(column: pa.ChunkedArray) -> npt.NDArray[np.bool_]:
    return np.asarray(column.to_numpy(), dtype=bool)


def _finding(name: str, cells: pa.Table, which: npt.NDArray[np.bool_], text: str) -> Iterator[Finding]:
    """Report cells, by nucleus id, if there are any."""
    if count := int(which.sum()):
        nuclei = values(cells, "nucleus_id")[which]
        yield Finding(name=name, count=count, text=text, cells=tuple(map(str, nuclei)))
