"""What follows from an experiment, as far as it has come.

Enters: an experiment folder: experiment.json and what its finished runs wrote. Leaves: results.json.
"""

# Axes: S seeds, N images, K classes.

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
from numpy.typing import NDArray

from connectome2net.errors import ExperimentError
from connectome2net.evaluate.run import FILES
from connectome2net.experiment.controls import describe_control
from connectome2net.experiment.effects import Effect, Observation, effects
from connectome2net.experiment.statistics import Difference, bootstrap_images, compare, correct, estimate
from connectome2net.experiment.wording import say_difference, say_effects, say_together, say_verdict, say_weight
from connectome2net.train.checkpoint import write_json

FORMAT = "connectome2net.results"
RESULTS = "results.json"
SELECTIONS = ("without_leaked", "without_leaked_or_blank")
Numbers = dict[str, float | None]


@dataclass(frozen=True)
class Trial:
    """One finished run of a variant.

    Attributes:
        seed: of the run.
        folder: where it lies.
        numbers: its metrics by name; None where one cannot be had.
        parameters: how many numbers it learned; None where that was not written down.
    """

    seed: int
    folder: Path
    numbers: Numbers
    parameters: int | None


def summarise_experiment(folder: str | Path) -> dict[str, Any]:
    """Return what follows from an experiment, and write it as results.json into its folder.

    Runs that failed are counted and are in no mean; runs that are to come are said. Variants of a factorial design are
    judged together, through the effects of their factors; every other one is compared with its reference, paired by
    seed. Only differences in accuracy on the test images are drawn again over images: validation images differ
    between seeds.

    Args:
        folder: of an experiment, finished or not.

    Raises:
        ExperimentError: this is no experiment, or a file of it is damaged.
    """
    folder = Path(folder)
    record = _read_json(folder / "experiment.json")
    if record.get("format") != "connectome2net.experiment":
        raise ExperimentError("this is no experiment", where=folder, wanted="an experiment.json", fix="c2n experiment")
    part = record["part"]
    trials: dict[str, list[Trial]] = {variant["name"]: [] for variant in record["variants"]}
    for run in record["runs"]:
        if run["status"] == "finished":
            trials[run["variant"]].append(_trial(folder / run["folder"], run["seed"], part))
    status = Counter(run["status"] for run in record["runs"])
    compared = _compare(record, trials)
    observed = _observations(record, trials)
    planned = effects(observed)
    blocks = len({run.seed for run in observed})
    seeds = [item["n"] for item in compared if item["n"]] + ([blocks] if planned else [])
    conclusion = [
        *say_weight(
            min(seeds, default=None), failed=status["failed"], unfinished=status["waiting"] + status["running"]
        ),
        *say_together(compared),
        *(say_effects(planned, seeds=blocks) if any(item.get("factors") for item in record["variants"]) else []),
    ]
    results = {
        "format": FORMAT,
        "format_version": 1,
        **{key: record[key] for key in ("name", "reference", "part", "metric", "seeds")},
        "variants": [_variant(variant, record["runs"], trials[variant["name"]]) for variant in record["variants"]],
        "comparisons": compared,
        "factorial": {"effects": [_effect(effect) for effect in planned]} if planned else None,
        "conclusion": conclusion,
    }
    write_json(folder / RESULTS, results)
    return results


def _trial(folder: Path, seed: int, part: str) -> Trial:
    """Read the numbers of a finished run.

    Raises:
        ExperimentError: a file is missing or damaged.
    """
    path = folder / FILES[part]
    evaluation, run = _read_json(path), _read_json(folder / "run.json")
    try:
        whole = evaluation[part]
        numbers = {key: whole[key] for key in ("accuracy", "balanced_accuracy", "macro_f1", "roc_auc")}
        numbers["ece"] = whole["calibration"]["ece"]
        numbers |= {f"accuracy_{key}": evaluation[key]["accuracy"] for key in SELECTIONS}
        if "mirrored" in evaluation:
            numbers["accuracy_mirrored"] = evaluation["mirrored"]["accuracy"]
        numbers |= {key: run.get(key) for key in ("validation_accuracy", "seconds")}
        parameters = sum(run["parameters"].values()) if "parameters" in run else None
    except (LookupError, TypeError, AttributeError) as error:
        found = f"{type(error).__name__}: {error}"
        raise ExperimentError("an evaluation is damaged", where=path, found=found, fix=f"remove {folder}") from None
    return Trial(seed, folder, numbers, parameters)


def _variant(variant: Mapping[str, Any], runs: list[dict[str, Any]], trials: list[Trial]) -> dict[str, Any]:
    own = [run for run in runs if run["variant"] == variant["name"]]
    names = dict.fromkeys(name for trial in trials for name in trial.numbers)
    return {
        "name": variant["name"],
        "runs": len(own),
        "failed": sum(run["status"] == "failed" for run in own),
        "metrics": {name: _metric(_values(trials, name)) for name in names},
        "parameters": next((trial.parameters for trial in trials if trial.parameters), variant.get("parameters")),
        "control": describe_control([trial.folder for trial in trials]),
    }


def _metric(values: dict[int, float]) -> dict[str, Any] | None:
    if not values:
        return None
    of = estimate(list(values.values()))
    by_seed = {str(seed): value for seed, value in sorted(values.items())}
    return {"mean": of.mean, "sd": of.sd, "low": of.low, "high": of.high, "values": by_seed}


def _values(trials: list[Trial], metric: str) -> dict[int, float]:
    return {trial.seed: value for trial in trials if (value := trial.numbers.get(metric)) is not None}


