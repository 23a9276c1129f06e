"""The ladder: variants against the reference, and the effects of parts.

Enters: comparisons, effects, numbers over seeds. Leaves: rows of the ladder and charts.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, Final

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from connectome2net.report.drawing import BLUE, ORANGE, add_grid, new_chart
from connectome2net.report.formats import Comparison, Effect, Summary, Variant
from connectome2net.report.numbers import MINUS, between, points
from connectome2net.report.page import INK, QUIET
from connectome2net.report.panels import cut
from connectome2net.report.study import Study

MOST_EFFECTS: Final = 30
LONGEST_NAME: Final = 24


def ladder_rows(study: Study) -> list[dict[str, Any]]:
    """Return a row for each variant but the reference: what it is, and its difference as numbers and as places.

    Variants of a factorial design are judged together, by the effects of their parts, and have no row. Gaps, which are
    compared with other gaps, come last.

    Returns:
        ``name, changes, keeps, destroys``, ``comparison`` (None where nothing could be compared), ``failed``
        (messages), and for its drawing ``low_at, mean_at, high_at``, in percent of the width between the outermost
        interval ends, with room beside them.
    """
    comparisons = {item.variant: item for item in study.comparisons}
    low, high = ladder_range([*comparisons.values()])
    rows: list[dict[str, Any]] = []
    names = {variant.name for variant in study.experiment.variants}
    gaps = [Variant(name=name) for name in comparisons if name not in names]
    for variant in (*study.experiment.variants, *gaps):
        found = comparisons.get(variant.name)
        if found is None and (variant.factors or variant.name == study.experiment.reference):
            continue
        row = variant.model_dump(include={"name", "changes", "keeps", "destroys", "network"})
        row |= {
            "comparison": found,
            "failed": failures_of(study, variant.name),
            "text": "",
            "against": found.reference if found is not None and found.reference != study.experiment.reference else "",
            "interval": "",
            "beyond": False,
        }
        if found is not None and found.difference is not None:
            row |= {
                "text": points(found.difference),
                "interval": between(found.low, found.high),
                "beyond": found.low is not None and found.high is not None and not found.low <= 0 <= found.high,
                "mean_at": locate(found.difference, low, high),
                "low_at": locate(found.low if found.low is not None else found.difference, low, high),
                "high_at": locate(found.high if found.high is not None else found.difference, low, high),
            }
        rows.append(row)
    return rows


def failures_of(study: Study, variant: str) -> list[str]:
    """Return what the failed runs of a variant said."""
    return [
        f"seed {run.plan.seed}: {(run.plan.error or 'no reason was written down').strip().splitlines()[0]}"
        for run in study.runs
        if run.plan.variant == variant and run.plan.status == "failed"
    ]


def ladder_range(comparisons: Sequence[Comparison]) -> tuple[float, float]:
    """Return the ends of the ladder's axis: all intervals and zero, with a little room."""
    every = [0.0]
    for item in comparisons:
        every += [end for end in (item.difference, item.low, item.high) if end is not None]
    low, high = min(every), max(every)
    room = 0.06 * (high - low) or 0.01
    return low - room, high + room


def ladder_ticks(study: Study) -> list[dict[str, Any]]:
    """Return the ticks of the ladder's axis: text in points and place in percent of its width."""
    from matplotlib.ticker import MaxNLocator

    low, high = ladder_range(study.comparisons)
    ticks = [tick for tick in MaxNLocator(5).tick_values(100 * low, 100 * high) if 100 * low <= tick <= 100 * high]
    return [
        {"text": f"{tick:+g}".replace("-", "\N{MINUS SIGN}") if tick else "0", "at": locate(tick / 100, low, high)}
        for tick in ticks
    ]


def locate(value: float, low: float, high: float) -> float:
    """Return the place of a value between two others, in percent."""
    return round(100 * (value - low) / (high - low), 2)


def draw_ladder(comparisons: Sequence[Comparison]) -> Figure:
    """Draw the differences to the references with their 95 % intervals; a row names its own where there are several."""
    known = [item for item in comparisons if item.difference is not None]
    references = {item.reference for item in known}
    figure, (axes,) = new_chart(0.9 + 0.27 * len(known))

    def name(item: Comparison) -> str:
        return item.variant if len(references) == 1 else f"{item.variant} {MINUS} {item.reference}"

    _draw_intervals(axes, [(name(item), item.difference, item.low, item.high) for item in known])
    to = f" to {cut(known[0].reference, LONGEST_NAME)}" if len(references) == 1 else ""
    axes.set_xlabel(f"difference{to}, points")
    return figure


