"""How long an experiment will take.

Enters: a prepared experiment. Leaves: a sentence, from epochs that are finished or from a few steps.
"""

from __future__ import annotations

import statistics
import tempfile
import time
from pathlib import Path
from typing import Final

import joblib
import torch
from torch.nn import functional as F

from connectome2net.experiment.draw import compile_drawn, draw
from connectome2net.experiment.prepare import Experiment
from connectome2net.experiment.state import State
from connectome2net.load import load

STEPS: Final = 4


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
    how = "as in the epochs that are finished" if timed else f"from {STEPS - 1} steps of the reference, just now"
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


def _measured(experiment: Experiment) -> float:
    """Return the seconds of an epoch of the reference: a few steps on noise, without augmentation."""
    plan = experiment.plan
    variant = next(item for item in experiment.variants if item.change.name == plan.reference)
    drawn = draw(variant.spec, variant.change, seed=plan.seeds[0])
    with tempfile.TemporaryDirectory() as folder:
        model = load(compile_drawn(drawn, variant.change, out=Path(folder) / "compiled"))
    front_end, batch = variant.spec.network.front_end, variant.config.batch
    images_BCHW = torch.rand(batch, 1, front_end.height, front_end.width)
    threads, seconds = torch.get_num_threads(), []
    torch.set_num_threads(1)
    try:
        for _ in range(STEPS):
            started = time.perf_counter()
            loss = F.cross_entropy(model(images_BCHW), torch.zeros(batch, dtype=torch.long))
            loss.backward()  # type: ignore[no-untyped-call]
            seconds.append(time.perf_counter() - started)
    finally:
        torch.set_num_threads(threads)
    return statistics.median(seconds[1:]) * experiment.data["train"] / batch
