"""What the networks answer: confusion, precision and recall, calibration, robustness.

Enters: the evaluations of a variant's runs. Leaves: numbers, means over seeds, and charts.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

import numpy as np
from matplotlib.figure import Figure

from connectome2net.report.anatomy import name_square, shade
from connectome2net.report.drawing import ACCENT, BLUE, ORANGE, add_grid, new_chart
from connectome2net.report.formats import EvaluationFile, Metrics
from connectome2net.report.measures import FloatArray
from connectome2net.report.numbers import mean_over_runs
from connectome2net.report.page import INK, QUIET
from connectome2net.report.panels import cut
from connectome2net.report.study import Study

SCORES: Final = {"precision": ("s", BLUE), "recall": ("o", ORANGE), "f1": ("D", INK)}
DISTURBANCES: Final = {
    "noise": "noise, standard deviation",
    "blur": "blur, sigma in pixels",
    "occlusion": "occluded share of the image",
    "lesion": "share of cells without output",
}
"""What is done to images or cells, and the unit of its strength."""


def evaluations_of(study: Study, variant: str) -> list[EvaluationFile]:
    """Return the evaluations of a variant's runs."""
    return [run.evaluation for run in study.runs_of(variant) if run.evaluation is not None]


def confusion_of(tests: Sequence[Metrics]) -> FloatArray | None:
    """Return (K, K) [right class, answer]: the share of a class's images, mean over seeds; NaN without images."""
    tables = [np.array(test.confusion, dtype=np.float64) for test in tests if test.confusion]
    if not tables:
        return None
    images = [table.sum(axis=1, keepdims=True) for table in tables]
    shares = [np.where(n > 0, table / np.maximum(n, 1), np.nan) for table, n in zip(tables, images, strict=True)]
    return mean_over_runs(shares)


def draw_confusion(share_KK: FloatArray, classes: Sequence[str]) -> Figure:
    """Draw the share of the images of each class that got each answer, in percent."""
    figure, (axes,) = new_chart(4.3)
    for row, column in np.ndindex(share_KK.shape):
        share = float(share_KK[row, column])
        if not np.isnan(share):
            shade(axes, column, row, share, f"{100 * share:.0f}", small=len(classes) > 10)
    names = tuple(cut(name, 10) for name in classes)
    name_square(axes, names, across="answer", down="right class")
    return figure


def worst_confusion(share_KK: FloatArray, classes: Sequence[str]) -> tuple[str, str, float]:
    """Return the class that is most often taken for another, that other, and how often."""
    wrong = np.nan_to_num(share_KK - np.diag(np.diag(share_KK)))
    row, column = divmod(int(wrong.argmax()), len(classes))
    return classes[row], classes[column], float(wrong[row, column])


def class_scores(tests: Sequence[Metrics]) -> list[dict[str, Any]]:
    """Return a row per class: means over seeds of precision, recall, F1 and ROC-AUC, and its images."""
    if not tests or not tests[0].per_class:
        return []
    rows = []
    for name, first in tests[0].per_class.items():
        row: dict[str, Any] = {"class": name, "images": first.images}
        for score in ("precision", "recall", "f1", "roc_auc"):
            found = [getattr(test.per_class[name], score) for test in tests if name in test.per_class]
            known = [value for value in found if value is not None]
            row[score] = float(np.mean(known)) if known else None
        rows.append(row)
    return rows


def draw_class_scores(rows: Sequence[dict[str, Any]]) -> Figure:
    """Draw precision, recall and F1 of each class."""
    figure, (axes,) = new_chart(1.1 + 0.3 * len(rows))
    scores = {score: np.array([row[score] for row in rows], dtype=np.float64) for score in SCORES}
    for at, ends in enumerate(zip(scores["precision"], scores["recall"], strict=True)):
        axes.plot(ends, [at, at], color=QUIET, linewidth=1, zorder=1)
    for score, (marker, colour) in SCORES.items():
        label = "F1" if score == "f1" else score
        axes.plot(scores[score], range(len(rows)), marker, color=colour, markersize=5.5, label=label)
    axes.set_yticks(range(len(rows)), [cut(row["class"], 14) for row in rows])
    axes.set(xlim=(-0.02, 1.02), ylim=(len(rows) - 0.5, -0.5), xlabel="score, 0 to 1")
    axes.tick_params(axis="y", length=0)
    add_grid(axes, "x")
    figure.legend(loc="outside upper center", ncols=3, handletextpad=0.2)
    return figure


