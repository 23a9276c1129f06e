"""Borders estimated from types, and how sure a lamina is: against counting, and on cells that were drawn."""

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from connectome2net.errors import ExtractError
from connectome2net.extract import extract
from connectome2net.extract.laminae import assign_laminae, estimate_laminae, lamina_confidence
from connectome2net.sources import open_folder, open_source
from connectome2net.spec.tables import values

ORDER = ("23P", "4P", "5P-IT", "6P-CT")
LAMINA = {"23P": "L2/3", "4P": "L4", "5P-IT": "L5", "6P-CT": "L6"}


def drawn(seed, borders=(100.0, 250.0, 370.0, 510.0, 730.0), mixing=0.0, cells=400):
    """Cells spread evenly between given borders, types mingling over `mixing` um about each."""
    rng = np.random.default_rng(seed)
    kinds = np.repeat(ORDER, cells)
    spans = np.repeat(np.array([borders[:-1], borders[1:]]).T, cells, axis=0)
    return kinds, rng.uniform(*spans.T) + rng.normal(0, mixing, len(kinds)) if mixing else rng.uniform(*spans.T)


def marks(kinds):
    return np.array([LAMINA.get(kind, "") for kind in kinds])


def borders_of(laminae):
    return [border.bottom_um for border in laminae.borders[:-1]]


@given(seed=st.integers(0, 999), borders=st.lists(st.floats(20, 900), min_size=5, max_size=5).map(sorted))
@settings(max_examples=30, deadline=None)
def test_types_that_do_not_mingle_give_their_borders_back(seed, borders):
    kinds, depth_um = drawn(seed, borders)
    assume(min(np.diff(borders)) >= 20)  # borders are written to a tenth of a micrometre
    found = borders_of(estimate_laminae(marks(kinds), depth_um))
    assert np.abs(np.array(found) - borders).max() < 0.06 + max(np.diff(borders)) * 0.06
    assert found == sorted(found)
    given_back = assign_laminae(np.full(len(kinds), "BC"), depth_um, estimate_laminae(marks(kinds), depth_um))
    expected = np.array([LAMINA[kind] for kind in kinds])
    inside = (depth_um > found[0]) & (depth_um < found[-1])
    assert (given_back[inside] == expected[inside]).mean() > 0.99


def wrong_side(shallow, deep, border):
    return (shallow >= border).sum() + (deep < border).sum()


@given(seed=st.integers(0, 999), mixing=st.floats(1, 60))
@settings(max_examples=20, deadline=None)
def test_no_other_border_leaves_fewer_cells_on_the_wrong_side(seed, mixing):
    kinds, depth_um = drawn(seed, mixing=mixing, cells=60)
    found = borders_of(estimate_laminae(marks(kinds), depth_um))[1:4]
    for at, border in enumerate(found, start=1):
        shallow, deep = (depth_um[np.isin(kinds, names)] for names in (ORDER[:at], ORDER[at:]))
        best = min(wrong_side(shallow, deep, other) for other in np.linspace(0, 900, 3601))
        assert wrong_side(shallow, deep, border) <= best + 1  # the border is written to a tenth of a micrometre
    assert found == sorted(found)


def test_borders_of_the_real_column(shared_data):
    folder = shared_data / "microns" / "v1_column"
    spec = extract(open_folder(folder), laminae="estimated")
    found = borders_of(spec.anatomy.laminae)
    np.testing.assert_allclose(found, [80, 250, 370, 510, 730], atol=16)
    assert found[1] == pytest.approx(250, abs=3)
    assert "estimated from the cells of this column" in spec.anatomy.laminae.method
    assert spec.document.provenance.parameters["laminae"] == "estimated"
    interneuron = values(spec.cells, "ei_class") == "inhibitory"
    depth_um, lamina = values(spec.cells, "soma_depth_um"), values(spec.cells, "lamina")
    at = np.searchsorted(found, depth_um[interneuron & ~np.isnan(depth_um)], side="right")
    assert lamina[interneuron & ~np.isnan(depth_um)].tolist() == [("L1", "L2/3", "L4", "L5", "L6", "WM")[k] for k in at]


def test_laminae_that_are_not_one_below_the_other_are_refused():
    kinds, depth_um = drawn(0)
    with pytest.raises(ExtractError, match=r"not one below the other(.|\n)*five depths that grow, between 0 and 1000"):
        estimate_laminae(marks(kinds), 800 - depth_um)


def test_cells_of_l23_at_the_pia_leave_no_l1():
    kinds, depth_um = drawn(0, borders=(-40.0, 250.0, 370.0, 510.0, 730.0))
    assert borders_of(estimate_laminae(marks(kinds), depth_um))[0] == 0.0


def test_too_few_typed_cells_are_named():
    kinds, depth_um = drawn(0, cells=30)
    few = kinds != "4P"
    few[np.flatnonzero(kinds == "4P")[:7]] = True
    with pytest.raises(
        ExtractError, match=r"cannot be estimated(.|\n)*found: +7 of L4\n.*20 or more of each of L2/3, L4"
    ):
        estimate_laminae(marks(kinds[few]), depth_um[few])


@given(seed=st.integers(0, 999))
@settings(max_examples=15, deadline=None)
def test_confidence_is_a_share_of_neighbours_in_depth(seed):
    rng = np.random.default_rng(seed)
    kinds = rng.choice([*ORDER, "BC", "NGC"], 120)
    depth_um = np.where(rng.random(120) < 0.1, np.nan, rng.uniform(0, 300, 120))
    lamina = assign_laminae(kinds, depth_um)
    expected = []
    for own, at in zip(lamina, depth_um, strict=True):
        near = [LAMINA[k] for k, d in zip(kinds, depth_um, strict=True) if k in LAMINA and abs(d - at) <= 25]
        told = len(near) >= 10 and own in LAMINA.values()
        expected.append(near.count(own) / len(near) if told else np.nan)
    np.testing.assert_allclose(lamina_confidence(lamina, kinds, depth_um), expected)


def test_confidence_is_high_in_the_middle_of_a_lamina_and_low_at_its_border():
    spec = extract(open_source("synthetic", cells=4000))
    depth_um, lamina = values(spec.cells, "soma_depth_um"), values(spec.cells, "lamina")
    sure = values(spec.cells, "lamina_confidence")
    assert np.nanmean(sure[(lamina == "L4") & (np.abs(depth_um - 310) < 20)]) > 0.95
    assert np.nanmean(sure[(lamina == "L4") & (np.abs(depth_um - 250) < 10)]) < 0.8
    assert np.isnan(sure[lamina == "L1"]).all()
