"""The run folder and its record.

Enters: what is about to be trained. Leaves: ``runs/NNN`` and the content of run.json.
"""

from __future__ import annotations

import hashlib
import json
import platform
import shutil
from contextlib import suppress
from importlib.metadata import version
from pathlib import Path
from typing import Any

import torch
from pydantic import ValidationError
from torch import nn

from connectome2net.errors import TrainError
from connectome2net.inside import examine
from connectome2net.load import parameter_counts
from connectome2net.runtime.sparse import Projection
from connectome2net.tasks import SYNTHETIC, Dataset, find_images, locate_images
from connectome2net.train.config import TrainConfig

RUNS = Path("runs")
STARTING = ".starting"
"""An empty file that lies in a run folder until its run.json does."""


def new_run(out: str | Path | None) -> Path:
    """Make a run folder: the one that is asked for, or the next free ``runs/NNN``.

    Raises:
        TrainError: the folder that is asked for is not empty; a run that was killed before it began counts as empty.
    """
    folder = next_run(RUNS) if out is None else Path(out)
    if _unfinished(folder):
        shutil.rmtree(folder / "compiled", ignore_errors=True)
    elif folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        fix = f"choose another with --out, or go on with it: --resume {folder}"
        raise TrainError("something lies here already", where=folder, wanted="an empty place", fix=fix)
    folder.mkdir(parents=True, exist_ok=True)
    (folder / STARTING).touch()
    return folder


def next_run(runs: Path) -> Path:
    """Make the next free folder ``NNN`` among runs, and return it."""
    runs.mkdir(parents=True, exist_ok=True)
    number = max((int(path.name) for path in runs.iterdir() if path.name.isdigit()), default=0)
    while True:
        number += 1
        try:
            (runs / f"{number:03d}").mkdir()
        except FileExistsError:  # another process took it
            continue
        return runs / f"{number:03d}"


def _unfinished(folder: Path) -> bool:
    """Tell whether a run was killed between its first file and run.json."""
    return (folder / STARTING).is_file() and not (folder / "run.json").is_file()


def give_up(folder: Path, *, keep: bool) -> None:
    """Take away what a run has left that could not begin.

    Args:
        folder: of the run.
        keep: it is the user's, who may have other things in there.
    """
    shutil.rmtree(folder / "compiled", ignore_errors=True)
    for name in ("run.json", STARTING):
        (folder / name).unlink(missing_ok=True)
    if not keep:
        with suppress(OSError):
            folder.rmdir()


def newest_run() -> Path:
    """Return the run under ``runs/`` that was written to last.

    Raises:
        TrainError: there is none.
    """
    runs = list(RUNS.glob("*/run.json"))
    if not runs:
        raise TrainError("there is no run here", where=RUNS, fix="train one with: c2n train")
    return max(runs, key=lambda path: path.stat().st_mtime_ns).parent


def describe(
    folder: Path, model: nn.Module, config: TrainConfig, dataset: Dataset, *, data: str | Path | Dataset | None
) -> dict[str, Any]:
    """Return the record of a run that is about to start."""
    program: Any = model.program
    return {
        "format": "connectome2net.run",
        "format_version": 1,
        "status": "running",
        "network": program.name,
        "reference": program.reference,
        "spec": program.origin.spec,
        "spec_sha256": program.origin.spec_sha256,
        "program_sha256": hashlib.sha256((folder / "compiled" / "program.json").read_bytes()).hexdigest(),
        "weights_sha256": program.weights_sha256,
        "learning": program.learning.model_dump() if program.learning else {"kind": "backpropagation"},
        "synthetic_column": program.origin.synthetic,
        "data": None if isinstance(data, Dataset) else str(find_images(data)),
        "data_at": None if isinstance(data, Dataset) else locate_images(data),
        "dataset": dataset.facts(),
        "classes": list(dataset.classes),
        "config": config.model_dump(mode="json"),
        "parameters": parameter_counts(model),
        "backends": {name: part.backend for name, part in model.named_modules() if isinstance(part, Projection)},
        "audit": {"before": examine(model, quick=True), "after": None},
        "versions": {name: version(name) for name in ("connectome2net", "torch", "numpy", "kornia")}
        | {"python": platform.python_version()},
        "threads": torch.get_num_threads(),
    }


def read_run(folder: Path) -> dict[str, Any]:
    """Return the content of run.json.

    Raises:
        TrainError: it is missing or damaged.
    """
    path, fix = folder / "run.json", "name a folder that `c2n train` made, such as runs/001"
    if _unfinished(folder):
        fix = f"it was stopped before it began: train again, with --out {folder}"
    if not path.is_file():
        raise TrainError("this is not a run", where=folder, found="no run.json", wanted="a run", fix=fix)
    try:
        run = json.loads(path.read_bytes())
    except (OSError, ValueError) as error:
        raise TrainError("this run is damaged", where=path, found=error, wanted="JSON", fix="train again") from None
    if not isinstance(run, dict) or run.get("format") != "connectome2net.run":
        raise TrainError("this is not a run", where=path, wanted="format connectome2net.run", fix=fix)
    if missing := [name for name in ("status", "classes", "config", "dataset") if name not in run]:
        raise TrainError("this run is damaged", where=path, found=f"no {missing[0]}", fix="train again")
    return run


def images_of(run: dict[str, Any]) -> str | None:
    """Return where the images of a run lie: where they lay, or, if they moved with it, as its command called them."""
    at = run.get("data_at")
    return at if at is not None and (at == SYNTHETIC or Path(at).exists()) else run["data"]


def settings_of(folder: Path, run: dict[str, Any]) -> TrainConfig:
    """Return the settings that run.json holds.

    Raises:
        TrainError: one of them is not valid, or not known to this release.
    """
    try:
        return TrainConfig.model_validate(run["config"])
    except ValidationError as error:
        first = error.errors()[0]
        where = f"{folder / 'run.json'}: config.{'.'.join(map(str, first['loc']))}"
        fix = "train again, or go on with the release that began it"
        raise TrainError(
            "this run cannot go on", where=where, found=first["input"], wanted=first["msg"], fix=fix
        ) from None
