"""Where long work shows how far it is: a bar on a terminal, plain lines in a log.

Enters: columns of a bar, and lines. Leaves: text on stderr, for whoever watches or reads the file of a batch job later.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import Final

from rich.console import Console
from rich.progress import (
    BarColumn,
    Progress,
    ProgressColumn,
    TaskID,
    TaskProgressColumn,
    TextColumn,
    TimeRemainingColumn,
)

SILENCE_S: Final = 180.0
"""A log is silent no longer than that, where work can tell how far it is."""


class Screen:
    """What is seen of long work.

    Args:
        quiet: nothing, because another process or the caller tells.
    """

    def __init__(self, *, quiet: bool = False) -> None:
        self.console = Console(file=sys.stderr, quiet=quiet)  # as it is now: a run in this process redirects it
        self.is_live = self.console.is_interactive and not quiet
        self.is_log = not self.is_live and not quiet
        self._said = time.monotonic()

    def bar(self, *columns: ProgressColumn, transient: bool = False) -> Progress:
        """Return a bar that is drawn on a terminal alone; one that is ``transient`` goes when the work is done."""
        return Progress(*columns, console=self.console, transient=transient, disable=not self.is_live)

    @contextmanager
    def percent(self, *, transient: bool = False) -> Iterator[Callable[[str, float], None]]:
        """Yield what is told the name of a piece of work and how much of it is done, in percent: a bar for each."""
        columns = (TextColumn("{task.description}"), BarColumn(), TaskProgressColumn(), TimeRemainingColumn())
        with self.bar(*columns, transient=transient) as bar:
            tasks: dict[str, TaskID] = {}

            def show(name: str, percent: float) -> None:
                if name not in tasks:
                    tasks[name] = bar.add_task(name, total=100.0)
                bar.update(tasks[name], completed=percent)
                if self.is_due():
                    self.log(f"{name}: {percent:.0f}%")

            yield show

    def title(self, line: str) -> None:
        """Print a line above the bar, or in the log."""
        if self.is_live:
            self.console.print(line, markup=False, highlight=False)
        self.log(line)

    def log(self, line: str) -> None:
        """Print a line where there is no bar."""
        if self.is_log:
            print(line, file=self.console.file, flush=True)
            self._said = time.monotonic()

    def is_due(self) -> bool:
        """Tell whether a log has been silent for minutes."""
        return self.is_log and time.monotonic() - self._said >= SILENCE_S


def time_left(started: float, *, done: float, todo: float) -> str:
    """Return how long the rest takes at the speed so far, as ``0:12:30 left``; nothing before there is a speed.

    Args:
        started: the time of ``time.monotonic`` when nothing of ``done`` was done.
        done: in any unit, such as epochs.
        todo: in the same.
    """
    return f"{timedelta(seconds=round((time.monotonic() - started) / done * todo))} left" if done else ""
