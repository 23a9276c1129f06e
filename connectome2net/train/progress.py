"""The live line of a training run; silent when nobody watches.

Enters: steps and epochs. Leaves: a bar on stderr with loss, accuracy, images per second and the time left.
"""

from __future__ import annotations

import time
from types import TracebackType
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeRemainingColumn
from rich.progress import Progress as Bar


class Progress:
    """A progress bar over all steps of a run.

    Args:
        epochs: of the run.
        steps: of an epoch.
        done: steps that an earlier session has finished.
        title: a line above the bar.
        quiet: nobody watches this process.
    """

    def __init__(self, epochs: int, steps: int, *, done: int = 0, title: str = "", quiet: bool = False) -> None:
        console = Console(stderr=True, quiet=quiet)
        self.epochs = epochs
        self.finished = done // steps
        self.started = time.perf_counter()
        self.images = 0
        self.validation = ""
        self.bar = Bar(
            TextColumn("epoch {task.fields[epoch]}"),
            BarColumn(),
            MofNCompleteColumn(),
            TextColumn("loss {task.fields[loss]}{task.fields[validation]}  {task.fields[speed]} images/s  left"),
            TimeRemainingColumn(),
            console=console,
            disable=quiet or not console.is_terminal,
        )
        if console.is_terminal:
            console.print(title, markup=False, highlight=False)
        fields: dict[str, Any] = {"epoch": f"{self.finished + 1}/{epochs}", "loss": "-", "validation": "", "speed": "-"}
        self.task = self.bar.add_task("", total=epochs * steps, completed=done, **fields)

    def __enter__(self) -> Progress:
        self.bar.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.bar.stop()

    def step(self, *, loss: float, images: int) -> None:
        """Count one step."""
        self.images += images
        speed = self.images / (time.perf_counter() - self.started)
        self.bar.update(self.task, advance=1, loss=f"{loss:.3f}", speed=f"{speed:,.0f}")

    def epoch(self, record: dict[str, Any]) -> None:
        """Count one epoch and show its validation accuracy from now on."""
        epoch = min(record["epoch"] + 1, self.epochs)
        validation = f"  accuracy {record['accuracy']:.1%}  validation {record['validation_accuracy']:.1%}"
        self.bar.update(self.task, epoch=f"{epoch}/{self.epochs}", validation=validation)
