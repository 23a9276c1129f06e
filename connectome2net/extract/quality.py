"""What was kept, what was lost, and what a user must know before believing a number.

Enters: cells at each step, and the labelled cells at the end. Leaves: the accounts and findings that stand in the spec.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from connectome2net.extract.laminae import TOLERANCE_UM, contradicts_depth
from connectome2net.extract.proofreading import FULL
from connectome2net.spec.model import Finding, Laminae, Step
from connectome2net.spec.tables import edge_index, values

LEFT_OUT = "left out"
Mask = npt.NDArray[np.bool_]


class Account:
    """Book of an extraction: at each step, rows in = kept + lost.

    Attributes:
        steps: in their order.
        left_out: the cells that were lost because of what they are, by name.
    """

    def __init__(self) -> None:
        self.steps: list[Step] = []
        self.left_out: list[Finding] = []

    def keep(self, name: str, rows: pa.Table, which: Mask, *, why: str, named: str = "") -> pa.Table:
        """Keep some rows of a table, and write down how many were lost and why.

        Args:
            name: of the step.
            rows: what comes in.
            which: (rows,), what is kept.
            why: what the others are.
            named: the column by which the others are named; empty where their number is enough.
        """
        self.count(name, rows.num_rows, int(which.sum()), why=why)
        if which.all():
            return rows
        if named:
            lost = tuple(map(str, rows.column(named).filter(pa.array(~which)).to_pylist()))
            self.left_out.append(Finding(name=LEFT_OUT, count=len(lost), text=why, cells=lost))
        return rows.filter(pa.array(which))

    def count(self, name: str, rows_in: int, kept: int, *, why: str) -> None:
        """Write down a step that something else made."""
        lost = rows_in - kept
        self.steps.append(Step(name=name, rows_in=rows_in, kept=kept, lost=lost, why=why if lost else ""))


def findings(
    cells: pa.Table, edges: pa.Table, proofread: pa.Table, *, laminae: Laminae, notes: tuple[str, ...]
) -> Iterator[Finding]:
    """List what is unknown, contradictory or incomplete.

    Args:
        cells: the labelled cells, ``CELLS_SCHEMA``.
        edges: between them, ``EDGES_SCHEMA``.
        proofread: what is known of their proofreading, in the same order.
        laminae: the borders that were used.
        notes: what the source says of how it was read.
    """
    yield from (Finding(name="source", count=1, text=note) for note in notes)
    yield from _of_positions(cells, laminae)
    yield from _of_axons(cells, proofread)
    yield from _of_inhibition(cells, edges)
    yield _of_outside(cells)


def finding(name: str, cells: pa.Table, which: Mask, text: str) -> Iterator[Finding]:
    """Report cells, by source id, if there are any."""
    if count := int(which.sum()):
        yield Finding(name=name, count=count, text=text, cells=tuple(map(str, values(cells, "source_id")[which])))


def _of_positions(cells: pa.Table, laminae: Laminae) -> Iterator[Finding]:
    depth_um = values(cells, "soma_depth_um")
    lamina, cell_type = values(cells, "lamina"), values(cells, "cell_type")
    no_position = np.isnan(values(cells, "soma_x_nm"))
    yield from finding("no position", cells, no_position, "cells without a soma position; they are kept")
    yield from finding(
        "unknown lamina", cells, lamina == "unknown", "cells whose lamina neither type nor depth tells; they are kept"
    )
    yield from finding(
        "type contradicts depth",
        cells,
        contradicts_depth(cell_type, depth_um, laminae),
        f"cells more than {TOLERANCE_UM:.0f} um outside the lamina of their type; the type decides",
    )
    unknown = values(cells, "ei_class") == "unknown"
    yield from finding("unknown class", cells, unknown, "cells that no table, or no two tables alike, call E or I")


def _of_axons(cells: pa.Table, proofread: pa.Table) -> Iterator[Finding]:
    status = proofread.column("axon_proofread")
    if status.null_count == len(status):
        yield Finding(
            name="proofreading unknown",
            count=len(status),
            text="cells of whose proofreading nothing is known: a missing output may be missing data",
        )
        return
    yield from finding("proofreading unknown", cells, _mask(status.is_null()), "axons without a word on proofreading")
    full = np.array([word in (FULL, None) for word in proofread.column("axon_strategy").to_pylist()])
    for name, which, text in (
        ("axon not proofread", ~_mask(status.fill_null(True)), "axons that nobody proofread (axon_proofread is false)"),
        (
            "axon incomplete",
            _mask(status.fill_null(False)) & ~full,
            f"proofread axons not extended to all their ends (axon_strategy is not {FULL})",
        ),
    ):
        if count := int(which.sum()):
            yield Finding(name=name, count=count, text=f"{text}: their missing outputs are missing data, not zeros")
    stale = _mask(proofread.column("stale").fill_null(False))
    yield from finding("proofreading stale", cells, stale, "axons that changed after they were proofread")


def _of_inhibition(cells: pa.Table, edges: pa.Table) -> Iterator[Finding]:
    ei_class = values(cells, "ei_class")
    pre, post = edge_index(edges)
    count_E = values(edges, "synapse_count").astype(float)
    inhibits = ei_class[pre] == "inhibitory"
    known = inhibits | (ei_class[pre] == "excitatory")
    received, inhibition = (np.bincount(post[used], count_E[used], cells.num_rows) for used in (known, inhibits))
    reached = (ei_class == "excitatory") & (received > 0)
    share = inhibition[reached] / received[reached]
    if count := int((share > 0.5).sum()):
        text = (
            "excitatory cells whose synapses from cells of the column are mostly inhibitory (median of all excitatory "
            f"cells {np.median(share):.0%}): excitation that comes from outside the column, or along axons that were "
            "not reconstructed, is not among them"
        )
        yield Finding(name="mostly inhibitory inputs", count=count, text=text)


def _of_outside(cells: pa.Table) -> Finding:
    name = "outside_synapse_count"
    if name not in cells.column_names:
        text = "cells of whose inputs from outside the column nothing is known: they receive more than the edges say"
        return Finding(name="inputs from outside unknown", count=cells.num_rows, text=text)
    received = cells.column(name).drop_null().to_numpy()
    of_whom = "from outside the column, or from pieces of axons attached to none of its cells"
    text = f"cells receive {received.sum():,} synapses {of_whom} ({name})"
    return Finding(name="inputs from outside", count=int((received > 0).sum()), text=text)


def _mask(column: pa.ChunkedArray) -> Mask:
    return np.asarray(column.to_numpy(), dtype=bool)
