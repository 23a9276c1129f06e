"""results.json: numbers against the files they come from; failed, missing and unfinished runs."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import pytest
import torch
from scipy import stats

from connectome2net.errors import ExperimentError
from connectome2net.evaluate.metrics import classification_metrics
from connectome2net.evaluate.tables import prediction_table, write_table
from connectome2net.experiment.design import factorial
from connectome2net.experiment.results import summarise_experiment
from connectome2net.experiment.statistics import correct
from connectome2net.tasks import ImageSet

CLASSES = ("calm", "cross", "glad")
IMAGES = 120
STATUS = {"degree": {3: "failed"}, "distance": {0: "running", 4: "waiting"}}


def images() -> ImageSet:
    rng = np.random.default_rng(0)
    blank, part = np.arange(IMAGES) < 2, np.full(IMAGES, "PublicTest")
    return ImageSet(
        np.zeros((IMAGES, 2, 2), np.uint8), rng.integers(0, 3, IMAGES), part, np.arange(IMAGES) % 10 == 0, blank
    )


def write_run(folder: Path, *, skill: float, seed: int, part: str = "test") -> float:
    """Write what a run and its evaluation leave, and return its accuracy."""
    folder.mkdir(parents=True)
    test = images()
    label_N = torch.from_numpy(test.label_N)
    noise_NK = torch.randn(IMAGES, 3, generator=torch.Generator().manual_seed(seed))
    logits_NK = noise_NK + skill * torch.nn.functional.one_hot(label_N, 3)

    def metrics(keep: np.ndarray) -> dict[str, Any]:
        return classification_metrics(logits_NK[keep], label_N[keep], CLASSES)

    evaluation = {
        part: metrics(np.full(IMAGES, True)),
        "without_leaked": metrics(~test.leaked_N),
        "without_leaked_or_blank": metrics(~test.leaked_N & ~test.blank_N),
        "mirrored": metrics(np.arange(IMAGES) > 50),
    }
    name = "evaluation.json" if part == "test" else "validation.json"
    (folder / name).write_text(json.dumps(evaluation))
    (folder / "run.json").write_text(json.dumps({"validation_accuracy": 0.5 + seed / 100, "seconds": 10.0 + seed}))
    if part == "test":
        write_table(folder / "predictions.parquet", prediction_table(logits_NK, test))
    return evaluation[part]["accuracy"]


def write_experiment(
    folder: Path, skills: dict[str, float], *, seeds: int = 5, factors: dict[str, Any] | None = None, **changes: Any
) -> dict[str, dict[int, float]]:
    """Write an experiment, and return the accuracy of each finished run."""
    runs, accuracy = [], {}
    for variant, skill in skills.items():
        for seed in range(seeds):
            status = STATUS.get(variant, {}).get(seed, "finished")
            place = f"runs/{variant}-{seed}"
            runs.append({"variant": variant, "seed": seed, "folder": place, "status": status, "error": None})
            if status == "finished":
                part = changes.get("part", "test")
                accuracy.setdefault(variant, {})[seed] = write_run(folder / place, skill=skill, seed=seed, part=part)
    record = {
        **{"format": "connectome2net.experiment", "format_version": 1, "name": "ladder", "reference": "real"},
        **{"part": "test", "metric": "accuracy", "seeds": list(range(seeds))},
        "variants": [{"name": name, "parameters": 7, "factors": (factors or {}).get(name)} for name in skills],
        "runs": runs,
        **changes,
    }
    (folder / "experiment.json").write_text(json.dumps(record))
    return accuracy


def right(folder: Path) -> np.ndarray:
    """Return which test images a run answered right."""
    table = pq.read_table(folder / "predictions.parquet")
    return np.array(table["logit"].to_pylist()).argmax(1) == table["label"].to_numpy()


def test_the_numbers_are_those_of_the_files(tmp_path: Path) -> None:
    accuracy = write_experiment(tmp_path, {"real": 2.0, "degree": 1.2, "distance": 1.9})
    found = summarise_experiment(tmp_path)
    assert json.loads((tmp_path / "results.json").read_text()) == found
    assert {key: found[key] for key in ("format", "format_version", "name", "reference", "seeds")} == {
        **{"format": "connectome2net.results", "format_version": 1, "name": "ladder", "reference": "real"},
        "seeds": [0, 1, 2, 3, 4],
    }
    real, degree, distance = found["variants"]
    values = [*accuracy["real"].values()]
    told = real["metrics"]["accuracy"]
    assert told["values"] == {str(seed): value for seed, value in accuracy["real"].items()}
    assert (told["mean"], told["sd"]) == (pytest.approx(np.mean(values)), pytest.approx(np.std(values, ddof=1)))
    assert {*real["metrics"]} >= {"macro_f1", "roc_auc", "ece", "accuracy_without_leaked", "seconds"}
    assert real["metrics"]["validation_accuracy"]["mean"] == pytest.approx(0.52)
    one = json.loads((tmp_path / "runs/real-2/evaluation.json").read_text())
    assert real["metrics"]["accuracy_without_leaked_or_blank"]["values"]["2"] == pytest.approx(
        one["without_leaked_or_blank"]["accuracy"]
    )
    assert real["metrics"]["accuracy_mirrored"]["values"]["2"] == one["mirrored"]["accuracy"]
    assert real["metrics"]["ece"]["values"]["2"] == one["test"]["calibration"]["ece"]
    assert (degree["runs"], degree["failed"], degree["parameters"]) == (5, 1, 7)
    assert (distance["runs"], distance["failed"]) == (5, 0)


def test_comparisons_are_paired_corrected_and_said(tmp_path: Path) -> None:
    accuracy = write_experiment(tmp_path, {"real": 2.0, "degree": 1.2, "distance": 1.9})
    found = summarise_experiment(tmp_path)
    degree, distance = found["comparisons"]
    both = [0, 1, 2, 4]
    wanted = stats.ttest_rel(*([accuracy[name][seed] for seed in both] for name in ("degree", "real")))
    assert (degree["n"], degree["seeds"], degree["unpaired"]) == (4, both, [3])
    assert degree["p"] == pytest.approx(wanted.pvalue)
    assert (degree["low"], degree["high"]) == pytest.approx(tuple(wanted.confidence_interval(0.95)))
    assert (distance["n"], distance["unpaired"]) == (3, [0, 4])
    ordered = sorted([degree, distance], key=lambda item: item["p"])
    assert ordered[0]["p_corrected"] == pytest.approx(2 * ordered[0]["p"])
    assert ordered[1]["p_corrected"] == pytest.approx(max(ordered[1]["p"], 2 * ordered[0]["p"]))
    assert degree["bootstrap_low"] < degree["difference"] < degree["bootstrap_high"]
    assert found["conclusion"] == [
        "This experiment is not finished: 2 runs to come.",
        "1 run failed and is in no mean.",
        "Preliminary: 3 seeds; a comparison carries a conclusion from 10 seeds on.",
        degree["sentence"],
        distance["sentence"],
    ]
    assert degree["sentence"].startswith("degree: ")
    assert "points less than real" in degree["sentence"]


def transform(name: str, **numbers: Any) -> dict[str, Any]:
    return {"name": name, "spectral_radius_before": 0.5, "scale": 1.0} | numbers


def test_what_a_control_changed_is_the_mean_over_its_graphs(tmp_path: Path) -> None:
    write_experiment(tmp_path, {"real": 2.0, "degree": 1.2, "half": 1.0}, seeds=2)
    subset = transform("subset", spectral_radius_after=0.1, edges_changed=900, edges_before=1000)
    for seed, (after, changed) in enumerate([(0.8, 70), (0.4, 90)]):
        null = transform("degree", spectral_radius_after=after, scale=0.5 / after, edges_changed=changed)
        for name, transforms in (("degree", [null | {"edges_before": 100}]), ("half", [subset, null])):
            (tmp_path / f"runs/{name}-{seed}/transform.json").write_text(json.dumps({"transforms": transforms}))
    real, degree, half = (item["control"] for item in summarise_experiment(tmp_path)["variants"])
    assert real is None
    assert degree == {
        **{"graphs": 2, "edges_changed": 80, "edges_changed_share": pytest.approx(0.8)},
        **{"spectral_radius_before": 0.5, "spectral_radius_after": pytest.approx(0.6)},
        **{"scale": pytest.approx((0.625 + 1.25) / 2), "spectral_radius_matched": pytest.approx(0.5)},
    }
    assert half == degree | {"edges_changed_share": None}


@pytest.mark.parametrize("content", ["{", "{}", '{"transforms": []}', '{"transforms": [{"scale": 1}]}', "[]"])
def test_a_damaged_record_of_a_control_is_named(tmp_path: Path, content: str) -> None:
    write_experiment(tmp_path, {"real": 2.0, "degree": 1.2}, seeds=1)
    (tmp_path / "runs/degree-0/transform.json").write_text(content)
    with pytest.raises(
        ExperimentError, match=r"what a control changed cannot be read\n  where:  .*transform.json(.|\n)*fix:    remove"
    ):
        summarise_experiment(tmp_path)


def test_a_measure_that_cannot_be_had_is_in_no_mean(tmp_path: Path) -> None:
    accuracy = write_experiment(tmp_path, {"real": 2.0, "mix": 1.0}, seeds=2)
    for name in ("real-0", "mix-0", "mix-1"):
        path = tmp_path / "runs" / name / "evaluation.json"
        path.write_text(json.dumps(json.loads(path.read_text()) | {"without_leaked": {"accuracy": None}}))
    real, mix = (item["metrics"] for item in summarise_experiment(tmp_path)["variants"])
    assert [*real["accuracy_without_leaked"]["values"]] == ["1"]
    assert mix["accuracy_without_leaked"] is None
    assert mix["accuracy"]["mean"] == pytest.approx(np.mean([*accuracy["mix"].values()]))


def test_what_a_variant_learns_is_what_its_runs_learned(tmp_path: Path) -> None:
    """Of other classes than the spec's, a readout is larger than the plan could know."""
    write_experiment(tmp_path, {"real": 2.0, "mix": 1.0}, seeds=2)
    path = tmp_path / "runs/mix-0/run.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | {"parameters": {"front_end": 3, "readout": 8}}))
    assert [item["parameters"] for item in summarise_experiment(tmp_path)["variants"]] == [7, 11]


