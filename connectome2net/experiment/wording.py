"""Statistics in plain sentences.

Enters: differences, intervals, p values. Leaves: what follows from them, and what does not.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from connectome2net.experiment.effects import Effect
from connectome2net.experiment.statistics import ENOUGH_SEEDS, Difference

LEVEL = 0.05
Interval = tuple[float, float] | tuple[None, None]
NOT_KNOWN: Interval = (None, None)
ON_THESE = " on these test images, but other images may show none (bootstrap)"


def say_difference(
    difference: Difference,
    *,
    variant: str,
    reference: str,
    p_corrected: float | None,
    comparisons: int,
    over_images: Interval = NOT_KNOWN,
) -> str:
    """Return what a comparison says, in one sentence.

    Args:
        difference: of the variant to the reference.
        variant: its name.
        reference: its name.
        p_corrected: after Holm.
        comparisons: that were corrected for.
        over_images: the interval of the difference over other test images, where it is known.
    """
    of, pairs = difference.of, len(difference.seeds)
    verdict = say_verdict(difference, p_corrected=p_corrected, comparisons=comparisons, over_images=over_images)
    missing = f", {len(difference.unpaired)} without a partner left out" if difference.unpaired else ""
    if of.mean is None:
        return f"{variant}: no seed has a finished run of it and of {reference}{missing}; {verdict}."
    amount = f"{variant}: {_signed(of.mean)} {'than' if _shown(of.mean) else 'as'} {reference}"
    if of.low is None or of.high is None or p_corrected is None:
        why = "1 seed" if pairs == 1 else f"equal in all {pairs} seeds"
        return f"{amount} ({why}{missing}): {verdict}."
    test = "t test" if comparisons == 1 else f"Holm for {comparisons} comparisons"
    interval = f"95 % interval: {_side(of.low)} to {_side(of.high)}"
    words = f"{amount} ({interval}; {pairs} seeds paired{missing}; p {_p(p_corrected)}, {test}): "
    beyond = max(abs(of.low), abs(of.high))
    early = f" (preliminary: {pairs} seeds)" if pairs < ENOUGH_SEEDS else ""
    limit = f"; no difference beyond +-{_amount(beyond)}"
    return f"{words}{verdict}{early or ('' if p_corrected < LEVEL else limit)}."


def say_verdict(
    difference: Difference, *, p_corrected: float | None, comparisons: int, over_images: Interval = NOT_KNOWN
) -> str:
    """Return whether a difference was seen, and if not, which would have been; see ``say_difference``."""
    of = difference.of
    if of.mean is None:
        return "nothing can be said"
    if of.low is None or of.high is None or p_corrected is None:
        return "no interval, so nothing follows for other seeds"
    if p_corrected < LEVEL:
        return f"a difference was seen{ON_THESE if _may_vanish(*over_images) else ''}"
    if of.low > 0 or of.high < 0:
        return "a difference was seen by itself, not after the correction"
    after = "" if comparisons == 1 else ", after the correction"
    seen = _amount(difference.detectable(comparisons) or 0.0)
    return f"no difference was seen; one of {seen} would have been in 80 % of such experiments{after}"


def say_together(comparisons: Sequence[Mapping[str, Any]]) -> list[str]:
    """Return what several comparisons say together: those that were seen, the largest first, then the others.

    Args:
        comparisons: as in results.json; one or two are told one by one.
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
            said.append(f"A difference to {reference} was seen (Holm for {tests} comparisons): {_sizes(seen)}.")
        if vanishing := [item for item in seen if _may_vanish(item["bootstrap_low"], item["bootstrap_high"])]:
            said.append(f"Of these, other test images may show none for {_names(vanishing)} (bootstrap).")
        rest = [item for item in tested if item not in seen]
        if alone := [item for item in rest if not item["low"] <= 0 <= item["high"]]:
            said.append(f"By itself, but not after the correction, a difference was seen: {_sizes(alone)}.")
        if rest := [item for item in rest if item not in alone]:
            widest = max(max(abs(item["low"]), abs(item["high"])) for item in rest)
            limit = _limit(widest, min(item["n"] for item in rest))
            said.append(f"No difference to {reference} was seen for {_names(rest)}; {limit}.")
        said += [item["sentence"] for item in own if item["p_corrected"] is None]
    return said


