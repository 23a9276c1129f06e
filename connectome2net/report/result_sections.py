"""The sections about how the networks learned and how good they are.

Enters: a study. Leaves: sections of the page.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

from connectome2net.report import ladder, learning
from connectome2net.report.composing import Composition
from connectome2net.report.drawing import chart_style
from connectome2net.report.formats import Summary, VariantResult
from connectome2net.report.headline import main_number
from connectome2net.report.numbers import count, duration, percent
from connectome2net.report.study import Study

COLUMNS: Final = {
    "accuracy": "accuracy, %",
    "macro_f1": "macro F1, %",
    "roc_auc": "ROC-AUC, %",
    "balanced_accuracy": "balanced accuracy, %",
    "ece": "calibration error, %",
    "accuracy_mirrored": "with mirror images, %",
    "accuracy_without_leaked": "without leaked, %",
    "accuracy_without_leaked_or_blank": "without leaked or blank, %",
    "validation_accuracy": "validation, %",
}


def compose_accuracy(page: Composition, study: Study) -> None:
    """Add every seed of every variant, and the table of all metrics."""
    page.open_section("accuracy", "How good the networks are")
    metric, _ = main_number(study)
    rows = ladder.measured_variants(study, metric)
    if not rows:
        page.leave_out("No run has ended and been evaluated, so there is no accuracy to show.")
        return
    best, summary = max(rows, key=lambda row: row[1].mean)
    with chart_style():
        page.add_chart(
            "accuracy",
            ladder.draw_accuracies(study, metric),
            title=f"{ladder.words_of(metric).capitalize()} of every seed",
            caption=(
                "Dots are seeds; diamonds are means, their lines 95 % intervals of the mean (Student's t). The highest "
                f"mean is that of {best}: {percent(summary.mean)}."
            ),
            alt=f"{ladder.words_of(metric)} of {count(len(rows), 'variant')}, a dot per seed",
            rows=_seed_rows(study),
        )
    _add_table(page, study)
    if rest := len(study.variants) - len(study.alone):
        page.leave_out(
            f"{count(rest, 'variant')} of the factorial design are not drawn: their effects say more. Their numbers, "
            "and which parts each lacks, are in accuracy.csv and variants.csv, their curves in validation-accuracy.csv."
        )


def _seed_rows(study: Study) -> Iterator[dict[str, Any]]:
    for item in study.variants:
        for metric, found in item.metrics.items():
            for seed, value in (found.values if found else {}).items():
                yield {"variant": item.name, "metric": metric, "seed": seed, "value": value}


def _add_table(page: Composition, study: Study) -> None:
    shown = [item for item in study.variants if item.name in study.alone]
    metric, _ = main_number(study)
    there = [name for name in COLUMNS if any(name in item.metrics for item in shown)]
    page.add_table(
        "variants",
        ("variant", "runs", *(COLUMNS[name] for name in there), "parameters", "training time"),
        [
            (
                item.name,
                _runs(item, metric),
                *(_spread(item.metrics.get(name)) for name in there),
                f"{item.parameters:,}" if item.parameters is not None else "",
                duration(seconds.mean) if (seconds := item.metrics.get("seconds")) else "",
            )
            for item in shown
        ],
        title="All metrics: mean \N{PLUS-MINUS SIGN} standard deviation over seeds",
        caption=(
            "With mirror images: the answer is the mean of those to an image and to its mirror image, where training "
            "flipped images. Leaked images are those whose pixels also occur in training. The calibration error is the "
            "mean gap between confidence and accuracy; training time is of one run, on a machine that may have done "
            "other work."
        ),
        rows=_variant_rows(study),
    )


def _runs(item: VariantResult, metric: str) -> str:
    """Return of how many runs the means are."""
    found = item.metrics.get(metric)
    done = len(found.values) if found else 0
    failed = f"\n{item.failed} failed" if item.failed else ""
    return f"{done}{failed}" if done + item.failed == item.runs else f"{done} of {item.runs}{failed}"


def _spread(found: Summary | None) -> str:
    if found is None:
        return ""
    sd = "" if found.sd is None else f"\n\N{PLUS-MINUS SIGN}\N{NO-BREAK SPACE}{100 * found.sd:.1f}"
    return f"{100 * found.mean:.1f}{sd}"


def _variant_rows(study: Study) -> Iterator[dict[str, Any]]:
    changes = {item.name: item.changes for item in study.experiment.variants}
    for item in study.variants:
        for metric, found in item.metrics.items():
            if found is not None:
                numbers = found.model_dump(include={"mean", "sd", "low", "high"})
                yield (
                    {"variant": item.name, "metric": metric, "runs": item.runs, "failed": item.failed}
                    | numbers
                    | {"changes": changes.get(item.name, ())}
                )


def compose_learning(page: Composition, study: Study) -> None:
    """Add learning curves."""
    page.open_section("learning", "How they learned")
    names = learning.variants_with_curves(study)
    if not names:
        page.leave_out("No run has finished an epoch, so there are no learning curves.")
        return
    seeds = max(len(learning.curves_of(study, name, "loss")) for name in names)
    band = "is the mean over seeds, the band reaches from the lowest to the highest" if seeds > 1 else "is of one seed"
    best = _best(study, names[0])
    dashed = f"; dashed is {names[0]}" if len(names) > 1 else ""
    curves: tuple[tuple[learning.Curve, str], ...] = (("validation_accuracy", "Accuracy"), ("validation_loss", "Loss"))
    for curve, words in curves:
        with chart_style():
            page.add_chart(
                curve.replace("_", "-"),
                learning.draw_curves(study, curve),
                title=f"{words} on validation images, by epoch",
                caption=f"A line {band}{dashed}.{best if words == 'Accuracy' else ''}",
                alt=f"Validation {words.lower()} of {count(len(names), 'variant')} over epochs",
                rows=learning.rows_of(study) if words == "Accuracy" else (),
            )


def _best(study: Study, name: str) -> str:
    epochs = [run.record.best_epoch for run in study.runs_of(name) if run.record and run.record.best_epoch]
    last = max((len(run.epochs) for run in study.runs_of(name)), default=0)
    if not epochs:
        return ""
    span = f"{min(epochs)}" if min(epochs) == max(epochs) else f"{min(epochs)} to {max(epochs)}"
    return f" The best epoch of {name} was {span} of {last}; its weights are those that were tested."
