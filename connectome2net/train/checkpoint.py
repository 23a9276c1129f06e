"""The state of a training run on disk: safetensors and JSON, never half-written.

Enters: a model, its optimiser, what the loop remembers. Leaves: the same, later.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import Tensor, nn, optim

from connectome2net.atomic import write_files
from connectome2net.errors import TrainError


def write_atomically(path: Path, content: bytes) -> None:
    """Write a file so that at any moment the old or the new content lies there as a whole.

    Raises:
        TrainError: the disk is full, or does not let itself be written; the old content stays.
    """
    try:
        write_files({path: content})
    except OSError as error:
        found, fix = error.strerror or error, "make room, or permit writing there, and go on; what was there is whole"
        raise TrainError("a file cannot be written", where=path, found=found, fix=fix) from None


def write_json(path: Path, content: dict[str, Any]) -> None:
    """Write readable JSON, never half, and never NaN or infinity, which JSON does not have."""
    write_atomically(path, (json.dumps(content, indent=1, ensure_ascii=False, allow_nan=False) + "\n").encode())


def model_bytes(model: nn.Module) -> bytes:
    """Return what a model has learned as safetensors."""
    return save({name: tensor.detach().cpu().contiguous() for name, tensor in model.state_dict().items()})


def save_checkpoint(path: Path, model: nn.Module, optimiser: optim.Optimizer, memory: dict[str, Any]) -> None:
    """Write everything that training needs to go on.

    Args:
        path: the file.
        model: its state.
        optimiser: its state.
        memory: what the loop remembers, as JSON.
    """
    tensors = {f"model.{name}": tensor for name, tensor in model.state_dict().items()}
    for index, state in optimiser.state_dict()["state"].items():
        tensors |= {f"optimiser.{index}.{name}": value for name, value in state.items()}
    tensors = {name: tensor.detach().cpu().contiguous() for name, tensor in tensors.items()}
    write_atomically(path, save(tensors, metadata={"memory": json.dumps(memory)}))


def load_checkpoint(path: Path, model: nn.Module, optimiser: optim.Optimizer) -> dict[str, Any]:
    """Put a state back into a model and its optimiser, and return what the loop remembered.

    Raises:
        TrainError: the file is damaged, or of another network.
    """
    of_model: dict[str, Tensor] = {}
    of_optimiser: dict[int, dict[str, Tensor]] = {}
    try:
        with safe_open(path, framework="pt") as file:
            memory: dict[str, Any] = json.loads(file.metadata()["memory"])
            for key in file.keys():  # noqa: SIM118 - not a dict
                kind, name = key.split(".", 1)
                if kind == "model":
                    of_model[name] = file.get_tensor(key).clone()
                else:
                    index, name = name.split(".", 1)
                    of_optimiser.setdefault(int(index), {})[name] = file.get_tensor(key).clone()
        model.load_state_dict(of_model)
    except (SafetensorError, LookupError, TypeError, ValueError, RuntimeError) as error:
        fix = "train again; best.safetensors of this run may still be whole"
        raise TrainError("this checkpoint cannot be read", where=path, found=error, fix=fix) from None
    optimiser.load_state_dict({"state": of_optimiser, "param_groups": optimiser.state_dict()["param_groups"]})
    return memory
