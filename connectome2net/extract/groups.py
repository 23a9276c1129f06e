"""Cells that become one population each: by type, or by lamina.

Enters: a cells table. Leaves: groups, each with the selector that holds for its cells and for no other's. Cells whose
class tells no sign are in none, unless signs are free.
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
from connectome2net.spec.network import Selector
from connectome2net.spec.tables import LAMINAE, values

Signs = Literal["dale", "free"]
Mask = npt.NDArray[np.bool_]

MOST = 24
"""So many populations can be read at a glance; further types are pooled by class."""

FEWEST = 4
"""Rates are normed over the cells of a population, so that a population of one or two says next to nothing."""

UNTYPED = ("", "unknown")
LETTERS = {"excitatory": "E", "inhibitory": "I", "unknown": "U"}
LONGEST_NAME = 24


@dataclass(frozen=True)
class Group:
    """Cells that become one population.

    Attributes:
        name: of the population.
        select: what holds for these cells and for no others.
        cells: their indices, ascending.
        why: why they are together.
    """

    name: str
    select: Selector
    cells: npt.NDArray[np.int64]
    why: str = ""


def groups_of_types(cells: pa.Table, input_types: tuple[str, ...] = (), *, signs: Signs = "dale") -> list[Group]:
    """Return the named input, if any, then types from the largest, then small types pooled by class.

    Raises:
        ExtractError: no cell has a usable class, or there is no such type.
    """
    cell_type, ei_class = values(cells, "cell_type"), values(cells, "ei_class")
    first, rest = _input_first(cells, input_types, signs=signs)
    found = Counter(zip(cell_type[rest], ei_class[rest], strict=True))
    ranked = sorted(found, key=lambda kind: (-found[kind], kind))
    room = MOST - len(first) - len({word for _, word in found})
    alone = [kind for kind in ranked if kind[0] not in UNTYPED and found[kind] >= FEWEST][:room]
    groups = []
    for name, word in alone:
        members = np.flatnonzero(rest & (cell_type == name) & (ei_class == word))
        groups.append(Group(f"{LETTERS[word]}_{name}", Selector(cell_type=(name,), ei_class=(word,)), members))
    for word, letter in LETTERS.items():
        types = tuple(sorted(name for name, its in found if its == word and (name, its) not in alone))
        if not types:
            continue
        members = np.flatnonzero(rest & np.isin(cell_type, types) & (ei_class == word))
        whole = len(members) == int((ei_class == word).sum())
        select = Selector(cell_type=None if whole else types, ei_class=(word,))
        groups.append(Group(letter, select, members, _why_pooled(types, word, alone)))
    return _with_names([*first, *groups])


def groups_of_laminae(cells: pa.Table, input_types: tuple[str, ...] = (), *, signs: Signs = "dale") -> list[Group]:
    """Return the named input, if any, then excitatory cells by lamina, then inhibitory ones of all laminae.

    Raises:
        ExtractError: no cell has a usable class, or there is no such type.
    """
    cell_type, ei_class, lamina = (values(cells, name) for name in ("cell_type", "ei_class", "lamina"))
    first, rest = _input_first(cells, input_types, signs=signs)
    excitatory = Counter(lamina[rest & (ei_class == "excitatory")])
    large = [word for word in LAMINAE[:-1] if excitatory[word] >= FEWEST]
    small = tuple(word for word in LAMINAE if excitatory[word] and word not in large)
    parts: list[tuple[str, str, tuple[str, ...], str]] = [
        (f"{word.replace('/', '')}E", "excitatory", (word,), "") for word in large
    ]
    if small:
        parts.append(("E", "excitatory", small, "Excitatory cells of unknown lamina, or of one with few of them."))
    parts += [(LETTERS[word], word, LAMINAE, "") for word in ("inhibitory", "unknown")]
    groups = []
    for name, word, laminae, why in parts:
        members = np.flatnonzero(rest & (ei_class == word) & np.isin(lamina, laminae))
        if len(members):
            types = tuple(sorted(set(cell_type[members]))) if first else None
            where = laminae if laminae != LAMINAE else None
            groups.append(Group(name, Selector(cell_type=types, lamina=where, ei_class=(word,)), members, why))
    return _with_names([*first, *groups])


def _input_first(cells: pa.Table, patterns: tuple[str, ...], *, signs: Signs) -> tuple[list[Group], Mask]:
    """Return the group that is named for the image, if any, and a mask of all other usable cells."""
    cell_type, ei_class = values(cells, "cell_type"), values(cells, "ei_class")
    usable = np.isin(ei_class, [word for word in LETTERS if word != "unknown" or signs == "free"])
    if not usable.any():
        raise ExtractError(
            "no cell has a known class",
            where="the cells",
            found=", ".join(f"{word} ({times:,})" for word, times in sorted(Counter(ei_class).items())) or "no cell",
            wanted="excitatory or inhibitory cells, because a weight has the sign of its presynaptic cell",
            fix="say in the mapping what types or other_class are, or take --signs free",
        )
    if not patterns:
        return [], usable
    known = sorted(set(cell_type[usable]))
    for pattern in patterns:
        if not any(fnmatchcase(name, pattern) for name in known):
            raise ExtractError(
                "there is no such type among the cells of known class",
                where="input of [network] in the mapping",
                found=pattern,
                wanted=", ".join(name for name in known if name not in UNTYPED) or "nothing: no cell has a type",
            )
    types = tuple(name for name in known if any(fnmatchcase(name, pattern) for pattern in patterns))
    chosen = usable & np.isin(cell_type, types)
    select = Selector(cell_type=types, ei_class=tuple(sorted(set(ei_class[chosen]))))
    name = f"In_{types[0]}" if len(types) == 1 else "Input"
    why = "The cells that the mapping names for the image."
    return [Group(name, select, np.flatnonzero(chosen), why)], usable & ~chosen


def _why_pooled(types: tuple[str, ...], word: str, alone: list[tuple[str, str]]) -> str:
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
