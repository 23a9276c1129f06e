"""A small experiment on the column of twelve cells."""

import json
from pathlib import Path
from typing import Any

import numpy as np

PLAN: dict[str, Any] = {
    "name": "small",
    "reference": "real",
    "seeds": 2,
    "train": {"epochs": 3, "batch": 28, "learning_rate": 0.01},
    "variant": [
        {"name": "real"},
        {"name": "degree", "null": "degree"},
        {"name": "quiet", "without": ["noise"], "train": {"epochs": 2}},
    ],
}


def record_of(folder: Path) -> dict[str, Any]:
    return json.loads((folder / "experiment.json").read_text())


def write_images(path: Path, *, seed: int) -> None:
    """A small fer2013.csv of noise, without a validation part."""
    rng = np.random.default_rng(seed)
    rows = [
        f"{at % 7},{' '.join(map(str, rng.integers(256, size=48 * 48)))},{'PublicTest' if at % 4 == 0 else 'Training'}"
        for at in range(140)
    ]
    path.write_text("\n".join(["emotion,pixels,Usage", *rows, ""]))
