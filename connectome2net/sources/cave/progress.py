"""The live line of a download.

Enters: pieces as they arrive. Leaves: a bar on stderr with the time left; where nobody watches, one line per table.
"""

from __future__ import annotations

import time
from datetime import timedelta
from types import TracebackType

from rich.console import Console
from rich.progress import BarColumn, TextColumn
from rich.progress import Progress as Bar


class Progress:
    """A bar over the rows of a table.

    Args:
        table: its name.
        rows: how many there are.
    """

    def __init__(self, table: str, rows: int) -> None:
        self.console = Console(stderr=True)
        self.table, self.rows, self.kept, self.fetched = table, rows, 0, 0
        self.started = time.monotonic()
        self.bar = Bar(
            TextColumn("{task.description}"),
            BarColumn(),
            TextColumn("{task.completed:,.0f}/{task.total:,.0f} rows  {task.fields[left]}"),
            console=self.console,
            disable=not self.console.is_terminal,
        )
        self.task = self.bar.add_task(table, total=rows, left="")

    def __enter__(self) -> Progress:
        self.bar.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.bar.stop()
        if error is None and not self.console.is_terminal:
            kept = f", {self.kept:,} of them from an earlier download" if self.kept else ""
            line = f"CAVE: {self.table}, {self.rows:,} rows{kept}"
            self.console.print(line, markup=False, highlight=False, soft_wrap=True)

    def arrived(self, rows: int, *, fetched: bool) -> None:
        """Count a piece; what was kept from before says nothing of how fast the server is."""
        self.kept += 0 if fetched else rows
        self.fetched += rows if fetched else 0
        todo = self.rows - self.kept - self.fetched
        seconds = (time.monotonic() - self.started) / self.fetched * todo if self.fetched else None
        left = "" if seconds is None else f"{timedelta(seconds=round(seconds))} left"
        self.bar.update(self.task, advance=rows, left=left)
