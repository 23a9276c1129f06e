"""experiment.json: what is compared, and how far each run is.

Enters: an experiment, its run folders. Leaves: experiment.json, whole at any moment.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final

from connectome2net.errors import ExperimentError
from connectome2net.experiment.prepare import Experiment, Variant
from connectome2net.experiment.work import LOCKS, Task
from connectome2net.spec import digest_document, write_spec
from connectome2net.train.checkpoint import write_json
from connectome2net.transform import NULLS

RECORD: Final = "experiment.json"


def refuse_others(folder: Path) -> None:
    """Refuse a folder that holds something else than an experiment.

    Raises:
        ExperimentError: it does.
    """
    others = folder.exists() and (not folder.is_dir() or {path.name for path in folder.iterdir()} - {LOCKS})
    if others and not (folder / RECORD).is_file():
        wanted, fix = "no folder, or an experiment", "choose another folder with --out"
        raise ExperimentError("something else lies here", where=folder, wanted=wanted, fix=fix)


def begin(experiment: Experiment) -> None:
    """Write what runs are made of: the specs; and experiment.json, before the first run."""
    for home, spec in experiment.bases.items():
        write_spec(spec, experiment.folder / home, force=True)
    write_record(experiment)


def write_record(experiment: Experiment) -> dict[str, Any]:
    """Write experiment.json as the run folders are now, and return it."""
    plan, base = experiment.plan, experiment.bases["spec"]
    reference = next(variant for variant in experiment.variants if variant.change.name == plan.reference)
    record = {
        "format": "connectome2net.experiment",
        "format_version": 1,
        "name": plan.name,
        "why": plan.why,
        "preset": experiment.preset,
        "quick": experiment.quick,
        "reference": plan.reference,
        "part": plan.part,
        "metric": plan.metric,
        "seeds": list(plan.seeds),
        "data": experiment.data,
        "spec": {"name": base.name, "digest": digest_document(base.document), "folder": "spec"},
        "train": _settings(reference),
        "variants": [_variant(variant, reference) for variant in experiment.variants],
        "left_out": experiment.left_out,
        "runs": [_run(variant, task) for variant, task in experiment.runs],
    }
    write_json(experiment.folder / RECORD, record)
    return record


def _settings(variant: Variant) -> dict[str, Any]:
    return variant.config.model_dump(mode="json", exclude={"seed"})


def _variant(variant: Variant, reference: Variant) -> dict[str, Any]:
    change, usual = variant.change, _settings(reference)
    nulls = [NULLS["subset"].normalised()] if change.subset else []
    if change.null is not None:
        null = NULLS[change.null]
        nulls.append(null if change.weights == "matched" else null.normalised())
    return {
        "name": change.name,
        "why": change.why,
        "changes": list(change.words()),
        "keeps": list(nulls[-1].keeps) if nulls else [],
        "destroys": [item for null in nulls for item in null.destroys],
        "null": change.null,
        "network": change.network,
        "subset": change.subset,
        "parameters": variant.parameters,
        "reference": change.reference or reference.change.name,
        "gap_to": change.gap_to,
        "factors": change.factors or None,
        "spec": {"name": variant.spec.name, "folder": variant.home},
        "train": {name: value for name, value in _settings(variant).items() if value != usual[name]},
    }


def _run(variant: Variant, task: Task) -> dict[str, Any]:
    state = task.state()
    return {
        "variant": variant.change.name,
        "seed": task.config.seed,
        "key": task.key,
        "folder": f"runs/{task.key}",
        "status": state.status,
        "error": state.error,
        "seconds": state.seconds,
    }
