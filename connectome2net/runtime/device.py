"""Where to compute.

Enters: a word. Leaves: a device that works.
"""

from __future__ import annotations

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
