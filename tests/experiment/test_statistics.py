"""Statistics: against scipy, against slow loops, and against simulated experiments whose truth is known."""

import math
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from connectome2net.experiment.statistics import (
    bootstrap_images,
    compare,
    correct,
    detectable_difference,
    estimate,
    few_pairs_correction,
)


def by_seed(values: np.ndarray) -> dict[int, float]:
    return dict(enumerate(values.tolist()))


def test_a_mean_and_its_interval_are_those_of_scipy() -> None:
    values = np.random.default_rng(0).normal(0.6, 0.02, 7)
    found = estimate(values)
    low, high = stats.t.interval(0.95, 6, values.mean(), stats.sem(values))
    assert (found.n, found.mean, found.sd) == (7, pytest.approx(values.mean()), pytest.approx(np.std(values, ddof=1)))
    assert (found.low, found.high) == (pytest.approx(low), pytest.approx(high))


@pytest.mark.parametrize(("values", "mean", "sd"), [([], None, None), ([0.3], 0.3, None), ([0.1] * 3, 0.1, 0.0)])
def test_where_nothing_varies_there_is_no_interval(values: list[float], mean: float | None, sd: float | None) -> None:
    found = estimate(values)
    assert (found.n, found.mean, found.sd, found.low, found.high) == (len(values), mean, sd, None, None)


@pytest.mark.parametrize("pairs", [2, 3, 5, 10, 30])
def test_a_comparison_is_the_paired_t_test_of_scipy(pairs: int) -> None:
    rng = np.random.default_rng(pairs)
    hard = rng.normal(0, 0.05, pairs)
    variant, reference = 0.58 + hard + rng.normal(0, 0.01, pairs), 0.6 + hard + rng.normal(0, 0.01, pairs)
    found, wanted = compare(by_seed(variant), by_seed(reference)), stats.ttest_rel(variant, reference)
    assert found.p == pytest.approx(wanted.pvalue)
    interval = wanted.confidence_interval(0.95)
    assert (found.of.low, found.of.high) == (pytest.approx(interval.low), pytest.approx(interval.high))
    assert found.unpaired == ()


def test_an_effect_size_by_hand() -> None:
    found = compare({0: 0.5, 1: 0.7, 2: 0.6, 3: 0.8}, {0: 0.4, 1: 0.4, 2: 0.4, 3: 0.4})
    # Differences 0.1 0.3 0.2 0.4: mean 0.25, squares about it 0.05, over 3. J(3) = sqrt(2 / 3) G(3 / 2) / G(1).
    correction = math.gamma(1.5) / math.gamma(1.0) / math.sqrt(1.5)
    assert few_pairs_correction(3) == pytest.approx(correction)
    assert few_pairs_correction(3) == pytest.approx(1 - 3 / (4 * 3 - 1), abs=0.005)  # the usual approximation
    assert found.effect_size == pytest.approx(0.25 / math.sqrt(0.05 / 3) * correction)


def test_only_seeds_that_both_have_are_paired() -> None:
    found = compare({0: 0.5, 1: 0.6, 3: 0.9}, {1: 0.4, 2: 0.4, 3: 0.8})
    assert (found.seeds, found.unpaired) == ((1, 3), (0, 2))
    assert found.of.mean == pytest.approx(0.15)
    assert found.p == pytest.approx(stats.ttest_rel([0.6, 0.9], [0.4, 0.8]).pvalue)
    assert found.effect_size is None  # of two pairs there is none


@pytest.mark.parametrize("shift", [0.0, 0.1])
@pytest.mark.parametrize("pairs", [1, 4])
def test_equal_differences_are_no_proof(shift: float, pairs: int) -> None:
    # 0.7 - 0.6 and 0.6 - 0.5 are different floats.
    reference = {seed: 0.5 + 0.1 * seed for seed in range(pairs)}
    found = compare({seed: value + shift for seed, value in reference.items()}, reference)
    assert found.of.mean == pytest.approx(shift)
    assert (found.of.low, found.p, found.effect_size, found.detectable(3)) == (None, None, None, None)


def test_no_pair_at_all() -> None:
    found = compare({0: 0.5}, {1: 0.4})
    assert (found.of.n, found.of.mean, found.p, found.unpaired) == (0, None, None, (0, 1))


def test_holm_by_hand() -> None:
    # 4 tests: 0.01 x 4, 0.02 x 3, 0.03 x 2 is less than what came before, 0.6 x 1.
    assert correct([0.03, 0.01, None, 0.6, 0.02]) == pytest.approx([0.06, 0.04, None, 0.6, 0.06])
    assert correct([0.7, 0.8]) == [1.0, 1.0]
    assert correct([]) == []


