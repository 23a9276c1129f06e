"""The live line of a training run; where no terminal watches, a line for each epoch.

Enters: steps and epochs. Leaves: on stderr loss, accuracy, images per second and the time left.
"""

from __future__ import annotations

import time
from types import TracebackType
from typing import Any

from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeRemainingColumn

from connectome2net.progress import Screen, time_left


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
        self.epochs, self.steps, self.done = epochs, steps, done
        self.finished = done // steps
        self.started = time.monotonic()
        self.images = 0
        self.screen = Screen(quiet=quiet)
        self.bar = self.screen.bar(
            TextColumn("epoch {task.fields[epoch]}"),
            BarColumn(),
            MofNCompleteColumn(),
            TextColumn("loss {task.fields[loss]}{task.fields[validation]}  {task.fields[speed]} images/s  left"),
            TimeRemainingColumn(),
        )
        self.screen.title(title)
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
        speed = self.images / (time.monotonic() - self.started)
        self.bar.update(self.task, advance=1, loss=f"{loss:.3f}", speed=f"{speed:,.0f}")
        self.done += 1
        if self.screen.is_due():
            epoch, step = divmod(self.done - 1, self.steps)
            part = f"epoch {epoch + 1}/{self.epochs}, {(step + 1) / self.steps:.0%} of it"
            self.screen.log(f"{part}: loss {loss:.3f}, {speed:,.0f} images/s")

    def epoch(self, record: dict[str, Any]) -> None:
        """Count one epoch; show its validation accuracy from now on, or print a line."""
        epoch = record["epoch"]
        accuracy = f"accuracy {record['accuracy']:.1%}", f"validation {record['validation_accuracy']:.1%}"
        following = f"{min(epoch + 1, self.epochs)}/{self.epochs}"
        self.bar.update(self.task, epoch=following, validation="".join(f"  {words}" for words in accuracy))
        speed = f"{record['images_per_second']:,.0f} images/s"
        left = time_left(self.started, done=epoch - self.finished, todo=self.epochs - epoch)
        words = ", ".join([f"loss {record['loss']:.3f}", *accuracy, speed, left])
        self.screen.log(f"epoch {epoch}/{self.epochs}: {words}")
