"""The end of the page: how it was made, and what to cite.

Enters: a study. Leaves: pairs of words.
"""

from __future__ import annotations

from typing import Any

from connectome2net.report.formats import RunFile
from connectome2net.report.study import Study

SOFTWARE = "connectome2net: compile a connectome into a neural network that can be trained (see CITATION.cff)"


def facts_of(study: Study) -> list[tuple[str, str]]:
    """Return facts about software, data and settings; where runs differ, all that occur."""
    records = [run.record for run in study.runs if run.record is not None]
    facts = {
        "experiment": study.experiment.name
        + (f", preset {study.experiment.preset}" if study.experiment.preset else ""),
        "seeds": ", ".join(map(str, study.experiment.seeds)),
        "spec": _every(f"{r.spec} {r.spec_sha256}" for r in records[:1])
        if len({r.spec_sha256 for r in records}) == 1
        else "",
        "data": _every(f"{r.dataset.name}, sha256 {r.dataset.digest}" for r in records),
        "split": _every(_split(r) for r in records),
        "notes on the data": _every(text for r in records for text in r.dataset.findings),
        "versions": _every(", ".join(f"{name} {number}" for name, number in r.versions.items()) for r in records),
        "threads": _every(str(r.threads) for r in records if r.threads),
        "devices": _every(str(r.config.get("device")) for r in records if r.config.get("device")),
    }
    if study.spec is not None:
        anatomy = study.spec.anatomy
        facts["anatomy"] = f"{anatomy.dataset}, materialization {anatomy.materialization}; {anatomy.column.method}"
        facts["spec"] = f"{study.spec.name}, sha256 {study.spec_sha256}"
    return [(name, text) for name, text in facts.items() if text]


def _split(record: RunFile) -> str:
    data = record.dataset
    return f"{data.train:,} to learn from, {data.validation:,} to choose the epoch, {data.test:,} to test"


def _every(texts: Any) -> str:
    return "; ".join(dict.fromkeys(texts))


def settings_of(study: Study) -> list[tuple[str, str]]:
    """Return the settings of training of the reference."""
    first = study.trained
    if first is None or first.record is None:
        return []
    return [(name.replace("_", " "), _words(value)) for name, value in first.record.config.items() if name != "seed"]


def _words(value: Any) -> str:
    if isinstance(value, dict):
        return ", ".join(f"{name} {item}" for name, item in value.items())
    return "none" if value is None else "yes" if value is True else "no" if value is False else str(value)


def runs_of(study: Study) -> list[tuple[str, str, str, str]]:
    """Return variant, seed, folder and status of every run."""
    return [(run.plan.variant, str(run.plan.seed), run.plan.folder, run.plan.status) for run in study.runs]


def citations_of(study: Study) -> list[str]:
    """Return what to cite: the data, and the software."""
    texts = list(study.spec.document.provenance.citation) if study.spec else []
    if not texts and (first := study.trained) and (program := first.program()):
        texts = list(program.get("origin", {}).get("citation", ()))
    return [*texts, SOFTWARE]
