"""Designs: the resolution that is promised is computed from the rows, without the generators."""

from itertools import combinations

import numpy as np
import pytest

from connectome2net.errors import ExperimentError
from connectome2net.experiment.design import GENERATORS, factorial

PARTS = tuple("abcdefghijkl")


def signs(runs: list[dict[str, bool]]) -> np.ndarray:
    return np.where([list(run.values()) for run in runs], 1, -1)


def constant_words(sign_RF: np.ndarray, longest: int) -> set[tuple[int, ...]]:
    """Every product of up to ``longest`` columns that is the same in all runs."""
    sizes = range(1, longest + 1)
    every = (word for size in sizes for word in combinations(range(sign_RF.shape[1]), size))
    return {word for word in every if abs(sign_RF[:, list(word)].prod(1).sum()) == len(sign_RF)}


@pytest.mark.parametrize(("runs", "resolution", "short"), [(32, 4, 38), (64, 4, 6), (128, 4, 1), (256, 6, 12)])
def test_twelve_parts_have_the_resolution_that_is_promised(runs: int, resolution: int, short: int) -> None:
    sign_RF = signs(factorial(PARTS, runs=runs))
    assert sign_RF.shape == (runs, 12)
    assert len({tuple(row) for row in sign_RF}) == runs
    assert not sign_RF.sum(0).any()  # each factor is on in half of the runs
    lengths = list(map(len, constant_words(sign_RF, 6)))
    assert min(lengths) == resolution
    assert lengths.count(resolution) == short


def test_in_128_runs_interactions_of_four_known_parts_share_estimates() -> None:
    sign_RF = signs(factorial(PARTS))
    assert constant_words(sign_RF, 4) == {(2, 3, 10, 11)}


@pytest.mark.parametrize("count", range(1, 13))
@pytest.mark.parametrize("runs", sorted(GENERATORS))
def test_fewer_parts_are_confused_no_more(count: int, runs: int) -> None:
    design = factorial(PARTS[:count], runs=runs)
    assert len(design) == min(2**count, runs)
    assert not constant_words(signs(design), 3)
    assert design[-1] == dict.fromkeys(PARTS[:count], True)


def test_what_is_no_design() -> None:
    with pytest.raises(ExperimentError, match="not factors of a design\n  found:  a, a\n  wanted: 1 to 12 different"):
        factorial(["a", "a"])
    with pytest.raises(ExperimentError, match="not factors of a design\n  found:  none"):
        factorial([])
    with pytest.raises(
        ExperimentError, match="so many runs\n  where:  runs\n  found:  100\n  wanted: 32, 64, 128, 256"
    ):
        factorial(PARTS, runs=100)