def test_a_control_that_failed_altogether_makes_nothing_preliminary(tmp_path: Path) -> None:
    write_experiment(tmp_path, {"real": 2.0, "mix": 1.0, "degree": 1.0}, seeds=10)
    record = json.loads((tmp_path / "experiment.json").read_text())
    for run in record["runs"]:
        if run["variant"] == "degree":
            run["status"] = "failed"
    (tmp_path / "experiment.json").write_text(json.dumps(record))
    found = summarise_experiment(tmp_path)
    assert [item["n"] for item in found["comparisons"]] == [10, 0]
    assert found["conclusion"][0] == "10 runs failed and are in no mean."
    assert not any(text.startswith("Preliminary") for text in found["conclusion"])


def test_nothing_has_finished(tmp_path: Path) -> None:
    write_experiment(tmp_path, {"real": 2.0, "degree": 1.0}, seeds=1)
    record = json.loads((tmp_path / "experiment.json").read_text())
    for run in record["runs"]:
        run["status"] = "waiting"
    (tmp_path / "experiment.json").write_text(json.dumps(record))
    found = summarise_experiment(tmp_path)
    assert found["variants"][0]["metrics"] == {}
    assert found["comparisons"][0]["difference"] is None
    assert "nothing can be said" in found["conclusion"][-1]
    assert found["factorial"] is None


