"""Which parts of a network are on together: two-level factorial designs.

Enters: the names of the parts (factors). Leaves: runs, each with the factors that are on.

A fraction of the 2^k combinations is chosen by generators: the level of an added factor is the product of the levels
(-1, +1) of some basic ones. Products of factors that are constant over the design are the words of its defining
relation, and the length of the shortest is its resolution: in IV main effects are confused with no interaction of two
factors, in V interactions of two not with each other either (Box, Hunter and Hunter, Statistics for Experimenters,
2nd edition 2005, chapter 6; Montgomery, Design and Analysis of Experiments, 8th edition 2013, chapter 8).

For twelve parts resolution V and more costs 256 runs for each seed. Half as many are nearly as good: the design with
the fewest words of four letters (minimum aberration, Fries and Hunter 1980, Technometrics 22, 601) has one such word,
so that 60 of the 66 interactions of two stand alone and six share three estimates: those among the third, fourth,
eleventh and twelfth part, where the four belong whose interactions matter least. It is the default. A quick look takes
32 runs: main effects stand alone there, interactions are sums of several. What the runs that there are cannot tell
apart, ``effects`` says.
"""

# Axes: R runs, F factors.

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from connectome2net.errors import ExperimentError

MOST_FACTORS = 12

GENERATORS = {
    32: ("ABC", "ABD", "ACD", "BCD", "ACE", "BCE", "CDE"),
    64: ("ABC", "ABDE", "ABF", "ACDF", "ACEF", "BCDEF"),
    128: ("ABCE", "ABCDF", "ABDG", "AEFG", "ACDEFG"),
    256: ("BCDEF", "ABCDG", "ABCEH", "ABFGH"),
}
"""For each number of runs, the products that make the added factors, in terms of the basic ones A, B, C, ..."""


def factorial(factors: Sequence[str], *, runs: int = 128) -> list[dict[str, bool]]:
    """Return the runs of a two-level design: for each, which factors are on.

    All combinations if there are no more than ``runs`` of them; else a fraction, of resolution IV or more. In the last
    run every factor is on.

    Args:
        factors: names of 1 to 12 factors.
        runs: the most runs: 32, 64, 128 or 256.

    Raises:
        ExperimentError: there are too many factors, one is named twice, or no design has such a number of runs.
    """
    names = tuple(factors)
    if not 1 <= len(names) <= MOST_FACTORS or len(set(names)) < len(names):
        wanted = f"1 to {MOST_FACTORS} different factors"
        raise ExperimentError("these are not factors of a design", found=", ".join(names) or "none", wanted=wanted)
    if runs not in GENERATORS:
        wanted = ", ".join(map(str, GENERATORS))
        raise ExperimentError("there is no design with so many runs", where="runs", found=runs, wanted=wanted)
    basic = min(len(names), runs.bit_length() - 1)
    added = GENERATORS[runs][: len(names) - basic]
    sign_RF = 1 - 2 * (np.arange(2**basic)[::-1, None] >> np.arange(basic) & 1)
    columns = [sign_RF[:, [ord(letter) - ord("A") for letter in word]].prod(1) for word in added]
    sign_RF = np.column_stack([sign_RF, *columns])
    return [dict(zip(names, row, strict=True)) for row in (sign_RF > 0).tolist()]
