"""Where to compute.

Enters: a word. Leaves: a device that works, or an error that says what it lacks.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch

from connectome2net.errors import TrainError


def find_device(name: str) -> torch.device:
    """Return a device by name; ``auto`` takes a GPU if there is one.

    Raises:
        TrainError: this machine, or this build of torch, has no such device.
    """
    if name == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    try:
        return torch.zeros(0, device=name).device
    except (RuntimeError, AssertionError) as error:
        found = f"{name} ({str(error).splitlines()[0]})"
        raise TrainError(
            "no such device", where="--device", found=found, wanted="cpu, cuda or auto", fix="use --device auto"
        ) from None


@contextmanager
def memory_told() -> Iterator[None]:
    """Say of a device that is full what can be done.

    Raises:
        TrainError: the memory of a device did not suffice.
    """
    try:
        yield
    except torch.OutOfMemoryError as error:
        fix = "a smaller `batch`, a `checkpoint` in the schedule of the network, or another device"
        found = str(error).partition("\n")[0]
        raise TrainError("the memory of the device is full", found=found, fix=fix) from error
