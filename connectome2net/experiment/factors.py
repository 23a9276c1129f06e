"""Parts that are switched off: one at a time, or together in a factorial design.

Enters: factors, each a change that switches one part off. Leaves: variants.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final, Literal

from connectome2net.errors import ExperimentError
from connectome2net.experiment.change import Change
from connectome2net.experiment.design import factorial

FULL: Final = "full"
"""The variant with every part."""

CONTROL: Final = {"null", "fraction", "cells", "weights"}
ALONE: Final = ("spec", "subset", "network")
"""What a variant may be, and a factor among others not."""
Kind = Literal["one-at-a-time", "factorial"]


def vary(factors: Sequence[Change], kind: Kind, *, runs: int) -> tuple[Change, ...]:
    """Return the variants of a design; the first, ``full``, has every part.

    Args:
        factors: what switches each part off, under the part's name.
        kind: ``one-at-a-time``, or ``factorial``; see ``design``.
        runs: the most variants of a factorial design.

    Raises:
        ExperimentError: there is no such factorial design, or these factors cannot be combined.
    """
    if kind == "one-at-a-time":
        return (Change(name=FULL), *(factor.model_copy(update={"name": f"no {factor.name}"}) for factor in factors))
    for factor in factors:
        if alone := [key for key in ALONE if getattr(factor, key) is not None]:
            fix = "make it a [[variant]]"
            raise ExperimentError("this is not a factor of a design", where=factor.name, found=alone[0], fix=fix)
    if len(nulls := [factor.name for factor in factors if factor.null is not None]) > 1:
        raise ExperimentError("edges can be rewired by one factor only", where="[[factor]]", found=", ".join(nulls))
    rows = factorial([factor.name for factor in factors], runs=runs)
    width = len(str(len(rows)))
    rows.sort(key=lambda row: sum(not on for on in row.values()))
    return tuple(
        _together([factor for factor in factors if not row[factor.name]], name=f"design {at:0{width}d}", row=row)
        for at, row in enumerate(rows)
    )


def _together(factors: Sequence[Change], *, name: str, row: dict[str, bool]) -> Change:
    """Return one change that does what several do."""
    content: dict[str, Any] = {"name": name if factors else FULL, "factors": row, "without": (), "set": {}, "train": {}}
    for factor in factors:
        content["without"] += factor.without
        content["set"] |= factor.set
        content["train"] |= factor.train
        if factor.null is not None:
            content |= factor.model_dump(include=CONTROL)
    return Change.model_validate(content)
