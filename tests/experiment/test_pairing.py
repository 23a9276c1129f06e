"""Runs of a seed: what is paired is equal but for what the variant changes."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from columns import twelve_cells
from small_experiment import write_images

from connectome2net.experiment.run import run_experiment
from connectome2net.tasks.augmentation import Augmentation
from connectome2net.train.training import Training

VARIANTS: list[dict[str, Any]] = [
    {"name": "real"},
    {"name": "erdos-renyi", "null": "erdos-renyi"},
    {"name": "remove", "null": "remove", "fraction": 0.3},
    {"name": "dense core", "null": "dense-core"},
    {"name": "half", "subset": 0.7},
    {"name": "quiet", "without": ["noise"]},
    {"name": "smooth", "train": {"label_smoothing": 0.2}},
    {"name": "linear", "network": "linear"},
]


def test_runs_of_a_seed_start_alike_and_see_the_same_images(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    starts: list[dict[str, Any]] = []
    post_init, augment = Training.__post_init__, Augmentation.__call__

    def begin(training: Training) -> None:
        post_init(training)
        front_end = {name: value.clone() for name, value in training.model.front_end.state_dict().items()}
        starts.append({"front_end": front_end, "validation": training.dataset.validation.image_NHW, "images": []})

    def record(self: Augmentation, image_BCHW: torch.Tensor) -> torch.Tensor:
        changed_BCHW = augment(self, image_BCHW)
        starts[-1]["images"].append(changed_BCHW.clone())
        return changed_BCHW

    monkeypatch.setattr(Training, "__post_init__", begin)
    monkeypatch.setattr(Augmentation, "__call__", record)
    data = tmp_path / "fer2013.csv"
    write_images(data, seed=0)
    train = {"epochs": 2, "batch": 28}
    plan = {"name": "pairs", "reference": "real", "seeds": [3, 8], "train": train, "variant": VARIANTS}
    run_experiment(plan, spec=twelve_cells("feedforward"), data=data, out=tmp_path / "x", jobs=1)
    assert len(starts) == 2 * len(VARIANTS)
    of_seed = starts[: len(VARIANTS)], starts[len(VARIANTS) :]
    for runs in of_seed:
        assert len(runs[0]["images"]) == 8
        for run in runs[1:]:
            assert same(run, runs[0])
    for key in ("front_end", "validation", "images"):
        assert not same({key: of_seed[0][0][key]}, {key: of_seed[1][0][key]}), key


def same(one: Any, other: Any) -> bool:
    if isinstance(one, dict):
        return bool(one) and one.keys() == other.keys() and all(same(one[key], other[key]) for key in one)
    if isinstance(one, list):
        return len(one) == len(other) and all(map(same, one, other))
    return bool(np.array_equal(one, other))
