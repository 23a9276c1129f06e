"""A source -> measured anatomy: the steps of an extraction in their order.

Enters: ``Source`` and what the user chose. Leaves: labelled cells, edges, and the account of what was kept and lost.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, fields

import numpy as np
import pyarrow as pa

from connectome2net.errors import ExtractError
from connectome2net.extract.cell_classes import BY_HAND, BY_MODEL, Classified, classify
from connectome2net.extract.connections import Connected, Wiring, connect, find_wiring, threshold
from connectome2net.extract.cut import cut, positions_nm
from connectome2net.extract.depth import check_depth, soma_depth_um
from connectome2net.extract.laminae import How, find_lamina, lamina_confidence
from connectome2net.extract.proofreading import accepted, proofreading
from connectome2net.extract.quality import Account, finding, findings
from connectome2net.extract.segmentation import NEAR_UM, merged_outside, near_border, unmerged
from connectome2net.sources.microns import CENSUS, NUCLEI, STATISTICS
from connectome2net.sources.source import Source
from connectome2net.sources.source import SourceTable as OpenedTable
from connectome2net.spec.model import Anatomy, Column, Finding, Laminae, SourceTable, TableFile
from connectome2net.spec.tables import CELLS_OPTIONAL, CELLS_SCHEMA, values

LABELS = (*BY_HAND, *BY_MODEL)

UNWRITTEN = TableFile(file="unwritten", sha256="0" * 64, rows=0)
"""``make_spec`` puts the digests of the tables in its place."""


@dataclass(frozen=True)
class Choices:
    """What a user may choose of an extraction.

    Attributes:
        laminae: ``fixed`` borders of V1, or ``estimated`` from the types of the cells of this column.
        require: what a presynaptic cell must fulfil.
        min_synapses: fewest synapses of an edge.
        min_size_vx: least total cleft size of an edge, voxels.
        border_um: cells whose soma is nearer than this to a side of the volume are named.
    """

    laminae: How = "fixed"
    require: tuple[str, ...] = ()
    min_synapses: int = 1
    min_size_vx: int = 0
    border_um: float = NEAR_UM

    def unusual(self) -> dict[str, str]:
        """Return those that are not the usual ones, as text."""
        chosen = {field.name: getattr(self, field.name) for field in fields(self)}
        differing = {field.name: chosen[field.name] for field in fields(self) if chosen[field.name] != field.default}
        return {name: " ".join(value) if isinstance(value, tuple) else f"{value}" for name, value in differing.items()}


@dataclass(frozen=True)
class Measured:
    """What an extraction measured.

    Attributes:
        cells: ``CELLS_SCHEMA``.
        edges: ``EDGES_SCHEMA``.
        anatomy: where they come from, what was lost, and what a user must know.
    """

    cells: pa.Table
    edges: pa.Table
    anatomy: Anatomy


def measure(source: Source, column: Column, choices: Choices) -> Measured:
    """Cut a column out of a volume, label its cells and connect them.

    Raises:
        ExtractError: no cell in the column, depths that cannot be right, a pair of cells or a synapse twice.
        SourceError: tables that do not fit together.
    """
    account = Account()
    for item in source.kept:
        account.count(item.name, item.rows_in, item.kept, why=item.why)
    rows, column = cut(source, column, account)
    classified = classify(source, rows)
    rows = _neurons(classified, column.table, source, account)
    proofread = proofreading(source, rows)
    cells, laminae = _label(source, rows, proofread, choices.laminae)
    wiring = find_wiring(source, rows)
    connected = connect(source, rows, wiring, account)
    senders = {requirement: accepted(proofread, requirement) for requirement in choices.require}
    edges = threshold(
        connected.edges, account, senders=senders, min_synapses=choices.min_synapses, min_size_vx=choices.min_size_vx
    )
    _refuse_nothing(edges, "edge", account, source)
    cells = _append(cells, connected.outside)
    found = [
        *findings(cells, edges, proofread, laminae=laminae, notes=source.notes),
        *classified.findings,
        *account.left_out,
    ]
    found += [*_of_segments(source, cells, choices.border_um), *_of_tables(source, cells, column, connected, wiring)]
    kept = set(values(cells, "source_id"))
    anatomy = Anatomy(
        dataset=source.dataset,
        materialization=source.materialization,
        synthetic=source.synthetic,
        column=column,
        laminae=laminae,
        sources=_tables(source, wiring.given),
        cells=UNWRITTEN,
        edges=UNWRITTEN,
        steps=tuple(account.steps),
        findings=tuple(found),
        conflicts=tuple(conflict for conflict in classified.conflicts if conflict.cell in kept) or None,
    )
    return Measured(cells, edges, anatomy)


def _tables(source: Source, asked: OpenedTable) -> tuple[SourceTable, ...]:
    """Return the tables that the spec comes from; of a source that is queried, the answer too."""
    tables = {**source.tables, asked.name: asked}
    return tuple(
        SourceTable(name=table.name, file=table.file, rows=table.rows, sha256=table.sha256)
        for _, table in sorted(tables.items())
    )


def _neurons(classified: Classified, table: str | None, source: Source, account: Account) -> pa.Table:
    """Keep cells that are neurons, in segments of their own."""
    rows, conflicts = classified.cells, classified.conflicts
    ei_class = values(rows, "ei_class")
    why = "glia and other cells that are no neurons"
    rows = account.keep("neurons", rows, ei_class != "nonneuron", why=why, named="source_id")
    if table == NUCLEI:
        disputed = np.isin(values(rows, "source_id"), [conflict.cell for conflict in conflicts])
        told = (values(rows, "ei_class") != "unknown") | disputed
        rows = account.keep(
            "cells of known class", rows, told, why=f"no table of classes speaks of them ({', '.join(LABELS)})"
        )
    rows = unmerged(rows, account)
    _refuse_nothing(rows, "cell", account, source)
    return rows


def _refuse_nothing(rows: pa.Table, what: str, account: Account, source: Source) -> None:
    if rows.num_rows:
        return
    last = next((step for step in reversed(account.steps) if step.lost), account.steps[-1])
    tables = ", ".join(sorted(source.tables))
    raise ExtractError(
        f"no {what} is left",
        where=f"{source.location}: {tables}",
        found=f"{last.name}: {last.kept:,} of {last.rows_in:,}, because: {last.why or 'the table is empty'}",
        wanted=f"at least one {what}",
        fix="choose less strictly, or give the tables whose ids and words fit these cells",
    )


def _label(source: Source, rows: pa.Table, proofread: pa.Table, how: How) -> tuple[pa.Table, Laminae]:
    """Return the cells table, and the borders of laminae that were used."""
    position_nm, cell_type, ei_class = positions_nm(rows), values(rows, "cell_type"), values(rows, "ei_class")
    depth_um = soma_depth_um(source, rows, position_nm)
    check_depth(depth_um, ei_class == "excitatory", source=source)
    lamina, borders = find_lamina(source, rows, depth_um, how=how)
    columns = {name: rows.column(name) for name in rows.column_names} | {
        "cell_index": np.arange(rows.num_rows, dtype=np.int32),
        "lamina": lamina,
        "lamina_confidence": pa.array(lamina_confidence(lamina, cell_type, depth_um), from_pandas=True),
        "soma_depth_um": pa.array(depth_um, from_pandas=True),
        **{f"soma_{x}_nm": pa.array(position_nm[:, axis], from_pandas=True) for axis, x in enumerate("xyz")},
        **{name: proofread.column(name) for name in proofread.column_names},
    }
    cells = pa.table({field.name: columns[field.name] for field in CELLS_SCHEMA}).cast(CELLS_SCHEMA)
    return _append(cells, pa.table({name: columns[name] for name in CELLS_OPTIONAL.names if name in columns})), borders


def _append(cells: pa.Table, measured: pa.Table) -> pa.Table:
    """Append those optional columns that hold anything."""
    for name in measured.column_names:
        if measured.column(name).null_count < cells.num_rows:
            field = CELLS_OPTIONAL.field(name)
            cells = cells.append_column(field, measured.column(name).cast(field.type))
    return cells.combine_chunks()


def _of_segments(source: Source, cells: pa.Table, border_um: float) -> Iterator[Finding]:
    """Report what the reconstruction did to cells that are kept."""
    shared = merged_outside(source, cells)
    text = "cells whose segment holds another nucleus outside the column: some of their synapses may be its"
    yield from finding("merged outside", cells, shared, text)
    split = [cells.column(f"soma_{axis}_nm").to_numpy(zero_copy_only=False) for axis in "xyz"]
    near = near_border(source, np.stack(split, axis=1), within_um=border_um)
    text = f"somata within {border_um:g} um of a side of the volume: their arbours are cut, and their synapses missing"
    yield from finding("near the border", cells, near, text)


def _of_tables(
    source: Source, cells: pa.Table, column: Column, connected: Connected, wiring: Wiring
) -> Iterator[Finding]:
    """Report what the tables themselves do not hold."""
    text = f"cells without one row in {wiring.where}: where they are many, it is of another materialization"
    yield from finding("cells without a synapse", cells, ~connected.touched, text)
    if column.shape is not None and column.table == CENSUS:
        text = f"cells cut out of {CENSUS}, which lists one column only: {NUCLEI} holds all nuclei of the volume"
        yield Finding(name="cut out of the census", count=cells.num_rows, text=text)
    if STATISTICS in source and "outside_synapse_count" not in cells.column_names:
        text = f"cells of which {STATISTICS} gives no total, or one below what the column itself gives"
        yield Finding(name="totals not believed", count=cells.num_rows, text=text)
