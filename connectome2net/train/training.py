"""A training run in progress, and its folder.

Enters: a compiled folder, or a run; images; settings. Leaves: a run that may be killed at any moment.

The checkpoint is the only truth about a run: an epoch counts from the moment at which last.safetensors is replaced.
metrics.jsonl and best.safetensors follow from it. They are written after it, and again when a run goes on.
"""

from __future__ import annotations

import json
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load as load_tensors
from torch import nn, optim

from connectome2net.errors import TrainError
from connectome2net.inside import examine
from connectome2net.load import copy_compiled, load, read_program, set_backends
from connectome2net.runtime.device import find_device, memory_told
from connectome2net.runtime.encode import set_precision
from connectome2net.tasks import Dataset, open_dataset
from connectome2net.train.average import Average
from connectome2net.train.checkpoint import (
    load_checkpoint,
    model_bytes,
    save_checkpoint,
    write_atomically,
    write_json,
)
from connectome2net.train.config import TrainConfig
from connectome2net.train.epoch import Placed, place
from connectome2net.train.processes import ALONE, Processes
from connectome2net.train.ridge import is_reservoir, warn_of_ignored
from connectome2net.train.run import STARTING, describe, give_up, images_of, new_run, read_run, settings_of
from connectome2net.train.schedule import make_optimiser


@dataclass
class Training:
    """A training run in progress.

    Attributes:
        folder: the run.
        run: the content of run.json.
        processes: that train together; only the first of them writes.
        images: to learn from, on the device where the model is.
        validation: those that choose the epoch, there too.
        average: the running mean of the weights, which is validated and kept.
        epoch: finished epochs.
        best: validation accuracy of the best epoch so far.
        best_epoch: that epoch, counted from 1.
        metrics: a record of each finished epoch.
    """

    folder: Path
    run: dict[str, Any]
    config: TrainConfig
    model: nn.Module
    optimiser: optim.Optimizer
    dataset: Dataset
    processes: Processes = ALONE
    images: Placed = field(init=False)
    validation: Placed = field(init=False)
    average: Average = field(init=False)
    epoch: int = 0
    best: float = -1.0
    best_epoch: int = 0
    metrics: list[dict[str, Any]] = field(default_factory=list)

    def __post_init__(self) -> None:
        device = next(self.model.parameters()).device
        self.images, self.validation = place(self.dataset.train, device), place(self.dataset.validation, device)
        self.average = Average(self.model, self.optimiser, self.config.average)

    @property
    def stale(self) -> bool:
        """Whether patience is at its end."""
        return bool(self.config.patience) and self.epoch - self.best_epoch >= self.config.patience

    def keep(self, record: dict[str, Any]) -> None:
        """Count an epoch that ended well, and keep what it left."""
        self.epoch = record["epoch"]
        self.metrics.append(record)
        if record["validation_accuracy"] > self.best:
            self.best, self.best_epoch = record["validation_accuracy"], self.epoch
        memory = {"epoch": self.epoch, "best": self.best, "best_epoch": self.best_epoch, "metrics": self.metrics}
        if self.processes.rank == 0:
            save_checkpoint(self.folder / "last.safetensors", self.model, self.optimiser, memory)
            self._write_what_follows()

    def go_on(self) -> None:
        """Go on from the last checkpoint, if there is one."""
        if (self.folder / "last.safetensors").is_file():
            memory = load_checkpoint(self.folder / "last.safetensors", self.model, self.optimiser)
            self.epoch, self.best, self.best_epoch = memory["epoch"], memory["best"], memory["best_epoch"]
            self.metrics = memory["metrics"]
        self.run["status"] = "running"
        if self.processes.rank == 0:
            self._write_what_follows()
            write_json(self.folder / "run.json", self.run)

    def finish(self, status: str) -> None:
        """Write the result into run.json."""
        if self.processes.rank:
            return
        self.run |= {
            "status": status,
            "epochs": self.epoch,
            "best_epoch": self.best_epoch,
            "validation_accuracy": self.best if self.epoch else None,
            "seconds": round(sum(record["seconds"] for record in self.metrics), 1),
        }
        best = self.folder / "best.safetensors"
        if best.is_file():  # the audit is of the network that is kept
            self.model.load_state_dict(load_tensors(best.read_bytes()))
        self.run["audit"]["after"] = examine(self.model, quick=True)
        write_json(self.folder / "run.json", self.run)

    def interrupt(self, stop: KeyboardInterrupt) -> None:
        """Write what there is, and tell how to go on."""
        self.finish("interrupted")
        stop.add_note(f"Go on with: c2n train --resume {self.folder}")

    def fail(self) -> None:
        """Write into run.json that training failed; an error is on its way, which a full disk must not hide."""
        if self.processes.rank == 0:
            with suppress(TrainError):
                write_json(self.folder / "run.json", self.run | {"status": "failed"})

    def _write_what_follows(self) -> None:
        """Write what follows from the checkpoint: the metrics, and the best weights if they are those of now."""
        if self.epoch and self.best_epoch == self.epoch:
            with self.average.shown():
                write_atomically(self.folder / "best.safetensors", model_bytes(self.model))
        lines = "".join(json.dumps(record) + "\n" for record in self.metrics)
        write_atomically(self.folder / "metrics.jsonl", lines.encode())


