"""Effects of factors: by hand, against differences of means, and planted ones found again."""

from itertools import combinations, product

import numpy as np
import pytest
from scipy import stats

from connectome2net.experiment.design import factorial
from connectome2net.experiment.effects import Observation, effects


def observe(factors: str, value, *, seeds: int = 1, runs: int = 128) -> list[Observation]:
    return [
        Observation(levels, seed, value(levels, seed))
        for levels in factorial(tuple(factors), runs=runs)
        for seed in range(seeds)
    ]


def test_two_factors_by_hand() -> None:
    # off off 1, a on 3, b on 2, both 8: a = (3 + 8 - 1 - 2) / 2, b = (2 + 8 - 1 - 3) / 2, a x b = (1 + 8 - 3 - 2) / 2
    values = {(False, False): 1.0, (True, False): 3.0, (False, True): 2.0, (True, True): 8.0}
    found = effects(observe("ab", lambda on, seed: values[on["a"], on["b"]]))
    assert {effect.term: effect.effect for effect in found} == pytest.approx({("a",): 4, ("b",): 3, ("a", "b"): 2})
    assert all((effect.low, effect.p, effect.p_corrected) == (None, None, None) for effect in found)


def test_one_factor_in_blocks_is_the_paired_t_test() -> None:
    rng = np.random.default_rng(0)
    value = rng.normal(0, 1, (2, 6))
    found, *rest = effects(observe("a", lambda on, seed: value[int(on["a"]), seed] + 10 * seed, seeds=6))
    wanted = stats.ttest_rel(value[1], value[0])
    interval = wanted.confidence_interval(0.95)
    assert not rest
    assert found.effect == pytest.approx((value[1] - value[0]).mean())
    assert (found.p, found.p_corrected) == (pytest.approx(wanted.pvalue), pytest.approx(wanted.pvalue))
    assert (found.low, found.high) == (pytest.approx(interval.low), pytest.approx(interval.high))


def test_planted_effects_of_twelve_factors_are_found_and_no_others() -> None:
    rng = np.random.default_rng(1)

    def value(on: dict[str, bool], seed: int) -> float:
        return 0.6 + 0.01 * on["c"] - 0.02 * on["k"] + 0.02 * (on["a"] == on["f"]) + rng.normal(0, 0.005) + 0.1 * seed

    found = effects(observe("abcdefghijkl", value, seeds=2))
    seen = {effect.term: effect.effect for effect in found if (effect.p_corrected or 0) < 0.05}
    assert seen == pytest.approx({("c",): 0.01, ("k",): -0.02, ("a", "f"): 0.02}, abs=0.003)
    assert len(found) == 12 + 63
    assert all(effect.low < effect.effect < effect.high for effect in found)
    assert sum(bool(effect.aliases) for effect in found) == 3


def test_an_effect_is_a_difference_of_means_also_with_aliases() -> None:
    rng = np.random.default_rng(2)
    runs = observe("abcdefghijkl", lambda on, seed: rng.normal(), runs=32, seeds=2)
    by_term = {effect.term: effect for effect in effects(runs)}
    for term, effect in by_term.items():
        sign = np.array([np.prod([1 if run.levels[name] else -1 for name in term]) for run in runs])
        value = np.array([run.value for run in runs])
        assert effect.effect == pytest.approx(value[sign > 0].mean() - value[sign < 0].mean())
    told = [alias for effect in by_term.values() for alias in effect.aliases] + list(by_term)
    assert sorted(told) == sorted([(a,) for a in "abcdefghijkl"] + list(combinations("abcdefghijkl", 2)))


def test_a_lost_run_biases_nothing() -> None:
    runs = observe("abc", lambda on, seed: 2.0 * on["a"] + 1.0 * on["b"] + seed, seeds=2)
    found = {effect.term: effect.effect for effect in effects(runs[3:])}
    assert found == pytest.approx(
        {("a",): 2, ("b",): 1, ("c",): 0, ("a", "b"): 0, ("a", "c"): 0, ("b", "c"): 0}, abs=1e-12
    )


def test_too_few_runs_determine_nothing() -> None:
    runs = observe("abc", lambda on, seed: 1.0)
    assert effects([]) == []
    assert effects(runs[:3]) == []
    assert effects([run for run in runs if run.levels["a"]]) == []


@pytest.mark.slow
def test_intervals_cover_planted_effects() -> None:
    rng, held, told = np.random.default_rng(3), 0, 0
    for _ in range(400):
        runs = observe(
            "abc", lambda on, seed: 1.0 * on["a"] + 0.5 * (on["b"] == on["c"]) + rng.normal() + seed, seeds=2
        )
        truth = {("a",): 1.0, ("b", "c"): 0.5}
        for effect in effects(runs):
            held += effect.low <= truth.get(effect.term, 0.0) <= effect.high
            told += 1
    assert held / told == pytest.approx(0.95, abs=0.03)


def test_the_order_of_runs_does_not_matter() -> None:
    rng = np.random.default_rng(4)
    table = {levels: rng.normal() for levels in product([False, True], repeat=3)}
    runs = observe("abc", lambda on, seed: table[tuple(on.values())] + seed**2, seeds=3)
    forth, back = effects(runs), effects(runs[::-1])
    assert [effect.term for effect in forth] == [effect.term for effect in back]
    assert [effect.effect for effect in forth] == pytest.approx([effect.effect for effect in back])
