"""The numbers behind the figures, against a slow loop or another library."""

from __future__ import annotations

import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from xml.etree import ElementTree

import numpy as np
import pyarrow as pa
import pytest
from columns import CELLS, EDGES, twelve_cells
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from connectome2net.compile.package import compile_spec
from connectome2net.compile.reference import compile_reference
from connectome2net.report import headline, numbers
from connectome2net.report.anatomy import MOST_EDGES, measure_laminae, scene_of
from connectome2net.report.answers import calibration_rows, class_scores, confusion_of, worst_confusion
from connectome2net.report.diagram import draw_program
from connectome2net.report.formats import Bin, Calibration, ClassScores, Metrics
from connectome2net.report.insides import measure_activity, measure_weights
from tests.report.experiments import small_column


def test_the_matrix_by_lamina_counts_pairs_as_a_loop_does() -> None:
    matrix = measure_laminae(twelve_cells())
    kind = [f"{'?' if lamina == 'unknown' else lamina} {ei[0].upper()}" for _, _, ei, lamina, *_ in CELLS]
    assert set(matrix.names) == set(kind)
    for row in matrix.rows():
        pairs = [
            (pre, post)
            for pre in range(12)
            for post in range(12)
            if pre != post and (kind[pre], kind[post]) == (row["pre"], row["post"])
        ]
        edges = [(pre, post, n) for post, pre, n, _ in EDGES if (kind[pre], kind[post]) == (row["pre"], row["post"])]
        assert row["edges"] == len(edges)
        assert row["synapses"] == sum(n for *_, n in edges)
        wanted = len([edge for edge in edges if edge[0] != edge[1]]) / len(pairs) if pairs else None
        assert row["connected"] == (pytest.approx(wanted) if pairs else None)


def test_the_scene_has_the_pia_up_and_the_strongest_edges() -> None:
    spec = twelve_cells()
    scene = scene_of(spec)
    assert scene["z"] == [-cell[7] for cell in CELLS[:11]]
    assert len(scene["x"]) == 11  # the last cell has no position
    first = scene["edges"][0]
    found = list(zip(first["post"], first["pre"], strict=True))
    drawn = sorted(((n, post, pre) for post, pre, n, _ in EDGES if 11 not in (post, pre)), key=lambda edge: -edge[0])
    assert len(found) == len(drawn)
    assert found[0] == (9, 2)
    counts = {(post, pre): n for n, post, pre in drawn}
    assert [counts[pair] for pair in found] == [n for n, *_ in drawn]
    names = [edges["name"] for edges in scene["edges"]]
    assert any(name.startswith("From inhibitory cells") for name in names)
    assert len(names) == len(set(names)) or len(drawn) <= 200


def test_a_large_set_of_edges_is_cut_to_its_strongest() -> None:
    spec = small_column()
    scene = scene_of(spec)
    assert [len(edges["pre"]) for edges in scene["edges"][:2]] == [200, MOST_EDGES]
    assert scene["edges"][1]["name"].startswith("All edges (1,500 strongest of ")


@given(st.lists(st.floats(0, 1), min_size=2, max_size=9))
def test_the_interval_of_a_mean_is_that_of_student(values: list[float]) -> None:
    found = numbers.summarise({str(seed): value for seed, value in enumerate(values)})
    assert found is not None
    assert found.mean == pytest.approx(np.mean(values))
    if stats.sem(values) > 1e-12:
        wanted = stats.t.interval(0.95, len(values) - 1, np.mean(values), stats.sem(values))
        assert (found.low, found.high) == pytest.approx(wanted)


def test_one_seed_has_no_interval() -> None:
    found = numbers.summarise({"0": 0.5})
    assert found is not None
    assert (found.mean, found.sd, found.low) == (0.5, None, None)
    assert numbers.summarise({}) is None


@pytest.mark.parametrize(
    ("value", "text"), [(0.006, "+0.6"), (-0.0317, "\N{MINUS SIGN}3.2"), (0.0001, "0.0"), (-0.0001, "0.0"), (None, "")]
)
def test_points_have_a_sign_unless_they_are_nothing(value: float | None, text: str) -> None:
    assert numbers.points(value) == text


@pytest.mark.parametrize(("seconds", "text"), [(3.4, "3 s"), (150, "2.5 min"), (7200, "2.0 h"), (None, "")])
def test_times_are_said_in_a_fitting_unit(seconds: float | None, text: str) -> None:
    assert numbers.duration(seconds).replace("\N{NO-BREAK SPACE}", " ") == text


def metrics(confusion: list[list[int]], **more: Any) -> Metrics:
    return Metrics(images=3, accuracy=0.5, macro_f1=0.5, confusion=tuple(map(tuple, confusion)), **more)


def test_confusion_is_the_mean_of_shares_over_seeds() -> None:
    share_KK = confusion_of([metrics([[3, 1], [0, 0]]), metrics([[2, 2], [0, 0]])])
    assert share_KK is not None
    np.testing.assert_allclose(share_KK[0], [0.625, 0.375])
    assert np.isnan(share_KK[1]).all()
    assert worst_confusion(share_KK, ["sad", "fear"]) == ("sad", "fear", pytest.approx(0.375))
    assert confusion_of([]) is None


def test_scores_of_a_class_are_means_over_seeds() -> None:
    tests = [
        metrics([[1]], per_class={"sad": ClassScores(precision=p, recall=0.5, f1=0.5, images=3, roc_auc=auc)})
        for p, auc in ((0.2, 0.6), (0.4, None))
    ]
    (row,) = class_scores(tests)
    assert row["precision"] == pytest.approx(0.3)
    assert row["roc_auc"] == 0.6


