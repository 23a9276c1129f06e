"""A source -> a spec: the steps of an extraction in their order.

Enters: ``Source``. Leaves: ``Spec`` with labelled cells, edges, the chosen network, and the account of what was lost.
"""

from __future__ import annotations

from importlib.metadata import version
from typing import Literal

import numpy as np
import pyarrow as pa

from connectome2net.extract.cell_classes import cell_types, ei_classes, proofreading
from connectome2net.extract.column import cut, find_column
from connectome2net.extract.connections import connect
from connectome2net.extract.depth import check_depth, soma_depth_um, soma_position_nm
from connectome2net.extract.laminae import LAMINAE, assign_laminae
from connectome2net.extract.quality import findings, step
from connectome2net.sources.microns import CENSUS
from connectome2net.sources.source import Source
from connectome2net.spec import Spec, SpecDocument, load_preset, make_spec
from connectome2net.spec.model import FORMAT, FORMAT_VERSION, Anatomy, Column, Provenance, SourceTable, TableFile
from connectome2net.spec.network import Network
from connectome2net.spec.tables import CELLS_SCHEMA

UNWRITTEN = TableFile(file="unwritten", sha256="0" * 64, rows=0)
"""``make_spec`` puts the digests of the tables in its place."""


def extract(
    source: Source,
    *,
    column: str = "v1",
    network: str = "column",
    signs: Literal["dale", "free"] | None = None,
    name: str | None = None,
) -> Spec:
    """Cut one labelled column out of a volume.

    Args:
        source: checked tables, from ``open_source``.
        column: which column; ``v1`` is the census of the MICrONS V1 column.
        network: which network to assume on it, the name of a preset.
        signs: ``dale`` or ``free`` for all projections of the network; None keeps those of the preset.
        name: name of the spec; default is data set, column and network.

    Returns:
        The spec. Cells stand in the order of nucleus id, edges in that of (post, pre).

    Raises:
        ExtractError: no such column, depths that cannot be right, a pair of cells twice.
        SpecError: no such network.

    Example:
        >>> extract(open_source("synthetic"))  # doctest: +SKIP
        Spec('minnie65_synthetic_v1_column', 1,351 cells, 75,063 edges)
    """
    chosen, assumed = find_column(column), _with_signs(load_preset(network), signs)
    census = cut(source)
    proofread = proofreading(source, census)
    cells = _label(source, census, proofread)
    edges, edge_steps = connect(source, census)
    steps = (step("cells of the census", source[CENSUS].rows, cells.num_rows, why=""), *edge_steps)
    document = SpecDocument(
        format=FORMAT,
        format_version=FORMAT_VERSION,
        name=name or f"{source.dataset}_{column}_{network}",
        anatomy=_anatomy(source, chosen).model_copy(
            update={"steps": steps, "findings": findings(cells, proofread, notes=source.notes)}
        ),
        network=assumed,
        provenance=Provenance(
            made_by="c2n extract",
            versions={item: version(item) for item in ("connectome2net", "standard-transform")},
            parameters={"column": column, "network": network, "position_unit": source.position_unit}
            | dict(source.parameters),
            citation=source.citation,
        ),
    )
    return make_spec(document, cells=cells, edges=edges)


def _with_signs(network: Network, signs: Literal["dale", "free"] | None) -> Network:
    if signs is None or all(item.sign == signs for item in network.projections):
        return network
    projections = tuple(
        item.model_copy(update={"sign": signs, "why": f"Signs are {signs} by request."}) for item in network.projections
    )
    return network.model_copy(update={"projections": projections})


def _label(source: Source, census: pa.Table, proofread: pa.Table) -> pa.Table:
    """Return the cells table of a census."""
    cell_type, ei_class = cell_types(census), ei_classes(census)
    position_nm = soma_position_nm(census, unit_nm=source.unit_nm)
    depth_um = soma_depth_um(position_nm, dataset=source.dataset)
    check_depth(depth_um, ei_class == "excitatory", source=source)
    columns = {
        "cell_index": np.arange(census.num_rows, dtype=np.int32),
        "nucleus_id": census.column("id"),
        "root_id": census.column("pt_root_id"),
        "source_id": census.column("id").cast(pa.string()),
        "cell_type": cell_type,
        "ei_class": ei_class,
        "lamina": assign_laminae(cell_type, depth_um),
        "soma_depth_um": pa.array(depth_um, from_pandas=True),
        "axon_proofread": proofread.column("axon_proofread"),
    }
    for axis, letter in enumerate("xyz"):
        columns[f"soma_{letter}_nm"] = pa.array(position_nm[:, axis], from_pandas=True)
    return pa.table({field.name: columns[field.name] for field in CELLS_SCHEMA}).cast(CELLS_SCHEMA).combine_chunks()


def _anatomy(source: Source, column: Column) -> Anatomy:
    tables = (source.tables[name] for name in sorted(source.tables))
    return Anatomy(
        dataset=source.dataset,
        materialization=source.materialization,
        synthetic=source.synthetic,
        column=column,
        laminae=LAMINAE,
        sources=tuple(SourceTable(name=t.name, file=t.file, rows=t.rows, sha256=t.sha256) for t in tables),
        cells=UNWRITTEN,
        edges=UNWRITTEN,
    )
