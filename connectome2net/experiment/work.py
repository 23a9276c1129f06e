"""One run, in a process of its own: draw the graph, compile, train, evaluate.

Enters: a task. Leaves: a run folder that is complete, or one that says why it is not.
"""

from __future__ import annotations

import contextlib
import io
import os
import shutil
import tempfile
import threading
import time
import traceback
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache, lru_cache
from pathlib import Path
from typing import Any, Final

import torch
from filelock import FileLock

from connectome2net.errors import C2NError
from connectome2net.evaluate import evaluate
from connectome2net.evaluate.run import Part
from connectome2net.experiment.change import Change, changed_spec
from connectome2net.experiment.draw import compile_drawn, draw
from connectome2net.experiment.state import FAILURE, State, has_begun, is_evaluated, is_trained, state_of
from connectome2net.spec import read_spec
from connectome2net.tasks import Dataset, open_dataset
from connectome2net.train import TrainConfig, train
from connectome2net.train.checkpoint import write_atomically, write_json

LOCKS: Final = ".locks"
TRANSFORM: Final = "transform.json"
NOTES: Final = "notes.txt"
LOOK_S: Final = 1.0
_one_at_a_time = threading.Lock()
"""Random numbers of a run come from torch's global generator, so that a process has one run at a time."""


@dataclass(frozen=True)
class Task:
    """A run that is to be made.

    Attributes:
        key: what determines it; the name of its folder.
        variant: the name of its variant.
        folder: of the experiment, absolute.
        spec: folder of the variant's base spec.
        change: the variant.
        config: how it is trained, with the seed.
        data: images, or where they are.
        digest: of the images as seed 0 splits them.
        size: side of the images in pixels.
        part: evaluate on the ``test`` or the ``validation`` images.
        robustness: evaluate under noise, blur, occlusion and lesions too.
    """

    key: str
    variant: str
    folder: Path
    spec: Path
    change: Change
    config: TrainConfig
    data: str | Dataset
    digest: str
    size: int
    part: Part
    robustness: bool

    @property
    def run(self) -> Path:
        """The folder of the run."""
        return self.folder / "runs" / self.key

    def state(self) -> State:
        """Return how far the run is."""
        return state_of(self.run, part=self.part, robustness=self.robustness)


def carry_out_for(parent: int, task: Task) -> str:
    """Carry a task out in the process of an experiment, ``parent``, or in a child of it that ends when it does."""
    if os.getpid() != parent:
        _end_with(parent)
    return carry_out(task)


@cache
def _end_with(parent: int) -> None:
    """End this process as soon as its parent is gone: nobody waits for its run, which can go on from here later."""

    def watch() -> None:
        while os.getppid() == parent:
            time.sleep(LOOK_S)
        os._exit(1)

    threading.Thread(target=watch, daemon=True).start()


def carry_out(task: Task) -> str:
    """Make a run, or what is missing of it; an error ends up in its folder.

    Another process, of an experiment that was killed or of another machine, may still be at this run; then this one
    waits, and takes what that one made.

    Returns:
        The key.
    """
    run = task.run
    run.mkdir(parents=True, exist_ok=True)
    with _one_at_a_time, FileLock(task.folder / LOCKS / task.key), _alone() as words:
        try:
            (run / FAILURE).unlink(missing_ok=True)
            _train(task)
            if not is_evaluated(run, part=task.part, robustness=task.robustness):
                how: dict[str, Any] = {"device": task.config.device, "robustness": task.robustness, "part": task.part}
                evaluate(run, data=_images(task), quiet=True, **how)
        except Exception as error:
            text = str(error) if isinstance(error, C2NError) else f"{type(error).__name__}: {error}"
            run.mkdir(parents=True, exist_ok=True)
            write_atomically(run / FAILURE, f"{text}\n\n{''.join(traceback.format_exception(error))}".encode())
        if words.getvalue():
            write_atomically(run / NOTES, words.getvalue().encode())
    return task.key


def _train(task: Task) -> None:
    """Train, or go on, unless that is done."""
    run, change = task.run, task.change
    is_control = change.null is not None or change.subset is not None
    if is_trained(run) and ((run / TRANSFORM).is_file() or not is_control):
        return
    drawn = draw(changed_spec(read_spec(task.spec), change), change, seed=task.config.seed)
    if has_begun(run):
        train(resume=run, data=_images(task), quiet=True)
    else:
        shutil.rmtree(run)  # stopped before training had begun
        with tempfile.TemporaryDirectory() as folder:
            compiled = compile_drawn(drawn, change, out=Path(folder) / "compiled")
            train(compiled, data=_images(task), config=task.config, out=run, quiet=True)
    if is_control:
        transforms = drawn.document.provenance.transforms
        write_json(run / TRANSFORM, {"transforms": [item.model_dump(mode="json") for item in transforms]})


def _images(task: Task) -> Dataset:
    """Return the images of a run."""
    if isinstance(task.data, Dataset):
        return task.data
    return _open(task.data, task.digest, seed=task.config.seed, size=task.size, **task.config.of_images())


@lru_cache(maxsize=1)
def _open(data: str, _: str, **how: Any) -> Dataset:
    """Open images once in a process; runs come seed after seed, so that one data set is enough.

    With their digest among what it is asked for, other images in the same place are not taken for those of before.
    """
    return open_dataset(data, **how)


@contextlib.contextmanager
def _alone() -> Iterator[io.StringIO]:
    """Compute in one thread; what would be shown on stderr, such as warnings, is yielded.

    With one thread each, results do not depend on how many runs share a machine.
    """
    threads, words = torch.get_num_threads(), io.StringIO()
    torch.set_num_threads(1)
    try:
        with contextlib.redirect_stderr(words):
            yield words
    finally:
        torch.set_num_threads(threads)
