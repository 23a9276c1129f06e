"""Numbers of several runs -> how sure one may be of a difference.

Enters: one number for each seed and variant, and which test images were answered right. Leaves: means with intervals,
differences paired by seed, and what could have been seen.

Two kinds of chance are kept apart. The t interval over seeds is about training again, on the same test images. The
bootstrap over images is about other test images, for the networks as they were trained.
"""

# Axes: S seeds, N images, R resamples, M values.

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import optimize, stats
from scipy.special import gammaln

CONFIDENCE = 0.95
POWER = 0.8
ENOUGH_SEEDS = 10
"""Fewer than these make a result preliminary."""

Values = Mapping[int, float]
"""One number for each seed."""

Answers = NDArray[np.bool_] | NDArray[np.int64]
"""Which images were answered right, for each seed; of a gap, a difference of two such."""


@dataclass(frozen=True)
class Estimate:
    """A mean over seeds.

    Attributes:
        n: numbers.
        mean: their mean; None if there are none.
        sd: their standard deviation (n - 1); None for one number.
        low: lower end of the 95 % t interval; None for one number, or if all are equal: then nothing tells how much
            another one would differ.
        high: its upper end.
    """

    n: int
    mean: float | None
    sd: float | None
    low: float | None
    high: float | None


def estimate(values: Sequence[float] | NDArray[np.float64]) -> Estimate:
    """Return mean, standard deviation and 95 % t interval of numbers that are one per seed."""
    value_S = np.asarray(values, dtype=np.float64)
    count = len(value_S)
    if not count:
        return Estimate(0, None, None, None, None)
    # What rounding leaves between equal differences is no variance.
    equal = bool(np.ptp(value_S) <= 1e-12 * np.abs(value_S).max())
    mean = float(value_S[0] if equal else value_S.mean())
    if count == 1:
        return Estimate(1, mean, None, None, None)
    if equal:
        return Estimate(count, mean, 0.0, None, None)
    sd = float(value_S.std(ddof=1))
    half = float(stats.t.ppf((1 + CONFIDENCE) / 2, count - 1)) * sd / count**0.5
    return Estimate(count, mean, sd, mean - half, mean + half)


@dataclass(frozen=True)
class Difference:
    """A variant less the reference, paired by seed.

    Attributes:
        seeds: those that both have; only these are compared.
        unpaired: seeds that one of them lacks.
        of: mean, standard deviation and 95 % t interval of the differences.
        effect_size: Cohen's d_z, the mean of the differences over their standard deviation, times the correction for
            few pairs J(n - 1); None for fewer than three pairs or equal differences.
            Lakens 2013, doi 10.3389/fpsyg.2013.00863; J: Hedges 1981, doi 10.3102/10769986006002107.
        p: of the two-sided paired t test; None for fewer than two pairs, or equal differences.
    """

    seeds: tuple[int, ...]
    unpaired: tuple[int, ...]
    of: Estimate
    effect_size: float | None
    p: float | None

    def detectable(self, comparisons: int) -> float | None:
        """Return what ``detectable_difference`` says; None where there is no test."""
        if self.p is None or self.of.sd is None:
            return None
        return detectable_difference(self.of.sd, self.of.n, comparisons=comparisons)


def compare(variant: Values, reference: Values) -> Difference:
    """Return how much a variant differs from the reference, paired by seed.

    Args:
        variant: one number for each seed.
        reference: likewise; the seeds need not be the same.
    """
    seeds = tuple(sorted(variant.keys() & reference.keys()))
    unpaired = tuple(sorted(variant.keys() ^ reference.keys()))
    of = estimate([variant[seed] - reference[seed] for seed in seeds])
    if not (of.n > 1 and of.mean is not None and of.sd):
        return Difference(seeds, unpaired, of, None, None)
    p = 2 * float(stats.t.sf(abs(of.mean) / (of.sd / of.n**0.5), of.n - 1))
    effect = of.mean / of.sd * few_pairs_correction(of.n - 1) if of.n > 2 else None
    return Difference(seeds, unpaired, of, effect, p)


def few_pairs_correction(freedom: int) -> float:
    """Return J, by which a standardised mean difference of few pairs is too large (Hedges 1981, equation 6e).

    Args:
        freedom: degrees of freedom, at least 2.
    """
    return float(np.exp(gammaln(freedom / 2) - gammaln((freedom - 1) / 2)) / (freedom / 2) ** 0.5)


def detectable_difference(sd: float, pairs: int, *, comparisons: int = 1) -> float:
    """Return the smallest true difference that a paired t test would have seen with a power of 80 %.

    Two-sided at 5 % over the number of comparisons, the first step of Holm, so that it would have been seen whatever
    the other comparisons gave; and as if the standard deviation of the differences were known to be ``sd``. From the
    noncentral t distribution (Cohen 1988, Statistical Power Analysis).

    Args:
        sd: standard deviation of the differences, more than 0.
        pairs: at least 2.
        comparisons: that are corrected for together.
    """
    critical = float(stats.t.isf((1 - CONFIDENCE) / 2 / comparisons, pairs - 1))

    def lack(shift: float) -> float:
        # The other tail counts for less than 3e-5 from a shift of 2 on, and scipy gives NaN for it.
        return float(stats.nct.sf(critical, pairs - 1, shift)) - POWER

    return float(optimize.brentq(lack, 2.0, 2 * critical + 4)) * sd / pairs**0.5


def correct(p_values: Sequence[float | None]) -> list[float | None]:
    """Correct p values for their number (Holm 1979, Scandinavian Journal of Statistics 6, 65).

    Args:
        p_values: of all comparisons; None where there was no test, which then does not count.

    Returns:
        For each, the level of all tests together at which it would just be rejected.
    """
    known = sorted((p, at) for at, p in enumerate(p_values) if p is not None)
    corrected: list[float | None] = [None] * len(p_values)
    highest = 0.0
    for rank, (p, at) in enumerate(known):
        highest = max(highest, min(1.0, p * (len(known) - rank)))
        corrected[at] = highest
    return corrected


def bootstrap_images(
    variant_SN: Answers, reference_SN: Answers, *, resamples: int = 10_000, seed: int = 0
) -> tuple[float, float]:
    """Return the 95 % interval of a difference in accuracy over other draws of the test images.

    Images are drawn with replacement, the same for both variants and all seeds; the ends are percentiles of the mean
    difference (Efron and Tibshirani, An Introduction to the Bootstrap, 1993, chapter 13). How often each image is
    drawn is multinomial, and images with the same difference can be counted together, so that a resample is as cheap as
    there are different differences.

    Args:
        variant_SN: of the variant.
        reference_SN: likewise for the reference: the same seeds, the same images.
        resamples: R.
        seed: of the draws.
    """
    hits_N = variant_SN.astype(np.int64).sum(0) - reference_SN.astype(np.int64).sum(0)
    value_M, count_M = np.unique(hits_N, return_counts=True)
    images = int(count_M.sum())
    drawn_RM = np.random.default_rng(seed).multinomial(images, count_M / images, resamples)
    mean_R = drawn_RM @ value_M / (images * len(variant_SN))
    low, high = np.quantile(mean_R, [(1 - CONFIDENCE) / 2, (1 + CONFIDENCE) / 2])
    return float(low), float(high)
