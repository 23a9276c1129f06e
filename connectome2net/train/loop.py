"""Training: compiled network in, best epoch out.

Enters: a compiled folder, a data set, settings. Leaves: a run folder with

    run.json            what was trained on what, with digests, versions, the result, the audits before and after
    metrics.jsonl       one line per epoch
    best.safetensors    the weights of the epoch with the best validation accuracy
    last.safetensors    everything that is needed to go on
    compiled/           a copy of the network
    tensorboard/        curves, where they are asked for
"""

from __future__ import annotations

import math
import time
from functools import partial
from pathlib import Path
from typing import Any

from connectome2net.runtime.allocator import keep_freed_memory
from connectome2net.runtime.device import memory_told
from connectome2net.tasks import Dataset
from connectome2net.train.board import Board, check_tensorboard
from connectome2net.train.config import TrainConfig
from connectome2net.train.epoch import evaluate_images, train_epoch
from connectome2net.train.processes import ALONE, Processes, is_spread
from connectome2net.train.progress import Progress
from connectome2net.train.ridge import is_reservoir, solve_readout
from connectome2net.train.run import read_run, settings_of
from connectome2net.train.schedule import learning_rate
from connectome2net.train.training import Training
from connectome2net.train.training import resume as go_on
from connectome2net.train.training import start as begin
from connectome2net.train.trouble import trouble_in


def train(
    compiled: str | Path = "compiled",
    *,
    data: str | Path | Dataset | None = None,
    config: TrainConfig | None = None,
    out: str | Path | None = None,
    resume: str | Path | None = None,
    trust: bool = False,
    quiet: bool = False,
) -> Path:
    """Train a compiled network.

    A run that was stopped, by Ctrl-C, ``kill -9`` or a power failure, goes on from its last finished epoch. On a CPU
    it then ends with the same bits as if it had never been stopped, given the same machine, the same versions and the
    same number of threads (``versions`` and ``threads`` in run.json). With another number of threads sums are rounded
    in another order: the losses agree at first and drift apart like those of two seeds.

    With ``devices`` or ``nodes`` above 1 several processes share each batch; ``batch`` stays that of all together, and
    what comes out is the same within rounding. ``connectome2net.train.launch`` tells how to start them under torchrun
    and SLURM. A script that calls this needs ``if __name__ == "__main__":`` then.

    Args:
        compiled: a compiled folder.
        data: images, in any form that ``open_dataset`` takes.
        config: settings; by default those of ``TrainConfig``.
        out: the run folder; by default the next free ``runs/NNN``.
        resume: a run folder to go on with; ``compiled``, ``config`` and ``out`` are then taken from it.
        trust: run a model.py that was changed by hand.
        quiet: say nothing on stderr of how far training is.

    Returns:
        The run folder.

    Raises:
        TrainError: the run cannot start or go on.
        DataError: the images cannot be read.
        LoadError: the compiled folder cannot be trusted.
    """
    settings = settings_of(Path(resume), read_run(Path(resume))) if resume else config or TrainConfig()

    def prepare(processes: Processes = ALONE) -> Training:
        if resume:
            return go_on(Path(resume), data, trust, processes)
        return begin(Path(compiled), data, settings, out, trust, processes)

    if settings.tensorboard:
        check_tensorboard()
    if is_spread(settings):
        from connectome2net.train.launch import train_together

        return train_together(prepare, partial(_learn, quiet=quiet), settings, data, trust)
    training = prepare()
    _learn(training, quiet=quiet)
    return training.folder


def _learn(training: Training, *, quiet: bool) -> None:
    """Train until the end, whatever it is, and write it down."""
    keep_freed_memory()
    try:
        with memory_told():
            if not is_reservoir(training.model):
                _run_epochs(training, quiet=quiet or training.processes.rank > 0)
            elif training.processes.rank == 0:
                _solve(training)
    except KeyboardInterrupt as stop:
        training.interrupt(stop)
        raise
    except Exception:
        training.fail()
        raise
    training.finish("finished")


def _run_epochs(training: Training, *, quiet: bool) -> None:
    config = training.config
    steps = -(-len(training.images) // config.batch)
    title = f"{training.folder}: {training.run['network']} on {training.dataset.name}"
    with (
        Progress(config.epochs, steps, done=training.epoch * steps, title=title, quiet=quiet) as progress,
        Board(training.folder, epoch=training.epoch, on=config.tensorboard and not training.processes.rank) as board,
    ):
        while training.epoch < config.epochs and not training.stale:
            started = time.perf_counter()
            loss, accuracy = train_epoch(
                training.model,
                training.optimiser,
                training.images,
                config,
                epoch=training.epoch,
                progress=progress,
                processes=training.processes,
                average=training.average,
            )
            record = _measured(training, loss, accuracy, seconds=time.perf_counter() - started)
            last = learning_rate(config, record["epoch"] * steps - 1, config.epochs * steps)
            board.epoch(record, learning_rate=last)
            training.keep(record)
            progress.epoch(record)


def _solve(training: Training) -> None:
    """Solve the readout of a reservoir; it is one epoch."""
    if not training.epoch:
        program: Any = training.model.program
        started = time.perf_counter()
        ridge = solve_readout(training.model, training.dataset, program.learning.ridge)
        seconds = time.perf_counter() - started
        loss, accuracy = evaluate_images(training.model, training.images)
        training.keep(_measured(training, loss, accuracy, seconds=seconds) | {"ridge": ridge})
    training.run["learning"]["ridge"] = training.metrics[0]["ridge"]


def _measured(training: Training, loss: float, accuracy: float, *, seconds: float) -> dict[str, Any]:
    """Validate and return the line of an epoch."""
    validation = _validate(training)
    return {
        "epoch": training.epoch + 1,
        "loss": loss,
        "accuracy": accuracy,
        "validation_loss": validation[0],
        "validation_accuracy": validation[1],
        "seconds": round(seconds, 2),
        "images_per_second": round(len(training.images) / seconds, 1),
    }


def _validate(training: Training) -> tuple[float, float]:
    """Return the loss and the accuracy on the validation images.

    Raises:
        TrainError: the loss is not finite; nothing of this epoch is kept then.
    """
    model, images = training.model, training.validation
    with training.average.shown():
        loss, accuracy = evaluate_images(model, images, processes=training.processes)
        if not math.isfinite(loss):
            when = f"validation after epoch {training.epoch + 1}"
            raise trouble_in(model, lambda: evaluate_images(model, images) and (), when=when)
    return loss, accuracy
