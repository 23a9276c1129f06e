"""The live line of a download.

Enters: pieces as they arrive. Leaves: a bar on stderr with the time left; where nobody watches, one line per table.
"""

from __future__ import annotations

from types import TracebackType

from rich.console import Console
from rich.progress import BarColumn, TextColumn, TimeRemainingColumn
from rich.progress import Progress as Bar


class Progress:
    """A bar over the rows of a table.

    Args:
        table: its name.
        rows: how many there are.
    """

    def __init__(self, table: str, rows: int) -> None:
        self.console = Console(stderr=True)
        self.table, self.rows, self.kept = table, rows, 0
        self.bar = Bar(
            TextColumn("{task.description}"),
            BarColumn(),
            TextColumn("{task.completed:,.0f}/{task.total:,.0f} rows  left"),
            TimeRemainingColumn(),
            console=self.console,
            disable=not self.console.is_terminal,
        )
        self.task = self.bar.add_task(table, total=rows)

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
        """Count a piece."""
        self.kept += 0 if fetched else rows
        self.bar.update(self.task, advance=rows)
