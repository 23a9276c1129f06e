"""Which populations share a tensor of rates, and where each cell lies in it.

Enters: the network section and the cells of each population. Leaves: a ``Layout``.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from itertools import count

import numpy as np
import numpy.typing as npt

from connectome2net.spec.network import Network
from connectome2net.spec.select import resolve

Index = npt.NDArray[np.int32]

LONGEST_NAME = 24
"""Names that are put together are at most as long as those of the spec."""


@dataclass(frozen=True)
class Layout:
    """Where each cell lies.

    Attributes:
        members: cell indices of each population.
        groups: populations of each group, in order.
        group_of: the group of each population.
        start_of: the row of a population's first cell in its group.
    """

    members: dict[str, Index]
    groups: dict[str, tuple[str, ...]]
    group_of: dict[str, str]
    start_of: dict[str, int]

    def cells(self, group: str) -> int:
        """Return the number of cells of a group."""
        return sum(len(self.members[name]) for name in self.groups[group])

    @property
    def cell_index(self) -> Index:
        """The cell index of each unit, groups one after the other."""
        return np.concatenate([self.members[name] for names in self.groups.values() for name in names])

    def rows_in(self, groups: Sequence[str], populations: Sequence[str]) -> Index:
        """Return the rows of some populations in the concatenated rates of some groups."""
        start, rows = 0, []
        for group in groups:
            for name in self.groups[group]:
                size = len(self.members[name])
                if name in populations:
                    rows.append(np.arange(start, start + size, dtype=np.int32))
                start += size
        return np.concatenate(rows)


def free_name(wanted: str, short: str, taken: Collection[str]) -> str:
    """Return the wanted name, or a numbered short one where it is too long or taken."""
    if len(wanted) <= LONGEST_NAME and wanted not in taken:
        return wanted
    return next(name for number in count(1) if (name := f"{short}_{number}") not in taken)


def lay_out(network: Network, members: dict[str, Index]) -> Layout:
    """Return the layout of a network: populations that appear in the same phases form a group."""
    phases = [set(resolve(phase.populations, network)) for phase in network.schedule]
    signatures: dict[tuple[int, ...], list[str]] = {}
    for population in network.populations:
        signature = tuple(at for at, names in enumerate(phases) if population.name in names)
        signatures.setdefault(signature, []).append(population.name)
    every = {population.name for population in network.populations}
    groups: dict[str, tuple[str, ...]] = {}
    for _, names in sorted(signatures.items()):
        wanted = names[0] if len(names) == 1 else "all" if len(signatures) == 1 else "_".join(names)
        taken = every.difference(names[:1]) | groups.keys()
        groups[free_name(wanted, "group", taken)] = tuple(names)
    group_of, start_of = {}, {}
    for group, populations in groups.items():
        start = 0
        for name in populations:
            group_of[name], start_of[name] = group, start
            start += len(members[name])
    return Layout(members, groups, group_of, start_of)
