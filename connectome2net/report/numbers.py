"""Numbers over seeds, and numbers as words.

Enters: the runs of a study. Leaves: means, deviations, intervals; texts such as ``61.2 %``.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

import numpy as np
import numpy.typing as npt

from connectome2net.experiment.statistics import estimate
from connectome2net.report.formats import ExperimentFile, Summary, VariantResult
from connectome2net.report.study import Run

MINUS: Final = "\N{MINUS SIGN}"


def summarise(values: Mapping[str, float]) -> Summary | None:
    """Return mean, standard deviation and the 95 % interval of the mean, which is that of Student's t.

    Args:
        values: a number by seed.

    Returns:
        The summary, None from no seed; see ``estimate``.
    """
    of = estimate([*values.values()])
    return None if of.mean is None else Summary(mean=of.mean, sd=of.sd, low=of.low, high=of.high, values=dict(values))


def summarise_runs(experiment: ExperimentFile, runs: Sequence[Run]) -> tuple[VariantResult, ...]:
    """Return the numbers of each variant; where nothing compared them, these are all that there is."""
    return tuple(_summarise_variant(variant.name, runs) for variant in experiment.variants)


def _summarise_variant(name: str, runs: Sequence[Run]) -> VariantResult:
    of_metric: dict[str, dict[str, float]] = {}
    mine = [run for run in runs if run.plan.variant == name]
    for run in mine:
        for metric, value in _metrics_of(run).items():
            known = of_metric.setdefault(metric, {})
            if value is not None:
                known[str(run.plan.seed)] = value
    records = [run.record for run in mine if run.record is not None]
    return VariantResult(
        name=name,
        runs=len(mine),
        failed=sum(run.plan.status == "failed" for run in mine),
        metrics={metric: summarise(values) for metric, values in of_metric.items()},
        parameters=sum(records[0].parameters.values()) if records else None,
    )


def _metrics_of(run: Run) -> dict[str, float | None]:
    found: dict[str, float | None] = {}
    if run.record is not None and run.record.status == "finished":
        found = {"validation_accuracy": run.record.validation_accuracy, "seconds": run.record.seconds}
    if (evaluation := run.evaluation) is not None:
        test = evaluation.test
        found |= {"accuracy": test.accuracy, "macro_f1": test.macro_f1, "roc_auc": test.roc_auc}
        found["balanced_accuracy"] = test.balanced_accuracy
        found["ece"] = test.calibration.ece if test.calibration else None
        for key in ("without_leaked", "without_leaked_or_blank", "mirrored"):
            if (part := getattr(evaluation, key)) is not None:
                found[f"accuracy_{key}"] = part.accuracy
    return found


def percent(value: float | None, digits: int = 1) -> str:
    """Return a fraction as percent, an empty text for None."""
    return "" if value is None else f"{100 * value:.{digits}f}\N{NO-BREAK SPACE}%"


def points(value: float | None, digits: int = 1) -> str:
    """Return a difference of fractions in points with its sign, an empty text for None."""
    if value is None:
        return ""
    text = f"{100 * value:+.{digits}f}"
    return f"{0:.{digits}f}" if float(text) == 0 else text.replace("-", MINUS)


def between(low: float | None, high: float | None, digits: int = 1) -> str:
    """Return an interval of differences in points, an empty text where it is not known."""
    return "" if low is None or high is None else f"{points(low, digits)} to {points(high, digits)}"


def duration(seconds: float | None) -> str:
    """Return a time as a person says it."""
    if seconds is None:
        return ""
    for most, divisor, unit in ((120, 1, "s"), (7200, 60, "min"), (float("inf"), 3600, "h")):
        if seconds < most:
            return f"{seconds / divisor:.{0 if unit == 's' else 1}f}\N{NO-BREAK SPACE}{unit}"
    return ""


def count(number: int, word: str) -> str:
    """Return ``1 cell`` or ``2,000 cells``."""
    return f"{number:,} {word}{'s' * (number != 1)}"


def mean_over_runs(rows: Sequence[npt.ArrayLike]) -> npt.NDArray[np.float64]:
    """Return the mean over the first axis, passing over what is not a number; NaN where nothing is."""
    stacked = np.stack([np.asarray(row, dtype=np.float64) for row in rows])
    known = ~np.isnan(stacked)
    total, there = np.where(known, stacked, 0.0).sum(axis=0), known.sum(axis=0)
    return np.where(there > 0, total / np.maximum(there, 1), np.nan)
