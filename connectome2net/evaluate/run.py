"""Evaluate a run on the test images of its data set.

Enters: a run folder and images. Leaves: metrics, also as evaluation.json in the run, and tables beside it.
"""

# Axes: N images, K classes.

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from connectome2net.errors import DataError, EvaluateError
from connectome2net.evaluate.metrics import classification_metrics
from connectome2net.evaluate.predict import mean_activity, predict, predict_mirrored
from connectome2net.evaluate.robustness import robustness as measure_robustness
from connectome2net.evaluate.tables import activity_table, prediction_table, weight_table, write_table
from connectome2net.inside import examine
from connectome2net.load import load
from connectome2net.runtime.allocator import keep_freed_memory
from connectome2net.runtime.device import find_device
from connectome2net.tasks import Dataset, ImageSet, open_dataset
from connectome2net.tasks.dataset import hash_pixels
from connectome2net.train.checkpoint import write_json
from connectome2net.train.config import OF_IMAGES
from connectome2net.train.ridge import is_reservoir
from connectome2net.train.run import images_of, read_run

Part = Literal["test", "validation"]
FILES = {"test": "evaluation.json", "validation": "validation.json"}


def evaluate(
    run: str | Path,
    *,
    data: str | Path | Dataset | None = None,
    device: str = "cpu",
    trust: bool = False,
    robustness: bool = False,
    part: Part = "test",
    quiet: bool = False,
) -> dict[str, Any]:
    """Evaluate the best epoch of a run on the test images.

    The test images have chosen nothing: the epoch was chosen on the validation part. Settings are chosen there too:
    ``part="validation"`` touches no test image, and writes validation.json alone. What other images than those of the
    run give is returned, and written nowhere: what the run is known by stays.

    Beside evaluation.json lie ``predictions.parquet`` (one row per test image: ``label, part, leaked, blank, logit``)
    and, of a network with cells, ``weights.parquet`` (one row per edge: ``projection, pre_index, post_index``, rows of
    the spec's cells table, and the weight with its sign ``before`` and ``after`` training) and ``activity.parquet``
    (one row per cell: ``cell_index, population``, mean ``rate`` over the test images, and ``active``, the share of them
    for which it is more than 0).

    Args:
        run: a run folder.
        data: the images; by default those that the run was trained on.
        device: where to compute.
        trust: run a model.py that was changed by hand.
        robustness: measure the accuracy under noise, blur, occlusion and lesions too; about 17 times the work. What was
            measured before of the same network stays in the file.
        part: which images: ``test`` or ``validation``.
        quiet: show no bar.

    Returns:
        ``test`` or ``validation`` (metrics on all images of the part), ``without_leaked`` (without images whose pixels
        occur in training) and ``without_leaked_or_blank`` (both are absent where other images are given and those of
        the run are not found), ``parts`` (one entry per part of the source, PublicTest and PrivateTest for instance,
        where there are several), ``mirrored`` (of the mean of the probabilities that the network gives to an image and
        to its mirror image; where training flipped images), ``robustness``, where it was asked for, the audits, and
        what was evaluated.

    Raises:
        TrainError: the folder is not a run.
        LoadError: it has no trained weights, or they cannot be trusted.
        EvaluateError: the images have other classes than the run, there is no such part, or an answer is not finite.
    """
    folder = Path(run)
    if part not in FILES:
        raise EvaluateError("there is no such part", where="part", found=part, wanted=" or ".join(FILES))
    keep_freed_memory()
    record = read_run(folder)
    model = load(folder, trust=trust).to(find_device(device))
    data = _images(folder, record, model, data)
    is_own = data.digest == record["dataset"]["digest"]
    images = data.test if part == "test" else data.validation
    leaked_N = images.leaked_N if is_own else _find_leaks(images, record)
    logits_NK = predict(model, images)
    if wrong := int((~logits_NK.isfinite()).any(1).sum()):
        found, fix = f"{wrong:,} of {len(images):,} {part} images", "train again, with a lower learning rate"
        raise EvaluateError("the network gives answers that are not finite", where=folder, found=found, fix=fix)
    result = {
        "run": folder.name,
        "network": record["network"],
        "synthetic_column": record["synthetic_column"],
        "data": {"name": data.name, "digest": data.digest, "part": data.test_name if part == "test" else part}
        | {"synthetic": data.synthetic},
        "trained_on_these_data": is_own,
        "status": record["status"],
        "best_epoch": record.get("best_epoch"),
        "seed": record["config"]["seed"],
        "part": part,
        **_selections(logits_NK, images, data, part, leaked_N),
        "audit": examine(model, quick=True),
    }
    if (record["config"]["augmentation"] or {}).get("flip") and not is_reservoir(model):
        mirrored_NK = predict_mirrored(model, images, logits_NK)
        result["mirrored"] = classification_metrics(mirrored_NK, torch.from_numpy(images.label_N), data.classes)
    if robustness:
        result["robustness"] = measure_robustness(model, images, quiet=quiet)
    elif is_own:
        result |= _measured_before(folder / FILES[part], result)
    if is_own:
        if part == "test":
            _write_tables(folder, record, model, images, logits_NK, trust=trust)
        write_json(folder / FILES[part], result)
    return result