def start(
    compiled: Path,
    data: str | Path | Dataset | None,
    config: TrainConfig,
    out: str | Path | None,
    trust: bool,
    processes: Processes = ALONE,
) -> Training:
    """Make a run folder for a compiled network and return its training; arguments as of ``train``."""
    dataset = _open(data, config, compiled)
    model = load_network(compiled, config, classes=len(dataset.classes), trust=trust, device=processes.device)
    if is_reservoir(model):
        warn_of_ignored(config)
    was_there = out is not None and Path(out).is_dir()
    folder = new_run(out)
    try:
        with memory_told():
            copy_compiled(compiled, folder / "compiled")
            run = describe(folder, model, config, dataset, data=data)
            training = Training(folder, run, config, model, make_optimiser(model, config), dataset, processes)
        write_json(folder / "run.json", run)
        (folder / STARTING).unlink()
    except BaseException:
        give_up(folder, keep=was_there)
        raise
    return training


def resume(folder: Path, data: str | Path | Dataset | None, trust: bool, processes: Processes = ALONE) -> Training:
    """Return the training of a run folder as its last finished epoch left it; arguments as of ``train``."""
    run = read_run(folder)
    config = settings_of(folder, run)
    dataset = _open(data if data is not None else images_of(run), config, folder / "compiled")
    if dataset.digest != run["dataset"]["digest"]:
        raise TrainError(
            "these are not the images of this run",
            where=folder,
            found=f"{dataset.name}, {len(dataset.train):,} to train on, digest {dataset.digest[:12]}",
            wanted=f"{run['dataset']['name']}, {run['dataset']['train']:,}, digest {run['dataset']['digest'][:12]}",
            fix="give the same images with --data, or start a new run",
        )
    model = load_network(
        folder / "compiled", config, classes=len(dataset.classes), trust=trust, device=processes.device
    )
    training = Training(folder, run, config, model, make_optimiser(model, config), dataset, processes)
    training.go_on()
    return training


def load_network(
    compiled: Path,
    config: TrainConfig,
    *,
    classes: int | None = None,
    trust: bool = False,
    device: torch.device | None = None,
) -> nn.Module:
    """Return a fresh network as settings want it to be trained.

    Args:
        compiled: a compiled folder.
        config: its seed, device, backend and precision.
        classes: of the images; by default those of the spec.
        trust: run a model.py that was changed by hand.
        device: instead of that of the settings.
    """
    model = load(compiled, seed=config.seed, classes=classes, trust=trust).to(device or find_device(config.device))
    set_backends(model, config.backend)
    set_precision(model, config.precision)
    return model


def _open(data: str | Path | Dataset | None, config: TrainConfig, compiled: Path) -> Dataset:
    if isinstance(data, Dataset):
        return data
    program = read_program(compiled)
    if program.height != program.width:
        found = f"{program.height} x {program.width}"
        fix = "open your images yourself and hand a Dataset to train(data=...)"
        raise TrainError("files of images are read as squares", where="/network/front_end", found=found, fix=fix)
    return open_dataset(data, seed=config.seed, size=program.height, **config.of_images())
