"""The sections about how the networks learned, how good they are, and what makes the difference.

Enters: a study. Leaves: sections of the page.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

from connectome2net.report import ladder, learning
from connectome2net.report.composing import Composition
from connectome2net.report.drawing import chart_style
from connectome2net.report.formats import Summary
from connectome2net.report.headline import main_number
from connectome2net.report.numbers import count, duration, percent, points
from connectome2net.report.study import Study

PERCENT: Final = (
    "accuracy",
    "validation_accuracy",
    "accuracy_without_leaked",
    "accuracy_without_leaked_or_blank",
    "balanced_accuracy",
)
COLUMNS: Final = {
    "accuracy": "accuracy, %",
    "macro_f1": "macro F1",
    "roc_auc": "ROC-AUC",
    "balanced_accuracy": "balanced accuracy, %",
    "ece": "calibration error",
    "accuracy_without_leaked": "without leaked, %",
    "accuracy_without_leaked_or_blank": "nor blank, %",
    "validation_accuracy": "validation, %",
}


def compose_ladder(page: Composition, study: Study) -> None:
    """Add the ladder, failed runs, effects."""
    page.open_section("ladder", "What makes the difference")
    comparisons = study.results.comparisons if study.results else ()
    reference = study.experiment.reference
    if any(item.difference is not None for item in comparisons):
        clear = sum(bool(row["beyond"]) for row in ladder.ladder_rows(study))
        with chart_style():
            figure = ladder.draw_ladder(comparisons)
        from connectome2net.report.drawing import to_svg

        page.files["ladder.svg"] = to_svg(figure)
        metric = ladder.words_of(study.experiment.metric)
        page.add_drawn(
            "ladder",
            "ladder",
            {"rows": ladder.ladder_rows(study), "ticks": ladder.ladder_ticks(study), "zero": _zero(study)},
            title=f"Difference in {metric} to {reference}, paired by seed",
            caption=(
                "A mark is the mean difference in points, its line the 95 % interval; left of zero is worse than "
                f"{reference}. Of {count(len(comparisons), 'comparison')}, {clear} "
                f"{'has' if clear == 1 else 'have'} an interval that leaves zero out (filled diamonds); these "
                "intervals are not corrected for the number of comparisons, the p values in the table are."
            ),
            rows=_ladder_csv(study),
        )
        _add_comparisons(page, study)
    else:
        page.leave_out("No variant was compared with another; c2n experiment trains variants and compares them.")
    if failed := [*ladder.failed_runs(study)]:
        page.add_table(
            "failed",
            ("variant", "what it said"),
            failed,
            title=f"{count(len(failed), 'run')} failed",
            caption="They are in no mean; a variant that fails often is not as good as its finished runs.",
            rows=[{"variant": name, "error": message} for name, message in failed],
        )
    _add_effects(page, study)


def _zero(study: Study) -> float:
    low, high = ladder.ladder_range(study.results.comparisons if study.results else ())
    return round(100 * -low / (high - low), 2)


def _ladder_csv(study: Study) -> Iterator[dict[str, Any]]:
    for row in ladder.ladder_rows(study):
        found = row["comparison"]
        numbers = found.model_dump() if found is not None else {"variant": row["name"]}
        yield numbers | {name: row[name] for name in ("changes", "keeps", "destroys", "failed")}


def _add_comparisons(page: Composition, study: Study) -> None:
    comparisons = study.results.comparisons if study.results else ()
    page.add_table(
        "comparisons",
        (
            "variant",
            "seeds",
            "difference, points",
            "95 % interval",
            "bootstrap over images",
            "effect size",
            "p",
            "p corrected",
            "detectable, points",
        ),
        [
            (
                item.variant,
                str(item.n),
                points(item.difference, 2),
                _interval(item.low, item.high),
                _interval(item.bootstrap_low, item.bootstrap_high),
                _number(item.effect_size),
                _p(item.p),
                _p(item.p_corrected),
                f"{100 * item.detectable:.2f}" if item.detectable is not None else "",
            )
            for item in comparisons
        ],
        title="The same differences as numbers",
        caption=(
            "Detectable is the smallest difference that so many seeds could have seen; where it is larger than the "
            "difference, finding none says little. The bootstrap is about other test images, for these networks as "
            "they were trained; whether training again gives the same is told by the interval over seeds alone. An "
            "effect size needs three seeds."
        ),
    )


def _interval(low: float | None, high: float | None) -> str:
    return "" if low is None or high is None else f"{points(low, 2)} to {points(high, 2)}"


def _p(value: float | None) -> str:
    return "" if value is None else "< 0.001" if value < 0.001 else f"{value:.3f}"


def _number(value: float | None, digits: int = 2) -> str:
    return "" if value is None else f"{value:.{digits}f}".replace("-", "\N{MINUS SIGN}")


def _add_effects(page: Composition, study: Study) -> None:
    effects = study.results.factorial.effects if study.results and study.results.factorial else ()
    if not effects:
        return
    largest = max(effects, key=lambda effect: abs(effect.effect))
    shown = ladder.strongest_effects(effects)
    mixed = sum(bool(effect.aliases) for effect in effects)
    alike = f" {mixed} of them cannot be told from others that the table file names." if mixed else ""
    rest = (
        f" The {len(effects) - len(shown)} smallest interactions are in the table file."
        if len(shown) < len(effects)
        else ""
    )
    with chart_style():
        page.add_chart(
            "effects",
            ladder.draw_effects(effects),
            title="What each part adds, and which parts depend on each other",
            caption=(
                "A mark is the effect of having a part, in points, averaged over the other parts, with its 95 % "
                "interval; with two names it is an interaction. The largest is "
                f"{' and '.join(largest.term)}: {points(largest.effect)} points.{rest}{alike}"
            ),
            alt=f"Intervals of {len(shown)} effects",
            rows=[
                {**effect.model_dump(), **{key: _terms(getattr(effect, key)) for key in ("term", "aliases")}}
                for effect in effects
            ],
        )


def _terms(terms: tuple[str, ...] | tuple[tuple[str, ...], ...]) -> list[str]:
    """Return each term as a word; an interaction joins its parts."""
    return [term if isinstance(term, str) else " x ".join(term) for term in terms]


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
                "Dots are seeds; diamonds are means, their lines 95 % intervals of the mean. The highest mean is that "
                f"of {best}: {percent(summary.mean)}."
            ),
            alt=f"{ladder.words_of(metric)} of {count(len(rows), 'variant')}, a dot per seed",
            rows=_seed_rows(study),
        )
    _add_table(page, study)


def _seed_rows(study: Study) -> Iterator[dict[str, Any]]:
    for item in study.variants:
        for metric, found in item.metrics.items():
            for seed, value in (found.values if found else {}).items():
                yield {"variant": item.name, "metric": metric, "seed": seed, "value": value}


def _add_table(page: Composition, study: Study) -> None:
    there = [name for name in COLUMNS if any(item.metrics.get(name) for item in study.variants)]
    page.add_table(
        "variants",
        ("variant", "runs", *(COLUMNS[name] for name in there), "parameters", "training time"),
        [
            (
                item.name,
                f"{item.runs}" + (f" ({item.failed} failed)" if item.failed else ""),
                *(_spread(item.metrics.get(name), name) for name in there),
                f"{item.parameters:,}" if item.parameters is not None else "",
                duration(seconds.mean) if (seconds := item.metrics.get("seconds")) else "",
            )
            for item in study.variants
        ],
        title="All metrics: mean \N{PLUS-MINUS SIGN} standard deviation over seeds",
        caption=(
            "Leaved out images are those whose pixels also occur in training, and blank ones. The calibration error is "
            "the mean gap between confidence and accuracy; training time is of one run, on a machine that may have "
            "done other work."
        ).replace("Leaved out", "Left out"),
        rows=_variant_rows(study),
    )


def _spread(found: Summary | None, metric: str) -> str:
    if found is None:
        return ""
    factor, digits = (100, 1) if metric in PERCENT else (1, 3)
    sd = "" if found.sd is None else f" \N{PLUS-MINUS SIGN} {factor * found.sd:.{digits}f}"
    return f"{factor * found.mean:.{digits}f}{sd}"


def _variant_rows(study: Study) -> Iterator[dict[str, Any]]:
    for item in study.variants:
        for metric, found in item.metrics.items():
            if found is not None:
                numbers = found.model_dump(include={"mean", "sd", "low", "high"})
                yield {"variant": item.name, "metric": metric, "runs": item.runs, "failed": item.failed} | numbers


def compose_learning(page: Composition, study: Study) -> None:
    """Add learning curves."""
    page.open_section("learning", "How they learned")
    names = learning.variants_with_curves(study)
    if not names:
        page.leave_out("No run has finished an epoch, so there are no learning curves.")
        return
    seeds = max(len(learning.curves_of(study, name, "loss")) for name in names)
    band = "the band reaches from the lowest to the highest seed" if seeds > 1 else "there is one seed, so no band"
    best = _best(study, names[0])
    dashed = f"; dashed is {names[0]}" if len(names) > 1 else ""
    curves: tuple[tuple[learning.Curve, str], ...] = (("validation_accuracy", "Accuracy"), ("validation_loss", "Loss"))
    for curve, words in curves:
        with chart_style():
            page.add_chart(
                curve.replace("_", "-"),
                learning.draw_curves(study, curve),
                title=f"{words} on validation images, by epoch",
                caption=f"A line is the mean over seeds, {band}{dashed}.{best if words == 'Accuracy' else ''}",
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
