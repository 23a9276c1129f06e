"""Training: compiled network in, best epoch out.

Enters: a compiled folder, a data set, settings. Leaves: a run folder with

    run.json            what was trained on what, with digests, versions, the result, the audits before and after
    metrics.jsonl       one line per epoch
    best.safetensors    the weights of the epoch with the best validation accuracy
    last.safetensors    everything that is needed to go on
    compiled/           a copy of the network
"""

from __future__ import annotations

import json
import math
import shutil
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from torch import nn, optim

from connectome2net.errors import TrainError
from connectome2net.inside import examine
from connectome2net.load import load, read_program, set_backends
from connectome2net.runtime.allocator import keep_freed_memory
from connectome2net.runtime.device import find_device
from connectome2net.tasks import Dataset, open_dataset
from connectome2net.train.checkpoint import (
    load_checkpoint,
    model_bytes,
    save_checkpoint,
    write_atomically,
    write_json,
)
from connectome2net.train.config import TrainConfig
from connectome2net.train.epoch import evaluate_images, train_epoch
from connectome2net.train.progress import Progress
from connectome2net.train.ridge import is_reservoir, solve_readout, warn_of_ignored
from connectome2net.train.run import describe, new_run, read_run
from connectome2net.train.schedule import make_optimiser
from connectome2net.train.trouble import trouble_in


@dataclass
class Training:
    """A training run in progress.

    Attributes:
        folder: the run.
        run: the content of run.json.
        epoch: finished epochs.
        best: validation accuracy of the best epoch so far.
        best_epoch: that epoch, counted from 1.
    """

    folder: Path
    run: dict[str, Any]
    config: TrainConfig
    model: nn.Module
    optimiser: optim.Optimizer
    device: torch.device
    dataset: Dataset
    epoch: int = 0
    best: float = -1.0
    best_epoch: int = 0
    metrics: list[dict[str, Any]] = field(default_factory=list)


def train(
    compiled: str | Path = "compiled",
    *,
    data: str | Path | Dataset | None = None,
    config: TrainConfig | None = None,
    out: str | Path | None = None,
    resume: str | Path | None = None,
    trust: bool = False,
) -> Path:
    """Train a compiled network.

    A run that was stopped, by Ctrl-C or by anything else, goes on from its last finished epoch and ends, on a CPU,
    with the same bits as if it had never been stopped.

    Args:
        compiled: a compiled folder.
        data: images, in any form that ``open_dataset`` takes.
        config: settings; by default those of ``TrainConfig``.
        out: the run folder; by default the next free ``runs/NNN``.
        resume: a run folder to go on with; ``compiled``, ``config`` and ``out`` are then taken from it.
        trust: run a model.py that was changed by hand.

    Returns:
        The run folder.

    Raises:
        TrainError: the run cannot start or go on.
        DataError: the images cannot be read.
        LoadError: the compiled folder cannot be trusted.
    """
    keep_freed_memory()
    training = _resume(Path(resume), data, trust) if resume else _start(Path(compiled), data, config, out, trust)
    try:
        if is_reservoir(training.model):
            _solve(training)
        else:
            _run_epochs(training)
    except KeyboardInterrupt as stop:
        _finish(training, "interrupted")
        stop.add_note(f"Go on with: c2n train --resume {training.folder}")
        raise
    except TrainError:
        write_json(training.folder / "run.json", training.run | {"status": "failed"})
        raise
    _finish(training, "finished")
    return training.folder


def _start(
    compiled: Path, data: str | Path | Dataset | None, config: TrainConfig | None, out: str | Path | None, trust: bool
) -> Training:
    config = config or TrainConfig()
    device = find_device(config.device)
    dataset = _open(data, config, compiled)
    model = load(compiled, seed=config.seed, classes=len(dataset.classes), trust=trust).to(device)
    set_backends(model, config.backend)
    if is_reservoir(model):
        warn_of_ignored(config)
    folder = new_run(out)
    shutil.copytree(compiled, folder / "compiled", ignore=shutil.ignore_patterns("__pycache__"))
    run = describe(folder, model, config, dataset, data=data)
    write_json(folder / "run.json", run)
    return Training(folder, run, config, model, make_optimiser(model, config), device, dataset)


