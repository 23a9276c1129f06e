"""A compiled folder or a run -> a torch module.

Enters: a folder. Leaves: a ``torch.nn.Module``, or an error before any foreign code has run.
"""

from __future__ import annotations

import hashlib
import importlib.util
import json
import shutil
import sys
from collections import Counter
from pathlib import Path
from typing import Any, NoReturn

import torch
from pydantic import ValidationError
from safetensors import SafetensorError
from safetensors.torch import load as load_tensors
from torch import Tensor, nn

from connectome2net.compile.conventional import Conventional, form_of
from connectome2net.compile.emit import emit
from connectome2net.compile.parameters import MOST_DRAWN, count_drawn
from connectome2net.compile.program import PARTS, Program
from connectome2net.errors import LoadError
from connectome2net.runtime.backends.choice import choose_backends

AGAIN = "compile again: c2n compile spec.json"
TRUST = "if you trust it: --trust (in Python: trust=True)"
MOST_BYTES = 32 * 1024**2
"""The longest program.json or model.py that is read; those of 100,000 cells have some 10,000 bytes."""
MOST_COMMAS = 500_000
"""The most values of a JSON text that is parsed: each may become an error of its own."""


def load(
    path: str | Path = "compiled",
    *,
    seed: int = 0,
    classes: int | None = None,
    backend: str = "program",
    trust: bool = False,
) -> nn.Module:
    """Load a compiled network, fresh or trained.

    The module takes grey images, float (B, 1, H, W) with values from 0 to 1 (H and W as in the spec, 48 x 48 by
    default), and returns logits (B, K). ``model.program`` says what it was compiled from; ``model.cell_index``
    (units,) is the row in the spec's cells table of each of its cells, group after group; a conventional reference has
    none.

    Args:
        path: a compiled folder, for a fresh network; or a run (``runs/001``), for the trained one at its best epoch.
        seed: what is learned is drawn from it; anatomy does not depend on it.
        classes: number of classes K, at least 1; by default the one of the spec, or of the run.
        backend: how sparse products are computed: ``program`` as the compiler chose, ``auto`` as measured on this
            machine, or ``native``, ``csr``, ``gather``, ``dense``. The numbers are the same, within rounding.
        trust: run model.py although it is not what the compiler would write, and draw more than ``MOST_DRAWN``
            numbers for it.

    Returns:
        A ``torch.nn.Module`` on the CPU, in training mode if fresh, in evaluation mode if trained.

    Raises:
        LoadError: something is missing, damaged or changed.
    """
    path = Path(path)
    if (path / "run.json").is_file():
        return _load_run(path, classes=classes, backend=backend, trust=trust)
    if classes is not None and classes < 1:
        raise LoadError("a network needs classes", where="classes", found=classes, wanted="1 or more")
    program = read_program(path)
    drawn = sum(count_drawn(program).values())
    if drawn > MOST_DRAWN and not trust:
        found, wanted = f"{drawn:,} numbers to draw", f"at most {MOST_DRAWN:,}"
        raise LoadError(
            "this network is too large to be loaded without trust", where=path, found=found, wanted=wanted, fix=TRUST
        )
    arrays = _read_arrays(path, program)
    text = _read(path / "model.py", most=MOST_BYTES).decode("utf-8", "replace")
    if not trust and text != emit(program):
        raise LoadError(
            "model.py is not what the compiler writes",
            where=path / "model.py",
            wanted="the text that program.json stands for",
            fix=f"{AGAIN}; or, if you changed it and {TRUST.removeprefix('if you ')}",
        )
    build = _define(text, path / "model.py")
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        try:
            model: nn.Module = build(arrays, classes=classes or program.readout.classes)
        except (LookupError, ValueError, TypeError, RuntimeError, ArithmeticError, MemoryError) as error:
            raise LoadError("program.json does not fit its arrays", where=path, found=error, fix=AGAIN) from error
    model.program = program  # type: ignore[assignment]
    model.cell_index = arrays["cell_index"].numpy()  # type: ignore[assignment]
    set_backends(model, backend)
    return model


def copy_compiled(source: Path, target: Path) -> None:
    """Copy the files of a compiled network, and nothing that lies beside them, into a folder that is made."""
    target.mkdir()
    for name in PARTS:
        shutil.copy2(source / name, target / name)


def set_backends(model: nn.Module, backend: str) -> None:
    """Choose how the sparse products of a loaded network are computed, on the device where it is.

    Args:
        model: what ``load`` returned.
        backend: as for ``load``.

    Raises:
        LoadError: there is no such backend, or it cannot be used here.
    """
    program: Any = model.program
    choose_backends(model, backend, {f"W_{block.name}": block.storage for block in program.blocks})


