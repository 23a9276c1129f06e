"""Which parts of a network are on together: two-level factorial designs.

Enters: the names of the parts (factors). Leaves: rows of levels, and what such a design confuses with what.

A fraction of the 2^k combinations is chosen by generators: the level of an added factor is the product of the levels
(-1, +1) of some basic ones. Products of factors that are constant over the design are the words of its defining
relation, and the length of the shortest is its resolution: in IV main effects are confused with no interaction of two
factors, in V interactions of two not with each other either (Box, Hunter and Hunter, Statistics for Experimenters,
2nd edition 2005, chapter 6; Montgomery, Design and Analysis of Experiments, 8th edition 2013, chapter 8).

For twelve parts resolution V and more costs 256 runs for each seed. Half as many are nearly as good: the design with
the fewest words of four letters (minimum aberration, Fries and Hunter 1980, Technometrics 22, 601) has one such word,
so that 60 of the 66 interactions of two stand alone and six share three estimates. It is the default; put the four
parts whose interactions matter least at the places that ``Design.words`` names. A quick look takes 32 runs: main
effects stand alone there, interactions are sums of several.
"""

# Axes: R runs, F factors.

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np
from numpy.typing import NDArray

from connectome2net.errors import ExperimentError

MOST_FACTORS = 12

GENERATORS = {
    32: ("ABC", "ABD", "ACD", "BCD", "ACE", "BCE", "CDE"),
    64: ("ABC", "ABDE", "ABF", "ACDF", "ACEF", "BCDEF"),
    128: ("ABCE", "ABCDF", "ABDG", "AEFG", "ACDEFG"),
    256: ("BCDEF", "ABCDG", "ABCEH", "ABFGH"),
}
"""For each number of runs, the products that make the added factors, in terms of the basic ones A, B, C, ..."""


@dataclass(frozen=True, eq=False)
class Design:
    """Combinations of factors.

    Attributes:
        factors: their names, F of them.
        on_RF: True where a factor is on.
        words: products of factors that are the same in all runs: the defining relation; none in a full factorial.
    """

    factors: tuple[str, ...]
    on_RF: NDArray[np.bool_]
    words: tuple[tuple[str, ...], ...]

    @property
    def resolution(self) -> int | None:
        """Return the length of the shortest word; None if all combinations are there."""
        return min(map(len, self.words), default=None)

    def levels(self) -> list[dict[str, bool]]:
        """Return, for each run, which factors are on."""
        return [dict(zip(self.factors, map(bool, row), strict=True)) for row in self.on_RF]

    def aliases(self) -> list[list[tuple[str, str]]]:
        """Return the groups of interactions of two factors that the design cannot tell from each other."""
        pairs = list(combinations(self.factors, 2))
        words = {frozenset(word) for word in self.words}
        groups: list[list[tuple[str, str]]] = []
        for pair in pairs:
            home = next((group for group in groups if frozenset(group[0]) ^ frozenset(pair) in words), None)
            groups.append([pair]) if home is None else home.append(pair)
        return [group for group in groups if len(group) > 1]


def factorial(factors: Sequence[str], *, runs: int = 128) -> Design:
    """Return a two-level design.

    All combinations if there are no more than ``runs`` of them; else a fraction, of resolution IV or more. The last
    row has every factor on.

    Args:
        factors: names of 1 to 12 factors.
        runs: the most runs: 32, 64, 128 or 256.

    Raises:
        ExperimentError: there are too many factors, one is named twice, or no design has such a number of runs.
    """
    names = tuple(factors)
    if not 1 <= len(names) <= MOST_FACTORS or len(set(names)) < len(names):
        wanted = f"1 to {MOST_FACTORS} different factors"
        raise ExperimentError("these are no factors of a design", found=", ".join(names) or "none", wanted=wanted)
    if runs not in GENERATORS:
        wanted = ", ".join(map(str, GENERATORS))
        raise ExperimentError("there is no design with so many runs", where="runs", found=runs, wanted=wanted)
    basic = min(len(names), runs.bit_length() - 1)
    added = GENERATORS[runs][: len(names) - basic]
    sign_RF = 1 - 2 * (np.arange(2**basic)[::-1, None] >> np.arange(basic) & 1)
    columns = [sign_RF[:, [ord(letter) - ord("A") for letter in word]].prod(1) for word in added]
    sign_RF = np.column_stack([sign_RF, *columns])
    return Design(names, sign_RF > 0, _words(names, basic, added))


def _words(names: tuple[str, ...], basic: int, added: tuple[str, ...]) -> tuple[tuple[str, ...], ...]:
    """Return the defining relation: every product of the words that the generators make, shortest first."""
    single = [frozenset([*(ord(letter) - ord("A") for letter in word), basic + at]) for at, word in enumerate(added)]
    words: set[frozenset[int]] = {frozenset()}
    for word in single:
        words |= {word ^ other for other in words}
    ordered = sorted((sorted(word) for word in words if word), key=lambda word: (len(word), word))
    return tuple(tuple(names[at] for at in word) for word in ordered)
