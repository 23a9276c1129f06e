"""A network for cells of any connectome: populations by type, or by lamina where there are laminae.

Enters: cells and edges of a spec. Leaves: ``Network``: front end and dynamics of the preset ``column``, all edges in
one projection; what the program chose, because nobody told, is said beside it.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from connectome2net.errors import ExtractError
from connectome2net.extract.groups import Group, Signs, groups_of_laminae, groups_of_types
from connectome2net.spec import load_preset
from connectome2net.spec.network import (
    DenseInput,
    Network,
    Phase,
    Population,
    Projection,
    Readout,
    RetinotopicInput,
)
from connectome2net.spec.tables import edge_index, values


def network_of_types(
    cells: pa.Table, edges: pa.Table, *, input_types: tuple[str, ...] = (), signs: Signs = "dale"
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
    why = "A population is a cell type of one class, or several small types; laminae play no part."
    groups = groups_of_types(cells, input_types, signs=signs)
    return _network("types", groups, cells, edges, why=why, named=bool(input_types), signs=signs)


def network_of_laminae(
    cells: pa.Table, edges: pa.Table, *, input_types: tuple[str, ...] = (), signs: Signs = "dale"
) -> Network:
    """Return a network whose populations are the excitatory cells of each lamina, and the inhibitory cells.

    Args:
        cells: ``CELLS_SCHEMA``.
        edges: ``EDGES_SCHEMA``.
        input_types: types, or patterns of them, of the cells that the image drives; none: excitatory cells of L4.
        signs: with ``dale`` cells of unknown class are in no population, because their sign is not known.

    Raises:
        ExtractError: no cell has a known class, no type of that name, or nothing is connected.
    """
    why = "Excitatory cells by lamina, whatever their types are called; inhibitory cells together."
    groups = groups_of_laminae(cells, input_types, signs=signs)
    return _network("laminae", groups, cells, edges, why=why, named=bool(input_types), signs=signs)


def _network(
    name: str, groups: list[Group], cells: pa.Table, edges: pa.Table, *, why: str, named: bool, signs: Signs
) -> Network:
    """Return the network of some groups; the first is the input if it is named."""
    arrows = _arrows(groups, cells.num_rows, edges)
    at, chosen = (0, "") if named else _choose_input(groups, arrows)
    distance = _distances(arrows, at)
    preset = load_preset("column")
    steps, furthest = preset.schedule[0].steps, int(distance.max())
    lonely = any(len(group.cells) == 1 for group in groups)
    quiet = {"norm": "none", "why": "A population has one cell, and a norm over one cell leaves nothing of its drive."}
    return Network(
        name=name,
        why=_of_all(why, groups, cells),
        populations=tuple(Population(name=group.name, why=group.why, select=group.select) for group in groups),
        projections=(_projection(preset, signs=signs),),
        front_end=preset.front_end,
        input=_input(groups[at], cells, why=chosen),
        dynamics=preset.dynamics.model_copy(update=quiet) if lonely else preset.dynamics,
        schedule=(
            Phase(
                populations=("*",),
                steps=max(steps, furthest + 1),
                why=f"Synchronous steps: one for the image, {furthest} to the furthest population, the rest to settle.",
            ),
        ),
        readout=_readout(groups, distance, at, classes=preset.readout.classes),
    )


def _of_all(why: str, groups: list[Group], cells: pa.Table) -> str:
    outside = cells.num_rows - sum(len(group.cells) for group in groups)
    left_out = f"Of {cells.num_rows:,} cells {outside:,} are in no population, because their class tells no sign."
    return f"{why} {left_out}" if outside else why


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
            "no edge connects cells of known class",
            where="the edges",
            found=f"{len(pre):,} edges",
            wanted="at least one",
        )
    return arrows[:-1, :-1]


def _choose_input(groups: list[Group], arrows: npt.NDArray[np.bool_]) -> tuple[int, str]:
    """Return L4, or the excitatory group from which activity reaches most cells, or the largest; and why."""
    sizes = np.array([len(group.cells) for group in groups])

    def rank(at: int) -> tuple[bool, bool, bool, int, int, int]:
        reached, select = _distances(arrows, at) >= 0, groups[at].select
        excitatory = select.ei_class == ("excitatory",)
        return (
            int(reached.sum()) > 1,
            excitatory and select.lamina == ("L4",),
            excitatory,
            int(sizes[reached].sum()),
            int(sizes[at]),
            -at,
        )

    best = max(range(len(groups)), key=rank)
    if groups[best].select.lamina == ("L4",):
        return best, "Nobody told which cells see the image: L4 is where thalamus ends. "
    return best, "Nobody told which cells see the image: from these activity reaches most cells. "


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


def _projection(preset: Network, *, signs: Signs) -> Projection:
    why = {
        "dale": preset.projections[0].why,
        "free": "Signs are free by request. All edges between the populations, each cell's inputs adding up to 1.",
    }
    return preset.projections[0].model_copy(update={"sign": signs, "why": why[signs]})


def _input(group: Group, cells: pa.Table, *, why: str) -> RetinotopicInput | DenseInput:
    place = np.stack([values(cells, f"soma_{axis}_nm")[group.cells] for axis in "xz"])
    if np.isnan(place.astype(np.float64)).any():
        return DenseInput(
            kind="dense", population=group.name, why=f"{why}Not all of them have a position, so each sees all."
        )
    return RetinotopicInput(
        kind="retinotopic",
        population=group.name,
        why=f"{why}Neighbouring cells see neighbouring places, by the ranks of their x and z.",
    )


def _readout(groups: list[Group], distance: npt.NDArray[np.int64], at: int, *, classes: int) -> Readout:
    reached = tuple(group.name for group, steps in zip(groups, distance, strict=True) if steps > 0)
    if reached:
        why = "All populations that activity reaches, but not the one that the image drives."
        return Readout(populations=reached, classes=classes, why=why)
    why = "Activity reaches no other population than the one that the image drives."
    return Readout(populations=(groups[at].name,), classes=classes, bypass=True, why=why)
