"""Statistics in plain sentences.

Enters: differences, intervals, p values. Leaves: what follows from them, and what does not.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from connectome2net.experiment.effects import Effect
from connectome2net.experiment.statistics import ENOUGH_SEEDS, Difference

LEVEL = 0.05
SHARES = frozenset({"accuracy", "balanced_accuracy", "validation_accuracy", "ece"})
"""Metrics that are told in points (hundredths)."""


def say_difference(
    difference: Difference, *, variant: str, reference: str, metric: str, p_corrected: float | None, comparisons: int
) -> str:
    """Return what a comparison says, in one sentence.

    Args:
        difference: of the variant to the reference.
        variant: its name.
        reference: its name.
        metric: what was measured.
        p_corrected: after Holm.
        comparisons: that were corrected for.
    """
    of, pairs = difference.of, len(difference.seeds)
    verdict = say_verdict(difference, metric=metric, p_corrected=p_corrected, comparisons=comparisons)
    missing = f", {len(difference.unpaired)} without a partner left out" if difference.unpaired else ""
    if of.mean is None:
        return f"{variant}: no seed has a finished run of it and of {reference}{missing}; {verdict}."
    amount = f"{variant}: {_signed(of.mean, metric)} {'than' if _shown(of.mean, metric) else 'as'} {reference}"
    if of.low is None or of.high is None or p_corrected is None:
        why = "1 seed" if pairs == 1 else f"equal in all {pairs} seeds"
        return f"{amount} ({why}{missing}): {verdict}."
    test = "t test" if comparisons == 1 else f"Holm for {comparisons} comparisons"
    interval = f"95 % interval: {_side(of.low, metric)} to {_side(of.high, metric)}"
    words = f"{amount} ({interval}; {pairs} seeds paired{missing}; p {_p(p_corrected)}, {test}): "
    beyond = max(abs(of.low), abs(of.high))
    early = f" (preliminary: {pairs} seeds)" if pairs < ENOUGH_SEEDS else ""
    limit = f"; no difference beyond +-{_amount(beyond, metric)}"
    return f"{words}{verdict}{early or ('' if p_corrected < LEVEL else limit)}."


def say_verdict(difference: Difference, *, metric: str, p_corrected: float | None, comparisons: int) -> str:
    """Return whether a difference was seen, and if not, which would have been; see ``say_difference``."""
    of = difference.of
    if of.mean is None:
        return "nothing can be said"
    if of.low is None or of.high is None or p_corrected is None:
        return "no interval, so nothing follows for other seeds"
    if p_corrected < LEVEL:
        return "a difference was seen"
    if of.low > 0 or of.high < 0:
        return "a difference was seen by itself, not after the correction"
    before = "" if comparisons == 1 else ", before the correction"
    detectable = _amount(difference.detectable or 0.0, metric)
    return f"no difference was seen; one of {detectable} would have been in 80 % of such experiments{before}"


def say_together(comparisons: Sequence[Mapping[str, Any]], *, metric: str) -> list[str]:
    """Return what several comparisons say together: those that were seen, the largest first, then the others.

    Args:
        comparisons: as in results.json; one or two are told one by one.
        metric: what was measured.
    """
    if len(comparisons) <= 2:
        return [item["sentence"] for item in comparisons]
    said, tests = [], sum(item["p_corrected"] is not None for item in comparisons)
    for reference in dict.fromkeys(item["reference"] for item in comparisons):
        own = [item for item in comparisons if item["reference"] == reference]
        tested = [item for item in own if item["p_corrected"] is not None]
        seen = sorted(
            (item for item in tested if item["p_corrected"] < LEVEL), key=lambda item: -abs(item["difference"])
        )
        if seen:
            sizes = ", ".join(f"{item['variant']} {_side(item['difference'], metric)}" for item in seen)
            said.append(f"A difference to {reference} was seen (Holm for {tests} comparisons): {sizes}.")
        if rest := [item for item in tested if item not in seen]:
            widest = max(max(abs(item["low"]), abs(item["high"])) for item in rest)
            names = ", ".join(item["variant"] for item in rest)
            limit = f"none of them is beyond +-{_amount(widest, metric)} (95 % intervals, each alone)"
            said.append(f"No difference to {reference} was seen for {names}; {limit}.")
        said += [item["sentence"] for item in own if item["p_corrected"] is None]
    return said


def say_weight(seeds: int | None, *, failed: int, unfinished: int) -> list[str]:
    """Return what a reader must know before the comparisons.

    Args:
        seeds: the fewest pairs of a comparison that has some; None where nothing is compared.
        failed: runs that failed.
        unfinished: runs that wait or go on.
    """
    said = []
    if unfinished:
        said.append(f"This experiment is not finished: {_runs(unfinished)} to come.")
    if failed:
        said.append(f"{_runs(failed).capitalize()} failed and {'is' if failed == 1 else 'are'} in no mean.")
    if seeds is not None and seeds < ENOUGH_SEEDS:
        count = "1 seed" if seeds == 1 else f"{seeds} seeds"
        said.append(f"Preliminary: {count}; a comparison carries a conclusion from {ENOUGH_SEEDS} seeds on.")
    return said


def say_effects(effects: Sequence[Effect], *, metric: str) -> list[str]:
    """Return which effects of a factorial experiment were seen, the largest first, and how many were not."""
    if not effects:
        return ["The effects of the factors are not known: the runs that have finished do not determine them."]
    known = [effect for effect in effects if effect.p_corrected is not None]
    if not known:
        return ["No effect can be told from chance: there are no more runs than effects."]
    seen = [effect for effect in known if effect.p_corrected is not None and effect.p_corrected < LEVEL]
    said = [_say_effect(effect, metric) for effect in sorted(seen, key=lambda effect: -abs(effect.effect))]
    rest = [effect for effect in known if effect not in seen]
    if rest:
        widest = max(max(abs(effect.low or 0.0), abs(effect.high or 0.0)) for effect in rest)
        said.append(
            f"{len(rest)} of {len(known)} effects were not seen (Holm); none of them is beyond "
            f"+-{_amount(widest, metric)} (95 % intervals, each alone)."
        )
    return said


def _say_effect(effect: Effect, metric: str) -> str:
    name = effect.term[0] if len(effect.term) == 1 else f"{effect.term[0]} together with {effect.term[1]}"
    kind = "switched on" if len(effect.term) == 1 else "beyond the sum of both"
    others = ", ".join(" x ".join(alias) for alias in effect.aliases)
    alias = f" This may be the effect of {others} as well." if others else ""
    assert effect.low is not None
    assert effect.high is not None
    interval = f"{_side(effect.low, metric)} to {_side(effect.high, metric)}"
    return (
        f"{name}, {kind}: {_side(effect.effect, metric)} (95 % interval: {interval}; "
        f"p {_p(effect.p_corrected or 0.0)} after Holm).{alias}"
    )


def _signed(value: float, metric: str) -> str:
    """Return ``0.4 points less``, or ``the same``."""
    return _side(value, metric) if _shown(value, metric) else "the same"


def _side(value: float, metric: str) -> str:
    if not _shown(value, metric):
        return _amount(0.0, metric)
    return f"{_amount(abs(value), metric)} {'more' if value > 0 else 'less'}"


def _shown(value: float, metric: str) -> bool:
    """Tell whether a value differs from 0 when it is written."""
    return any(digit in "123456789" for digit in _amount(abs(value), metric))


def _amount(value: float, metric: str) -> str:
    return f"{100 * value:.1f} points" if metric in SHARES or metric.startswith("accuracy_") else f"{value:.3f}"


def _p(value: float) -> str:
    return "< 0.001" if value < 0.001 else f"= {value:.2g}"


def _runs(count: int) -> str:
    return f"{count:,} run{'s' * (count != 1)}"
