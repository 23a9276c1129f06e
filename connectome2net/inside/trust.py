"""Can this network be trusted?

Enters: a loaded network, or the folder of one. Leaves: audits and the spectrum, before and after training.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from torch import nn

from connectome2net.errors import LoadError
from connectome2net.inside.layout import layout_of
from connectome2net.inside.spectrum import spectral_report
from connectome2net.load import load, parameter_counts
from connectome2net.runtime.audit import audit_dale, audit_silence

LARGE = 20_000
"""Cells above which a network is examined only when somebody asks for it."""


def examine(model: nn.Module, *, quick: bool = False) -> dict[str, Any]:
    """Return the audits of a network and what its spectrum says.

    Args:
        model: what ``load`` returned, trained or not.
        quick: within a second for a column: see ``spectral_report``; above 20,000 cells only Dale's law.

    Returns:
        ``dale`` (``audit_dale``), ``norm``, ``silence`` (``audit_silence``), ``spectrum`` (``spectral_report``); or, in
        place of the last two, a ``note``: of a conventional reference there is nothing to audit. A ``norm`` of
        ``layer`` couples all cells of a population, beside what the audits look at: the weights.
    """
    found: dict[str, Any] = {"dale": audit_dale(model)}
    units = len(layout_of(model).cell_index)
    if not units:
        return found | {"note": "nothing to audit: a conventional reference has no cells and no edges"}
    program: Any = model.program
    found["norm"] = program.dynamics.arguments.get("norm")
    if quick and units > LARGE:
        return found | {"note": f"{units:,} cells: c2n inspect looks at silent edges and the spectrum"}
    return found | {"silence": audit_silence(model), "spectrum": spectral_report(model, quick=quick)}


def inspect_network(path: str | Path, *, backend: str | None = None, trust: bool = False) -> dict[str, Any]:
    """Return what a compiled folder or a run holds.

    Args:
        path: a compiled folder, or a run.
        backend: how sparse products are computed; see ``load``. None: as the run was trained, else ``program``.
        trust: run a model.py that was changed by hand.

    Returns:
        ``network, spec, spec_sha256, dataset, materialization, synthetic``: what it was compiled from;
        ``reference``: which conventional reference it is, None for a network of the spec;
        ``populations``, ``projections``, one row per matrix; ``parameters`` of each part and
        ``trainable_parameters``; ``before``: what ``examine`` says of the fresh network (of a run: of its seed); of a
        run also ``after``, the same at its best epoch (None before the first), and ``run``, what it was trained on and
        how it went.

    Raises:
        LoadError: something is missing, damaged or changed.
    """
    folder = Path(path)
    run = _run(folder / "run.json")
    backend = backend or (run["backend"] if run else None) or "program"
    if run is None:
        fresh = load(folder, backend=backend, trust=trust)
    else:
        fresh = load(folder / "compiled", seed=run["seed"], classes=run.pop("classes"), backend=backend, trust=trust)
    counts = parameter_counts(fresh)
    found = _compiled(fresh) | {"parameters": counts, "trainable_parameters": sum(counts.values())}
    found["before"] = examine(fresh)
    if run is not None:
        trained = (folder / "best.safetensors").is_file()
        found["after"] = examine(load(folder, trust=trust)) if trained else None
        found["run"] = run
    return found


def _run(path: Path) -> dict[str, Any] | None:
    """Return what run.json says of a run; None where there is none.

    Raises:
        LoadError: it is damaged.
    """
    if not path.is_file():
        return None
    try:
        content = json.loads(path.read_bytes())
        run = {key: content.get(key) for key in ("status", "epochs", "best_epoch", "validation_accuracy")}
        of = {"data": content["dataset"]["name"], "seed": content["config"]["seed"], "classes": len(content["classes"])}
        of["backend"] = content["config"].get("backend")
    except (ValueError, LookupError, TypeError, AttributeError, RecursionError) as error:
        raise LoadError("run.json is damaged", where=path, found=error, fix="train again: c2n train") from None
    return run | of


def _compiled(model: nn.Module) -> dict[str, Any]:
    program: Any = model.program
    origin = program.origin
    return {
        "network": program.name,
        "reference": program.reference,
        "spec": origin.spec,
        "spec_sha256": origin.spec_sha256,
        "dataset": origin.dataset,
        "materialization": origin.materialization,
        "synthetic": origin.synthetic,
        "control": list(origin.control),
        "populations": [
            {"population": item.name, "cells": item.cells, "selected by": item.selected} for item in program.populations
        ],
        "projections": [_projection(model, block) for block in program.blocks],
    }


def _projection(model: nn.Module, block: Any) -> dict[str, Any]:
    """Return the row of one matrix; every key is a column of the table that ``c2n inspect`` prints."""
    matrix: Any = getattr(model, f"W_{block.name}")
    return {
        "matrix": f"W_{block.name}",
        "pre": block.pre,
        "post": block.post,
        "sign": block.sign,
        "rules": ", ".join(block.rules) or "-",
        "edges": block.edges,
        "synapses": block.synapses,
        "backend": matrix.backend,
        "reason": matrix.reason,
    }