def calibration_rows(tests: Sequence[Metrics]) -> list[dict[str, Any]]:
    """Return a row per bin of confidence: images of all seeds together, their mean confidence and accuracy."""
    found: dict[tuple[float, float], list[tuple[int, float, float]]] = {}
    for test in tests:
        for item in test.calibration.bins if test.calibration else ():
            numbers = found.setdefault((item.low, item.high), [])
            if item.images and item.confidence is not None and item.accuracy is not None:
                numbers.append((item.images, item.confidence, item.accuracy))
    rows = []
    for (low, high), numbers in sorted(found.items()):
        images = sum(n for n, _, _ in numbers)
        confidence, accuracy = (
            sum(item[0] * item[at] for item in numbers) / images if images else None for at in (1, 2)
        )
        rows.append({"low": low, "high": high, "images": images, "confidence": confidence, "accuracy": accuracy})
    return rows


def draw_calibration(rows: Sequence[dict[str, Any]]) -> Figure:
    """Draw accuracy against confidence, and how many answers have which confidence."""
    figure, (axes, below) = new_chart(4.2, 2, 1, height_ratios=(3, 1), sharex=True)
    known = [row for row in rows if row["images"]]
    axes.plot([0, 1], [0, 1], color=QUIET, linewidth=1, linestyle=(0, (4, 2)), label="perfect calibration")
    across, up = ([row[name] for row in known] for name in ("confidence", "accuracy"))
    axes.plot(
        across, up, color=BLUE, marker="o", markersize=5, linewidth=1.5, label="answers, by confidence", clip_on=False
    )
    axes.set(xlim=(0, 1), ylim=(0, 1), ylabel="accuracy, 0 to 1")
    axes.legend(loc="upper left")
    whole = sum(row["images"] for row in rows) or 1
    edges = [rows[0]["low"], *(row["high"] for row in rows)]
    below.stairs([100 * row["images"] / whole for row in rows], edges, fill=True, color=BLUE, alpha=0.35)
    below.set(xlabel="confidence of the answer, 0 to 1", ylabel="answers, %")
    for panel in (axes, below):
        add_grid(panel)
    return figure


def robustness_of(study: Study, variant: str) -> dict[str, tuple[FloatArray, FloatArray]]:
    """Return for each disturbance its levels, and the accuracy (runs, levels)."""
    found: dict[str, list[Any]] = {}
    for evaluation in evaluations_of(study, variant):
        for name, curve in evaluation.robustness.items():
            found.setdefault(name, []).append(([item.level for item in curve], [item.accuracy for item in curve]))
    curves = {}
    for name, measured in found.items():
        levels = measured[0][0]
        same = [accuracy for level, accuracy in measured if level == levels]
        curves[name] = (np.array(levels), np.array(same, dtype=np.float64))
    return curves


def draw_robustness(study: Study, variants: Sequence[str]) -> Figure:
    """Draw accuracy against the strength of each disturbance, for a few variants."""
    curves = {name: robustness_of(study, name) for name in variants}
    kinds = [kind for kind in DISTURBANCES if any(kind in found for found in curves.values())]
    kinds += sorted({kind for found in curves.values() for kind in found} - set(kinds))
    rows = -(-len(kinds) // 2)
    figure, panels = new_chart(0.5 + 1.9 * rows, rows, 2, sharey=True)
    looks = ((INK, "-", "o"), (BLUE, "--", "s"), (ORANGE, "-.", "^"), (ACCENT, ":", "D"))
    for axes, kind in zip(panels, kinds, strict=False):
        for (name, found), (colour, line, marker) in zip(curves.items(), looks, strict=False):
            if kind in found:
                level, accuracy = found[kind]
                if len(accuracy) > 1:
                    axes.fill_between(
                        level, *(100 * f(accuracy, axis=0) for f in (np.min, np.max)), color=colour, alpha=0.15
                    )
                mean = 100 * accuracy.mean(axis=0)
                axes.plot(level, mean, color=colour, linestyle=line, marker=marker, markersize=4, label=cut(name, 24))
        axes.set_xlabel(DISTURBANCES.get(kind, kind))
        add_grid(axes)
    for axes in panels[len(kinds) :]:
        axes.set_visible(False)
    figure.supylabel("accuracy, %", fontsize=9.5)
    figure.legend(*panels[0].get_legend_handles_labels(), loc="outside upper center", ncols=2)
    return figure
