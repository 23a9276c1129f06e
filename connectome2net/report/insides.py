"""What learning did to the weights, and what the cells do afterwards.

Enters: weights.parquet and activity.parquet of a run, a spec. Leaves: numbers and charts.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

import numpy as np
import pyarrow as pa
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle
from matplotlib.ticker import FuncFormatter, NullFormatter

from connectome2net.report.anatomy import kinds_of
from connectome2net.report.drawing import BLUE, add_grid, new_chart
from connectome2net.report.measures import FloatArray, IntArray, class_index
from connectome2net.report.page import INK, QUIET
from connectome2net.report.panels import LOOKS, cut
from connectome2net.spec import Spec
from connectome2net.spec.tables import EI_CLASSES, values

BINS: Final = 28
ALL: Final = "all"


def classes_of(weights: pa.Table, spec: Spec | None) -> dict[str, IntArray]:
    """Return the rows of a table of weights by presynaptic class; one set of all where the cells are not known."""
    pre_E = values(weights, "pre_index")
    if spec is None or len(pre_E) == 0 or int(pre_E.max()) >= spec.cells.num_rows:
        return {ALL: np.arange(len(pre_E))}
    class_E = class_index(spec.cells)[pre_E]
    return {name: np.flatnonzero(class_E == at) for at, name in enumerate(EI_CLASSES) if (class_E == at).any()}


def measure_weights(weights: pa.Table, spec: Spec | None) -> list[dict[str, Any]]:
    """Return a row per presynaptic class: how much its weights changed, and whether their order stayed.

    Returns:
        ``ei_class, edges``, ``rank_correlation`` (Spearman's, of magnitudes before and after; None where one of them
        does not vary), ``mean_before, mean_after`` of the magnitudes, ``sign_changed`` (share of edges).
    """
    from scipy.stats import spearmanr

    before_E, after_E = (values(weights, name).astype(np.float64) for name in ("before", "after"))
    rows = []
    for name, chosen in classes_of(weights, spec).items():
        before, after = np.abs(before_E[chosen]), np.abs(after_E[chosen])
        vary = len(before) > 2 and np.ptp(before) > 0 and np.ptp(after) > 0
        rows.append(
            {
                "ei_class": name,
                "edges": len(chosen),
                "rank_correlation": float(spearmanr(before, after).statistic) if vary else None,
                "mean_before": float(before.mean()),
                "mean_after": float(after.mean()),
                "sign_changed": float((before_E[chosen] * after_E[chosen] < 0).mean()),
            }
        )
    return rows


def draw_weights(weights: pa.Table, spec: Spec | None) -> Figure:
    """Draw how many edges have which magnitude before and after training, by presynaptic class."""
    before_E, after_E = (np.abs(values(weights, name).astype(np.float64)) for name in ("before", "after"))
    groups = classes_of(weights, spec)
    columns = min(len(groups), 2)
    figure, panels = new_chart(2.7 * -(-len(groups) // columns), -(-len(groups) // columns), columns)
    for axes, (name, chosen) in zip(panels, groups.items(), strict=False):
        look = LOOKS.get(name)
        colour = look.colour if look else BLUE
        edges, low, high = _log_bins(before_E[chosen], after_E[chosen])
        number, _, _ = np.histogram2d(np.clip(before_E[chosen], low, high), np.clip(after_E[chosen], low, high), edges)
        for row, column in np.argwhere(number > 0):
            share = np.log1p(number[row, column]) / np.log1p(number.max())
            size = (edges[row + 1] - edges[row], edges[column + 1] - edges[column])
            corner = (edges[row], edges[column])
            axes.add_patch(Rectangle(corner, *size, facecolor=colour, alpha=0.12 + 0.78 * share, linewidth=0))
        axes.plot([low, high], [low, high], color=INK, linewidth=1, linestyle=(0, (4, 2)))
        axes.set(xscale="log", yscale="log", xlim=(low, high), ylim=(low, high), aspect="equal")
        for axis in (axes.xaxis, axes.yaxis):
            axis.set_major_formatter(FuncFormatter(lambda number, _: f"{number:g}"))
            axis.set_minor_formatter(NullFormatter())
        axes.set_title(f"from {name} cells" if look else "all edges", fontsize=9, loc="left")
    for axes in panels[len(groups) :]:
        axes.set_visible(False)
    figure.supxlabel("|weight| before training", fontsize=9.5)
    figure.supylabel("|weight| after training", fontsize=9.5)
    return figure


def _log_bins(before: FloatArray, after: FloatArray) -> tuple[list[FloatArray] | Any, float, float]:
    """Return edges of bins that are even on a logarithmic scale, and their ends; zeros fall into the first."""
    both = np.r_[before, after]
    both = both[both > 0]
    if not len(both):
        both = np.array([1.0])
    low, high = max(float(both.min()), float(both.max()) * 1e-4), float(both.max())
    low, high = low / 1.3, high * 1.3
    return np.geomspace(low, high, BINS + 1), low, high


def measure_activity(tables: Sequence[pa.Table], spec: Spec | None) -> list[dict[str, Any]]:
    """Return a row per population and, where the cells are known, per lamina and class.

    Args:
        tables: activity.parquet of each seed.
        spec: the column.

    Returns:
        ``group`` (``population`` or ``lamina``), ``name, cells``, quantiles ``q05, q25, q50, q75, q95`` and ``mean`` of
        the rates of all units of all seeds, ``active`` (mean share of images on which a unit's rate is above 0).
    """
    rate = np.concatenate([values(table, "rate") for table in tables]).astype(np.float64)
    active = np.concatenate([values(table, "active") for table in tables]).astype(np.float64)
    population = np.concatenate([values(table, "population").astype(object) for table in tables])
    rows = [
        _rates("population", name, population == name, rate, active, len(tables)) for name in dict.fromkeys(population)
    ]
    cell = np.concatenate([values(table, "cell_index") for table in tables])
    if spec is not None and int(cell.max(initial=-1)) < spec.cells.num_rows:
        kind_N, names = kinds_of(spec)
        for at, name in enumerate(names):
            if (chosen := kind_N[cell] == at).any():
                rows.append(_rates("lamina", name, chosen, rate, active, len(tables)))
    return rows


def _rates(group: str, name: str, chosen: Any, rate: FloatArray, active: FloatArray, seeds: int) -> dict[str, Any]:
    quantiles = np.quantile(rate[chosen], (0.05, 0.25, 0.5, 0.75, 0.95))
    row: dict[str, Any] = {"group": group, "name": str(name), "cells": int(chosen.sum()) // seeds}
    row |= {f"q{words}": float(q) for words, q in zip(("05", "25", "50", "75", "95"), quantiles, strict=True)}
    return row | {"mean": float(rate[chosen].mean()), "active": float(active[chosen].mean())}


def draw_activity(rows: Sequence[dict[str, Any]]) -> Figure:
    """Draw quantiles of the rates of each population and of each lamina and class."""
    figure, (axes,) = new_chart(0.9 + 0.24 * (len(rows) + 1))
    places, at = [], 0.0
    for before, row in zip([None, *rows], rows, strict=False):
        at += 1.6 if before is not None and before["group"] != row["group"] else 1.0
        places.append(at)
        colour = _colour(row)
        axes.plot([row["q05"], row["q95"]], [at, at], color=colour, linewidth=1.2)
        axes.plot([row["q25"], row["q75"]], [at, at], color=colour, linewidth=5, alpha=0.55, solid_capstyle="butt")
        axes.plot(row["q50"], at, "o", color=colour, markersize=5)
        share = f"{100 * row['active']:.0f} %"
        axes.text(1.02, at, share, transform=axes.get_yaxis_transform(), va="center", fontsize=8)
    axes.text(1.02, 0.1, "active", transform=axes.get_yaxis_transform(), va="center", fontsize=8, color=QUIET)
    axes.set_yticks(places, [cut(row["name"], 16) for row in rows])
    axes.set_ylim(at + 0.6, -0.3)
    axes.tick_params(axis="y", length=0)
    axes.set_xlabel("mean rate over test images")
    add_grid(axes, "x")
    return figure


def _colour(row: dict[str, Any]) -> str:
    letter = {f" {look.letter}": look.colour for look in LOOKS.values()}
    return letter.get(row["name"][-2:], INK) if row["group"] == "lamina" else INK
