"""The end of the page: how it was made, and what to cite.

Enters: a study. Leaves: pairs of words.
"""

from __future__ import annotations

import re
from typing import Any

from connectome2net.report.formats import RunFile
from connectome2net.report.study import Study

FACES = "Goodfellow et al., Challenges in representation learning, arXiv 1307.0414 (2013)"
VOTES = "Barsoum et al., Training deep networks for facial expression recognition, arXiv 1608.01041 (2016)"
IMAGES = {"fer2013": (FACES,), "fer+": (FACES, VOTES)}
"""What to cite for images, by the name of their data set."""
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
        "data": _every(f"{name}, sha256 {', '.join(digests)}" for name, digests in _digests(records).items()),
        "split": _split(records),
        "notes on the data": " ".join(dict.fromkeys(_of_any_seed(t) for r in records for t in r.dataset.findings)),
        "versions": _every(", ".join(f"{name} {number}" for name, number in r.versions.items()) for r in records),
        "threads": _every(str(r.threads) for r in records if r.threads),
        "devices": _every(str(r.config.get("device")) for r in records if r.config.get("device")),
    }
    if study.spec is not None:
        anatomy = study.spec.anatomy
        facts["anatomy"] = f"{anatomy.dataset}, materialization {anatomy.materialization}; {anatomy.column.method}"
        facts["spec"] = f"{study.spec.name}, sha256 {study.spec_sha256}"
    return [(name, text) for name, text in facts.items() if text]


def _digests(records: list[RunFile]) -> dict[str, list[str]]:
    """Return the digests of each data set: a split is another with each seed."""
    found: dict[str, list[str]] = {}
    for record in records:
        known = found.setdefault(record.dataset.name, [])
        if record.dataset.digest not in known:
            known.append(record.dataset.digest)
    return found


def _split(records: list[RunFile]) -> str:
    """Return how many images are for what; the parts of a split differ a little between seeds."""
    purposes = {"train": "to learn from", "validation": "to choose the epoch", "test": "to test"}
    texts = []
    for part, purpose in purposes.items() if records else ():
        sizes = [getattr(record.dataset, part) for record in records]
        low, high = min(sizes), max(sizes)
        texts.append(f"{low:,}{f' to {high:,}' if high > low else ''} {purpose}")
    return ", ".join(texts)


def _of_any_seed(text: str) -> str:
    """Return a sentence about a split without the number of its seed, which is that of the run."""
    return re.sub(r"\bseed \d+", "seed of the run", text)


def _every(texts: Any) -> str:
    return "; ".join(dict.fromkeys(texts))


def settings_of(study: Study) -> list[tuple[str, str]]:
    """Return the settings of training of the reference; which labels, where images have several."""
    first = study.trained
    if first is None or first.record is None:
        return []
    hidden = {"seed"} if first.record.dataset.name in IMAGES else {"seed", "labels"}
    return [
        (name.replace("_", " "), _words(value)) for name, value in first.record.config.items() if name not in hidden
    ]


def _words(value: Any) -> str:
    if isinstance(value, dict):
        return ", ".join(f"{name} {item}" for name, item in value.items())
    return "none" if value is None else "yes" if value is True else "no" if value is False else str(value)


def runs_of(study: Study) -> list[tuple[str, str, str, str]]:
    """Return variant, seed, folder and status of every run."""
    return [(run.plan.variant, str(run.plan.seed), run.plan.folder, run.plan.status) for run in study.runs]


def citations_of(study: Study) -> list[str]:
    """Return what to cite: the column and the images, where they were not drawn, and the software."""
    images = dict.fromkeys(run.record.dataset.name for run in study.runs if run.record is not None)
    return [
        *_citations_of_column(study),
        *dict.fromkeys(text for name in images for text in IMAGES.get(name, ())),
        SOFTWARE,
    ]


def _citations_of_column(study: Study) -> tuple[str, ...]:
    if study.spec is not None:
        return () if study.spec.anatomy.synthetic else study.spec.document.provenance.citation
    first = study.trained
    if first is None or first.record is None or first.record.synthetic_column:
        return ()
    return tuple((first.program() or {}).get("origin", {}).get("citation", ()))