def test_on_validation_there_is_no_bootstrap(tmp_path: Path) -> None:
    write_experiment(tmp_path, {"real": 2.0, "mix": 1.0}, part="validation")
    found = summarise_experiment(tmp_path)
    assert found["comparisons"][0]["p"] < 0.05
    assert found["comparisons"][0]["bootstrap_low"] is None


def test_other_test_images_are_not_paired(tmp_path: Path) -> None:
    write_experiment(tmp_path, {"real": 2.0, "mix": 1.0}, seeds=2)
    test = images()
    shifted = ImageSet(test.image_NHW, (test.label_N + 1) % 3, test.part_N, test.leaked_N, test.blank_N)
    write_table(tmp_path / "runs/mix-1/predictions.parquet", prediction_table(torch.zeros(IMAGES, 3), shifted))
    assert summarise_experiment(tmp_path)["comparisons"][0]["bootstrap_low"] is None


def test_a_gap_is_compared_with_a_gap(tmp_path: Path) -> None:
    skills = {"real": 2.0, "mix": 1.2, "half": 1.6, "half mix": 1.5}
    accuracy = write_experiment(tmp_path, skills)
    record = json.loads((tmp_path / "experiment.json").read_text())
    record["variants"][3] |= {"reference": "half", "gap_to": "mix"}
    (tmp_path / "experiment.json").write_text(json.dumps(record))
    *alone, gap = summarise_experiment(tmp_path)["comparisons"]
    assert len(alone) == 3
    assert (gap["variant"], gap["reference"]) == ("half mix less half", "mix less real")
    value_VS = np.array([[*accuracy[name].values()] for name in skills])
    half_S, whole_S = value_VS[3] - value_VS[2], value_VS[1] - value_VS[0]
    wanted = stats.ttest_rel(half_S, whole_S)
    low, high = wanted.confidence_interval()
    assert (gap["difference"], gap["low"], gap["high"]) == pytest.approx(((half_S - whole_S).mean(), low, high))
    assert gap["p"] == pytest.approx(wanted.pvalue)
    every = [item["p"] for item in (*alone, gap)]
    assert [item["p_corrected"] for item in (*alone, gap)] == pytest.approx(correct(every))
    right_VN = np.stack([np.mean([right(tmp_path / f"runs/{name}-{seed}") for seed in range(5)], 0) for name in skills])
    spread = 1.96 * (np.array([1, -1, -1, 1]) @ right_VN).std() / IMAGES**0.5
    interval = (gap["difference"] - spread, gap["difference"] + spread)
    assert (gap["bootstrap_low"], gap["bootstrap_high"]) == pytest.approx(interval, abs=0.01)


