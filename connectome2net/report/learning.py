"""Learning curves.

Enters: the epochs of runs. Leaves: a chart of a panel per variant, the mean over seeds with its band.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final, Literal

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from connectome2net.report.drawing import BLUE, add_grid, new_chart
from connectome2net.report.measures import FloatArray
from connectome2net.report.page import INK, QUIET
from connectome2net.report.panels import cut
from connectome2net.report.study import Study

Curve = Literal["validation_accuracy", "validation_loss"]
LABELS: Final = {"validation_accuracy": "accuracy, %", "validation_loss": "loss, nats"}


def curves_of(study: Study, variant: str, curve: str) -> FloatArray:
    """Return (runs, epochs) of a variant; NaN after the last epoch of a run."""
    runs = [run for run in study.runs_of(variant) if run.epochs]
    longest = max((len(run.epochs) for run in runs), default=0)
    table = np.full((len(runs), longest), np.nan)
    for row, run in zip(table, runs, strict=True):
        row[: len(run.epochs)] = [getattr(epoch, curve) for epoch in run.epochs]
    return table


def rows_of(study: Study) -> Iterator[dict[str, Any]]:
    """Yield every epoch of every run, as the CSV has it."""
    for run in study.runs:
        for epoch in run.epochs:
            yield {"variant": run.plan.variant, "seed": run.plan.seed} | epoch.model_dump()


def variants_with_curves(study: Study) -> list[str]:
    """Return the variants that have an epoch, the reference first."""
    names = sorted(study.alone, key=lambda name: name != study.experiment.reference)
    return [name for name in names if curves_of(study, name, "loss").size]


def draw_curves(study: Study, curve: Curve) -> Figure:
    """Draw a panel per variant: mean and range over seeds, the reference dashed behind the others."""
    names = variants_with_curves(study)
    columns = min(len(names), 3 if len(names) > 4 else 2)
    rows = -(-len(names) // columns)
    height = 2.3 if rows == 1 else 0.5 + (1.35 if columns == 3 else 1.6) * rows
    figure, panels = new_chart(height, rows, columns, sharex=True, sharey=True)
    factor = 100 if curve == "validation_accuracy" else 1
    reference = curves_of(study, names[0], curve) * factor
    for axes, name in zip(panels, names, strict=False):
        _draw_band(axes, curves_of(study, name, curve) * factor, BLUE if name != names[0] else INK)
        if name != names[0]:
            axes.plot(_epochs(reference), _mean(reference), color=QUIET, linewidth=1, linestyle=(0, (4, 2)))
        axes.set_title(cut(name, 22), fontsize=9, loc="left")
        axes.xaxis.set_major_locator(MaxNLocator(4, integer=True, min_n_ticks=1))
        add_grid(axes)
    for at, axes in enumerate(panels):
        axes.set_visible(at < len(names))
        axes.tick_params(labelbottom=at + columns >= len(names))
    figure.supxlabel("epoch", fontsize=9.5)
    figure.supylabel(f"validation {LABELS[curve]}", fontsize=9.5)
    return figure


def _draw_band(axes: Axes, table: FloatArray, colour: str) -> None:
    epochs = _epochs(table)
    marker = "o" if table.shape[1] == 1 else None
    if len(table) > 1:
        low, high = np.nanmin(table, 0), np.nanmax(table, 0)
        axes.fill_between(epochs, low, high, color=colour, alpha=0.2, linewidth=0)
        if len(epochs) == 1:  # a band of no width
            axes.vlines(epochs, low, high, color=colour, alpha=0.4, linewidth=4)
    axes.plot(epochs, _mean(table), color=colour, linewidth=1.6, marker=marker, markersize=4)


def _epochs(table: FloatArray) -> FloatArray:
    return np.arange(1, table.shape[1] + 1, dtype=np.float64)


def _mean(table: FloatArray) -> FloatArray:
    mean: FloatArray = np.nanmean(table, axis=0)
    return mean
