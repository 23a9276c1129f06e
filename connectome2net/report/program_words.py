"""What a program says, in words for its diagram.

Enters: program.json. Leaves: lines of text.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

TIMES: Final = "\N{MULTIPLICATION SIGN}"
MOST_LINES: Final = 12
SIGNS: Final = {"dale": "signs by Dale's law", "free": "free signs", "positive": "positive"}
CELLS: Final = {
    "RateCells": "rate cells",
    "LifCells": "leaky integrate-and-fire cells",
    "IzhikevichCells": "Izhikevich cells",
    "ConductanceCells": "graded cells with conductances",
    "ElmCells": "Expressive Leaky Memory cells",
}


def front_end_lines(program: dict[str, Any]) -> list[str]:
    """Say what each layer of the front end does."""
    return [_layer(layer) for layer in program.get("front_end", ())] or ["none: the image itself"]


def core_lines(program: dict[str, Any]) -> list[str]:
    """Say what a conventional reference has instead of a column."""
    layers = [_layer(layer) for layer in (*program.get("convolutions", ()), *program.get("dense", ()))]
    return layers or ["none: the readout sees the feature map itself"]


def _layer(layer: dict[str, Any]) -> str:
    kind = layer.get("kind", "layer")
    if kind == "Convolution":
        norm = ", group norm" if layer.get("norm") == "group" else ""
        lateral = ", lateral inhibition" if layer.get("surround") else ""
        pool = f", pool {layer['pool']}" if layer.get("pool", 1) > 1 else ""
        kernel = f"{layer['kernel']} {TIMES} {layer['kernel']}"
        return f"convolution {kernel}, {layer['out_channels']} channels{norm}{lateral}{pool}"
    if kind == "Dense":
        return f"dense, {layer['units']:,} units, layer norm, ReLU"
    if kind == "Adaptation":
        return "adaptation: mean 0, deviation 1"
    if kind == "Attention":
        return f"attention to channels and places, {layer['kernel']} {TIMES} {layer['kernel']}"
    if kind == "Dropout":
        return f"dropout {layer['p']:g}"
    rest = ", ".join(f"{name.replace('_', ' ')} {value}" for name, value in layer.items() if name != "kind")
    return f"{kind.lower()}: {rest}" if rest else kind.lower()


def input_lines(program: dict[str, Any]) -> list[str]:
    """Say which cells see what of the feature map."""
    given = program["input"]
    if given["kind"] == "RetinotopicInput":
        places = f"{given['neighbourhood']} {TIMES} {given['neighbourhood']} places of {given['channels']} channels"
        return [f"retinotopic: each of {given['cells']:,} cells sees {places}"]
    return [f"dense: each of {given['cells']:,} cells sees all {given['features']:,} features"]


def sign_words(block: dict[str, Any]) -> str:
    """Say how the signs of a block are fixed, and its delay."""
    words = SIGNS.get(block["sign"], str(block["sign"]))
    delay = f", delay {block['delay_steps']}" if block.get("delay_steps") else ""
    return words + delay


def phase_lines(program: dict[str, Any]) -> list[str]:
    """Say what each phase updates, for how long, and from what."""
    lines = []
    for at, phase in enumerate(program["phases"], 1):
        drives = "; ".join(_drive(drive) for drive in phase["drives"])
        steps = phase["steps"]
        until = f" at most, until nothing moves by {phase['tolerance']:g}" if phase.get("tolerance") else ""
        lines.append(f"{at}. {steps} step{'s' * (steps != 1)}{until}: {drives}")
    rest = len(lines) - MOST_LINES
    return lines if rest <= 0 else [*lines[:MOST_LINES], f"and {rest} more phases"]


def _drive(drive: dict[str, Any]) -> str:
    held = [f"{name} held" for name in drive["constant"]]
    sources = [*(["image"] if drive["input"] else []), *held, *drive["recurrent"], *drive["junctions"]]
    return f"{drive['group']} from {', '.join(sources) or 'nothing'}"


def readout_lines(program: dict[str, Any]) -> list[str]:
    """Say what the classes are read from."""
    readout = program.get("readout", {})
    classes = f"{readout.get('classes', '?')} classes"
    dropout = f", dropout {readout['dropout']:g}" if readout.get("dropout") else ""
    if populations := readout.get("populations"):
        return [f"linear, from {readout['cells']:,} cells of {', '.join(populations)} to {classes}{dropout}"]
    if features := readout.get("features"):
        return [f"linear, from {features:,} features to {classes}{dropout}"]
    return [f"linear, to {classes}{dropout}"]


def cell_lines(program: dict[str, Any]) -> Iterator[str]:
    """Say what kind of cells these are."""
    if dynamics := program.get("dynamics"):
        numbers = ", ".join(f"{name.replace('_', ' ')} {value}" for name, value in dynamics["arguments"].items())
        yield CELLS.get(dynamics["kind"], dynamics["kind"]) + (f": {numbers}" if numbers else "")


def learning_lines(program: dict[str, Any]) -> Iterator[str]:
    """Say how the network learns, and which rules run beside that."""
    learning = program.get("learning")
    steps = " through all steps" if program.get("groups") else ""
    yield f"learning: {learning['kind'].replace('_', ' ') if learning else f'backpropagation{steps}'}"
    for rule in program.get("rules", ()):
        numbers = ", ".join(f"{name.replace('_', ' ')} {value}" for name, value in rule["arguments"].items())
        yield f"rule {rule['name']}: {rule['kind']}" + (f", {numbers}" if numbers else "")
