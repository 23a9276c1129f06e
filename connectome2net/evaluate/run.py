"""Evaluate a run on the test images of its data set.

Enters: a run folder and images. Leaves: metrics, also as evaluation.json in the run.
"""

# Axes: N images, K classes.

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from connectome2net.errors import EvaluateError
from connectome2net.evaluate.metrics import classification_metrics
from connectome2net.inside import examine
from connectome2net.load import load
from connectome2net.runtime.device import find_device
from connectome2net.tasks import Dataset, ImageSet, open_dataset
from connectome2net.train.checkpoint import write_json
from connectome2net.train.run import read_run


def evaluate(
    run: str | Path, *, data: str | Path | Dataset | None = None, device: str = "cpu", trust: bool = False
) -> dict[str, Any]:
    """Evaluate the best epoch of a run on the test images.

    The test images have chosen nothing: the epoch was chosen on the validation part.

    Args:
        run: a run folder.
        data: the images; by default those that the run was trained on.
        device: where to compute.
        trust: run a model.py that was changed by hand.

    Returns:
        ``test`` (metrics on all test images), ``without_leaked`` (without images whose pixels occur in training),
        ``without_leaked_or_blank``, ``parts`` (one entry per part of the source, PublicTest and PrivateTest for
        instance, where there are several), the audits, and what was evaluated.

    Raises:
        TrainError: the folder is not a run.
        LoadError: it has no trained weights, or they cannot be trusted.
        EvaluateError: the images have other classes than the run.
    """
    folder = Path(run)
    record = read_run(folder)
    model = load(folder, trust=trust).to(find_device(device))
    program: Any = model.program
    config = record["config"]
    if not isinstance(data, Dataset):
        reading = {key: config[key] for key in ("seed", "validation_fraction", "skip_broken")}
        data = open_dataset(data if data is not None else record["data"], size=program.height, **reading)
    if list(data.classes) != record["classes"]:
        raise EvaluateError(
            "these images have other classes than the run",
            where=folder,
            found=", ".join(data.classes),
            wanted=", ".join(record["classes"]),
            fix="give the data set that the run was trained on with --data",
        )
    logits_NK = predict(model, data.test)
    result = {
        "run": folder.name,
        "network": record["network"],
        "synthetic_column": record["synthetic_column"],
        "data": {"name": data.name, "digest": data.digest, "part": data.test_name, "synthetic": data.synthetic},
        "trained_on_these_data": data.digest == record["dataset"]["digest"],
        "status": record["status"],
        "best_epoch": record.get("best_epoch"),
        "seed": config["seed"],
        **_selections(logits_NK, data),
        "audit": examine(model, quick=True),
    }
    write_json(folder / "evaluation.json", result)
    return result


@torch.no_grad()
def predict(model: nn.Module, images: ImageSet, *, batch: int = 256) -> Tensor:
    """Return logits (N, K) on the CPU for a set of images, in their order."""
    model.eval()
    device = next(model.parameters()).device
    pieces = torch.split(torch.from_numpy(images.image_NHW), batch)
    return torch.cat([model(piece[:, None].to(device).float() / 255).cpu() for piece in pieces])


def _selections(logits_NK: Tensor, data: Dataset) -> dict[str, Any]:
    test = data.test
    label_N = torch.from_numpy(test.label_N)

    def metrics(keep: Any) -> dict[str, Any]:
        chosen = torch.from_numpy(keep)
        return classification_metrics(logits_NK[chosen], label_N[chosen], data.classes)

    everything = test.label_N >= 0
    parts = sorted(set(test.part_N.tolist()), key=data.test_name.find)
    return {
        "test": metrics(everything),
        "without_leaked": metrics(~test.leaked_N),
        "without_leaked_or_blank": metrics(~test.leaked_N & ~test.blank_N),
        "parts": {part: metrics(test.part_N == part) for part in parts} if len(parts) > 1 else {},
    }
