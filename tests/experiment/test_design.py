"""Designs: the resolution that is promised is computed from the rows, without the generators."""

from itertools import combinations

import numpy as np
import pytest

from connectome2net.errors import ExperimentError
from connectome2net.experiment.design import GENERATORS, factorial

PARTS = tuple("abcdefghijkl")


def constant_words(on_RF: np.ndarray, longest: int) -> set[tuple[int, ...]]:
    """Every product of up to ``longest`` columns that is the same in all runs."""
    sign_RF = np.where(on_RF, 1, -1)
    sizes = range(1, longest + 1)
    every = (word for size in sizes for word in combinations(range(sign_RF.shape[1]), size))
    return {word for word in every if abs(sign_RF[:, list(word)].prod(1).sum()) == len(sign_RF)}


@pytest.mark.parametrize(("runs", "resolution", "short"), [(32, 4, 38), (64, 4, 6), (128, 4, 1), (256, 6, 12)])
def test_twelve_parts_have_the_resolution_that_is_promised(runs: int, resolution: int, short: int) -> None:
    design = factorial(PARTS, runs=runs)
    assert design.on_RF.shape == (runs, 12)
    assert len({tuple(row) for row in design.on_RF}) == runs
    assert (design.on_RF.sum(0) == runs // 2).all()  # each factor is on in half of the runs
    found = constant_words(design.on_RF, 6)
    assert min(map(len, found)) == resolution == design.resolution
    assert sum(len(word) == resolution for word in found) == short
    named = {tuple(PARTS.index(name) for name in word) for word in design.words if len(word) <= 6}
    assert named == found
    assert len(design.words) == 2 ** (12 - int(np.log2(runs))) - 1


def test_in_128_runs_six_interactions_share_three_estimates() -> None:
    groups = factorial(PARTS).aliases()
    assert sorted(map(len, groups)) == [2, 2, 2]
    assert len({name for group in groups for pair in group for name in pair}) == 4


@pytest.mark.parametrize("runs", [32, 256])
def test_aliases_are_equal_columns(runs: int) -> None:
    design = factorial(PARTS, runs=runs)
    sign = dict(zip(PARTS, np.where(design.on_RF, 1, -1).T, strict=True))
    seen: dict[bytes, list[tuple[str, str]]] = {}
    for a, b in combinations(PARTS, 2):
        column = sign[a] * sign[b]
        seen.setdefault((column * column[0]).tobytes(), []).append((a, b))
    assert sorted(design.aliases()) == sorted(group for group in seen.values() if len(group) > 1)


@pytest.mark.parametrize("count", range(1, 13))
@pytest.mark.parametrize("runs", sorted(GENERATORS))
def test_fewer_parts_are_confused_no_more(count: int, runs: int) -> None:
    design = factorial(PARTS[:count], runs=runs)
    assert len(design.on_RF) == min(2**count, runs)
    assert (design.resolution is None) == (2**count <= runs)
    assert design.resolution is None or design.resolution >= 4
    assert design.on_RF[-1].all()
    assert design.levels()[-1] == dict.fromkeys(PARTS[:count], True)


def test_what_is_no_design() -> None:
    with pytest.raises(ExperimentError, match="no factors of a design\n  found:  a, a\n  wanted: 1 to 12 different"):
        factorial(["a", "a"])
    with pytest.raises(ExperimentError, match="no factors of a design\n  found:  none"):
        factorial([])
    with pytest.raises(
        ExperimentError, match="so many runs\n  where:  runs\n  found:  100\n  wanted: 32, 64, 128, 256"
    ):
        factorial(PARTS, runs=100)
