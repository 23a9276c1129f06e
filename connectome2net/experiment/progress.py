"""How far an experiment is: one live line, or, where no terminal watches, a line for each run that ends.

Enters: run folders that other processes write into. Leaves: on stderr runs, epochs, the best and the time left.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Sequence
from types import TracebackType
from typing import Any, Final

from rich.progress import BarColumn, TextColumn, TimeRemainingColumn

from connectome2net.experiment.state import State
from connectome2net.experiment.work import Task
from connectome2net.progress import Screen, time_left

EVERY_S: Final = 2.0
ENDED: Final = ("finished", "failed")


class Watch:
    """A bar over the epochs of all runs, live from their metrics.jsonl.

    Args:
        tasks: all runs of the experiment, those that are finished already too.
    """

    def __init__(self, tasks: Sequence[Task]) -> None:
        self.tasks = tasks
        self.screen = Screen()
        self.bar = self.screen.bar(
            TextColumn("{task.fields[runs]}", markup=False),
            BarColumn(),
            TextColumn("{task.completed:.0f}/{task.total:.0f} epochs{task.fields[best]}  left", markup=False),
            TimeRemainingColumn(elapsed_when_finished=True),
        )
        self.total = sum(task.config.epochs for task in tasks)
        self.row = self.bar.add_task("", total=self.total, runs="", best="")
        self.started = time.monotonic()
        self.states = [task.state() for task in tasks]
        self.before = self._epochs()
        self.over = threading.Event()
        self.thread = threading.Thread(target=self._watch, daemon=True)

    def __enter__(self) -> Watch:
        self.screen.log(self._summary())
        self.show()
        self.bar.start()
        self.thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.over.set()
        self.thread.join()
        self.show()
        self.bar.stop()

    def show(self) -> None:
        """Look at all run folders and show how far they are."""
        before, self.states = self.states, [task.state() for task in self.tasks]
        self.bar.update(self.row, completed=self._epochs(), **self._words())
        for task, was, state in zip(self.tasks, before, self.states, strict=True):
            if state.status in ENDED and state.status != was.status:
                self.screen.log(f"{_name(task)}: {_end(state)}; {self._summary()}")
        if self.screen.is_due():
            self.screen.log(self._summary())

    def _watch(self) -> None:
        while not self.over.wait(EVERY_S):
            self.show()

    def _epochs(self) -> int:
        """Return finished epochs; a run that has ended, early or not, counts as a whole."""
        pairs = zip(self.tasks, self.states, strict=True)
        return sum(task.config.epochs if state.status in ENDED else state.epochs for task, state in pairs)

    def _words(self) -> dict[str, Any]:
        """Return what stands beside the bar."""
        status = [state.status for state in self.states]
        pairs = zip(self.tasks, self.states, strict=True)
        best = max(((state.best, task) for task, state in pairs if state.best), key=lambda pair: pair[0], default=None)
        words = f", best {best[0]:.1%} {_name(best[1])}" if best else ""
        failed = f", {status.count('failed')} failed" if "failed" in status else ""
        return {"runs": f"{status.count('finished')}/{len(status)} runs{failed}", "best": words}

    def _summary(self) -> str:
        """Return how far all runs are, as a line."""
        words, epochs = self._words(), self._epochs()
        left = time_left(self.started, done=epochs - self.before, todo=self.total - epochs)
        return f"{words['runs']}, {epochs}/{self.total} epochs{words['best']}{left and f', {left}'}"


def _name(task: Task) -> str:
    return f"{task.variant}, seed {task.config.seed}"


def _end(state: State) -> str:
    """Return how a run has ended."""
    if state.error:
        return f"failed: {state.error.splitlines()[0]}"
    return state.status if state.best is None else f"{state.status}, validation {state.best:.1%}"
