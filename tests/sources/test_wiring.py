"""Random wiring: no pair twice, the degrees that were asked for, and the fall with distance that was asked for."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from connectome2net.sources.wiring import LENGTH_UM, TILE_UM, draw_edges, propensities


def wire(seed, *, cells=400, types=3, edges=5.0, side_um=200.0, in_propensity=None, out_propensity=None):
    rng = np.random.default_rng(seed)
    cell_type = np.sort(rng.integers(0, types, cells))
    place_um = rng.uniform(0, side_um, (cells, 2))
    ones = np.ones(cells)
    pre, post = draw_edges(
        rng,
        cell_type=cell_type,
        place_um=place_um,
        edges_per_cell=np.full((types, types), edges),
        out_propensity=ones if out_propensity is None else out_propensity,
        in_propensity=ones if in_propensity is None else in_propensity,
    )
    return pre, post, cell_type, place_um


@given(seed=st.integers(0, 10_000), cells=st.integers(2, 60), types=st.integers(1, 5), edges=st.floats(0, 30))
@settings(max_examples=40, deadline=None)
def test_no_pair_twice_no_autapse_sorted_and_never_endless(seed, cells, types, edges):
    pre, post, _, _ = wire(seed, cells=cells, types=types, edges=edges)
    assert (pre != post).all()
    assert (np.diff(pre * cells + post) > 0).all()
    assert ((pre >= 0) & (pre < cells) & (post >= 0) & (post < cells)).all()


def test_out_degrees_are_poisson_about_what_was_asked_for():
    pre, post, cell_type, _ = wire(1, cells=3000, edges=8.0)
    for to_type in range(3):
        degree = np.bincount(pre[cell_type[post] == to_type], minlength=3000)
        assert degree.mean() == pytest.approx(8.0, abs=4 * math.sqrt(8 / 3000))
        assert degree.var() == pytest.approx(8.0, rel=0.15)


def test_degrees_follow_propensities_on_both_sides():
    cells = 2000
    out, into = np.ones(cells), np.ones(cells)
    out[::2], into[::4] = 3.0, 5.0
    pre, post, _, _ = wire(2, cells=cells, types=1, edges=10.0, out_propensity=out, in_propensity=into)
    sent, received = np.bincount(pre, minlength=cells), np.bincount(post, minlength=cells)
    assert sent[::2].mean() / sent[1::2].mean() == pytest.approx(3.0, rel=0.05)
    assert received[::4].mean() / np.delete(received, np.s_[::4]).mean() == pytest.approx(5.0, rel=0.05)


def test_connection_falls_as_the_gaussian_of_distance():
    pre, post, _, place_um = wire(3, cells=6000, types=1, edges=20.0, side_um=700.0)
    middle = np.flatnonzero((np.abs(place_um - 350) < 60).all(axis=1))
    from_middle = np.isin(pre, middle)
    edges_um = np.linalg.norm(place_um[pre[from_middle]] - place_um[post[from_middle]], axis=1)
    all_um = np.linalg.norm(place_um[middle, None] - place_um[None], axis=2).ravel()
    bins = np.arange(0, 301, 50)
    chance = np.histogram(edges_um, bins)[0] / np.histogram(all_um, bins)[0]
    centre = bins[:-1] + 25
    expected = np.exp(-(centre**2) / (2 * LENGTH_UM**2))
    assert TILE_UM < LENGTH_UM / 4
    np.testing.assert_allclose(chance / chance[0], expected / expected[0], rtol=0.15)


def test_propensities_are_lognormal_with_mean_one_in_each_type():
    cell_type = np.repeat([0, 1], 20_000)
    drawn = propensities(np.random.default_rng(0), cell_type, np.where(cell_type == 0, 0.3, 0.9))
    for which, spread in ((0, 0.3), (1, 0.9)):
        assert drawn[cell_type == which].mean() == pytest.approx(1.0, rel=1e-12)
        assert np.log(drawn[cell_type == which]).std() == pytest.approx(spread, rel=0.03)
