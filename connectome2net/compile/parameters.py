"""How many numbers each part of a network learns, without building it.

Enters: a ``Program``, or a conventional network. Leaves: counts.
"""

from __future__ import annotations

from typing import Any, Final

from connectome2net.compile.conventional import Conventional, Dense
from connectome2net.compile.front_end import Attention, Convolution, DenseInput
from connectome2net.compile.program import Program, Reservoir

MOST_DRAWN: Final = 2**29
"""The most numbers that ``load`` draws for a network that is not trusted: 2 GiB of them, and as much for gradients."""


def count_parameters(program: Program | Conventional) -> dict[str, int]:
    """Return the number of trainable parameters of each part: those that ``load`` will report."""
    counts = count_drawn(program)
    return {"readout": counts["readout"]} if isinstance(program.learning, Reservoir) else counts


def count_drawn(program: Program | Conventional) -> dict[str, int]:
    """Return the number of numbers of each part that ``load`` draws, whether they are trained or not."""
    if isinstance(program, Conventional):
        return _conventional(program)
    given = program.input
    seen = given.features if isinstance(given, DenseInput) else given.channels * given.neighbourhood**2
    counts = {"front_end": sum(_layer(layer) for layer in program.front_end), "input": given.cells * seen}
    for group in program.groups:
        learned = program.dynamics.learned(cells=group.cells, populations=len(group.populations))
        counts[f"cells_{group.name}"] = learned
    counts |= {f"W_{block.name}": block.edges for block in program.blocks}
    counts |= {"readout": (program.readout.cells + 1) * program.readout.classes}
    return {name: count for name, count in counts.items() if count}


def _conventional(network: Conventional) -> dict[str, int]:
    readout = (network.readout.features + 1) * network.readout.classes
    layers = {"front_end": network.front_end, "core": (*network.convolutions, *network.dense)}
    counts = {name: sum(map(_layer, part)) for name, part in layers.items()} | {"readout": readout}
    return {name: count for name, count in counts.items() if count}


def _layer(layer: Any) -> int:
    if isinstance(layer, Dense):
        return (layer.features + 3) * layer.units
    if isinstance(layer, Convolution):
        filters = layer.in_channels * layer.out_channels * layer.kernel**2
        return filters + layer.out_channels * (2 if layer.norm == "group" else 1)
    if isinstance(layer, Attention):
        hidden = max(1, layer.channels // layer.reduction)
        of_channel = layer.channels * hidden + hidden + hidden * layer.channels + layer.channels
        return of_channel + 2 * layer.kernel**2 + 1
    return 0
