"""Spec -> Program: every decision is taken here.

Enters: a valid ``Spec``. Leaves: a ``Program`` and the arrays that it names.
"""

from __future__ import annotations

from typing import Any

from connectome2net.compile.anatomy import Arrays, block_arrays
from connectome2net.compile.cells import lower_dynamics
from connectome2net.compile.front_end import (
    Adaptation,
    Attention,
    Convolution,
    DenseInput,
    FeatureDropout,
    Input,
    Layer,
    RetinotopicInput,
)
from connectome2net.compile.groups import Layout, free_name, lay_out
from connectome2net.compile.program import (
    Array,
    Block,
    Drive,
    Group,
    Origin,
    Phase,
    Population,
    Program,
    Readout,
)
from connectome2net.compile.retinotopy import retinotopic_places
from connectome2net.compile.rules import active_rules, lower_rules
from connectome2net.compile.storage import choose_storage
from connectome2net.errors import CompileError
from connectome2net.spec import Spec, digest_document
from connectome2net.spec.network import FrontEnd, Network, Selector
from connectome2net.spec.select import CONDITIONS, population_cells, resolve


def lower(spec: Spec) -> tuple[Program, Arrays]:
    """Return the program of a spec and its arrays, by name.

    Raises:
        CompileError: pooling leaves nothing of the image.
    """
    network = spec.network
    layout = lay_out(network, population_cells(spec))
    blocks, arrays = _blocks(spec, layout)
    layers, channels, height, width = lower_front_end(network.front_end)
    place, input_arrays = _input(spec, layout, channels, height, width)
    readout, readout_arrays = _readout(network, layout)
    learning: Any = network.learning and network.learning.model_dump(exclude={"why", "reference"})
    dynamics, cell_arrays = lower_dynamics(spec, layout)
    arrays |= input_arrays | readout_arrays | cell_arrays | {"cell_index": layout.cell_index}
    program = Program(
        name=network.name,
        origin=origin_of(spec),
        height=network.front_end.height,
        width=network.front_end.width,
        populations=tuple(
            Population(
                name=item.name,
                cells=len(layout.members[item.name]),
                selected=_words(item.select),
                rules=active_rules(item, network),
            )
            for item in network.populations
        ),
        groups=tuple(
            Group(name=name, populations=names, cells=layout.cells(name)) for name, names in layout.groups.items()
        ),
        blocks=blocks,
        front_end=layers,
        input=place,
        phases=_phases(network, layout, blocks),
        dynamics=dynamics,
        readout=readout,
        rules=lower_rules(network),
        learning=learning,
        arrays={name: Array(dtype=str(array.dtype), shape=array.shape) for name, array in sorted(arrays.items())},
    )
    return program, arrays


def origin_of(spec: Spec) -> Origin:
    """Return what a program says of the spec that it comes from."""
    anatomy = spec.anatomy
    return Origin(
        spec=spec.name,
        spec_sha256=digest_document(spec.document),
        dataset=anatomy.dataset,
        materialization=anatomy.materialization,
        synthetic=anatomy.synthetic,
        citation=spec.document.provenance.citation,
        control=tuple(f"{item.name}, seed {item.seed}: {item.text}" for item in spec.document.provenance.transforms),
    )


def _words(selector: Selector) -> str:
    parts = [", ".join(getattr(selector, name)) for name in CONDITIONS if getattr(selector, name) is not None]
    return "; ".join(parts) or "every cell"


def _blocks(spec: Spec, layout: Layout) -> tuple[tuple[Block, ...], Arrays]:
    blocks: list[Block] = []
    arrays: Arrays = {}
    taken = {projection.name for projection in spec.network.projections}
    for projection in spec.network.projections:
        parts = block_arrays(spec, projection, layout)
        for (pre, post), (part, synapses) in parts.items():
            name = projection.name
            if len(parts) > 1:
                name = free_name(f"{projection.name}_{pre}_{post}", projection.name, taken)
            taken.add(name)
            edges = len(part["anatomy"])
            arrays |= {f"{name}.{key}": value for key, value in part.items()}
            blocks.append(
                Block(
                    name=name,
                    projection=projection.name,
                    pre=pre,
                    post=post,
                    sign="positive" if projection.synapse == "electrical" else projection.sign,
                    edges=edges,
                    synapses=synapses,
                    storage=choose_storage(edges=edges, pre=layout.cells(pre), post=layout.cells(post)),
                    delay_steps=projection.delay_steps,
                    rules=active_rules(projection, spec.network),
                )
            )
    return tuple(blocks), arrays


