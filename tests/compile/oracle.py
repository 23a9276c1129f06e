"""The network that a spec describes, slow, dense and in numpy: what a compiled model must equal.

Written from the words of the spec alone. It sees no program, no layout and no sparse matrix: rates are one vector
over all cells of the column, and every projection is a full matrix ``W[post, pre]`` over all cells. What is measured
is rounded to float32, as it is stored; everything else is float64.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
import oracle_cells

from connectome2net.spec import Spec

Array = np.ndarray[Any, np.dtype[np.float64]]


@dataclass
class Learned:
    """Everything that a network learns, in the words of the spec; cells are counted as in the cells table."""

    blocks: list[dict[str, Array]] = field(default_factory=list)  # filter (out, in, side, side); bias; scale, shift
    attention: dict[str, Array] = field(default_factory=dict)
    seen: Array = field(default_factory=lambda: np.zeros(0))  # (driven cells, features)
    strength: dict[str, Array] = field(default_factory=dict)  # per projection, (cells, cells)
    own: dict[str, Array] = field(default_factory=dict)  # numbers of the cells by name, (cells, ...)
    readout: Array = field(default_factory=lambda: np.zeros(0))  # (classes, cells)
    bias: Array = field(default_factory=lambda: np.zeros(0))  # (classes,)


def column(spec: Spec, name: str) -> Array:
    return np.array(spec.cells[name].to_pylist())


def cells_of(spec: Spec, select: Any) -> list[int]:
    rows = spec.cells.to_pylist()
    wanted = {name: getattr(select, name) for name in ("cell_type", "lamina", "ei_class")}
    fits = [all(words is None or row[name] in words for name, words in wanted.items()) for row in rows]
    return [at for at, fit in enumerate(fits) if fit]


def members(spec: Spec) -> dict[str, list[int]]:
    return {population.name: cells_of(spec, population.select) for population in spec.network.populations}


def resolved(spec: Spec, names: Any) -> list[str]:
    return [item.name for item in spec.network.populations if "*" in names or item.name in names]


def anatomy(spec: Spec, projection: Any) -> Array:
    """Sign and normalised anatomy of a projection, (cells, cells); 0 where there is no edge."""
    cells = spec.cells.num_rows
    of = members(spec)
    may_send = {cell for name in resolved(spec, projection.pre) for cell in of[name]}
    may_receive = {cell for name in resolved(spec, projection.post) for cell in of[name]}
    measured = np.zeros((cells, cells))
    for edge in spec.edges.to_pylist():
        if edge["pre_index"] in may_send and edge["post_index"] in may_receive:
            value = {"binary": 1, "synapse_count": edge["synapse_count"], "total_size": edge["total_size_vx"]}
            value["mean_size"] = (edge["total_size_vx"] or 0) / edge["synapse_count"]
            measured[edge["post_index"], edge["pre_index"]] = value[projection.anatomy]
    if projection.normalise != "none":
        total = measured.sum(1) if projection.normalise == "sum" else np.sqrt((measured**2).sum(1))
        measured = measured / np.where(total == 0, 1, total)[:, None]
    if projection.sign == "dale" and projection.synapse == "chemical":
        measured = measured * np.where(column(spec, "ei_class") == "excitatory", 1, -1)
    return single(measured)


def single(measured: Array) -> Array:
    return measured.astype(np.float32).astype(np.float64)


def patches(feature: Array, side: int) -> Array:
    """(B, C, H, W) -> (B, C, H, W, side, side), zeros outside the map."""
    half = side // 2
    padded = np.pad(feature, ((0, 0), (0, 0), (half, half), (half, half)))
    return np.lib.stride_tricks.sliding_window_view(padded, (side, side), axis=(2, 3))


def group_norm(feature: Array, scale: Array, shift: Array) -> Array:
    channels = feature.shape[1]
    groups = max(count for count in range(1, max(1, channels // 8) + 1) if channels % count == 0)
    parts = [
        (part - part.mean((1, 2, 3), keepdims=True)) / np.sqrt(part.var((1, 2, 3), keepdims=True) + 1e-5)
        for part in np.split(feature, groups, axis=1)
    ]
    return np.concatenate(parts, axis=1) * scale[:, None, None] + shift[:, None, None]


def inhibit(feature: Array, side: int, strength: float) -> Array:
    around = patches(feature, side).sum((-1, -2)) / patches(np.ones_like(feature), side).sum((-1, -2))
    return np.maximum(feature - strength * around, 0)


def pool(feature: Array, side: int) -> Array:
    height, width = feature.shape[2] // side, feature.shape[3] // side
    cut = feature[:, :, : height * side, : width * side]
    return cut.reshape(*feature.shape[:2], height, side, width, side).max((3, 5))


def sigmoid(x: Array) -> Array:
    return 1 / (1 + np.exp(-x))


def attend(feature: Array, learned: dict[str, Array]) -> Array:
    def hidden(x: Array) -> Array:
        return np.maximum(x @ learned["in"].T + learned["in_bias"], 0) @ learned["out"].T + learned["out_bias"]

    feature = feature * sigmoid(hidden(feature.mean((2, 3))) + hidden(feature.max((2, 3))))[:, :, None, None]
    summary = np.stack([feature.mean(1), feature.max(1)], axis=1)
    seen = np.einsum("bchwij,ocij->bohw", patches(summary, learned["filter"].shape[-1]), learned["filter"])
    return feature * sigmoid(seen + learned["filter_bias"][:, None, None])


def front_end(spec: Spec, learned: Learned, image: Array) -> Array:
    form = spec.network.front_end
    feature = image
    if form.adaptation:
        feature = feature - feature.mean((1, 2, 3), keepdims=True)
        feature = feature / np.sqrt((feature**2).mean((1, 2, 3), keepdims=True) + 1e-6)
    for block, weights in zip(form.blocks, learned.blocks, strict=True):
        feature = np.einsum("bchwij,ocij->bohw", patches(feature, block.kernel), weights["filter"], optimize=True)
        if block.norm == "group":
            feature = group_norm(feature, weights["scale"], weights["shift"])
        else:
            feature = feature + weights["bias"][:, None, None]
        feature = np.maximum(feature, 0)
        if block.lateral_inhibition is not None:
            feature = inhibit(feature, block.lateral_inhibition.surround, block.lateral_inhibition.strength)
        feature = pool(feature, block.pool)
    return attend(feature, learned.attention) if form.attention else feature


def places(spec: Spec, cells: list[int], height: int, width: int) -> list[tuple[int, int]]:
    """The row and column of the feature map that each cell looks at."""

    def spread(values: list[float], count: int) -> list[int]:
        if spec.network.input.place == "rank":
            order = sorted(range(len(values)), key=lambda at: (values[at], at))
            fractions = {cell: (rank + 0.5) / len(values) for rank, cell in enumerate(order)}
        else:
            low, high = min(values), max(values)
            fractions = {at: (value - low) / (high - low or 1.0) for at, value in enumerate(values)}
        return [min(int(fractions[at] * count), count - 1) for at in range(len(values))]

    x, z = ([float(column(spec, f"soma_{axis}_nm")[cell]) for cell in cells] for axis in "xz")
    return list(zip(spread(z, height), spread(x, width), strict=True))


def image_drive(spec: Spec, learned: Learned, feature: Array) -> Array:
    """The drive that the image causes, (cells, B)."""
    form = spec.network.input
    cells = members(spec)[form.population]
    drive = np.zeros((spec.cells.num_rows, len(feature)))
    if form.kind == "dense":
        drive[cells] = learned.seen @ feature.reshape(len(feature), -1).T
        return drive
    around = patches(feature, form.neighbourhood)
    for at, (row, left) in enumerate(places(spec, cells, *feature.shape[2:])):
        drive[cells[at]] = around[:, :, row, left].reshape(len(feature), -1) @ learned.seen[at]
    return drive


@dataclass
class Part:
    """The cells of one population."""

    name: str
    cells: list[int]
    own: dict[str, Array]
    gain: Array
    inhibitory: bool


def populations(spec: Spec, learned: Learned) -> dict[str, Part]:
    inhibitory, factor, found = column(spec, "ei_class") == "inhibitory", gain(spec), {}
    for name, cells in members(spec).items():
        own = {key: value[cells] for key, value in learned.own.items()}
        found[name] = Part(name, cells, own, factor[cells], bool(inhibitory[cells].all()))
    return found


def rest(spec: Spec, parts_of: dict[str, Part], batch: int) -> dict[str, Array]:
    """The state of all cells before the first step."""
    state: dict[str, Array] = {}
    for part in parts_of.values():
        form = spec.network.dynamics
        resting = oracle_cells.rest(form, part.own, part.gain, part.name, batch, part.inhibitory)
        for key, value in resting.items():
            state.setdefault(key, np.zeros((spec.cells.num_rows, *value.shape[1:])))[part.cells] = value
    return state


def step(spec: Spec, updated: list[Part], drive: Array, junction: Any, state: dict[str, Array]) -> dict[str, Array]:
    """One synchronous step of the populations that are updated."""
    new = {name: value.copy() for name, value in state.items()}
    for part in updated:
        changed = oracle_cells.step(
            spec.network.dynamics,
            part.own,
            part.gain,
            part.name,
            drive[..., part.cells, :],
            None if junction is None else [value[part.cells] for value in junction],
            {key: value[part.cells] for key, value in state.items()},
            part.inhibitory,
        )
        for key, value in changed.items():
            new[key][part.cells] = value
    return new


def gain(spec: Spec) -> Array:
    """The factor of graded inhibition, (cells, 1)."""
    return np.ones((spec.cells.num_rows, 1)) if spec.network.inhibition is None else inhibition(spec)[:, None]


def inhibition(spec: Spec) -> Array:
    form = spec.network.inhibition
    senders = set(cells_of(spec, form.presynaptic))
    units = [cell for cells in members(spec).values() for cell in cells]
    count = np.zeros(spec.cells.num_rows)
    for edge in spec.edges.to_pylist():
        if edge["pre_index"] in senders:
            count[edge["post_index"]] += edge["synapse_count"] if form.count == "synapses" else 1
    return single(1 - form.strength * count / max(count[units].max(), 1))


def forward(spec: Spec, learned: Learned, image: Array) -> Array:
    """Logits (B, K) of images (B, 1, H, W), in evaluation mode."""
    network = spec.network
    seen = image_drive(spec, learned, front_end(spec, learned, image))
    weights = {item.name: anatomy(spec, item) * learned.strength[item.name] for item in network.projections}
    split = network.dynamics.model in ("conductance", "elm")
    of = populations(spec, learned)
    state = rest(spec, of, len(image))
    past = [state["rate"]]
    for phase in network.schedule:
        updated = [of[name] for name in resolved(spec, phase.populations)]
        for _ in range(phase.steps):
            drive = parts(seen) if split else seen
            junction = None
            for item in network.projections:
                if item.synapse == "electrical":
                    g = weights[item.name]
                    through = np.stack([np.tile(g.sum(1)[:, None], len(image)), g @ state["v"]])
                    junction = through if junction is None else junction + through
                    continue
                matrix = parts(weights[item.name]) if split else weights[item.name]
                drive = drive + matrix @ past[max(0, len(past) - 1 - item.delay_steps)]
            before, state = state, step(spec, updated, drive, junction, state)
            past.append(state["rate"])
            change = max(np.abs(state[name] - before[name]).max() for name in state)
            if phase.tolerance is not None and change <= phase.tolerance:
                break
    return (learned.readout @ state["read"]).T + learned.bias


def parts(values: Array) -> Array:
    """The positive and the negative part, (2, ...)."""
    return np.stack([np.maximum(values, 0), np.maximum(-values, 0)])


def learned_by(model: Any, spec: Spec) -> Learned:
    """What a compiled model has learned, in the words of the spec."""
    import torch

    of, cells = members(spec), spec.cells.num_rows
    state = {name: value.detach().double().numpy() for name, value in model.named_parameters()}
    learned = Learned(seen=state["input.weight_NF"], bias=state["readout.linear.bias"])
    rows = {group.name: np.concatenate([of[name] for name in group.populations]) for group in model.program.groups}
    for group in model.program.groups:
        for key in (name.removeprefix(f"cells_{group.name}.") for name in state if name.startswith("cells_")):
            if (value := state.get(f"cells_{group.name}.{key}")) is not None:
                if key.endswith("_P"):
                    value = np.repeat(value, [len(of[name]) for name in group.populations])
                learned.own.setdefault(key, np.zeros((cells, *value.shape[1:])))[rows[group.name]] = value
    for block in model.program.blocks:
        matrix = model.get_submodule(f"W_{block.name}")
        with torch.no_grad():
            strength = matrix.strength_E().double().numpy()
        post = rows[block.post][np.repeat(np.arange(len(rows[block.post])), np.diff(matrix.post_start.numpy()))]
        dense = learned.strength.setdefault(block.projection, np.zeros((cells, cells)))
        dense[post, rows[block.pre][matrix.pre_index.numpy()]] = strength
    read = [cell for name in model.program.readout.groups for cell in rows[name]]
    chosen = {cell for name in resolved(spec, spec.network.readout.populations) for cell in of[name]}
    learned.readout = np.zeros((len(learned.bias), cells))
    learned.readout[:, [cell for cell in read if cell in chosen]] = state["readout.linear.weight"]
    first = int(spec.network.front_end.adaptation)
    for at, block in enumerate(spec.network.front_end.blocks, start=first):
        names = {"filter": "convolution.weight"}
        names |= (
            {"scale": "norm.weight", "shift": "norm.bias"} if block.norm == "group" else {"bias": "convolution.bias"}
        )
        learned.blocks.append({name: state[f"front_end.{at}.{key}"] for name, key in names.items()})
    if spec.network.front_end.attention:
        at = first + len(spec.network.front_end.blocks)
        names = {"in": "channel.0.weight", "in_bias": "channel.0.bias", "out": "channel.2.weight"}
        names |= {"out_bias": "channel.2.bias", "filter": "spatial.weight", "filter_bias": "spatial.bias"}
        learned.attention = {name: state[f"front_end.{at}.{key}"] for name, key in names.items()}
    return learned
