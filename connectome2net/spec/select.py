"""Selectors applied to cells: which cells a population holds.

Enters: a cells table and selectors. Leaves: cell indices.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TypeVar

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from connectome2net.spec.model import Spec
from connectome2net.spec.network import Network, Selector

Value = TypeVar("Value")

CONDITIONS = ("cell_type", "lamina", "ei_class")


def select(cells: pa.Table, selector: Selector) -> npt.NDArray[np.int32]:
    """Return the indices, ascending, of the cells that fit every condition of a selector."""
    chosen = np.ones(cells.num_rows, dtype=bool)
    for name in CONDITIONS:
        words = getattr(selector, name)
        if words is not None:
            chosen &= pc.is_in(cells.column(name), pa.array(words, pa.string())).to_numpy()
    return np.flatnonzero(chosen).astype(np.int32)


def population_cells(spec: Spec) -> dict[str, npt.NDArray[np.int32]]:
    """Return the cell indices of each population, in the order of the spec."""
    return {population.name: select(spec.cells, population.select) for population in spec.network.populations}


def resolve(names: Sequence[str], network: Network) -> tuple[str, ...]:
    """Return population names with ``*`` written out, in the order of the spec."""
    every = tuple(population.name for population in network.populations)
    return every if "*" in names else tuple(names)


def of_each(values: Mapping[str, Value], network: Network) -> dict[str, Value]:
    """Return the value of each population that is named, or that ``*`` stands for."""
    names = [population.name for population in network.populations]
    return {name: values[name if name in values else "*"] for name in names if name in values or "*" in values}


def projection_cells(
    spec: Spec, members: dict[str, npt.NDArray[np.int32]]
) -> dict[str, tuple[npt.NDArray[np.bool_], npt.NDArray[np.bool_]]]:
    """Return for each projection two masks over all cells: who may be presynaptic, who postsynaptic."""
    masks = {}
    for projection in spec.network.projections:
        ends = []
        for names in (projection.pre, projection.post):
            mask = np.zeros(spec.cells.num_rows, dtype=bool)
            for name in resolve(names, spec.network):
                mask[members[name]] = True
            ends.append(mask)
        masks[projection.name] = (ends[0], ends[1])
    return masks
