"""A source -> a spec: the steps of an extraction in their order.

Enters: ``Source``. Leaves: ``Spec`` with labelled cells, edges, the chosen network, and the account of what was lost.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from importlib.metadata import version
from typing import Literal

import numpy as np
import pyarrow as pa

from connectome2net.extract.cell_classes import classify
from connectome2net.extract.column import cut, find_column, positions_nm
from connectome2net.extract.connections import connect, threshold
from connectome2net.extract.depth import check_depth, soma_depth_um
from connectome2net.extract.fitting import fit_network
from connectome2net.extract.laminae import How, find_lamina, lamina_confidence
from connectome2net.extract.populations import network_of_laminae, network_of_types
from connectome2net.extract.proofreading import accepted, proofreading
from connectome2net.extract.quality import Account, finding, findings
from connectome2net.extract.segmentation import NEAR_UM, merged_outside, near_border, unmerged
from connectome2net.sources.microns import NUCLEI
from connectome2net.sources.source import MAPPED_CELLS, Source
from connectome2net.spec import Spec, SpecDocument, load_preset, make_spec
from connectome2net.spec.model import (
    FORMAT,
    FORMAT_VERSION,
    Anatomy,
    Column,
    Conflict,
    Finding,
    Laminae,
    Provenance,
    SourceTable,
    TableFile,
)
from connectome2net.spec.network import Network
from connectome2net.spec.tables import CELLS_OPTIONAL, CELLS_SCHEMA, values

Signs = Literal["dale", "free"]
MADE = {"laminae": network_of_laminae, "types": network_of_types}
"""Networks that are made from the cells, for those whose types no preset knows."""

UNWRITTEN = TableFile(file="unwritten", sha256="0" * 64, rows=0)
"""``make_spec`` puts the digests of the tables in its place."""


def extract(
    source: Source,
    *,
    column: str | None = None,
    radius_um: float | None = None,
    side_um: float | None = None,
    laminae: How = "fixed",
    require: Sequence[str] = (),
    min_synapses: int = 1,
    min_size_vx: int = 0,
    border_um: float = NEAR_UM,
    network: str | None = None,
    signs: Signs | None = None,
    name: str | None = None,
) -> Spec:
    """Cut one labelled column out of a volume.

    Args:
        source: checked tables, from ``open_source``.
        column: which column: ``v1``, the census of the MICrONS V1 column; ``all``, every cell; or a TOML file with
            ``centre_um``, ``radius_um`` or ``side_um``, and perhaps ``area``, ``top_um``, ``bottom_um``. Default is
            ``v1``, or ``all`` of a mapped connectome.
        radius_um: cut a cylinder of this radius about the column's centre, along the axis of cortex.
        side_um: cut a square of this side about it.
        laminae: ``fixed`` borders of V1, or ``estimated`` from the types of the cells of this column.
        require: what a presynaptic cell must fulfil: ``proofread-axon``, ``fully-extended-axon``.
        min_synapses: fewest synapses of an edge.
        min_size_vx: least total cleft size of an edge, voxels of 4x4x40 nm.
        border_um: name the cells whose soma is nearer than this to a side of the volume, where arbours are cut.
        network: which network to assume on it: the name of a preset; ``laminae`` or ``types``: a population for each
            lamina or cell type. Default is ``column``; of a mapped connectome ``laminae`` if it has any, or ``types``.
        signs: ``dale`` or ``free`` for all projections of the network; None keeps those of the preset.
        name: name of the spec; default is data set, column and network.

    Returns:
        The spec. Cells stand in the order of nucleus id (text order of ``source_id`` in a mapped connectome), edges in
        that of (post, pre).

    Raises:
        ExtractError: no such column, no cell in it, depths that cannot be right, a pair of cells twice.
        SourceError: tables that do not fit together.
        SpecError: no such network.

    Example:
        >>> extract(open_source("synthetic"))  # doctest: +SKIP
        Spec('minnie65_synthetic_v1_column', 1,351 cells, 75,063 edges)
    """
    account = Account()
    for item in source.kept:
        account.count(item.name, item.rows_in, item.kept, why=item.why)
    rows, chosen = cut(source, find_column(column, source=source, radius_um=radius_um, side_um=side_um), account)
    rows, conflicts = classify(source, rows)
    rows = _neurons(rows, conflicts, chosen.table, account)
    proofread = proofreading(source, rows)
    cells, borders = _label(source, rows, proofread, laminae)
    edges, outside = connect(source, rows, account)
    senders = {requirement: accepted(proofread, requirement) for requirement in require}
    edges = threshold(edges, account, senders=senders, min_synapses=min_synapses, min_size_vx=min_size_vx)
    cells = _append(cells, outside)
    assumed = _assume(source, cells, edges, network=network, signs=signs)
    found = (*findings(cells, proofread, laminae=borders, notes=source.notes), *_of_segments(source, cells, border_um))
    kept = set(values(cells, "source_id"))
    anatomy = {
        "steps": tuple(account.steps),
        "findings": found,
        "conflicts": tuple(conflict for conflict in conflicts if conflict.cell in kept) or None,
    }
    document = SpecDocument(
        format=FORMAT,
        format_version=FORMAT_VERSION,
        name=name or f"{source.dataset}_{chosen.name}_{assumed.name}",
        anatomy=_anatomy(source, chosen, borders).model_copy(update=anatomy),
        network=assumed,
        provenance=Provenance(
            made_by="c2n extract",
            versions={item: version(item) for item in ("connectome2net", "standard-transform")},
            parameters={"column": chosen.name, "network": assumed.name, "position_unit": source.position_unit}
            | _asked(
                laminae=laminae,
                require=require,
                min_synapses=min_synapses,
                min_size_vx=min_size_vx,
                border_um=border_um,
            )
            | dict(source.parameters),
            citation=source.citation,
        ),
    )
    return make_spec(document, cells=cells, edges=edges)


def _asked(**choices: object) -> dict[str, str]:
    """Return the choices that are not the usual ones, as text."""
    usual = {"laminae": "fixed", "require": (), "min_synapses": 1, "min_size_vx": 0, "border_um": NEAR_UM}
    text = {
        name: " ".join(value) if isinstance(value, (list, tuple)) else str(value) for name, value in choices.items()
    }
    return {name: text[name] for name, value in choices.items() if value and value != usual[name]}


def _neurons(rows: pa.Table, conflicts: tuple[Conflict, ...], table: str | None, account: Account) -> pa.Table:
    """Keep cells that are neurons, in segments of their own."""
    ei_class = values(rows, "ei_class")
    rows = account.keep("neurons", rows, ei_class != "nonneuron", why="glia and other cells that are no neurons")
    if table == NUCLEI:
        disputed = np.isin(values(rows, "source_id"), [conflict.cell for conflict in conflicts])
        told = (values(rows, "ei_class") != "unknown") | disputed
        rows = account.keep("cells of known class", rows, told, why="no table says what they are")
    return unmerged(rows, account)


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


def _assume(source: Source, cells: pa.Table, edges: pa.Table, *, network: str | None, signs: Signs | None) -> Network:
    """Return the network that is assumed: a preset, or one made from the laminae or the types of the cells."""
    if network is None:
        laminar = "column" if MAPPED_CELLS not in source else "laminae"
        network = "types" if set(values(cells, "lamina")) == {"unknown"} else laminar
    if network in MADE:
        return MADE[network](cells, edges, input_types=source.input_types, signs=signs or "dale")
    return _with_signs(fit_network(load_preset(network), cells, edges), signs)


def _with_signs(network: Network, signs: Signs | None) -> Network:
    if signs is None or all(item.sign == signs for item in network.projections):
        return network
    projections = tuple(
        item.model_copy(update={"sign": signs, "why": f"Signs are {signs} by request."}) for item in network.projections
    )
    return network.model_copy(update={"projections": projections})


def _of_segments(source: Source, cells: pa.Table, border_um: float) -> Iterator[Finding]:
    """Report what the reconstruction did to cells that are kept."""
    shared = merged_outside(source, cells)
    text = "cells whose segment holds another nucleus outside the column: some of their synapses may be its"
    yield from finding("merged outside", cells, shared, text)
    split = [cells.column(f"soma_{axis}_nm").to_numpy(zero_copy_only=False) for axis in "xyz"]
    near = near_border(source, np.stack(split, axis=1), within_um=border_um)
    text = f"somata within {border_um:g} um of a side of the volume: their arbours are cut, and their synapses missing"
    yield from finding("near the border", cells, near, text)


def _anatomy(source: Source, column: Column, laminae: Laminae) -> Anatomy:
    tables = (source.tables[name] for name in sorted(source.tables))
    return Anatomy(
        dataset=source.dataset,
        materialization=source.materialization,
        synthetic=source.synthetic,
        column=column,
        laminae=laminae,
        sources=tuple(SourceTable(name=t.name, file=t.file, rows=t.rows, sha256=t.sha256) for t in tables),
        cells=UNWRITTEN,
        edges=UNWRITTEN,
    )
