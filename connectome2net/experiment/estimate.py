"""How long an experiment will take.

Enters: a prepared experiment. Leaves: a sentence, from epochs that are finished or from a few steps.
"""

from __future__ import annotations

import statistics
import tempfile
import time
from itertools import pairwise
from pathlib import Path
from typing import Final

import joblib
import torch

from connectome2net.experiment.draw import compile_drawn, draw
from connectome2net.experiment.prepare import Experiment
from connectome2net.experiment.state import State
from connectome2net.train.epoch import Placed, train_epoch
from connectome2net.train.progress import Progress
from connectome2net.train.schedule import make_optimiser
from connectome2net.train.training import load_network

STEPS: Final = 6
COLD: Final = 3
"""Steps that are timed, and steps before them, which are slower: memory is new, and kernels are chosen."""


def estimate(experiment: Experiment, *, jobs: int | None = None) -> str:
    """Say how long the runs that are left will take, if all variants are as quick as those that were timed."""
    states = {task.key: task.state() for task in experiment.tasks}
    left = sum(
        task.config.epochs - states[task.key].epochs
        for task in experiment.tasks
        if states[task.key].status != "finished"
    )
    if not left:
        return "nothing is left to train"
    timed = _timed(list(states.values()))
    how = "as in the epochs that are finished" if timed else f"from {STEPS} steps of the reference, just now"
    seconds = timed or _measured(experiment)
    jobs = jobs or joblib.cpu_count()
    hours = left * seconds / min(jobs, len(states)) / 3600
    minutes = max(1, round(60 * hours))
    whole = f"{hours:.1f} hours" if hours >= 1 else f"{minutes} minute{'s' * (minutes > 1)}"
    return f"about {whole} with --jobs {jobs}: {left:,} epochs of {seconds:.1f} s ({how})"


def _timed(states: list[State]) -> float | None:
    """Return the mean seconds of a finished epoch."""
    timed = [state.seconds / state.epochs for state in states if state.seconds and state.epochs]
    return statistics.fmean(timed) if timed else None


class _Clock(Progress):
    """The progress of an epoch, as the times at which its steps ended."""

    def __init__(self) -> None:
        super().__init__(1, COLD + STEPS, quiet=True)
        self.at: list[float] = []

    def step(self, *, loss: float, images: int) -> None:
        """Note the time."""
        self.at.append(time.perf_counter())


def _measured(experiment: Experiment) -> float:
    """Return the seconds of an epoch of the reference: as training does it, a few steps long, on noise."""
    plan = experiment.plan
    variant = next(item for item in experiment.variants if item.change.name == plan.reference)
    config, front_end = variant.config, variant.spec.network.front_end
    drawn = draw(variant.spec, variant.change, seed=plan.seeds[0])
    with tempfile.TemporaryDirectory() as folder:
        model = load_network(compile_drawn(drawn, variant.change, out=Path(folder) / "compiled"), config)
    count, clock, device = (COLD + STEPS) * config.batch, _Clock(), next(model.parameters()).device
    noise_BHW = torch.randint(256, (count, front_end.height, front_end.width), dtype=torch.uint8, device=device)
    label_B = torch.zeros(count, dtype=torch.long, device=device)
    images = Placed(noise_BHW, label_B, label_B)
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        train_epoch(model, make_optimiser(model, config), images, config, epoch=0, progress=clock)
    finally:
        torch.set_num_threads(threads)
    step = statistics.median(after - before for before, after in pairwise(clock.at[COLD - 1 :]))
    return step * experiment.data["train"] / config.batch
