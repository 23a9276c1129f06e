"""Curves of a training run for TensorBoard.

Enters: the record of each epoch. Leaves: events in the folder ``tensorboard`` of the run, a point for each epoch:
``tensorboard --logdir runs`` shows them.
"""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path
from types import TracebackType
from typing import Any

from connectome2net.errors import TrainError

CURVES = {
    "loss": "loss/train",
    "validation_loss": "loss/validation",
    "accuracy": "accuracy/train",
    "validation_accuracy": "accuracy/validation",
    "images_per_second": "speed/images_per_second",
}


def check_tensorboard() -> None:
    """Refuse to go on without TensorBoard.

    Raises:
        TrainError: it is not installed.
    """
    if find_spec("tensorboard") is None:
        fix = "pip install 'connectome2net[tensorboard]', or leave --tensorboard out"
        raise TrainError("TensorBoard is not installed", where="--tensorboard", found="no package tensorboard", fix=fix)


class Board:
    """Writes the curves of a run; nothing where it is switched off.

    Args:
        run: the run folder.
        epoch: finished epochs; points of later ones, which a killed run may have left, are dropped by TensorBoard.
        on: write at all.
    """

    def __init__(self, run: Path, *, epoch: int, on: bool) -> None:
        self.writer: Any = None
        if on:
            from torch.utils.tensorboard import SummaryWriter

            self.writer = SummaryWriter(str(run / "tensorboard"), purge_step=epoch + 1)

    def __enter__(self) -> Board:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self.writer is not None:
            self.writer.close()

    def epoch(self, record: dict[str, Any], *, learning_rate: float) -> None:
        """Add the points of an epoch; call it before the epoch is kept, so that none is ever missing."""
        if self.writer is not None:
            for key, curve in CURVES.items():
                self.writer.add_scalar(curve, record[key], record["epoch"])
            self.writer.add_scalar("learning_rate", learning_rate, record["epoch"])
            self.writer.flush()