@dataclass(frozen=True)
class Side:
    """What is compared: a variant, or how much it differs from another one."""

    variant: str
    less: str | None = None

    def __str__(self) -> str:
        return self.variant if self.less is None else f"{self.variant} less {self.less}"

    def values(self, trials: Mapping[str, list[Trial]], metric: str) -> dict[int, float]:
        """Return a number for each seed."""
        values = _values(trials[self.variant], metric)
        if self.less is None:
            return values
        others = _values(trials[self.less], metric)
        return {seed: values[seed] - others[seed] for seed in values.keys() & others.keys()}


def _compare(record: Mapping[str, Any], trials: Mapping[str, list[Trial]]) -> list[dict[str, Any]]:
    """Compare variants with their references, and gaps with gaps; correct for the number of comparisons."""
    metric = record["metric"]
    references = {
        variant["name"]: reference
        for variant in record["variants"]
        if not variant.get("factors")
        and (reference := variant.get("reference") or record["reference"]) in trials
        and reference != variant["name"]
    }
    pairs = [(Side(name), Side(reference)) for name, reference in references.items()]
    pairs += [
        (Side(name, references[name]), Side(other, references[other]))
        for variant in record["variants"]
        if (other := variant.get("gap_to")) in references and (name := variant["name"]) in references
    ]
    found = [compare(side.values(trials, metric), other.values(trials, metric)) for side, other in pairs]
    corrected = correct([difference.p for difference in found])
    tests = sum(p is not None for p in corrected)
    return [
        _comparison(pair, difference, p, record, trials, tests)
        for pair, difference, p in zip(pairs, found, corrected, strict=True)
    ]


def _comparison(
    pair: tuple[Side, Side],
    found: Difference,
    p_corrected: float | None,
    record: Mapping[str, Any],
    trials: Mapping[str, list[Trial]],
    tests: int,
) -> dict[str, Any]:
    names: dict[str, Any] = {"variant": str(pair[0]), "reference": str(pair[1])}
    low, high = over_images = _over_images(found, pair, trials, record)
    how: dict[str, Any] = {"p_corrected": p_corrected, "comparisons": tests, "over_images": over_images}
    return {
        **names,
        "n": len(found.seeds),
        "seeds": list(found.seeds),
        "unpaired": list(found.unpaired),
        **{"difference": found.of.mean, "low": found.of.low, "high": found.of.high},
        **{"effect_size": found.effect_size, "p": found.p, "p_corrected": p_corrected},
        **{"bootstrap_low": low, "bootstrap_high": high, "detectable": found.detectable(tests)},
        "verdict": say_verdict(found, **how),
        "sentence": say_difference(found, **names, **how),
    }


def _over_images(
    found: Difference, pair: tuple[Side, Side], trials: Mapping[str, list[Trial]], record: Mapping[str, Any]
) -> tuple[float, float] | tuple[None, None]:
    """Return the interval over other test images; None where the images of the runs are not the same."""
    if not (found.seeds and record["metric"] == "accuracy" and record["part"] == "test"):
        return None, None
    answers: dict[str, list[NDArray[np.int64]]] = {}
    labels: list[NDArray[np.int64]] = []
    for name in {name for side in pair for name in (side.variant, side.less) if name is not None}:
        folders = {trial.seed: trial.folder for trial in trials[name]}
        read = [_answers(folders[seed] / "predictions.parquet") for seed in found.seeds]
        answers[name] = [right_N.astype(np.int64) for _, right_N in read]
        labels += [label_N for label_N, _ in read]
    if not all(np.array_equal(label_N, labels[0]) for label_N in labels):
        return None, None
    variant_SN, reference_SN = (
        np.stack(answers[side.variant]) - (0 if side.less is None else np.stack(answers[side.less])) for side in pair
    )
    return bootstrap_images(variant_SN, reference_SN)


def _answers(path: Path) -> tuple[NDArray[np.int64], NDArray[np.bool_]]:
    """Read the labels of the test images, and which were answered right.

    Raises:
        ExperimentError: the file is missing or damaged.
    """
    try:
        table = pq.read_table(path, columns=["label", "logit"])
        label_N = table["label"].to_numpy()
        logit_NK = table["logit"].combine_chunks().flatten().to_numpy().reshape(len(label_N), -1)
    except (OSError, ValueError) as error:
        fix = f"remove {path.parent}, and give the command again"
        raise ExperimentError("predictions cannot be read", where=path, found=error, fix=fix) from None
    return label_N, logit_NK.argmax(1) == label_N


def _observations(record: Mapping[str, Any], trials: Mapping[str, list[Trial]]) -> list[Observation]:
    """Return the runs of variants that belong to a factorial design."""
    return [
        Observation(variant["factors"], seed, value)
        for variant in record["variants"]
        if variant.get("factors")
        for seed, value in _values(trials[variant["name"]], record["metric"]).items()
    ]


def _effect(effect: Effect) -> dict[str, Any]:
    return {
        "term": list(effect.term),
        "aliases": [list(alias) for alias in effect.aliases],
        **{key: getattr(effect, key) for key in ("effect", "low", "high", "p", "p_corrected")},
    }


def _read_json(path: Path) -> dict[str, Any]:
    """Read a JSON object.

    Raises:
        ExperimentError: it is missing or damaged.
    """
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        fix = "give the command again: c2n experiment"
        raise ExperimentError("a file of this experiment cannot be read", where=path, found=error, fix=fix) from None
    if not isinstance(content, dict):
        raise ExperimentError("a file of this experiment is damaged", where=path, wanted="a JSON object")
    return content
