"""A network for cells without laminae: populations by type and class.

Enters: cells and edges of a spec. Leaves: ``Network``: front end and dynamics of the preset ``column``, all edges in
one projection; what the program chose, because nobody told, is said beside it.
"""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass, replace
from fnmatch import fnmatchcase
from typing import Literal

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from connectome2net.errors import ExtractError
from connectome2net.spec import load_preset
from connectome2net.spec.network import (
    DenseInput,
    Network,
    Phase,
    Population,
    Projection,
    Readout,
    RetinotopicInput,
    Selector,
)
from connectome2net.spec.tables import edge_index, values

MOST = 24
"""So many populations can be read at a glance; further types are pooled by class."""

FEWEST = 4
"""Rates are normed over the cells of a population, so that a population of one or two says next to nothing."""

UNTYPED = ("", "unknown")
LETTERS = {"excitatory": "E", "inhibitory": "I", "unknown": "U"}
LONGEST_NAME = 24


@dataclass(frozen=True)
class Group:
    """Cells that become one population: some types of one class, or of any if ``ei_class`` is None."""

    name: str
    types: tuple[str, ...]
    ei_class: str | None
    cells: npt.NDArray[np.int64]
    why: str = ""


def network_of_types(
    cells: pa.Table,
    edges: pa.Table,
    *,
    input_types: tuple[str, ...] = (),
    signs: Literal["dale", "free"] = "dale",
) -> Network:
    """Return a network whose populations are the cell types.

    Args:
        cells: ``CELLS_SCHEMA``.
        edges: ``EDGES_SCHEMA``.
        input_types: types, or patterns of them, of the cells that the image drives; none: the program chooses.
        signs: with ``dale`` cells of unknown class are in no population, because their sign is not known.

    Raises:
        ExtractError: no cell has a known class, no type of that name, or nothing is connected.
    """
    groups = _groups(cells, input_types, signs=signs)
    arrows = _arrows(groups, cells.num_rows, edges)
    at = 0 if input_types else _best_input(groups, arrows)
    distance = _distances(arrows, at)
    preset = load_preset("column")
    steps = max(preset.schedule[0].steps, int(distance.max()) + 1)
    lonely = any(len(group.cells) == 1 for group in groups)
    quiet = {"norm": "none", "why": "A population has one cell, and a norm over one cell leaves nothing of its drive."}
    return Network(
        name="types",
        why=_why(groups, cells),
        populations=tuple(
            Population(name=group.name, why=group.why, select=_selector(group, cells)) for group in groups
        ),
        projections=(_projection(preset, signs=signs),),
        front_end=preset.front_end,
        input=_input(groups[at], cells, named=bool(input_types)),
        dynamics=preset.dynamics.model_copy(update=quiet) if lonely else preset.dynamics,
        schedule=(
            Phase(
                populations=("*",),
                steps=steps,
                why=f"Synchronous steps: one for the image, {int(distance.max())} to the furthest population, the rest "
                "to settle.",
            ),
        ),
        readout=_readout(groups, distance, at, classes=preset.readout.classes),
    )


def _why(groups: list[Group], cells: pa.Table) -> str:
    outside = cells.num_rows - sum(len(group.cells) for group in groups)
    why = "Cells have no laminae here, so that a population is a cell type of one class, or several small ones."
    left_out = f"Of {cells.num_rows:,} cells {outside:,} are in no population, because their class tells no sign."
    return f"{why} {left_out}" if outside else why


def _groups(cells: pa.Table, input_types: tuple[str, ...], *, signs: str) -> list[Group]:
    """Return the groups: the input if it is named, then types from the largest, then the pools of small types."""
    cell_type, ei_class = values(cells, "cell_type"), values(cells, "ei_class")
    usable = np.isin(ei_class, [word for word in LETTERS if word != "unknown" or signs == "free"])
    if not usable.any():
        raise ExtractError(
            "No cell has a known class",
            where="the cells",
            found=", ".join(f"{word} ({times:,})" for word, times in sorted(Counter(ei_class).items())) or "no cell",
            wanted="excitatory or inhibitory cells, because a weight has the sign of its presynaptic cell",
            fix="say in the mapping what types or other_class are, or take --signs free",
        )
    groups: list[Group] = []
    if input_types:
        groups.append(_named(cell_type, usable, input_types))
        usable = usable.copy()
        usable[groups[0].cells] = False
    found = Counter(zip(cell_type[usable], ei_class[usable], strict=True))
    ranked = sorted(found, key=lambda kind: (-found[kind], kind))
    room = MOST - len(groups) - len({word for _, word in found})
    alone = [kind for kind in ranked if kind[0] not in UNTYPED and found[kind] >= FEWEST][:room]
    for name, word in alone:
        members = np.flatnonzero(usable & (cell_type == name) & (ei_class == word))
        groups.append(Group(f"{LETTERS[word]}_{name}", (name,), word, members))
    for word, letter in LETTERS.items():
        types = sorted(name for name, its in found if its == word and (name, its) not in alone)
        members = np.flatnonzero(usable & np.isin(cell_type, types) & (ei_class == word))
        if len(members):
            groups.append(Group(letter, tuple(types), word, members, _why_pooled(types, word, alone)))
    return _with_names(groups)


