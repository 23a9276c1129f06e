"""Controls as specs: weights, spectral radius, provenance, errors, the command."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner, Result
from columns import twelve_cells
from graphs import with_pairs

import connectome2net
from connectome2net import rewire
from connectome2net.cli import c2n
from connectome2net.compile.lower import lower
from connectome2net.errors import SpecError, TransformError
from connectome2net.spec import Spec, digest_document, make_spec, read_spec, validate, write_spec
from connectome2net.spec.tables import values
from connectome2net.transform import NULLS
from connectome2net.transform.nulls import ANEW, SUMS
from connectome2net.transform.radius import spectral_radius
from connectome2net.transform.rewire import RULES
from connectome2net.transform.weights import carry_weights, weights_of_edges
from connectome2net.transform.wiring import with_column

NETWORKS = ("column", "feedforward", "pairs", "spiking", "graded")
EDGES = ("erdos-renyi", "erdos-renyi-pairs", "degree", "degree-pairs", "degree-reciprocal")
"""Controls that have as many edges as their parents."""


def dense_weights(spec: Spec) -> np.ndarray:
    """``W[post, pre]`` of the chemical edges as they are compiled, over all cells."""
    program, arrays = lower(spec)
    cell, matrix = arrays["cell_index"], np.zeros((12, 12))
    start = {group.name: sum(g.cells for g in program.groups[:at]) for at, group in enumerate(program.groups)}
    for block in program.blocks:
        if block.sign == "positive":
            continue
        of = {name: arrays[f"{block.name}.{name}"] for name in ("post_start", "pre_index", "anatomy")}
        post = cell[start[block.post] + np.repeat(np.arange(len(of["post_start"]) - 1), np.diff(of["post_start"]))]
        sign = arrays[f"{block.name}.sign"][of["pre_index"]] if block.sign == "dale" else 1
        matrix[post, cell[start[block.pre] + of["pre_index"]]] = of["anatomy"] * sign
    return matrix


@pytest.mark.parametrize("network", NETWORKS)
def test_carried_weights_are_the_weights(network: str) -> None:
    spec = twelve_cells(network)
    carried = carry_weights(spec)
    assert validate(carried) == []
    old, new = lower(spec)[1], lower(carried)[1]
    assert old.keys() == new.keys()
    for name, array in old.items():
        assert array.tobytes() == new[name].tobytes(), name


@pytest.mark.parametrize("network", NETWORKS)
@pytest.mark.parametrize("null", EDGES)
def test_matched_weights(network: str, null: str) -> None:
    spec = twelve_cells(network)
    control = rewire(spec, null, seed=5)
    done = control.document.provenance.transforms[-1]
    assert validate(control) == []
    old = weights_of_edges(spec)
    assert np.array_equal(np.sort(values(control.edges, "weight")), np.sort(old), equal_nan=True)
    assert {item.scale for item in control.network.projections if item.synapse == "chemical"} == {done.scale}
    assert {(item.anatomy, item.normalise) for item in control.network.projections} == {("weight", "none")}
    before, after = dense_weights(spec), dense_weights(control)
    assert np.allclose(np.sort(abs(after[after != 0])), np.sort(abs(before[before != 0])) * done.scale, rtol=1e-6)
    free = network == "feedforward"
    radii = [radius(matrix, free=free) for matrix in (before, after)]
    assert np.allclose(radii, done.spectral_radius_before, rtol=1e-4)
    assert np.isclose(done.spectral_radius_after * done.scale, done.spectral_radius_before)
    assert done.spectral_radius_before > 0


def radius(matrix: np.ndarray, *, free: bool) -> float:
    if free:
        return float(np.sqrt(abs(np.linalg.eigvals(matrix**2)).max()))
    return float(abs(np.linalg.eigvals(matrix)).max())


@pytest.mark.parametrize("null", EDGES)
def test_normalised_weights_are_computed_anew(null: str) -> None:
    spec = twelve_cells("column")
    control = rewire(spec, null, seed=5, weights="normalised")
    done = control.document.provenance.transforms[-1]
    assert control.network == spec.network
    assert "weight" not in control.edges.column_names
    assert done.scale == 1
    assert done.spectral_radius_after == pytest.approx(radius(dense_weights(control), free=False), rel=1e-5)
    sums = abs(dense_weights(control)).sum(1)
    assert np.allclose(sums[sums > 0], 1)


AMOUNTS = {"remove": 0.2, "add": 0.2, "subset": 0.5}


@pytest.mark.parametrize("null", NULLS)
def test_claims_about_weights_hold_for_either_kind(null: str) -> None:
    """In this column the weights onto each cell add up to 1."""
    spec = read_spec("examples/small_column")
    for weights in ("matched", "normalised"):
        control = rewire(spec, null, fraction=AMOUNTS.get(null), weights=weights)
        done, weight = control.document.provenance.transforms[-1], weights_of_edges(control)
        sums = np.bincount(values(control.edges, "post_index"), weight)
        one = np.allclose(sums[sums > 0], done.scale)
        assert one is (SUMS not in done.destroys), weights
        assert one or weights == "matched"
        known = np.unique(weights_of_edges(spec))
        at = np.clip(np.searchsorted(known, weight / done.scale), 1, len(known) - 1)
        carried = np.allclose(np.minimum(*(abs(known[at - side] - weight / done.scale) for side in (0, 1))), 0)
        assert carried is (ANEW not in done.destroys), weights
        assert any("weights" in text for text in done.keeps) is (carried and null != "types"), weights


def test_the_radius_of_random_weights_is_that_of_their_variances() -> None:
    """Against the eigenvalues of drawn weights, with a variance for each pair of populations."""
    rng = np.random.default_rng(0)
    deviation = np.repeat(np.repeat([[0.2, 1.5], [0.4, 0.7]], 300, 0), 300, 1) / np.sqrt(600)
    drawn = abs(np.linalg.eigvals(deviation * rng.standard_normal((600, 600)))).max()
    assert radius(deviation, free=True) == pytest.approx(drawn, rel=0.06)


def test_a_network_without_loops_has_radius_0_and_is_not_scaled() -> None:
    spec = twelve_cells("feedforward")
    kept = [item for item in spec.network.projections if item.pre != item.post]
    network = spec.network.model_copy(update={"projections": tuple(kept)})
    spec = replace(spec, document=spec.document.model_copy(update={"network": network}))
    done = rewire(spec, "erdos-renyi-pairs").document.provenance.transforms[-1]
    assert (done.spectral_radius_before, done.spectral_radius_after, done.scale) == (0, 0, 1)


def test_a_control_says_what_was_done() -> None:
    spec = twelve_cells("column")
    control = rewire(rewire(spec, "degree", seed=3), "erdos-renyi", seed=4)
    provenance = control.document.provenance
    first, second = provenance.transforms
    assert (first.name, first.seed, second.name, second.seed) == ("degree", 3, "erdos-renyi", 4)
    assert first.keeps == NULLS["degree"].keeps
    assert first.destroys == NULLS["degree"].destroys
    assert first.edges_changed > 10
    assert provenance.parents == (
        digest_document(spec.document),
        digest_document(rewire(spec, "degree", seed=3).document),
    )
    assert control.name == "twelve_cells_column-degree-3-erdos-renyi-4"
    assert np.array_equal(
        np.sort(values(control.edges, "weight")), np.sort(weights_of_edges(rewire(spec, "degree", seed=3)))
    )
    text = emit_header(control)
    assert "Control: degree, seed 3: edges rewired, not measured\n" in text
    assert "Control: erdos-renyi, seed 4: edges drawn at random, not measured\n" in text
    assert "Control" not in emit_header(spec)


def emit_header(spec: Spec) -> str:
    from connectome2net.compile.emit import emit

    return emit(lower(spec)[0])


@pytest.mark.parametrize("null", EDGES)
def test_equal_seeds_give_equal_controls_and_others_others(null: str) -> None:
    spec = twelve_cells("column")
    control = rewire(spec, null, seed=7)
    assert control == rewire(spec, null, seed=7)
    assert not control.edges.equals(rewire(spec, null, seed=8).edges)


def test_edges_changed_are_counted() -> None:
    spec = twelve_cells("column")
    control = rewire(spec, "degree", seed=1)
    old, new = (
        {(row["pre_index"], row["post_index"], row["synapse_count"], row["weight"]) for row in some.edges.to_pylist()}
        for some in (carry_weights(spec), control)
    )
    done = control.document.provenance.transforms[-1]
    assert (done.edges_changed, done.edges_before) == (len(new - old), len(old))


def test_an_edge_of_the_same_count_with_another_weight_has_changed() -> None:
    """Where every edge is one synapse, weights differ by what else a cell receives."""
    spec = twelve_cells("feedforward")
    ones = with_column(spec.edges, "synapse_count", np.ones(spec.edges.num_rows))
    spec = make_spec(spec.document, cells=spec.cells, edges=ones)
    control = rewire(spec, "counts", seed=1)
    done, old = control.document.provenance.transforms[-1], weights_of_edges(spec)
    new = weights_of_edges(control) / done.scale
    assert done.edges_changed == (~np.isclose(old, new) & np.isfinite(old)).sum() > 0


def test_the_share_of_changed_edges_is_of_those_that_the_network_used() -> None:
    spec = twelve_cells("column")
    for null, fraction in (("add", 0.1), ("remove", 0.5)):
        done = rewire(spec, null, fraction=fraction).document.provenance.transforms[-1]
        assert (done.edges_changed, done.edges_before) == (round(fraction * spec.edges.num_rows), spec.edges.num_rows)


def test_autapses_stay() -> None:
    spec = with_pairs(
        twelve_cells("column"), [(3, 3), (0, 1), (1, 4), (4, 0), (0, 10), (10, 5), (5, 2), (2, 8), (1, 8)]
    )
    for null in EDGES:
        control = RULES[null](spec, *wiring_and_chance(spec), None).spec
        own = [row for row in control.edges.to_pylist() if row["pre_index"] == row["post_index"]]
        assert own == [row for row in spec.edges.to_pylist() if row["pre_index"] == row["post_index"]]


def wiring_and_chance(spec: Spec) -> tuple:
    from connectome2net.transform.wiring import read_wiring

    return read_wiring(spec), np.random.default_rng(0)


def test_errors() -> None:
    spec = twelve_cells("pairs")
    with pytest.raises(
        TransformError, match=r"(?s)no such null model\n  found:  shuffle\n.*degree: edges rewired, not"
    ):
        rewire(spec, "shuffle")
    with pytest.raises(TransformError, match=r"no such weights\n  found:  old\n  wanted: matched or normalised"):
        rewire(spec, "degree", weights="old")
    with pytest.raises(TransformError, match=r"a seed is a whole number\n  found:  -1"):
        rewire(spec, "degree", seed=-1)
    with pytest.raises(TransformError, match=r"degree takes no fraction\n.*--fraction\n  found:  0.2\n  fix:    leave"):
        rewire(spec, "degree", fraction=0.2)


def test_overlapping_projections_and_populations() -> None:
    spec = twelve_cells("pairs")
    network = spec.network
    twice = network.projections[1].model_copy(update={"name": "again", "normalise": "sum"})
    overlapping = network.model_copy(update={"projections": (*network.projections, twice)})
    broken = replace(spec, document=spec.document.model_copy(update={"network": overlapping}))
    with pytest.raises(TransformError, match=r"(?s)E_E and again hold the same edges.*found:  normalise norm and sum"):
        rewire(broken, "degree")
    both = network.populations[0].model_copy(update={"name": "more"})
    overlapping = network.model_copy(update={"populations": (*network.populations, both)})
    broken = replace(spec, document=spec.document.model_copy(update={"network": overlapping}))
    with pytest.raises(TransformError, match="3 cells of population more are in another one too"):
        rewire(broken, "degree")


def test_a_network_without_edges_cannot_be_rewired() -> None:
    spec = twelve_cells("column", projections=[], readout={"populations": ["L4E"], "bypass": True})
    assert validate(spec) == []
    with pytest.raises(TransformError, match="nothing to rewire: no chemical projection holds an edge"):
        rewire(spec, "degree")


def test_the_command(tmp_path: Path) -> None:
    path = write_spec(twelve_cells("column"), tmp_path / "real")
    out = tmp_path / "control"
    done = CliRunner().invoke(c2n, ["rewire", str(path), "--null", "degree", "--seed", "3", "-o", str(out)])
    assert done.exit_code == 0, done.output
    assert "CONTROL degree, seed 3: edges rewired, not measured" in done.output
    assert "keeps the in- and out-degree of each cell; the synapse counts, sizes and, up to one factor" in done.output
    assert "destroys who is connected to whom" in done.output
    assert "spectral radius of the initial weights 0.670634, of those of the control" in done.output
    assert read_spec(out) == connectome2net.rewire(twelve_cells("column"), "degree", seed=3)
    shown = CliRunner().invoke(c2n, ["inspect", str(out)])
    assert "CONTROL degree, seed 3: edges rewired, not measured" in shown.output
    assert "CONTROL" not in CliRunner().invoke(c2n, ["inspect", str(path)]).output
    CliRunner().invoke(c2n, ["compile", str(out), "--out", str(tmp_path / "compiled")])
    assert "CONTROL degree, seed 3" in CliRunner().invoke(c2n, ["inspect", str(tmp_path / "compiled")]).output
    listed = CliRunner().invoke(c2n, ["rewire", "--list"]).output
    assert all(f"{name}: {null.text}" in listed for name, null in NULLS.items())
    assert RULES.keys() == NULLS.keys()


def test_the_command_says_what_became_of_a_spec_that_lay_there(tmp_path: Path) -> None:
    path, out = write_spec(twelve_cells("column"), tmp_path / "real"), tmp_path / "control" / "spec.json"

    def give(*words: str) -> Result:
        return CliRunner().invoke(c2n, ["rewire", str(path), "--null", "degree", "--out", str(out), *words])

    assert give().stderr == ""
    assert read_spec(out.parent) == connectome2net.rewire(twelve_cells("column"), "degree")
    assert give().stderr == f"note: the same spec lay there already; nothing has changed: {out}\n"
    other = give("--seed", "3")
    assert isinstance(other.exception, SpecError)
    assert "another spec lies here" in str(other.exception)
    assert give("--seed", "3", "--force").stderr == f"note: another spec was written over: {out}\n"
    assert read_spec(out) == connectome2net.rewire(twelve_cells("column"), "degree", seed=3)


def test_radius_of_a_spec_by_hand() -> None:
    spec = with_pairs(twelve_cells("column"), [(0, 2), (2, 0), (0, 1), (1, 3)])
    assert spectral_radius(spec) == pytest.approx(1)  # 0 -> 2 and back, each the only input: weights 1 and -1
