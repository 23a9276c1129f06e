"""Where each cell lies among the tensors of a compiled network.

Enters: a loaded network. Leaves: for each population and each cell, a group and a row of its states.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from torch import Tensor, nn

from connectome2net.errors import InsideError

Index = npt.NDArray[np.int64]
Cells = str | Sequence[str] | Sequence[int] | npt.NDArray[Any]


@dataclass(frozen=True)
class Layout:
    """Where each cell of a network lies.

    A *unit* is a cell of the network, counted through all groups, one group after the other.

    Attributes:
        cell_index: (units,) the row of each unit in the cells table of the spec.
        groups: first and last unit + 1 of each group, whose states are one tensor.
        populations: first and last unit + 1 of each population.
        group_of: the group of each population.
    """

    cell_index: Index
    groups: dict[str, tuple[int, int]]
    populations: dict[str, tuple[int, int]]
    group_of: dict[str, str]

    def rows(self, population: str) -> slice:
        """Return the rows of a population in the states of its group."""
        start, end = self.populations[population]
        first = self.groups[self.group_of[population]][0]
        return slice(start - first, end - first)

    def part(self, population: str, variable: str, value: Tensor) -> Tensor:
        """Return the part of a variable of a group's state that is a population's."""
        axis, rows = cell_axis(variable), self.rows(population)
        return value.narrow(axis, rows.start, rows.stop - rows.start)

    def names(self, populations: str | Iterable[str] | None) -> tuple[str, ...]:
        """Return the names of the populations that are asked for; None stands for all.

        Raises:
            InsideError: there is no such population.
        """
        names = tuple(self.populations) if populations is None else _names(populations)
        _check_known("population", names, self.populations)
        return names

    def units(self, cells: Cells) -> Index:
        """Return the unit of each cell, in the order asked for.

        Args:
            cells: rows of the cells table of the spec (``cell_index``), or names of populations.

        Raises:
            InsideError: a cell or a population is not of this network, or is named twice.
        """
        self.check_cells()
        asked: Any = [cells] if isinstance(cells, str) else list(cells)
        if asked and all(isinstance(name, str) for name in asked):
            parts = [np.arange(*self.populations[name]) for name in self.names(asked)]
            return _once(np.concatenate(parts), self.cell_index)
        index = np.asarray(asked)
        if index.size and (index.ndim != 1 or index.dtype.kind not in "iu"):
            raise InsideError(
                "these are no cells",
                found=f"{index.dtype} of shape {index.shape}",
                wanted="a list of cell_index (rows of the cells table), or names of populations",
                fix="numpy.flatnonzero(mask) turns a mask over the cells table into cell_index",
            )
        index = index.astype(np.int64)
        order = np.argsort(self.cell_index, kind="stable")
        place = np.searchsorted(self.cell_index, index, sorter=order)
        unit = order[np.minimum(place, len(order) - 1)]
        unknown = self.cell_index[unit] != index
        if unknown.any():
            known = f"{len(self.cell_index):,} cells with cell_index from {self.cell_index.min()} to"
            raise InsideError(
                "these cells are not of this network",
                found=_few(index[unknown]),
                wanted=f"{known} {self.cell_index.max()}, in the populations {', '.join(self.populations)}",
                fix="model.cell_index lists them; cells in no population of the spec are no units",
            )
        return _once(unit, self.cell_index)

    def check_cells(self) -> None:
        """Refuse a network without cells.

        Raises:
            InsideError: this is a conventional reference.
        """
        if not len(self.cell_index):
            found, wanted = "a conventional reference", "a network that was compiled from a connectome"
            raise InsideError("there are no cells in this network", found=found, wanted=wanted)

    def by_group(self, units: Index) -> dict[str, tuple[Index, Index]]:
        """Return, for each group that has some of the units, their rows in it and their places among the units."""
        found = {}
        for group, (start, end) in self.groups.items():
            places = np.flatnonzero((units >= start) & (units < end))
            if len(places):
                found[group] = (units[places] - start, places)
        return found


def layout_of(model: nn.Module) -> Layout:
    """Return where the cells of a compiled network lie.

    Raises:
        InsideError: this is no network that ``load`` returned.
    """
    program, cell_index = getattr(model, "program", None), getattr(model, "cell_index", None)
    if program is None or cell_index is None:
        raise InsideError(
            "this is no compiled network", found=type(model).__name__, wanted="what connectome2net.load returns"
        )
    sizes = {population.name: population.cells for population in program.populations}
    groups, populations, group_of = {}, {}, {}
    start = 0
    for group in program.groups:
        groups[group.name] = (start, start + group.cells)
        for name in group.populations:
            populations[name] = (start, start + sizes[name])
            group_of[name] = group.name
            start += sizes[name]
    in_order = {population.name: populations[population.name] for population in program.populations}
    return Layout(np.asarray(cell_index, dtype=np.int64), groups, in_order, group_of)


def cell_axis(variable: str) -> int:
    """Return which axis of a variable of a state counts cells: its name ends in its axes, and N are cells."""
    return variable.rpartition("_")[2].index("N")


def cells_of(model: nn.Module, group: str) -> nn.Module:
    """Return the module of the cells of a group."""
    cells: nn.Module = getattr(model, f"cells_{group}")
    return cells


def _names(populations: str | Iterable[str]) -> tuple[str, ...]:
    return (populations,) if isinstance(populations, str) else tuple(populations)


def _check_known(what: str, names: Iterable[str], known: Collection[str]) -> None:
    if unknown := [name for name in names if name not in known]:
        raise InsideError(f"no such {what}", found=", ".join(map(str, unknown)), wanted=", ".join(known))


def _once(units: Index, cell_index: Index) -> Index:
    values, counts = np.unique(units, return_counts=True)
    if (counts > 1).any():
        raise InsideError("cells are named twice", found=_few(cell_index[values[counts > 1]]), wanted="each cell once")
    return units


def _few(numbers: Index) -> str:
    more = f" and {len(numbers) - 5:,} more" if len(numbers) > 5 else ""
    return ", ".join(map(str, numbers[:5])) + more