@given(st.lists(st.floats(0, 1), min_size=1, max_size=12))
def test_holm_keeps_the_order_and_lies_between_no_correction_and_bonferroni(p_values: list[float]) -> None:
    corrected = correct(p_values)
    for p, found in zip(p_values, corrected, strict=True):
        assert found is not None
        assert p <= found <= min(1.0, p * len(p_values))
    in_order = [found for _, found in sorted(zip(p_values, corrected, strict=True))]
    assert all(a <= b for a, b in pairwise(in_order))


def test_the_bootstrap_is_that_of_a_slow_loop() -> None:
    rng = np.random.default_rng(1)
    reference, variant = rng.random((3, 200)) < 0.6, rng.random((3, 200)) < 0.5
    low, high = bootstrap_images(variant, reference)
    means = []
    for _ in range(4000):
        drawn = rng.integers(0, 200, 200)
        means.append(np.mean([variant[s, drawn].mean() - reference[s, drawn].mean() for s in range(3)]))
    # The ends of 4,000 draws vary by about 0.001.
    assert (low, high) == pytest.approx(tuple(np.quantile(means, [0.025, 0.975])), abs=4e-3)
    difference = variant.mean() - reference.mean()
    spread = (variant.mean(0) - reference.mean(0)).std() / math.sqrt(200)
    assert (low, high) == pytest.approx((difference - 1.96 * spread, difference + 1.96 * spread), abs=3e-3)


def test_the_bootstrap_pairs_images_and_repeats_itself() -> None:
    right = np.random.default_rng(0).random((5, 3589)) < 0.6
    assert bootstrap_images(right, right) == (0.0, 0.0)  # unpaired images would give an interval
    assert bootstrap_images(right[:, ::-1], right) == bootstrap_images(right[:, ::-1], right)


@pytest.mark.parametrize("comparisons", [1, 17])
@pytest.mark.parametrize("pairs", [2, 3, 5, 10, 40])
def test_the_detectable_difference_has_the_power_that_it_says(pairs: int, comparisons: int) -> None:
    shift = detectable_difference(1.0, pairs, comparisons=comparisons)
    critical, ncp = stats.t.ppf(1 - 0.025 / comparisons, pairs - 1), shift * math.sqrt(pairs)
    # P(T > c) by integrating over the chi distribution of the standard deviation, without the noncentral t.
    s = np.linspace(1e-6, 6, 200_001)
    density = stats.chi(pairs - 1).pdf(s * math.sqrt(pairs - 1)) * math.sqrt(pairs - 1)
    power = np.trapezoid(density * stats.norm.sf(critical * s - ncp), s)
    assert power == pytest.approx(0.8, abs=1e-3 if critical > 50 else 1e-4)
    assert detectable_difference(3.0, pairs, comparisons=comparisons) == pytest.approx(3 * shift)


def simulate(pairs: int, truth: float, experiments: int) -> tuple[float, float, float]:
    """Return how often the interval holds the truth, how often p < 0.05, and the mean effect size."""
    rng = np.random.default_rng(pairs)
    held, seen, sizes = 0, 0, []
    for _ in range(experiments):
        found = compare(by_seed(rng.normal(truth, 1, pairs)), by_seed(np.zeros(pairs)))
        held += found.of.low <= truth <= found.of.high
        seen += found.p < 0.05
        sizes.append(found.effect_size or 0.0)
    return held / experiments, seen / experiments, float(np.mean(sizes))


@pytest.mark.slow
@pytest.mark.parametrize("pairs", [3, 5, 10])
def test_simulated_experiments_are_covered_seen_and_not_exaggerated(pairs: int) -> None:
    count, truth = 4000, detectable_difference(1.0, pairs)
    held, seen, size = simulate(pairs, truth, count)
    assert held == pytest.approx(0.95, abs=4 * math.sqrt(0.95 * 0.05 / count))
    assert seen == pytest.approx(0.8, abs=4 * math.sqrt(0.8 * 0.2 / count))
    if pairs > 3:  # with 2 degrees of freedom the variance of an effect size is infinite
        assert size == pytest.approx(truth, rel=0.06)
    _, false, _ = simulate(pairs, 0.0, count)
    assert false == pytest.approx(0.05, abs=4 * math.sqrt(0.05 * 0.95 / count))


@pytest.mark.slow
def test_the_bootstrap_covers_the_truth_over_other_images() -> None:
    rng, held = np.random.default_rng(0), 0
    for at in range(600):
        easy = rng.random(800)
        reference, variant = rng.random((3, 800)) < easy, rng.random((3, 800)) < easy**1.2
        low, high = bootstrap_images(variant, reference, seed=at)
        held += low <= 1 / 2.2 - 1 / 2 <= high
    assert held / 600 == pytest.approx(0.95, abs=4 * math.sqrt(0.95 * 0.05 / 600))