def _named(cell_type: npt.NDArray[np.object_], usable: npt.NDArray[np.bool_], patterns: tuple[str, ...]) -> Group:
    known = sorted(set(cell_type[usable]))
    types = tuple(name for name in known if any(fnmatchcase(name, pattern) for pattern in patterns))
    for pattern in patterns:
        if not any(fnmatchcase(name, pattern) for name in known):
            raise ExtractError(
                "There is no such type among the cells of known class",
                where="input of [network] in the mapping",
                found=pattern,
                wanted=", ".join(name for name in known if name not in UNTYPED) or "nothing: no cell has a type",
            )
    members = np.flatnonzero(usable & np.isin(cell_type, types))
    why = "The cells that the mapping names for the image."
    return Group(f"In_{types[0]}" if len(types) == 1 else "Input", types, None, members, why)


def _why_pooled(types: list[str], word: str, alone: list[tuple[str, str]]) -> str:
    if not any(its == word for _, its in alone):
        return f"All {word} cells, because they have no type or each type has few."
    return f"{len(types):,} {'types' if len(types) > 1 else 'type'} of fewer cells, and {word} cells without a type."


def _with_names(groups: list[Group]) -> list[Group]:
    """Return the groups under names that a network can have, each of its own."""
    taken: set[str] = set()
    renamed = []
    for group in groups:
        plain = re.sub(r"[^A-Za-z0-9]+", "_", group.name).strip("_")[:LONGEST_NAME]
        name, number = plain, 2
        while name in taken:
            name, number = f"{plain[: LONGEST_NAME - 1 - len(str(number))]}_{number}", number + 1
        taken.add(name)
        renamed.append(replace(group, name=name))
    return renamed


def _selector(group: Group, cells: pa.Table) -> Selector:
    """Return the conditions that hold for the cells of a group and for no other cell of a population."""
    ei_class = values(cells, "ei_class")
    words = sorted(set(ei_class[group.cells]))
    whole_class = group.name in LETTERS.values() and len(group.cells) == int(np.isin(ei_class, words).sum())
    return Selector(cell_type=None if whole_class else group.types, ei_class=tuple(words))


def _arrows(groups: list[Group], cells: int, edges: pa.Table) -> npt.NDArray[np.bool_]:
    """Return (pre, post), whether an edge leads from one group to another."""
    number = np.full(cells, len(groups))
    for at, group in enumerate(groups):
        number[group.cells] = at
    pre, post = edge_index(edges)
    arrows = np.zeros((len(groups) + 1,) * 2, dtype=bool)
    arrows[number[pre], number[post]] = True
    if not arrows[:-1, :-1].any():
        raise ExtractError(
            "No edge connects cells of known class",
            where="the edges",
            found=f"{len(pre):,} edges",
            wanted="at least one",
        )
    return arrows[:-1, :-1]


def _best_input(groups: list[Group], arrows: npt.NDArray[np.bool_]) -> int:
    """Return an excitatory group that reaches others: the one whose activity reaches most cells, or the largest."""
    sizes = np.array([len(group.cells) for group in groups])

    def rank(at: int) -> tuple[bool, bool, int, int, int]:
        reached = _distances(arrows, at) >= 0
        excitatory = groups[at].ei_class == "excitatory"
        return int(reached.sum()) > 1, excitatory, int(sizes[reached].sum()), int(sizes[at]), -at

    return max(range(len(groups)), key=rank)


def _distances(arrows: npt.NDArray[np.bool_], start: int) -> npt.NDArray[np.int64]:
    """Return the number of projections to each group; -1 where none leads there."""
    distance = np.full(len(arrows), -1)
    distance[start] = 0
    front = np.array([start])
    while len(front):
        reached = np.flatnonzero(arrows[front].any(axis=0) & (distance < 0))
        distance[reached] = distance[front[0]] + 1
        front = reached
    return distance


def _projection(preset: Network, *, signs: Literal["dale", "free"]) -> Projection:
    why = {
        "dale": preset.projections[0].why,
        "free": "Signs are free by request. All edges between the populations, each cell's inputs adding up to 1.",
    }
    return preset.projections[0].model_copy(update={"sign": signs, "why": why[signs]})


def _input(group: Group, cells: pa.Table, *, named: bool) -> RetinotopicInput | DenseInput:
    chosen = "" if named else "Nobody told which cells see the image: from these activity reaches most cells. "
    place = np.stack([values(cells, f"soma_{axis}_nm")[group.cells] for axis in "xz"])
    if np.isnan(place.astype(np.float64)).any():
        return DenseInput(
            kind="dense", population=group.name, why=f"{chosen}Not all of them have a position, so each sees all."
        )
    return RetinotopicInput(
        kind="retinotopic",
        population=group.name,
        why=f"{chosen}Neighbouring cells see neighbouring places, by the ranks of their x and z.",
    )


def _readout(groups: list[Group], distance: npt.NDArray[np.int64], at: int, *, classes: int) -> Readout:
    reached = tuple(group.name for group, steps in zip(groups, distance, strict=True) if steps > 0)
    if reached:
        why = "All populations that activity reaches, but not the one that the image drives."
        return Readout(populations=reached, classes=classes, why=why)
    why = "Activity reaches no other population than the one that the image drives."
    return Readout(populations=(groups[at].name,), classes=classes, bypass=True, why=why)