def _resume(folder: Path, data: str | Path | Dataset | None, trust: bool) -> Training:
    run = read_run(folder)
    config = TrainConfig.model_validate(run["config"])
    device = find_device(config.device)
    dataset = _open(data if data is not None else run["data"], config, folder / "compiled")
    if dataset.digest != run["dataset"]["digest"]:
        raise TrainError(
            "these are not the images of this run",
            where=folder,
            found=f"{dataset.name}, {len(dataset.train):,} to train on, digest {dataset.digest[:12]}",
            wanted=f"{run['dataset']['name']}, {run['dataset']['train']:,}, digest {run['dataset']['digest'][:12]}",
            fix="give the same images with --data, or start a new run",
        )
    model = load(folder / "compiled", seed=config.seed, classes=len(dataset.classes), trust=trust).to(device)
    set_backends(model, config.backend)
    training = Training(folder, run, config, model, make_optimiser(model, config), device, dataset)
    if (folder / "last.safetensors").is_file():
        memory = load_checkpoint(folder / "last.safetensors", model, training.optimiser)
        training.epoch, training.best, training.best_epoch = memory["epoch"], memory["best"], memory["best_epoch"]
        lines = (folder / "metrics.jsonl").read_text().splitlines()[: training.epoch]
        training.metrics = [json.loads(line) for line in lines]
    _drop_unfinished(training)
    return training


def _open(data: str | Path | Dataset | None, config: TrainConfig, compiled: Path) -> Dataset:
    if isinstance(data, Dataset):
        return data
    program = read_program(compiled)
    if program.height != program.width:
        found = f"{program.height} x {program.width}"
        fix = "open your images yourself and hand a Dataset to train(data=...)"
        raise TrainError("files of images are read as squares", where="/network/front_end", found=found, fix=fix)
    return open_dataset(
        data,
        seed=config.seed,
        validation_fraction=config.validation_fraction,
        size=program.height,
        skip_broken=config.skip_broken,
    )


def _run_epochs(training: Training) -> None:
    config, images = training.config, training.dataset.train
    steps = -(-len(images) // config.batch)
    title = f"{training.folder}: {training.run['network']} on {training.dataset.name}"
    with Progress(config.epochs, steps, done=training.epoch * steps, title=title) as progress:
        while training.epoch < config.epochs and not _stale(training):
            started = time.perf_counter()
            loss, accuracy = train_epoch(
                training.model, training.optimiser, images, config, epoch=training.epoch, progress=progress
            )
            record = _measured(training, loss, accuracy, seconds=time.perf_counter() - started)
            _keep(training, record)
            progress.epoch(record)


def _solve(training: Training) -> None:
    """Solve the readout of a reservoir; it is one epoch."""
    if training.epoch:
        return
    program: Any = training.model.program
    started = time.perf_counter()
    ridge = solve_readout(training.model, training.dataset, program.learning.ridge)
    seconds = time.perf_counter() - started
    loss, accuracy = evaluate_images(training.model, training.dataset.train)
    _keep(training, _measured(training, loss, accuracy, seconds=seconds) | {"ridge": ridge})
    training.run["learning"]["ridge"] = ridge


def _measured(training: Training, loss: float, accuracy: float, *, seconds: float) -> dict[str, Any]:
    """Count an epoch, validate, and return its line."""
    validation = _validate(training)
    training.epoch += 1
    return {
        "epoch": training.epoch,
        "loss": loss,
        "accuracy": accuracy,
        "validation_loss": validation[0],
        "validation_accuracy": validation[1],
        "seconds": round(seconds, 2),
        "images_per_second": round(len(training.dataset.train) / seconds, 1),
    }


def _validate(training: Training) -> tuple[float, float]:
    """Return the loss and the accuracy on the validation images.

    Raises:
        TrainError: the loss is not finite; nothing of this epoch is kept then.
    """
    model, images = training.model, training.dataset.validation
    loss, accuracy = evaluate_images(model, images)
    if not math.isfinite(loss):
        when = f"validation after epoch {training.epoch + 1}"
        raise trouble_in(model, lambda: evaluate_images(model, images) and (), when=when)
    return loss, accuracy


def _stale(training: Training) -> bool:
    patience = training.config.patience
    return bool(patience) and training.epoch - training.best_epoch >= patience


def _keep(training: Training, record: dict[str, Any]) -> None:
    folder = training.folder
    training.metrics.append(record)
    if record["validation_accuracy"] > training.best:
        training.best, training.best_epoch = record["validation_accuracy"], training.epoch
        write_atomically(folder / "best.safetensors", model_bytes(training.model))
    with (folder / "metrics.jsonl").open("a") as file:
        file.write(json.dumps(record) + "\n")
    memory = {"epoch": training.epoch, "best": training.best, "best_epoch": training.best_epoch}
    save_checkpoint(folder / "last.safetensors", training.model, training.optimiser, memory)


def _drop_unfinished(training: Training) -> None:
    """Drop the line of an epoch that the checkpoint does not know."""
    lines = "".join(json.dumps(record) + "\n" for record in training.metrics)
    write_atomically(training.folder / "metrics.jsonl", lines.encode())


def _finish(training: Training, status: str) -> None:
    training.run |= {
        "status": status,
        "epochs": training.epoch,
        "best_epoch": training.best_epoch,
        "validation_accuracy": training.best if training.epoch else None,
        "seconds": round(sum(record["seconds"] for record in training.metrics), 1),
    }
    training.run["audit"]["after"] = examine(training.model, quick=True)
    write_json(training.folder / "run.json", training.run)
