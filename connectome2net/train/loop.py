"""Training: compiled network in, best epoch out.

Enters: a compiled folder, a data set, settings. Leaves: a run folder with

    run.json            what was trained on what, with digests, versions, the result and the Dale audit
    metrics.jsonl       one line per epoch
    best.safetensors    the weights of the epoch with the best validation accuracy
    last.safetensors    everything that is needed to go on
    compiled/           a copy of the network
"""

# Axes: B batch, C channels, H rows, W columns, K classes.

from __future__ import annotations

import json
import shutil
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn, optim
from torch.nn import functional as F

from connectome2net.errors import TrainError
from connectome2net.load import load, read_program, set_backends
from connectome2net.runtime.audit import audit_dale
from connectome2net.runtime.device import find_device
from connectome2net.tasks import Dataset, ImageSet, open_dataset
from connectome2net.train.checkpoint import (
    load_checkpoint,
    model_bytes,
    save_checkpoint,
    write_atomically,
    write_json,
)
from connectome2net.train.config import TrainConfig
from connectome2net.train.progress import Progress
from connectome2net.train.run import describe, new_run, read_run
from connectome2net.train.schedule import learning_rate, make_optimiser


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
    training = _resume(Path(resume), data, trust) if resume else _start(Path(compiled), data, config, out, trust)
    try:
        _run_epochs(training)
    except KeyboardInterrupt as stop:
        _finish(training, "interrupted")
        stop.add_note(f"Go on with: c2n train --resume {training.folder}")
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
            loss, accuracy = _train_epoch(training, progress)
            seconds = time.perf_counter() - started
            validation = evaluate_images(training.model, training.dataset.validation)
            training.epoch += 1
            record = {
                "epoch": training.epoch,
                "loss": loss,
                "accuracy": accuracy,
                "validation_loss": validation[0],
                "validation_accuracy": validation[1],
                "seconds": round(seconds, 2),
                "images_per_second": round(len(images) / seconds, 1),
            }
            _keep(training, record)
            progress.epoch(record)


def _train_epoch(training: Training, progress: Progress) -> tuple[float, float]:
    """Return the mean loss and the accuracy on the augmented training images."""
    config, model, device = training.config, training.model.train(), training.device
    image_BHW, label_B = _tensors(training.dataset.train, device)
    count = len(label_B)
    steps = -(-count // config.batch)
    order = torch.randperm(count, generator=torch.Generator().manual_seed(_mix(config.seed, training.epoch)))
    total, right = 0.0, 0
    for step in range(steps):
        torch.manual_seed(_mix(config.seed, training.epoch, step))
        chosen = order[step * config.batch : (step + 1) * config.batch].to(device)
        image_BCHW, target_B = image_BHW[chosen, None].float() / 255, label_B[chosen]
        if config.augmentation is not None:
            image_BCHW = config.augmentation(image_BCHW)
        rate = learning_rate(config, training.epoch * steps + step, config.epochs * steps)
        for group in training.optimiser.param_groups:
            group["lr"] = rate * group["factor"]
        logits_BK = model(image_BCHW)
        right_B = logits_BK.argmax(1) == target_B
        loss = F.cross_entropy(logits_BK, target_B, label_smoothing=config.label_smoothing)
        if not torch.isfinite(loss):
            raise TrainError(
                "the loss is not finite",
                where=f"epoch {training.epoch + 1}, step {step + 1}",
                found=loss.item(),
                fix="lower learning_rate, or look at the dynamics in the spec",
            )
        training.optimiser.zero_grad(set_to_none=True)
        loss.backward()  # type: ignore[no-untyped-call]
        nn.utils.clip_grad_norm_(model.parameters(), config.clip)
        training.optimiser.step()
        # The reward of this batch: 1 where the answer, given before the optimiser changed anything, was right.
        model.plasticity_step(right_B.to(logits_BK.dtype))  # type: ignore[operator]
        total += loss.item() * len(target_B)
        right += int(right_B.sum())
        progress.step(loss=total / (step * config.batch + len(target_B)), images=len(target_B))
    return total / count, right / count


@torch.no_grad()
def evaluate_images(model: nn.Module, images: ImageSet, *, batch: int = 256) -> tuple[float, float]:
    """Return the mean cross entropy and the accuracy of a model on images, in evaluation mode."""
    model.eval()
    device = next(model.parameters()).device
    image_BHW, label_B = _tensors(images, device)
    loss, right = 0.0, 0
    for start in range(0, len(label_B), batch):
        target_B = label_B[start : start + batch]
        logits_BK = model(image_BHW[start : start + batch, None].float() / 255)
        loss += F.cross_entropy(logits_BK, target_B, reduction="sum").item()
        right += int((logits_BK.argmax(1) == target_B).sum())
    return loss / len(label_B), right / len(label_B)


def _tensors(images: ImageSet, device: torch.device) -> tuple[Tensor, Tensor]:
    return torch.from_numpy(images.image_NHW).to(device), torch.from_numpy(images.label_N).to(device)


def _mix(*numbers: int) -> int:
    """Return one seed for several numbers; neighbours get unrelated seeds."""
    seed = 0
    for number in numbers:
        seed = (seed * 6364136223846793005 + number + 1442695040888963407) % 2**63
    return seed


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
        "dale_audit": audit_dale(training.model),
    }
    write_json(training.folder / "run.json", training.run)