def read_program(path: Path) -> Program | Conventional:
    """Return the program of a compiled folder.

    Raises:
        LoadError: program.json is missing, damaged, too long, or of a newer format.
    """
    content = _read(path / "program.json", most=MOST_BYTES)
    if (commas := content.count(b",")) > MOST_COMMAS:
        _refuse_length(path / "program.json", f"{commas:,} commas", f"at most {MOST_COMMAS:,}")
    try:
        return form_of(content).model_validate_json(content)
    except ValidationError as error:
        first = error.errors()[0]
        newer = first["loc"] in (("format_version",), ("template",)) and isinstance(first["input"], int)
        what = "program.json was written by another release" if newer else "program.json is damaged"
        fix = "update connectome2net, or " + AGAIN if newer else AGAIN
        found = f"/{'/'.join(map(str, first['loc']))}: {first['msg']}"
        raise LoadError(what, where=path / "program.json", found=found, fix=fix) from None


def _read(path: Path, *, most: int | None = None) -> bytes:
    if not path.is_file():
        fix = "make one with: c2n compile"
        raise LoadError("no compiled network here", where=path.parent, found=f"no {path.name}", fix=fix)
    if most is not None and (size := path.stat().st_size) > most:
        _refuse_length(path, f"{size:,} bytes", f"at most {most:,}")
    return path.read_bytes()


def _refuse_length(path: Path, found: str, wanted: str) -> NoReturn:
    raise LoadError(f"{path.name} is longer than any network needs", where=path, found=found, wanted=wanted, fix=AGAIN)


def _read_arrays(path: Path, program: Program | Conventional) -> dict[str, Tensor]:
    where = path / "weights.safetensors"
    content = _read(where)
    if (digest := hashlib.sha256(content).hexdigest()) != program.weights_sha256:
        wanted = f"sha256 {program.weights_sha256}, as in program.json"
        raise LoadError("weights.safetensors was changed", where=where, found=digest, wanted=wanted, fix=AGAIN)
    try:
        arrays = load_tensors(content)
    except SafetensorError as error:
        raise LoadError("weights.safetensors is damaged", where=where, found=error, fix=AGAIN) from None
    if extra := sorted(arrays.keys() - program.arrays.keys()):
        raise LoadError("an array that program.json does not name", where=where, found=extra[0], fix=AGAIN)
    for name, array in program.arrays.items():
        found = arrays.get(name)
        if found is None or tuple(found.shape) != array.shape or str(found.dtype) != f"torch.{array.dtype}":
            described = "nothing" if found is None else f"{found.dtype} {tuple(found.shape)}"
            wanted = f"{array.dtype} {array.shape}"
            raise LoadError("an array does not fit", where=f"{where}/{name}", found=described, wanted=wanted, fix=AGAIN)
        if found.is_floating_point() and not bool(torch.isfinite(found).all()):
            raise LoadError("an array is not finite", where=f"{where}/{name}", found="NaN or infinity", fix=AGAIN)
    for name, places in program.places().items():
        if name in arrays and not bool(((arrays[name] >= 0) & (arrays[name] < places)).all()):
            wanted = f"places from 0 to {places - 1}"
            raise LoadError("an array points outside", where=f"{where}/{name}", wanted=wanted, fix=AGAIN)
    return arrays


def _define(text: str, where: Path) -> Any:
    """Execute model.py as a module of its own and return its network class."""
    name = f"connectome2net._compiled_{hashlib.sha256(text.encode()).hexdigest()[:16]}"
    specification = importlib.util.spec_from_loader(name, loader=None)
    assert specification is not None
    module = importlib.util.module_from_spec(specification)
    module.__file__ = str(where)
    sys.modules[name] = module
    try:
        exec(compile(text, str(where), "exec"), module.__dict__)
    except Exception as error:
        del sys.modules[name]
        raise LoadError("model.py cannot be run", where=where, found=error, fix=AGAIN) from error
    classes = [item for item in vars(module).values() if isinstance(item, type) and item.__module__ == name]
    if len(classes) != 1:
        raise LoadError("model.py has no single network", where=where, found=f"{len(classes)} classes", fix=AGAIN)
    return classes[0]


def _load_run(path: Path, *, classes: int | None, backend: str, trust: bool) -> nn.Module:
    again = "train again: c2n train"
    try:
        of_run = len(json.loads((path / "run.json").read_bytes())["classes"])
    except (ValueError, LookupError, TypeError, RecursionError) as error:
        raise LoadError("run.json is damaged", where=path / "run.json", found=error, fix=again) from None
    model = load(path / "compiled", classes=of_run if classes is None else classes, backend=backend, trust=trust)
    best = path / "best.safetensors"
    if not best.is_file():
        fix = f"let it train for an epoch: c2n train --resume {path}"
        raise LoadError("this run has no trained weights yet", where=best, fix=fix)
    try:
        weights = load_tensors(best.read_bytes())
        model.load_state_dict(weights)
    except (SafetensorError, RuntimeError) as error:
        raise LoadError("the trained weights do not fit the network", where=best, found=error, fix=again) from None
    for name, weight in weights.items():
        if not bool(torch.isfinite(weight).all()):
            raise LoadError("a weight is not finite", where=f"{best}/{name}", found="NaN or infinity", fix=again)
    return model.eval()


def parameter_counts(model: nn.Module) -> dict[str, int]:
    """Return the number of trainable parameters of each part of a model."""
    counts: Counter[str] = Counter()
    for name, parameter in model.named_parameters():
        if parameter.requires_grad:
            counts[name.split(".")[0]] += parameter.numel()
    return dict(counts)
