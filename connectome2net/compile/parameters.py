"""How many numbers each part of a network learns, without building it.

Enters: a ``Program``. Leaves: counts.
"""

from __future__ import annotations

from typing import Any

from connectome2net.compile.program import Layer, Program, Reservoir


def count_parameters(program: Program) -> dict[str, int]:
    """Return the number of trainable parameters of each part: those that ``load`` will report."""
    given: Any = program.input.arguments
    seen = given["features"] if program.input.kind == "DenseInput" else given["channels"] * given["neighbourhood"] ** 2
    counts = {"front_end": sum(_layer(layer) for layer in program.front_end), "input": given["cells"] * seen}
    counts |= {f"cells_{group.name}": program.dynamics.learned_per_cell * group.cells for group in program.groups}
    counts |= {f"W_{block.name}": block.edges for block in program.blocks}
    counts |= {"readout": (program.readout.cells + 1) * program.readout.classes}
    if isinstance(program.learning, Reservoir):
        counts = {"readout": counts["readout"]}
    return {name: count for name, count in counts.items() if count}


def _layer(layer: Layer) -> int:
    given: Any = layer.arguments
    if layer.kind == "Convolution":
        filters = given["in_channels"] * given["out_channels"] * given["kernel"] ** 2
        return filters + given["out_channels"] * (2 if given.get("norm") == "group" else 1)
    if layer.kind == "Attention":
        hidden = max(1, given["channels"] // given["reduction"])
        of_channel = given["channels"] * hidden + hidden + hidden * given["channels"] + given["channels"]
        return of_channel + 2 * given["kernel"] ** 2 + 1
    return 0
