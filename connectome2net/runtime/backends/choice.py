"""Which backend each projection takes, and why.

Enters: a model and a wish. Leaves: a backend and a reason on every projection.

``program`` takes what the compiler wrote, or the next best that works here. ``auto`` measures every backend on this
machine once and remembers the times outside the compiled folder, because they depend on the machine. Any other wish is
the name of a backend.
"""

from __future__ import annotations

import json
import os
import time
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

import torch
from torch import nn

from connectome2net.cache import cache_root
from connectome2net.errors import LoadError
from connectome2net.runtime.backends import BACKENDS, find_backend
from connectome2net.runtime.pattern import Pattern
from connectome2net.runtime.sparse import Projection

WISHES = ("program", "auto", *BACKENDS)
BATCH = 128
"""Images of the batch that is measured."""
MOST_GATHERED = 2**28
"""Most numbers that the gather way may hold while it is measured."""
SECONDS = 0.1
"""How long each backend is measured."""

PREFERRED = {"sparse": "native", "dense": "dense"}
"""What the compiler wrote -> the backend that it stands for."""


def choose_backends(model: nn.Module, wish: str, storage: Mapping[str, str]) -> None:
    """Give every projection of a model its backend, on the device where the model is.

    Args:
        model: a compiled network.
        wish: ``program``, ``auto`` or the name of a backend.
        storage: module name of a projection -> ``sparse`` or ``dense``, as the compiler wrote.

    Raises:
        LoadError: there is no such backend, or it cannot be used here.
    """
    if wish not in WISHES:
        raise LoadError("there is no such backend", where="backend", found=wish, wanted=", ".join(WISHES))
    for name, module in model.named_modules():
        if isinstance(module, Projection):
            module.backend, module.reason = _choose(name, module, wish, storage.get(name, "sparse"))


def _choose(name: str, projection: Projection, wish: str, stored: str) -> tuple[str, str]:
    pattern, weight_E = projection.pattern, projection.theta_E
    if wish == "auto":
        return _measured(pattern, weight_E.device, weight_E.dtype)
    wanted = PREFERRED[stored] if wish == "program" else wish
    problem = BACKENDS[wanted].problem(pattern, weight_E.device, weight_E.dtype)
    if wish != "program" and problem:
        fix = "take --backend program, which takes the best that works"
        raise LoadError(f"{name} cannot be computed that way", where="backend", found=wish, wanted=problem, fix=fix)
    if problem:
        return find_backend(
            wanted, pattern, weight_E.device, weight_E.dtype
        ).name, f"{wanted} is not to be had: {problem}"
    return wanted, f"the program says {stored}" if wish == "program" else "asked for"


def _measured(pattern: Pattern, device: torch.device, dtype: torch.dtype) -> tuple[str, str]:
    key, file = _key(pattern, device, dtype), times_file()
    known = _read(file)
    if key not in known:
        known = _read(file) | {key: measure(pattern, device, dtype)}
        _write(file, known)
    times = known[key]
    best = min(times, key=lambda name: (times[name], name))
    listed = ", ".join(f"{name} {ms:.2f}" for name, ms in sorted(times.items(), key=lambda item: item[1]))
    return best, f"measured: {listed} ms"


def measure(pattern: Pattern, device: torch.device, dtype: torch.dtype) -> dict[str, float]:
    """Return the milliseconds of one product, forward and backward, of every backend that works here."""
    edges, (_, columns) = len(pattern.pre_index), pattern.shape
    rate = torch.ones(columns, BATCH, device=device, dtype=dtype, requires_grad=True)
    weight = torch.ones(edges, device=device, dtype=dtype, requires_grad=True)
    times = {}
    for name, backend in BACKENDS.items():
        if backend.problem(pattern, device, dtype) or (name == "gather" and edges * BATCH > MOST_GATHERED):
            continue
        best, started = float("inf"), time.perf_counter()
        while best == float("inf") or time.perf_counter() - started < SECONDS:
            _wait(device)
            begin = time.perf_counter()
            drive = backend.hold(weight, pattern)(rate)
            torch.autograd.grad(drive, [weight, rate], torch.ones_like(drive))
            _wait(device)
            best = min(best, time.perf_counter() - begin)
        times[name] = round(best * 1e3, 4)
    return times


def _wait(device: torch.device) -> None:
    if device.type == "cuda":
        torch.cuda.synchronize(device)


def times_file() -> Path:
    """Return where measured times are kept."""
    return cache_root() / "backends.json"


def _key(pattern: Pattern, device: torch.device, dtype: torch.dtype) -> str:
    rows, columns = pattern.shape
    where = torch.cuda.get_device_name(device) if device.type == "cuda" else f"{torch.get_num_threads()} threads"
    edges = len(pattern.pre_index)
    working = " ".join(name for name, item in BACKENDS.items() if not item.problem(pattern, device, dtype))
    return f"torch {torch.__version__}, {device.type} {where}, {dtype}, {rows} x {columns}, {edges} edges: {working}"


def _read(file: Path) -> dict[str, Any]:
    with suppress(OSError, ValueError):
        content = json.loads(file.read_text())
        if isinstance(content, dict):
            return {key: times for key, times in content.items() if _are_times(times)}
    return {}


def _are_times(times: Any) -> bool:
    return (
        isinstance(times, dict)
        and bool(times)
        and times.keys() <= BACKENDS.keys()
        and all(isinstance(ms, int | float) and ms > 0 for ms in times.values())
    )


def _write(file: Path, content: dict[str, Any]) -> None:
    """Write the times; where that is not possible they are measured again next time."""
    with suppress(OSError):
        file.parent.mkdir(parents=True, exist_ok=True)
        part = file.with_name(f".{file.name}.{os.getpid()}.part")
        part.write_text(json.dumps(content, indent=1, sort_keys=True) + "\n")
        part.replace(file)