def test_each_variant_may_have_its_own_reference(tmp_path: Path) -> None:
    write_experiment(tmp_path, {"real": 2.0, "mix": 1.0, "cnn": 1.5}, seeds=2)
    record = json.loads((tmp_path / "experiment.json").read_text())
    record["variants"][2]["reference"] = "mix"
    (tmp_path / "experiment.json").write_text(json.dumps(record))
    found = summarise_experiment(tmp_path)["comparisons"]
    assert [(item["variant"], item["reference"]) for item in found] == [("mix", "real"), ("cnn", "mix")]


def test_a_factorial_experiment_is_judged_by_its_effects(tmp_path: Path) -> None:
    rows = factorial(["noise", "mask"])
    skills = {f"design {at}": 1.0 + 2.0 * row["mask"] for at, row in enumerate(rows)}
    factors = {f"design {at}": row for at, row in enumerate(rows)}
    skills["cnn"] = 1.0
    accuracy = write_experiment(tmp_path, skills, seeds=3, factors=factors, reference="design 3")
    found = summarise_experiment(tmp_path)
    assert [item["variant"] for item in found["comparisons"]] == ["cnn"]
    effects = {tuple(item["term"]): item for item in found["factorial"]["effects"]}
    on = np.mean([[*accuracy[name].values()] for name, row in factors.items() if row["mask"]])
    off = np.mean([[*accuracy[name].values()] for name, row in factors.items() if not row["mask"]])
    assert effects["mask",]["effect"] == pytest.approx(on - off)
    assert effects["mask",]["p_corrected"] < 0.05
    assert effects["noise", "mask"]["aliases"] == []
    assert any(sentence.startswith("mask, switched on: ") for sentence in found["conclusion"])


def test_a_factorial_experiment_that_lacks_runs_says_so(tmp_path: Path) -> None:
    rows = factorial(["noise", "mask"])
    factors = {f"design {at}": row for at, row in enumerate(rows)}
    write_experiment(tmp_path, dict.fromkeys(factors, 1.0), seeds=1, factors=factors)
    record = json.loads((tmp_path / "experiment.json").read_text())
    for run in record["runs"][1:]:
        run["status"] = "failed"
    (tmp_path / "experiment.json").write_text(json.dumps(record))
    found = summarise_experiment(tmp_path)
    assert found["factorial"] is None
    assert found["conclusion"] == [
        "3 runs failed and are in no mean.",
        "The effects of the factors are not known: the runs that have finished do not determine them.",
    ]


def test_what_is_no_experiment_or_damaged(tmp_path: Path) -> None:
    with pytest.raises(ExperimentError, match=r"cannot be read\n  where:  .*experiment.json(.|\n)*c2n experiment"):
        summarise_experiment(tmp_path)
    (tmp_path / "experiment.json").write_text("[]")
    with pytest.raises(ExperimentError, match="a file of this experiment is damaged"):
        summarise_experiment(tmp_path)
    (tmp_path / "experiment.json").write_text("{}")
    with pytest.raises(ExperimentError, match="this is no experiment"):
        summarise_experiment(tmp_path)
    write_experiment(tmp_path, {"real": 2.0, "mix": 1.0}, seeds=1)
    (tmp_path / "runs/mix-0/predictions.parquet").write_bytes(b"PAR1")
    with pytest.raises(ExperimentError, match=r"predictions cannot be read\n  where:  .*mix-0"):
        summarise_experiment(tmp_path)
    (tmp_path / "runs/mix-0/evaluation.json").write_text("{}")
    with pytest.raises(ExperimentError, match=r"an evaluation is damaged(.|\n)*KeyError: 'test'(.|\n)*fix:    remove"):
        summarise_experiment(tmp_path)
