"""Measured anatomy and an assumed network meet in a spec.

Enters: ``Source``. Leaves: ``Spec`` with labelled cells, edges, the chosen network, and the account of what was lost.
"""

from __future__ import annotations

from collections.abc import Sequence
from importlib.metadata import version

import pyarrow as pa

from connectome2net.errors import SpecError
from connectome2net.extract.column import find_column
from connectome2net.extract.fitting import fit_network
from connectome2net.extract.groups import Signs
from connectome2net.extract.laminae import How
from connectome2net.extract.measure import Choices, measure
from connectome2net.extract.populations import network_of_laminae, network_of_types
from connectome2net.extract.segmentation import NEAR_UM
from connectome2net.sources.source import MAPPED_CELLS, Source
from connectome2net.spec import Spec, SpecDocument, load_preset, make_spec
from connectome2net.spec.model import FORMAT, FORMAT_VERSION, Provenance
from connectome2net.spec.network import Network
from connectome2net.spec.presets import preset_names
from connectome2net.spec.tables import values

MADE = {"laminae": network_of_laminae, "types": network_of_types}
"""Networks that are made from the cells, for those whose types no preset knows."""


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
    chosen = find_column(column, source=source, radius_um=radius_um, side_um=side_um)
    choices = Choices(laminae, tuple(require), min_synapses, min_size_vx, border_um)
    size = "" if chosen.shape is None else f"{chosen.shape}{chosen.radius_um or chosen.side_um:g}um"
    measured = measure(source, chosen, choices)
    assumed = _assume(source, measured.cells, measured.edges, network=network, signs=signs)
    document = SpecDocument(
        format=FORMAT,
        format_version=FORMAT_VERSION,
        name=name or "_".join([source.dataset, chosen.name, *(size,) * bool(size), assumed.name]),
        anatomy=measured.anatomy,
        network=assumed,
        provenance=Provenance(
            made_by="c2n extract",
            versions={item: version(item) for item in ("connectome2net", "standard-transform")},
            parameters={"column": chosen.name, "network": assumed.name, "position_unit": source.position_unit}
            | ({"size": size} if size else {})
            | choices.unusual()
            | dict(source.parameters),
            citation=source.citation,
        ),
    )
    return make_spec(document, cells=measured.cells, edges=measured.edges)


def _assume(source: Source, cells: pa.Table, edges: pa.Table, *, network: str | None, signs: Signs | None) -> Network:
    """Return the network that is assumed: a preset, or one made from the laminae or the types of the cells."""
    if network is None:
        laminar = "column" if MAPPED_CELLS not in source else "laminae"
        network = "types" if set(values(cells, "lamina")) == {"unknown"} else laminar
    if network in MADE:
        return MADE[network](cells, edges, input_types=source.input_types, signs=signs or "dale")
    if network not in (known := (*preset_names(), *MADE)):
        raise SpecError("there is no such network", where="--network", found=network, wanted=", ".join(known))
    return _with_signs(fit_network(load_preset(network), cells, edges), signs)


def _with_signs(network: Network, signs: Signs | None) -> Network:
    if signs is None or all(item.sign == signs for item in network.projections):
        return network
    projections = tuple(
        item.model_copy(update={"sign": signs, "why": f"Signs are {signs} by request."}) for item in network.projections
    )
    return network.model_copy(update={"projections": projections})
