"""How much the controls of a variant differ from what was measured.

Enters: run folders. Leaves: means over seeds, for results.json.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from statistics import fmean
from typing import Any

from connectome2net.errors import ExperimentError
from connectome2net.experiment.work import TRANSFORM


def describe_control(runs: Sequence[Path]) -> dict[str, Any] | None:
    """Return how much a null model changed, mean over the graphs that it drew.

    Args:
        runs: folders of a variant's runs.

    Returns:
        ``graphs``, how many there are; ``edges_changed`` and ``edges_changed_share``, of the edges that the network
        used before (None where that was not written down); ``spectral_radius_before`` of the initial weights before
        rewiring, ``spectral_radius_after`` of those of the control, ``scale`` by which these were multiplied, and
        ``spectral_radius_matched``, their product. None where nothing was rewired.

    Raises:
        ExperimentError: a transform.json is damaged.
    """
    rows = [_numbers(path) for run in runs if (path := run / TRANSFORM).is_file()]
    if not rows:
        return None
    return {"graphs": len(rows)} | {name: _mean([row[name] for row in rows]) for name in rows[0]}


def _mean(values: list[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return fmean(known) if len(known) == len(values) else None


def _numbers(path: Path) -> dict[str, float | None]:
    """Return the numbers of the null model: of several changes of a graph it is the last."""
    try:
        done = json.loads(path.read_text(encoding="utf-8"))["transforms"][-1]
        changed, before, after, scale = (
            float(done[key]) for key in ("edges_changed", "spectral_radius_before", "spectral_radius_after", "scale")
        )
        used = done.get("edges_before")
        share = changed / float(used) if used else None
    except (OSError, ValueError, LookupError, TypeError, AttributeError) as error:
        found = f"{type(error).__name__}: {error}"
        fix = f"remove {path.parent}, and give the command again"
        raise ExperimentError("what a control changed cannot be read", where=path, found=found, fix=fix) from None
    return {
        "edges_changed": changed,
        "edges_changed_share": share,
        "spectral_radius_before": before,
        "spectral_radius_after": after,
        "scale": scale,
        "spectral_radius_matched": after * scale,
    }
