"""The live line of a download.

Enters: pieces as they arrive. Leaves: a bar on stderr with the time left; where no terminal watches, a line per table,
and one every few minutes.
"""

from __future__ import annotations

import time
from types import TracebackType

from rich.progress import BarColumn, TextColumn

from connectome2net.progress import Screen, time_left


class Progress:
    """A bar over the rows of a table.

    Args:
        table: its name.
        rows: how many there are.
    """

    def __init__(self, table: str, rows: int) -> None:
        self.screen = Screen()
        self.table, self.rows, self.kept, self.fetched = table, rows, 0, 0
        self.started = time.monotonic()
        self.bar = self.screen.bar(
            TextColumn("{task.description}"),
            BarColumn(),
            TextColumn("{task.completed:,.0f}/{task.total:,.0f} rows  {task.fields[left]}"),
        )
        self.task = self.bar.add_task(table, total=rows, left="")

    def __enter__(self) -> Progress:
        self.bar.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.bar.stop()
        if error is None:
            kept = f", {self.kept:,} of them from an earlier download" if self.kept else ""
            self.screen.log(f"CAVE: {self.table}, {self.rows:,} rows{kept}")

    def arrived(self, rows: int, *, fetched: bool) -> None:
        """Count a piece; what was kept from before says nothing of how fast the server is."""
        self.kept += 0 if fetched else rows
        self.fetched += rows if fetched else 0
        done = self.kept + self.fetched
        left = time_left(self.started, done=self.fetched, todo=self.rows - done)
        self.bar.update(self.task, advance=rows, left=left)
        if self.screen.is_due():
            self.screen.log(f"CAVE: {self.table}, {done:,} of {self.rows:,} rows{left and f', {left}'}")
