"""Main effects and interactions of a factorial experiment.

Enters: runs, each with the levels of its factors, its seed and a number. Leaves: what each factor, and each two of
them, add to the number.

Ordinary least squares with the levels as -1 and +1, their products, and one constant for each seed (seeds are blocks).
Intervals are about these seeds: all runs of one share its split and its order of images, and how an effect differs
between seeds is not told apart from chance within a seed.
An effect is the mean of the runs where a factor is on, less that where it is off; an interaction is half the difference
between the effects of one factor with the other on and off. Box, Hunter and Hunter, Statistics for Experimenters, 2nd
edition 2005, chapter 5.
"""

# Axes: R runs, C columns.

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from connectome2net.experiment.statistics import CONFIDENCE, correct


@dataclass(frozen=True)
class Observation:
    """One finished run.

    Attributes:
        levels: which factors are on.
        seed: its block.
        value: what was measured.
    """

    levels: dict[str, bool]
    seed: int
    value: float


@dataclass(frozen=True)
class Effect:
    """What a factor, or two of them together, do.

    Attributes:
        term: one factor or two.
        aliases: other terms that these runs cannot tell from it: the effect is that of all of them together, some
            perhaps with the sign reversed.
        effect: in units of what was measured.
        low: lower end of the 95 % interval; None where no run is left to tell the error from.
        high: its upper end.
        p: two-sided; None likewise.
        p_corrected: after Holm over all effects.
    """

    term: tuple[str, ...]
    aliases: tuple[tuple[str, ...], ...]
    effect: float
    low: float | None
    high: float | None
    p: float | None
    p_corrected: float | None


def effects(runs: Sequence[Observation]) -> list[Effect]:
    """Return main effects and interactions of two factors.

    Args:
        runs: finished runs, all with the same factors.

    Returns:
        Main effects first. Empty where the runs do not determine all terms: too few have finished, or a factor was
        never changed.
    """
    if not runs:
        return []
    terms, aliases, column_RC = _columns(runs)
    seeds = np.array([run.seed for run in runs])
    block_RC = (seeds[:, None] == np.unique(seeds)).astype(np.float64)
    matrix_RC = np.column_stack([column_RC, block_RC])
    value_R = np.array([run.value for run in runs], dtype=np.float64)
    if np.linalg.matrix_rank(matrix_RC) < matrix_RC.shape[1]:
        return []
    inverse_CC = np.linalg.inv(matrix_RC.T @ matrix_RC)
    beta_C = inverse_CC @ matrix_RC.T @ value_R
    freedom = len(runs) - matrix_RC.shape[1]
    residual = float(((value_R - matrix_RC @ beta_C) ** 2).sum())
    # What rounding leaves of a perfect fit is no error to judge an effect by.
    exact = residual <= 1e-24 * float((value_R**2).sum())
    error_C = None if freedom < 1 or exact else np.sqrt(residual / freedom * np.diag(inverse_CC))
    found = [
        _effect(terms[at], aliases[at], beta_C[at], None if error_C is None else error_C[at], freedom)
        for at in range(len(terms))
    ]
    corrected = correct([p for *_, p in found])
    return [Effect(*values, p_corrected=p) for values, p in zip(found, corrected, strict=True)]


def _effect(
    term: tuple[str, ...], aliases: tuple[tuple[str, ...], ...], beta: float, error: float | None, freedom: int
) -> tuple[tuple[str, ...], tuple[tuple[str, ...], ...], float, float | None, float | None, float | None]:
    # From -1 to +1 are two steps.
    effect = 2 * float(beta)
    if error is None:
        return term, aliases, effect, None, None, None
    half = 2 * float(stats.t.ppf((1 + CONFIDENCE) / 2, freedom) * error)
    p = 2 * float(stats.t.sf(abs(beta) / error, freedom))
    return term, aliases, effect, effect - half, effect + half, p


Terms = list[tuple[str, ...]]


def _columns(runs: Sequence[Observation]) -> tuple[Terms, list[tuple[tuple[str, ...], ...]], NDArray[np.float64]]:
    """Return the terms that differ, the aliases of each, and their columns of -1 and +1."""
    sign = {name: np.array([1.0 if run.levels[name] else -1.0 for run in runs]) for name in runs[0].levels}
    columns: dict[tuple[str, ...], NDArray[np.float64]] = {(name,): column for name, column in sign.items()}
    columns |= {(a, b): sign[a] * sign[b] for a, b in combinations(sign, 2)}
    of: dict[bytes, Terms] = {}
    for term, column in columns.items():
        # Columns that differ by their sign alone are aliases too.
        of.setdefault((column * column[0]).tobytes(), []).append(term)
    terms = [group[0] for group in of.values()]
    return terms, [tuple(group[1:]) for group in of.values()], np.column_stack([columns[term] for term in terms])
