"""A phase that may end early, or that forgets most of its states until the backward pass.

Enters: one step as a function, and what it starts from. Leaves: what it ends with.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch.utils.checkpoint import checkpoint as recompute

from connectome2net.runtime.share import everywhere

Step = Callable[..., list[Any]]


def repeat(
    step: Step,
    changing: Sequence[Any],
    constant: Sequence[Any] = (),
    *,
    steps: int,
    tolerance: float | None = None,
    checkpoint: int | None = None,
) -> list[Any]:
    """Take a step again and again.

    The backward pass may call ``step`` a second time, so it must change nothing outside: what a step changes is
    among its arguments and among what it returns. Noise is then drawn as it was the first time.

    Args:
        step: (*changing, *constant) -> the changing things one step later: states of cells, named tuples of tensors;
            and lists of the rates of all steps so far.
        changing: what the first step starts from.
        constant: what stays.
        steps: how many steps; the most, where there is a tolerance.
        tolerance: end before that where no number of a state changes by more than this, for any image of the batch;
            None takes all steps.
        checkpoint: of every so many states only one is kept for the backward pass, which computes the others again
            (Chen et al. 2016, arXiv 1604.06174): memory for steps / checkpoint + checkpoint states, not for all.

    Returns:
        The changing things after the last step. A network that is traced takes all steps and keeps all states.
    """
    now = list(changing)
    if torch.compiler.is_compiling():
        tolerance = checkpoint = None
    if checkpoint is None or not torch.is_grad_enabled():
        return _run(step, now, constant, steps, tolerance)[0]
    taken, settled = 0, False
    while taken < steps and not settled:
        now, settled = _forget(step, now, constant, min(checkpoint, steps - taken), tolerance)
        taken += checkpoint
    return now


def _run(
    step: Step, now: list[Any], constant: Sequence[Any], steps: int, tolerance: float | None
) -> tuple[list[Any], int, bool]:
    """Return what there is after some steps, how many they were, and whether nothing changed any more."""
    for taken in range(1, steps + 1):
        before, now = now, list(step(*now, *constant))
        if tolerance is not None and everywhere(largest_change(before, now) <= tolerance):
            return now, taken, True
    return now, steps, False


def _forget(
    step: Step, now: list[Any], constant: Sequence[Any], steps: int, tolerance: float | None
) -> tuple[list[Any], bool]:
    """Take some steps of which the backward pass keeps only the start; the second time it takes as many."""
    first: list[tuple[int, bool]] = []

    def part(now: list[Any]) -> list[Any]:
        if first:
            return _run(step, now, constant, first[0][0], None)[0]
        now, taken, settled = _run(step, now, constant, steps, tolerance)
        first.append((taken, settled))
        return now

    now = recompute(part, now, use_reentrant=False)
    return now, first[0][1]


@torch.no_grad()
def largest_change(before: Sequence[Any], now: Sequence[Any]) -> float:
    """Return the largest change of a number of a state; lists of the past do not count, and NaN is a change."""
    pairs = [
        (old, new)
        for state, later in zip(before, now, strict=True)
        if isinstance(state, tuple)
        for old, new in zip(state, later, strict=True)
    ]
    return float(torch.stack([(new - old).abs().amax() for old, new in pairs]).amax())
