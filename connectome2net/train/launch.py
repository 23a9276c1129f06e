"""From one process to several, with Lightning Fabric.

Enters: a training that is to be spread over devices. Leaves: the same training, done by a process for each of them.

On one machine ``c2n train --devices 2`` starts the processes itself. Elsewhere a launcher starts ``c2n train`` in each
of them, and the settings say how many there are:

    torchrun --nproc-per-node 4 $(which c2n) train --devices 4
    torchrun --nnodes 2 --nproc-per-node 4 --rdzv-backend c10d --rdzv-endpoint HOST $(which c2n) train \
        --devices 4 --nodes 2
    sbatch --nodes 2 --ntasks-per-node 4 --gpus-per-node 4 --wrap \
        'srun --kill-on-bad-exit c2n train --devices 4 --nodes 2'

All of them must see the compiled folder, the images and the run folder. The first prepares the run; the others go on
with it, just as after a stop.
"""

from __future__ import annotations

import atexit
import logging
import multiprocessing
import os
import signal
from collections.abc import Callable
from contextlib import suppress
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import Any

import torch
from lightning_fabric import Fabric
from lightning_fabric.plugins.environments.slurm import SLURMEnvironment
from lightning_fabric.plugins.environments.torchelastic import TorchElasticEnvironment
from lightning_fabric.strategies.ddp import DDPStrategy
from torch import Tensor
from torch.multiprocessing import get_context
from torch.multiprocessing.spawn import ProcessExitedException, ProcessRaisedException

from connectome2net.errors import C2NError, TrainError
from connectome2net.runtime.device import find_device
from connectome2net.tasks import Dataset
from connectome2net.train.config import TrainConfig
from connectome2net.train.processes import Processes
from connectome2net.train.training import Training, resume

PATIENCE = timedelta(minutes=30)
"""A process that hears nothing from the others for so long gives up."""

Learn = Callable[[Training], None]


def train_together(
    prepare: Callable[..., Training], learn: Learn, config: TrainConfig, data: str | Path | Dataset | None, trust: bool
) -> Path:
    """Train in several processes and return the run folder.

    Args:
        prepare: makes the run, or opens it to go on with it.
        learn: trains until the end and writes the result; it runs in every process.
        config: the settings.
        data: as of ``train``.
        trust: as of ``train``.

    Raises:
        TrainError: the processes cannot be started, or one of them died; and all that ``prepare`` and ``learn`` raise.
    """
    if TorchElasticEnvironment.detect() or SLURMEnvironment.detect():
        return _join(_fabric(config, "popen"), prepare, learn, data, trust)
    if config.nodes > 1:
        found, fix = "neither torchrun nor SLURM", "start c2n train on each node with torchrun, or with srun"
        raise TrainError("several nodes need a launcher", where="--nodes", found=found, fix=fix)
    fabric = _fabric(config, "spawn")
    training = prepare()  # what a user can mend comes to light here, while there is one process
    _spawn(fabric, training, learn, trust)
    return training.folder


class _Strategy(DDPStrategy):
    """How processes are connected, without banners; warnings are shown."""

    def setup_environment(self) -> None:
        """Connect this process to the others."""
        logging.getLogger("lightning_fabric").setLevel(logging.WARNING)
        super().setup_environment()


def _fabric(config: TrainConfig, start_method: Any) -> Fabric:
    """Return what knows how to start the processes, or has joined those that were started."""
    try:
        fabric = Fabric(
            accelerator=find_device(config.device).type,
            devices=config.devices,
            num_nodes=config.nodes,
            strategy=_Strategy(start_method=start_method, timeout=PATIENCE),
        )
        if start_method == "popen":
            fabric.launch()
    except (ValueError, RuntimeError, TypeError) as error:
        where, found = "--devices, --nodes", str(error).strip().split("\n")[0]
        fix = "ask for as many devices as there are; under torchrun or SLURM, for as many as it starts on a node"
        raise TrainError("the processes cannot be started", where=where, found=found, fix=fix) from None
    return fabric


def _processes(fabric: Fabric) -> Processes:
    def total(value: Tensor) -> Tensor:
        return fabric.all_reduce(value, reduce_op="sum")  # type: ignore[return-value]

    return Processes(fabric.global_rank, fabric.world_size, fabric.device, total)


def _join(
    fabric: Fabric, prepare: Callable[..., Training], learn: Learn, data: str | Path | Dataset | None, trust: bool
) -> Path:
    """Train in a process that a launcher started."""
    processes, folder = _processes(fabric), None
    try:
        if processes.rank == 0:
            training = prepare(processes)
            folder = str(training.folder)
    finally:
        folder = fabric.broadcast(folder)
    if folder is None:  # the first process says why
        raise SystemExit(1)
    if processes.rank:
        training = resume(Path(folder), data, trust, processes)
    learn(training)
    _part(fabric)
    return training.folder


def _part(fabric: Fabric) -> None:
    """Wait until the first process has written all, and end what connects the processes while Python still runs."""
    fabric.barrier()
    torch.distributed.destroy_process_group()


def _spawn(fabric: Fabric, training: Training, learn: Learn, trust: bool) -> None:
    """Start processes that go on with a run, and wait for their end."""
    errors = get_context("spawn").SimpleQueue()
    before, environment = set(multiprocessing.active_children()), dict(os.environ)
    work = partial(_work, folder=training.folder, dataset=training.dataset, learn=learn, trust=trust, errors=errors)
    try:
        fabric.launch(work)
    except KeyboardInterrupt as stop:
        _kill(set(multiprocessing.active_children()) - before)
        training.go_on()  # to the last epoch that they finished
        training.interrupt(stop)
        raise
    except (ProcessRaisedException, ProcessExitedException) as error:
        training.fail()
        if not errors.empty():
            raise errors.get() from None
        if isinstance(error, ProcessRaisedException):
            raise
        fix = f"go on with: c2n train --resume {training.folder}"
        raise TrainError("a process of this training died", where=training.folder, found=error, fix=fix) from None
    finally:
        os.environ.clear()
        os.environ.update(environment)  # Fabric leaves its port there


def _work(fabric: Fabric, *, folder: Path, dataset: Dataset, learn: Learn, trust: bool, errors: Any) -> None:
    """Train in a process of our own."""
    parent = os.getppid()

    def stop(*_: object) -> None:
        """Ctrl-C reaches all processes of a terminal: the parent ends the others. Without a parent, this ends."""
        if os.getppid() != parent:
            os._exit(1)

    signal.signal(signal.SIGINT, stop)
    try:
        learn(resume(folder, dataset, trust, _processes(fabric)))
    except C2NError as error:
        errors.put(error)
        raise
    _part(fabric)
    atexit.register(os._exit, 0)  # all is written; threads of gloo that outlive the interpreter may abort


def _kill(children: set[Any]) -> None:
    for child in children:
        with suppress(ValueError, ProcessLookupError):
            child.kill()
    for child in children:
        child.join()
