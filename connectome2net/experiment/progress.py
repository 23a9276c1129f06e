"""How far an experiment is, on one line; silent when nobody watches.

Enters: run folders that other processes write into. Leaves: a bar on stderr with runs, epochs and the time left.
"""

from __future__ import annotations

import sys
import threading
from collections.abc import Sequence
from types import TracebackType
from typing import Any, Final

from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

from connectome2net.experiment.state import State
from connectome2net.experiment.work import Task

EVERY_S: Final = 2.0


class Watch:
    """A bar over the epochs of all runs, live from their metrics.jsonl.

    Args:
        tasks: all runs of the experiment, those that are finished already too.
    """

    def __init__(self, tasks: Sequence[Task]) -> None:
        self.tasks = tasks
        console = Console(file=sys.stderr)  # a run in this process redirects sys.stderr
        self.watched = console.is_terminal
        columns = "{task.fields[runs]} runs{task.fields[failed]}"
        self.bar = Progress(
            TextColumn(columns),
            BarColumn(),
            TextColumn("{task.completed:.0f}/{task.total:.0f} epochs{task.fields[best]}  left"),
            TimeRemainingColumn(elapsed_when_finished=True),
            console=console,
            disable=not self.watched,
        )
        total = sum(task.config.epochs for task in tasks)
        self.row = self.bar.add_task("", total=total, runs="", failed="", best="")
        self.over = threading.Event()
        self.thread = threading.Thread(target=self._watch, daemon=True)

    def __enter__(self) -> Watch:
        if self.watched:
            self.show()
            self.bar.start()
            self.thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.over.set()
        if self.watched:
            self.thread.join()
            self.show()
            self.bar.stop()

    def show(self) -> None:
        """Look at all run folders and show how far they are."""
        states = [(task, task.state()) for task in self.tasks]
        self.bar.update(self.row, completed=sum(_epochs(task, state) for task, state in states), **_words(states))

    def _watch(self) -> None:
        while not self.over.wait(EVERY_S):
            self.show()


def _epochs(task: Task, state: State) -> int:
    """Return finished epochs; a run that has ended, early or not, counts as a whole."""
    return task.config.epochs if state.status in ("finished", "failed") else state.epochs


def _words(states: Sequence[tuple[Task, State]]) -> dict[str, Any]:
    """Return what stands beside the bar."""
    status = [state.status for _, state in states]
    best = max(((state.best, task) for task, state in states if state.best), key=lambda pair: pair[0], default=None)
    words = f"  best {best[0]:.1%} {escape(best[1].variant)}, seed {best[1].config.seed}" if best else ""
    failed = f", {status.count('failed')} failed" if "failed" in status else ""
    return {"runs": f"{status.count('finished')}/{len(status)}", "failed": failed, "best": words}