def _sizes(comparisons: Sequence[Mapping[str, Any]]) -> str:
    return ", ".join(f"{item['variant']} {_side(item['difference'])}" for item in comparisons)


def _names(comparisons: Sequence[Mapping[str, Any]]) -> str:
    return ", ".join(item["variant"] for item in comparisons)


def _may_vanish(low: float | None, high: float | None) -> bool:
    """Tell whether an interval over other test images has zero in it."""
    return low is not None and high is not None and low <= 0 <= high


def say_weight(seeds: int | None, *, failed: int, unfinished: int) -> list[str]:
    """Return what a reader must know before the comparisons.

    Args:
        seeds: the fewest of a comparison or a design that has some; None where nothing is compared.
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


def say_effects(effects: Sequence[Effect], *, seeds: int) -> list[str]:
    """Return which effects of a factorial experiment were seen, the largest first, and how many were not.

    Args:
        effects: as estimated.
        seeds: of the runs; few allow no bound.
    """
    if not effects:
        return ["The effects of the factors are not known: the runs that have finished do not determine them."]
    known = [effect for effect in effects if effect.p_corrected is not None]
    if not known:
        return ["No effect can be told from chance: there are no more runs than effects."]
    seen = [effect for effect in known if effect.p_corrected is not None and effect.p_corrected < LEVEL]
    said = [_say_effect(effect) for effect in sorted(seen, key=lambda effect: -abs(effect.effect))]
    rest = [effect for effect in known if effect not in seen]
    alone = [effect for effect in rest if not (effect.low or 0.0) <= 0 <= (effect.high or 0.0)]
    if alone:
        names = ", ".join(f"{' x '.join(effect.term)} {_side(effect.effect)}" for effect in alone)
        said.append(f"By themselves, but not after the correction, effects were seen: {names}.")
    if rest := [effect for effect in rest if effect not in alone]:
        limit = _limit(max(max(abs(effect.low or 0.0), abs(effect.high or 0.0)) for effect in rest), seeds)
        said.append(f"{len(rest)} of {len(known)} effects were not seen; {limit}.")
    return said


def _limit(widest: float, seeds: int) -> str:
    """Return how far intervals reach; a bound where there are seeds enough."""
    reach = "none of them is beyond" if seeds >= ENOUGH_SEEDS else "intervals reach to"
    return f"{reach} +-{_amount(widest)} (95 %, each alone)"


def _say_effect(effect: Effect) -> str:
    name = effect.term[0] if len(effect.term) == 1 else f"{effect.term[0]} together with {effect.term[1]}"
    kind = "switched on" if len(effect.term) == 1 else "beyond the sum of both"
    others = ", ".join(" x ".join(alias) for alias in effect.aliases)
    alias = f" This may be the effect of {others} as well." if others else ""
    assert effect.low is not None
    assert effect.high is not None
    interval = f"{_side(effect.low)} to {_side(effect.high)}"
    return (
        f"{name}, {kind}: {_side(effect.effect)} (95 % interval: {interval}; "
        f"p {_p(effect.p_corrected or 0.0)} after Holm).{alias}"
    )


def _signed(value: float) -> str:
    """Return ``0.4 points less``, or ``the same``."""
    return _side(value) if _shown(value) else "the same"


def _side(value: float) -> str:
    if not _shown(value):
        return _amount(0.0)
    return f"{_amount(abs(value))} {'more' if value > 0 else 'less'}"


def _shown(value: float) -> bool:
    """Tell whether a value differs from 0 when it is written."""
    return any(digit in "123456789" for digit in _amount(abs(value)))


def _amount(value: float) -> str:
    return f"{100 * value:.1f} points"


def _p(value: float) -> str:
    return "< 0.001" if value < 0.001 else f"= {value:.2g}"


def _runs(count: int) -> str:
    return f"{count:,} run{'s' * (count != 1)}"