def test_bins_of_calibration_weigh_every_answer_alike() -> None:
    def test_with(images: int, confidence: float, accuracy: float) -> Metrics:
        item = Bin(low=0, high=0.5, images=images, confidence=confidence, accuracy=accuracy)
        return metrics([[1]], calibration=Calibration(ece=0.1, bins=(item, Bin(low=0.5, high=1, images=0))))

    first, second = calibration_rows([test_with(1, 0.1, 0.0), test_with(3, 0.3, 1.0)])
    assert first["images"] == 4
    assert (first["confidence"], first["accuracy"]) == (pytest.approx(0.25), pytest.approx(0.75))
    assert (second["images"], second["confidence"]) == (0, None)


def test_the_rank_correlation_of_weights_is_that_of_their_ranks() -> None:
    spec = twelve_cells()
    rng = np.random.default_rng(5)
    pre, post = np.array([(pre, post) for post, pre, *_ in EDGES]).T
    before, after = rng.normal(size=len(pre)), rng.normal(size=len(pre))
    table = pa.table({"pre_index": pre, "post_index": post, "before": before, "after": after})
    rows = {row["ei_class"]: row for row in measure_weights(table, spec)}
    assert set(rows) == {"excitatory", "inhibitory"}
    for name, row in rows.items():
        mine = np.array([CELLS[cell][2] == name for cell in pre])
        ranks = [stats.rankdata(np.abs(x[mine])) for x in (before, after)]
        assert row["rank_correlation"] == pytest.approx(np.corrcoef(*ranks)[0, 1])
        assert row["sign_changed"] == pytest.approx(np.mean(before[mine] * after[mine] < 0))
    (one,) = measure_weights(table, None)
    assert (one["ei_class"], one["edges"]) == ("all", len(EDGES))


def test_activity_is_summed_up_by_population_and_by_lamina() -> None:
    rate = np.arange(12.0)
    table = pa.table({"cell_index": range(12), "population": ["A"] * 4 + ["B"] * 8, "rate": rate, "active": rate / 12})
    rows = {(row["group"], row["name"]): row for row in measure_activity([table, table], twelve_cells())}
    assert rows["population", "A"]["cells"] == 4
    assert rows["population", "B"]["q50"] == pytest.approx(np.median(rate[4:]))
    l4 = [at for at, cell in enumerate(CELLS) if cell[2:4] == ("excitatory", "L4")]
    assert rows["lamina", "L4 E"]["mean"] == pytest.approx(rate[l4].mean())


@pytest.mark.parametrize("network", ["column", "feedforward", "pairs", "spiking", "graded"])
def test_the_diagram_names_everything_of_the_program(network: str, tmp_path: Path) -> None:
    changes = {"front_end": {"height": 12, "width": 12}} if network == "column" else {}
    program = json.loads(
        (compile_spec(twelve_cells(network, **changes), out=tmp_path / "c") / "program.json").read_text()
    )
    root = ElementTree.fromstring(draw_program(program))
    texts = [element.text or "" for element in root.iter("{http://www.w3.org/2000/svg}text")]
    words = " ".join(texts)
    for population in program["populations"]:
        assert any(text.startswith(f"{population['name']} {population['cells']}") for text in texts)
    for block in program["blocks"]:
        assert f"{block['name']}: {block['edges']:,} edges" in words
    for rule in program["rules"]:
        assert f"rule {rule['name']}: {rule['kind']}" in words
    for number, phase in enumerate(program["phases"], 1):
        assert f"{number}. {phase['steps']} step" in words
    assert f"{program['readout']['classes']} classes" in words
    dashed = [element for element in root.iter() if "dasharray" in element.get("style", "")]
    assert bool(dashed) == any(block["sign"] == "free" or "I_I" in block["name"] for block in program["blocks"]) or (
        network == "pairs"
    )
    width = float(root.get("viewBox", "").split()[2])
    boxes = [element for element in root.iter() if element.tag.endswith("rect")]
    assert all(float(box.get("x", 0)) + float(box.get("width", 0)) <= width for box in boxes)


@pytest.mark.parametrize("kind", ["linear", "mlp", "cnn"])
def test_the_diagram_of_a_reference_has_its_layers_and_no_cells(kind: Any, tmp_path: Path) -> None:
    spec = twelve_cells("column", front_end={"height": 12, "width": 12, "blocks": [{"channels": 4, "pool": 2}]})
    folder = compile_reference(spec, kind, out=tmp_path / "c", parameters=None if kind == "linear" else 5000)
    program = json.loads((folder / "program.json").read_text())
    root = ElementTree.fromstring(draw_program(program))
    texts = [element.text or "" for element in root.iter("{http://www.w3.org/2000/svg}text")]
    words = " ".join(texts)
    assert "convolution 3 \N{MULTIPLICATION SIGN} 3, 4 channels, pool 2" in words
    for layer in program["convolutions"]:
        assert f"{layer['out_channels']} channels" in words
    for layer in program["dense"]:
        assert f"dense, {layer['units']:,} units" in words
    assert ("the readout sees the feature map itself" in words) == (kind == "linear")
    assert f"from {program['readout']['features']:,} features to 7 classes" in words
    assert not any(text.endswith(" cells") for text in texts)


@pytest.mark.parametrize(("values", "said"), [([0.5], "1 seed: how far"), ([0.5, 0.5], "2 seeds: how far")])
def test_equal_seeds_tell_no_interval(values: list[float], said: str) -> None:
    summary = numbers.summarise({str(seed): value for seed, value in enumerate(values)})
    study = SimpleNamespace(experiment=SimpleNamespace(reference="real", part="test"))
    assert f"accuracy of real on test images, {said}" in headline._number_words(study, "accuracy", summary)
