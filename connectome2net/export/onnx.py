"""A network as ONNX, for runtimes that have no Python.

Enters: a compiled folder or a run. Leaves: a file whose answers were compared with those of torch.

The steps are unrolled, and sparse products are gathers and sums: operations that every runtime has. A phase with a
tolerance takes all its steps, as every traced network does.

There is no export to torch's own .pt2: it holds a pickle. ``torch.export.export(load(path, backend="gather"), ...)``
gives the program itself.
"""

# Axes: B batch, C channels, H rows, W columns, K classes.

from __future__ import annotations

import logging
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from importlib import import_module
from pathlib import Path
from typing import Any, Final

import torch
from torch import nn

from connectome2net.errors import ExportError
from connectome2net.export.file import new_file
from connectome2net.load import load

BACKEND: Final = "gather"
"""The way of computing sparse products that exporters can follow."""
INSTALL: Final = 'pip install "connectome2net[export]"'
LARGEST_BYTES: Final = 2**31 - 2**24
"""An ONNX file ends at 2 GB; its graph takes some of them."""
BATCHES: Final = (1, 7)
CLOSE: Final = 1e-5
"""How near answers have to be to those of torch, relative to the largest."""


def export_onnx(path: str | Path, out: str | Path, *, force: bool = False, trust: bool = False) -> Path:
    """Write a network as ONNX: ``image_BCHW``, any number of grey images from 0 to 1, to ``logit_BK``.

    Args:
        path: a compiled folder, for a fresh network of seed 0; or a run, for the trained one.
        out: the file to write.
        force: write over a file that lies there.
        trust: as for ``load``.

    Returns:
        The file.

    Raises:
        LoadError: the network cannot be loaded.
        ExportError: a package is missing, the network is too large, its answers differ, or the file cannot be written.
    """
    out = Path(out)
    _check_packages()
    model = load(path, backend=BACKEND, trust=trust).eval()
    size = sum(tensor.nbytes for tensor in (*model.parameters(), *model.buffers()))
    if size > LARGEST_BYTES:
        raise ExportError(
            "the network is too large for ONNX",
            where=path,
            found=f"{size:,} bytes",
            wanted=f"at most {LARGEST_BYTES:,}",
        )
    with new_file(out, force=force) as part:
        program = _trace(model)
        program.save(part)
        _compare(part, program.exported_program.module(), model)
    return out


def _check_packages() -> None:
    for package in ("onnx", "onnxscript", "onnxruntime"):
        try:
            import_module(package)
        except ImportError as error:
            raise ExportError("ONNX needs more packages", found=error, fix=INSTALL) from None


def _trace(model: nn.Module) -> Any:
    """Return the network as torch's ONNX program, with what it was compiled from."""
    origin: Any = model.program
    image_BCHW = torch.rand(2, 1, origin.height, origin.width)
    with torch.no_grad(), _quiet():
        program = torch.onnx.export(
            model,
            (image_BCHW,),
            dynamo=True,
            input_names=["image_BCHW"],
            output_names=["logit_BK"],
            dynamic_shapes=({0: torch.export.Dim("batch")},),
            verbose=False,
        )
    assert program is not None
    facts = {"network": origin.name, "synthetic": str(origin.origin.synthetic)}
    facts |= {name: getattr(origin.origin, name) for name in ("spec", "spec_sha256", "dataset", "materialization")}
    program.model.metadata_props.update({f"connectome2net.{name}": value for name, value in facts.items()})
    return program


@contextmanager
def _quiet() -> Iterator[None]:
    """Keep to itself what torch tells of its own insides."""
    before = logging.root.manager.disable
    logging.disable(logging.WARNING)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        logging.disable(before)


def _compare(file: Path, traced: nn.Module, model: nn.Module) -> None:
    """Refuse a file whose answers are not those of torch."""
    import onnxruntime

    origin: Any = model.program
    session = onnxruntime.InferenceSession(str(file), providers=["CPUExecutionProvider"])
    random = torch.Generator().manual_seed(0)
    for batch in BATCHES:
        image_BCHW = torch.rand(batch, 1, origin.height, origin.width, generator=random)
        answer = torch.from_numpy(session.run(None, {"image_BCHW": image_BCHW.numpy()})[0])
        with torch.no_grad():
            wanted = traced(image_BCHW)
        off = float((answer - wanted).abs().max() / wanted.abs().max().clamp_min(1))
        if not off <= CLOSE:
            raise ExportError("the ONNX file answers otherwise than torch", found=f"{off:.1g} off", wanted=f"{CLOSE:g}")
