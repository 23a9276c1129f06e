"""Folders -> what a page is about.

Enters: paths of an experiment or of runs. Leaves: a ``Study``, complete but for what was never computed.
"""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from connectome2net.errors import ReportError
from connectome2net.report.formats import (
    Epoch,
    EvaluationFile,
    ExperimentFile,
    PlannedRun,
    ResultsFile,
    RunFile,
    Variant,
    read_content,
    read_lines,
)
from connectome2net.report.numbers import summarise_runs
from connectome2net.report.study import Run, Study
from connectome2net.spec import digest_document, open_spec, read_spec

EVALUATIONS = {"test": "evaluation.json", "validation": "validation.json"}
"""What `c2n evaluate` writes, by the images that it looked at."""

UNDECIDING = frozenset({"seed", "device", "backend", "devices", "nodes", "tensorboard"})
"""Settings that do not make two runs two variants: where a run was computed, and what was watched, decides nothing."""

FIX = "name a folder that c2n experiment, c2n train or c2n evaluate wrote, such as experiments/smoke or runs/001"


def read_study(paths: Sequence[str | Path], *, spec: str | Path | None = None) -> Study:
    """Read an experiment, or runs.

    Args:
        paths: one experiment folder; or run folders, or folders that hold them, or that hold ``runs/``.
        spec: the column's spec, where it lies neither in the experiment nor beside the folder of the runs.

    Raises:
        ReportError: a folder is missing, is neither, is damaged, or the spec is not that of the runs.
        SpecError: the spec is not valid.
    """
    folders = [Path(path) for path in paths]
    for folder in folders:
        if not folder.is_dir():
            found = "a file" if folder.exists() else "nothing"
            raise ReportError("there is no folder here", where=folder, found=found, wanted="a folder", fix=FIX)
    experiments = [folder for folder in folders if (folder / "experiment.json").is_file()]
    if experiments and len(folders) > 1:
        fix = f"c2n report {experiments[0]}"
        raise ReportError("a page shows one experiment", where=experiments[0], found=f"{len(folders)} folders", fix=fix)
    study = _read_experiment(folders[0]) if experiments else _read_runs(folders)
    if spec is None and not experiments:
        spec = _spec_beside(study)
    return _with_spec(study, Path(spec)) if spec is not None else study


def _spec_beside(study: Study) -> Path | None:
    """Return the spec that runs were made from, where it lies beside ``runs/``, as c2n demo leaves it."""
    digests = {run.record.spec_sha256 for run in study.runs if run.record is not None}
    homes = dict.fromkeys(run.folder.absolute().parent.parent for run in study.runs)
    for path in (home / "spec.json" for home in homes):
        spec, issues = open_spec(path) if path.is_file() else (None, [])
        if spec is not None and not issues and digest_document(spec.document) in digests:
            return path
    return None


def _read_experiment(folder: Path) -> Study:
    experiment = read_content(folder / "experiment.json", ExperimentFile)
    runs = tuple(_read_run(folder / plan.folder, plan, part=experiment.part) for plan in experiment.runs)
    path = folder / "results.json"
    results = read_content(path, ResultsFile) if path.is_file() else None
    variants = results.variants if results else summarise_runs(experiment, runs)
    study = Study(experiment, runs, variants, results, None)
    return _with_spec(study, folder / "spec") if (folder / "spec" / "spec.json").is_file() else study


def _read_runs(folders: list[Path]) -> Study:
    found: list[Path] = []
    for folder in folders:
        inside = [path for name in ("*/run.json", "runs/*/run.json") for path in folder.glob(name)]
        below = [folder] if (folder / "run.json").is_file() else sorted(path.parent for path in inside)
        if not below:
            wanted = "experiment.json, run.json, or folders with run.json"
            raise ReportError("this is neither an experiment nor a run", where=folder, wanted=wanted, fix=FIX)
        found += [path for path in below if path not in found]
    runs = _named([(folder, read_content(folder / "run.json", RunFile)) for folder in found])
    names = dict.fromkeys(run.variant for run in runs)
    experiment = ExperimentFile(
        format="connectome2net.experiment",
        name=", ".join(names),
        reference=runs[0].variant,
        variants=tuple(Variant(name=name) for name in names),
        runs=tuple(runs),
        seeds=tuple(sorted({run.seed for run in runs})),
    )
    read = tuple(_read_run(folder, plan) for folder, plan in zip(found, runs, strict=True))
    return Study(experiment, read, summarise_runs(experiment, read), None, None)


def _named(found: list[tuple[Path, RunFile]]) -> list[PlannedRun]:
    """Say of which variant each bare run is: equal programs under equal settings, but for the seed, are one.

    A variant is called as its network, and by its facts too where two variants have one network.
    """
    marks = {folder: (record.network, _mark(record)) for folder, record in found}
    shared = Counter(network for network, _ in set(marks.values()))
    return [
        PlannedRun(
            variant=record.network if shared[record.network] == 1 else " ".join(marks[folder]),
            seed=int(record.config.get("seed", 0)),
            folder=str(folder),
            status=record.status,
        )
        for folder, record in found
    ]


def _mark(record: RunFile) -> str:
    settings = {name: value for name, value in record.config.items() if name not in UNDECIDING}
    facts = json.dumps([record.program_sha256, record.dataset.digest, settings], sort_keys=True)
    return hashlib.sha256(facts.encode()).hexdigest()[:6]


def _read_run(folder: Path, plan: PlannedRun, *, part: str = "test") -> Run:
    if not (folder / "run.json").is_file():
        return Run(folder, plan)
    lines, evaluation = folder / "metrics.jsonl", folder / EVALUATIONS[part]
    return Run(
        folder,
        plan,
        read_content(folder / "run.json", RunFile),
        read_lines(lines, Epoch) if lines.is_file() else (),
        read_content(evaluation, EvaluationFile) if evaluation.is_file() else None,
    )


def _with_spec(study: Study, path: Path) -> Study:
    spec = read_spec(path)
    digest = digest_document(spec.document)
    digests = {run.record.spec_sha256 for run in study.runs if run.record is not None}
    if digests and digest not in digests:
        found, wanted = f"sha256 {digest[:12]}", f"sha256 {' or '.join(sorted(name[:12] for name in digests))}"
        fix = "give the spec that the runs were compiled from with --spec"
        raise ReportError("no run was made from this spec", where=path, found=found, wanted=wanted, fix=fix)
    return Study(study.experiment, study.runs, study.variants, study.results, spec, digest)
