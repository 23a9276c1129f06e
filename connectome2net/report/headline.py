"""The top of the page: what was trained, the main number, what follows, and what must be known before reading on.

Enters: a study. Leaves: texts.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from connectome2net.report.formats import Summary
from connectome2net.report.ladder import metric_of, words_of
from connectome2net.report.numbers import count, percent
from connectome2net.report.study import Study


def headline_of(study: Study) -> dict[str, Any]:
    """Return the texts of the headline.

    Returns:
        ``title, question``; ``warnings``, sentences in a box; ``trained``, a sentence; ``number, number_words``, empty
        where nothing was evaluated; ``conclusion``, sentences.
    """
    metric, summary = main_number(study)
    conclusion = (
        [text.replace("+-", "\N{PLUS-MINUS SIGN}") for text in study.results.conclusion] if study.results else []
    )
    if study.results is None:
        conclusion = ["No comparison was computed, so this page says how good the networks are, not what made them so."]
    return {
        "title": study.experiment.name,
        "question": study.experiment.why,
        "warnings": list(_warnings(study)),
        "trained": _trained(study),
        "number": percent(summary.mean) if summary else "",
        "number_words": _number_words(study, metric, summary) if summary else "No run has been evaluated yet.",
        "conclusion": conclusion,
    }


def main_number(study: Study) -> tuple[str, Summary | None]:
    """Return the metric that the page is about and its value for the reference; validation accuracy where no other."""
    wanted = study.experiment.metric
    for metric in (wanted, "validation_accuracy"):
        if (found := metric_of(study, study.experiment.reference, metric)) is not None:
            return metric, found
    return wanted, None


def _number_words(study: Study, metric: str, summary: Summary) -> str:
    reference, seeds = study.experiment.reference, len(summary.values)
    part = "validation images" if metric == "validation_accuracy" else f"{study.experiment.part} images"
    words = f"{words_of(metric)} of {reference} on {part}"
    if summary.low is None or summary.high is None:
        return f"{words}, {count(seeds, 'seed')}: how far another one would be off is not known."
    return (
        f"{words}; 95 % interval of the mean {percent(summary.low)} to {percent(summary.high)}, {count(seeds, 'seed')}."
    )


def _trained(study: Study) -> str:
    first = study.trained
    runs = [run.plan.status for run in study.runs]
    finished = f"{runs.count('finished')} of {count(len(runs), 'run')} finished"
    if failed := runs.count("failed"):
        finished += f", {failed} failed"
    what = (
        f"{count(len(study.experiment.variants), 'variant')}, {count(len(study.experiment.seeds), 'seed')}; {finished}."
    )
    if first is None or first.record is None:
        return what
    record = first.record
    data = f"{record.dataset.name} ({record.dataset.train:,} images to learn from)"
    column = f" of {study.spec.cells.num_rows:,} cells and {study.spec.edges.num_rows:,} edges" if study.spec else ""
    return f"Network {record.network} on the column {record.spec}{column}, trained on {data}. {what}"


def _warnings(study: Study) -> Iterator[str]:
    records = [run.record for run in study.runs if run.record is not None]
    if any(record.synthetic_column for record in records) or (study.spec and study.spec.anatomy.synthetic):
        yield "SYNTHETIC column: drawn from published statistics; no cell of it was measured."
    if any(record.dataset.synthetic for record in records):
        yield "SYNTHETIC images: drawn faces; accuracies say nothing about real ones."
    if study.spec and study.spec.document.provenance.transforms:
        yield "CONTROL: the edges of this column were rewired and are not those that were measured."
    if study.experiment.quick:
        yield "QUICK: fewer variants, epochs or seeds than the full experiment; do not quote."
    status = [run.plan.status for run in study.runs]
    waiting = sum(word in ("waiting", "running", "interrupted") for word in status)
    if waiting:
        yield f"PRELIMINARY: {waiting} of {count(len(status), 'run')} have not ended; the numbers will change."
    if study.experiment.part == "validation":
        yield "VALIDATION: these numbers are of images that chose the epoch; they are for choosing, not for reporting."