def _images(folder: Path, record: dict[str, Any], model: nn.Module, data: str | Path | Dataset | None) -> Dataset:
    """Open the images to evaluate on.

    Raises:
        EvaluateError: they have other classes than the run.
    """
    program: Any = model.program
    if not isinstance(data, Dataset):
        data = _open(data if data is not None else images_of(record), record, size=program.height)
    if list(data.classes) != record["classes"]:
        raise EvaluateError(
            "these images have other classes than the run",
            where=folder,
            found=", ".join(data.classes),
            wanted=", ".join(record["classes"]),
            fix="give the data set that the run was trained on with --data",
        )
    return data


def _open(data: str | Path | None, record: dict[str, Any], *, size: int) -> Dataset:
    """Open images as the run read them."""
    config = record["config"]
    # Runs of an earlier release know no labels but those of the source.
    reading = {key: config[key] for key in ("seed", *OF_IMAGES) if key in config}
    return open_dataset(data, size=size, **reading)


def _find_leaks(images: ImageSet, record: dict[str, Any]) -> NDArray[np.bool_] | None:
    """Return which of other images are among those that the run learned from or was chosen on.

    Returns:
        (N,) flags; None where the run's own images are not to be found.
    """
    try:
        own = _open(images_of(record), record, size=images.image_NHW.shape[1])
    except DataError:
        return None
    if own.digest != record["dataset"]["digest"]:
        return None
    learned_N = hash_pixels(np.concatenate([own.train.image_NHW, own.validation.image_NHW]))
    return np.isin(hash_pixels(images.image_NHW), learned_N)


def _measured_before(path: Path, result: dict[str, Any]) -> dict[str, Any]:
    """Return the robustness that a file has of the same network."""
    try:
        before = json.loads(path.read_bytes())
        same = all(before[key] == result[key] for key in ("status", "best_epoch", "trained_on_these_data"))
        return {"robustness": before["robustness"]} if same else {}
    except (OSError, ValueError, LookupError, TypeError):  # there is none, or it is damaged
        return {}


def _write_tables(
    folder: Path, record: dict[str, Any], model: nn.Module, images: ImageSet, logits_NK: Tensor, *, trust: bool
) -> None:
    write_table(folder / "predictions.parquet", prediction_table(logits_NK, images))
    cell_index: Any = model.cell_index
    if len(cell_index):
        seed, classes = record["config"]["seed"], len(record["classes"])
        fresh = load(folder / "compiled", seed=seed, classes=classes, trust=trust)
        write_table(folder / "weights.parquet", weight_table(fresh, model))
        write_table(folder / "activity.parquet", activity_table(model, mean_activity(model, images)))


def _selections(
    logits_NK: Tensor, images: ImageSet, data: Dataset, part: Part, leaked_N: NDArray[np.bool_] | None
) -> dict[str, Any]:
    """Return the metrics of all images, of those that do not leak, where that is known, and of each part of the source.

    Args:
        logits_NK: answers.
        images: what was answered.
        data: its classes and parts.
        part: what all images are called.
        leaked_N: which images the run has learned from; None where that is not known.
    """
    label_N = torch.from_numpy(images.label_N)

    def metrics(keep: Any) -> dict[str, Any]:
        chosen = torch.from_numpy(keep)
        return classification_metrics(logits_NK[chosen], label_N[chosen], data.classes)

    found: dict[str, Any] = {part: metrics(images.label_N >= 0)}
    if leaked_N is not None:
        found["without_leaked"] = metrics(~leaked_N)
        found["without_leaked_or_blank"] = metrics(~leaked_N & ~images.blank_N)
    parts = sorted(set(images.part_N.tolist()), key=data.test_name.find)
    found["parts"] = {name: metrics(images.part_N == name) for name in parts} if len(parts) > 1 else {}
    return found
