"""Compile a connectome into a neural network that can be trained.

Enters: tables of cells and synapses. Leaves: a spec, a readable torch model, a trained network, an evaluation.
Everything here is loaded when it is first used, so that ``import connectome2net`` is quick.
"""

from __future__ import annotations

import sys
from importlib import import_module
from types import ModuleType
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from connectome2net.compile.package import compile_spec
    from connectome2net.compile.reference import compile_reference
    from connectome2net.errors import C2NError
    from connectome2net.evaluate import evaluate
    from connectome2net.experiment.run import run_experiment
    from connectome2net.extract import extract
    from connectome2net.inside import clamp, lesion, record
    from connectome2net.load import load
    from connectome2net.sources import open_source
    from connectome2net.spec import Spec, read_spec, write_spec
    from connectome2net.tasks import open_dataset
    from connectome2net.train import TrainConfig, train
    from connectome2net.transform.rewire import rewire

__version__ = "0.1.0"

_HOME = {
    "C2NError": "errors",
    "Spec": "spec",
    "TrainConfig": "train",
    "clamp": "inside",
    "compile_reference": "compile.reference",
    "compile_spec": "compile.package",
    "evaluate": "evaluate",
    "extract": "extract",
    "lesion": "inside",
    "load": "load",
    "open_dataset": "tasks",
    "open_source": "sources",
    "read_spec": "spec",
    "record": "inside",
    "rewire": "transform",
    "run_experiment": "experiment.run",
    "train": "train",
    "write_spec": "spec",
}

__all__ = [
    "C2NError",
    "Spec",
    "TrainConfig",
    "clamp",
    "compile_reference",
    "compile_spec",
    "evaluate",
    "extract",
    "lesion",
    "load",
    "open_dataset",
    "open_source",
    "read_spec",
    "record",
    "rewire",
    "run_experiment",
    "train",
    "write_spec",
]


class _Package(ModuleType):
    """The package as a module whose stages do not hide the functions of the same name.

    ``connectome2net.train`` is a folder and ``connectome2net.train(...)`` a function; importing a stage would put
    the folder in the function's place.
    """

    def __setattr__(self, name: str, value: Any) -> None:
        if not (name in _HOME and isinstance(value, ModuleType)):
            super().__setattr__(name, value)


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module 'connectome2net' has no attribute {name!r}")
    return getattr(import_module(f"connectome2net.{_HOME[name]}"), name)


def __dir__() -> list[str]:
    return sorted([*globals(), *__all__])


sys.modules[__name__].__class__ = _Package
