"""A small experiment on the column of twelve cells."""

import json
from pathlib import Path
from typing import Any

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