def draw_effects(effects: Sequence[Effect]) -> Figure:
    """Draw the effects of parts and of pairs of parts, the largest first."""
    shown = strongest_effects(effects)
    figure, (axes,) = new_chart(0.9 + 0.25 * len(shown))
    _draw_intervals(axes, [(" \N{MULTIPLICATION SIGN} ".join(e.term), e.effect, e.low, e.high) for e in shown])
    main = sum(len(effect.term) == 1 for effect in shown)
    if main < len(shown):
        axes.axhline(main - 0.5, color=QUIET, linewidth=0.7, linestyle=(0, (4, 2)))
    axes.set_xlabel("effect of having the part, points")
    return figure


def strongest_effects(effects: Sequence[Effect]) -> list[Effect]:
    """Return the effects that are drawn: main effects first, then the largest interactions."""
    order = sorted(effects, key=lambda effect: (len(effect.term), -abs(effect.effect), effect.term))
    return order[:MOST_EFFECTS]


def _draw_intervals(axes: Axes, rows: Sequence[tuple[str, Any, float | None, float | None]]) -> None:
    for at, (_, mean, low, high) in enumerate(rows):
        clear = low is not None and high is not None and not low <= 0 <= high
        colour = ORANGE if clear else QUIET
        if low is not None and high is not None:
            axes.plot([100 * low, 100 * high], [at, at], color=colour, linewidth=1.8, solid_capstyle="butt")
        axes.plot(100 * mean, at, marker="D" if clear else "o", color=colour, markersize=5)
    axes.axvline(0, color=INK, linewidth=1)
    axes.set_yticks(range(len(rows)), [cut(name, 34) for name, *_ in rows])
    axes.set_ylim(max(len(rows), 1) - 0.5, -0.5)
    axes.tick_params(axis="y", length=0)
    add_grid(axes, "x")


def metric_of(study: Study, variant: str, metric: str) -> Summary | None:
    """Return a number of a variant over its seeds."""
    return next((item.metrics.get(metric) for item in study.variants if item.name == variant), None)


def measured_variants(study: Study, metric: str) -> list[tuple[str, Summary]]:
    """Return the variants judged by themselves that have a number, with it, in the order of the experiment."""
    return [(name, found) for name in study.alone if (found := metric_of(study, name, metric)) is not None]


def draw_accuracies(study: Study, metric: str) -> Figure:
    """Draw every seed of every variant as a dot, and the mean with its 95 % interval."""
    rows = measured_variants(study, metric)
    figure, (axes,) = new_chart(0.9 + 0.3 * len(rows))
    for at, (name, found) in enumerate(rows):
        colour = INK if name == study.experiment.reference else BLUE
        seeds = 100 * np.array([*found.values.values()])
        axes.plot(
            seeds, np.full(len(seeds), at - 0.18), "o", color=colour, alpha=0.5, markersize=3.5, markeredgewidth=0
        )
        if found.low is not None and found.high is not None:
            axes.plot([100 * found.low, 100 * found.high], [at + 0.1] * 2, color=colour, linewidth=1.8)
        axes.plot(100 * found.mean, at + 0.1, "D", color=colour, markersize=5)
    axes.set_yticks(range(len(rows)), [cut(name, LONGEST_NAME) for name, _ in rows])
    axes.set_ylim(len(rows) - 0.5, -0.6)
    axes.tick_params(axis="y", length=0)
    axes.set_xlabel(f"{words_of(metric)}, %")
    add_grid(axes, "x")
    return figure


def words_of(metric: str) -> str:
    """Return a metric as words."""
    return {
        "macro_f1": "macro F1",
        "roc_auc": "ROC-AUC",
        "ece": "calibration error",
        "seconds": "training time",
        "accuracy_mirrored": "accuracy with mirror images",
        "accuracy_without_leaked": "accuracy without leaked images",
        "accuracy_without_leaked_or_blank": "accuracy without leaked or blank images",
    }.get(metric, metric.replace("_", " "))


def failed_runs(study: Study) -> Iterator[tuple[str, str]]:
    """Yield variant and message of every run that failed."""
    for variant in study.experiment.variants:
        for message in failures_of(study, variant.name):
            yield variant.name, message