def lower_front_end(front_end: FrontEnd) -> tuple[tuple[Layer, ...], int, int, int]:
    """Return the layers and the channels, height and width of the feature map that leaves them.

    Raises:
        CompileError: pooling leaves nothing of the image.
    """
    layers: list[Layer] = [Adaptation()] if front_end.adaptation else []
    channels, height, width = 1, front_end.height, front_end.width
    for at, block in enumerate(front_end.blocks):
        inhibition = block.lateral_inhibition
        layers.append(
            Convolution(
                in_channels=channels,
                out_channels=block.channels,
                kernel=block.kernel,
                pool=block.pool,
                norm=block.norm,
                surround=inhibition.surround if inhibition else 0,
                inhibition=inhibition.strength if inhibition else 0.0,
            )
        )
        channels, height, width = block.channels, height // block.pool, width // block.pool
        if min(height, width) < 1:
            raise CompileError(
                "the feature map shrinks to nothing",
                where=f"/network/front_end/blocks/{at}/pool",
                found=block.pool,
                wanted="at least one place left",
                fix="pool less, or use larger images",
            )
    if attention := front_end.attention:
        layers.append(Attention(channels=channels, reduction=attention.reduction, kernel=attention.kernel))
    if front_end.dropout:
        layers.append(FeatureDropout(p=front_end.dropout))
    return tuple(layers), channels, height, width


def _input(spec: Spec, layout: Layout, channels: int, height: int, width: int) -> tuple[Input, Arrays]:
    place = spec.network.input
    group = layout.group_of[place.population]
    start = layout.start_of[place.population]
    cells = len(layout.members[place.population])
    rows: Any = {"cells": cells, "rows_before": start, "rows_after": layout.cells(group) - start - cells}
    if place.kind == "dense":
        return DenseInput(group=group, features=channels * height * width, **rows), {}
    where = retinotopic_places(spec, layout.members[place.population], height=height, width=width, place=place.place)
    seen = RetinotopicInput(group=group, channels=channels, neighbourhood=place.neighbourhood, **rows)
    return seen, {"input.place": where}


def _readout(network: Network, layout: Layout) -> tuple[Readout, Arrays]:
    populations = resolve(network.readout.populations, network)
    groups = tuple(dict.fromkeys(layout.group_of[name] for name in populations))
    unit = layout.rows_in(groups, populations)
    readout = Readout(
        groups=groups,
        populations=populations,
        cells=len(unit),
        classes=network.readout.classes,
        dropout=network.readout.dropout,
    )
    return readout, {"readout.unit": unit}


def _phases(network: Network, layout: Layout, blocks: tuple[Block, ...]) -> tuple[Phase, ...]:
    phases = []
    for phase in network.schedule:
        updated = list(dict.fromkeys(layout.group_of[name] for name in resolve(phase.populations, network)))
        varies = {block.name for block in blocks if block.pre in updated or block.delay_steps}
        drives = []
        for group in updated:
            onto = [block for block in blocks if block.post == group and block.sign != "positive"]
            junctions = tuple(block.name for block in blocks if block.post == group and block.sign == "positive")
            drives.append(
                Drive(
                    group=group,
                    input=group == layout.group_of[network.input.population],
                    constant=tuple(block.name for block in onto if block.name not in varies),
                    recurrent=tuple(block.name for block in onto if block.name in varies),
                    junctions=junctions,
                )
            )
        how = phase.model_dump(include={"steps", "tolerance", "checkpoint"})
        phases.append(Phase(drives=tuple(drives), **how))
    return tuple(phases)
