"""The section about what makes the difference: the ladder, what each control changed, the effects of parts.

Enters: a study. Leaves: a section of the page.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from connectome2net.experiment.wording import LEVEL
from connectome2net.report import ladder
from connectome2net.report.composing import Composition
from connectome2net.report.drawing import chart_style, to_svg
from connectome2net.report.formats import Control, Effect, Variant
from connectome2net.report.numbers import between, count, percent, points
from connectome2net.report.study import Study


def compose_ladder(page: Composition, study: Study) -> None:
    """Add the effects of parts, or the ladder; what controls changed; failed runs."""
    page.open_section("ladder", "What makes the difference")
    effects = study.results.factorial.effects if study.results and study.results.factorial else ()
    rows = ladder.ladder_rows(study)
    if effects:
        _add_effects(page, effects)
    if any(row["text"] for row in rows):
        _add_ladder(page, study, rows)
        _add_comparisons(page, study)
    elif not effects:
        page.leave_out("No variant was compared with another; c2n experiment trains variants and compares them.")
    for name, reason in study.experiment.left_out.items():
        page.leave_out(f"{name} cannot be made of this network and was left out: {reason}.")
    _add_controls(page, study)
    if failed := [*ladder.failed_runs(study)]:
        page.add_table(
            "failed",
            ("variant", "what it said"),
            failed,
            title=f"{count(len(failed), 'run')} failed",
            caption="They are in no mean; a variant that fails often is not as good as its finished runs.",
            rows=[{"variant": name, "error": message} for name, message in failed],
        )


def _add_ladder(page: Composition, study: Study, rows: list[dict[str, Any]]) -> None:
    comparisons = study.comparisons
    reference = study.experiment.reference
    clear = sum(bool(row["beyond"]) for row in rows)
    with chart_style():
        page.files["ladder.svg"] = to_svg(ladder.draw_ladder(comparisons))
    page.add_drawn(
        "ladder",
        "ladder",
        {"rows": rows, "ticks": ladder.ladder_ticks(study), "zero": _zero(study)},
        title=f"Difference in {ladder.words_of(study.experiment.metric)} to {reference}, paired by seed",
        caption=(
            "A mark is the mean difference in points, its line the 95 % interval over seeds (Student's t); left of "
            f"zero is worse than {reference}. Of {count(len(comparisons), 'comparison')}, {_have(clear)} an interval "
            "that leaves zero out (filled diamonds); these intervals are not corrected for the number of comparisons, "
            "the p values in the table are."
        ),
        rows=_ladder_csv(rows),
    )


def _have(number: int) -> str:
    return "none has" if number == 0 else "1 has" if number == 1 else f"{number} have"


def _zero(study: Study) -> float:
    return ladder.locate(0, *ladder.ladder_range(study.comparisons))


def _ladder_csv(rows: list[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    for row in rows:
        found = row["comparison"]
        numbers = found.model_dump() if found is not None else {"variant": row["name"]}
        yield numbers | {name: row[name] for name in ("changes", "keeps", "destroys", "failed")}


def _add_comparisons(page: Composition, study: Study) -> None:
    page.add_table(
        "comparisons",
        (
            "variant",
            "compared with",
            "seeds",
            "difference, points",
            "95 % interval",
            "bootstrap over images",
            "effect size",
            "p",
            "p corrected",
            "detectable, points",
        ),
        [
            (
                item.variant,
                item.reference,
                str(item.n),
                points(item.difference, 2),
                between(item.low, item.high, 2),
                between(item.bootstrap_low, item.bootstrap_high, 2),
                _number(item.effect_size),
                _p(item.p),
                _p(item.p_corrected),
                f"{100 * item.detectable:.2f}" if item.detectable is not None else "",
            )
            for item in study.comparisons
        ],
        title="The same differences as numbers",
        caption=(
            "Detectable is the difference that so many seeds would have seen, after the correction, in 80 % of such "
            "experiments; where it is larger than the difference, finding none says little. The bootstrap is about "
            "other test images, for these networks as they were trained; whether training again gives the same is told "
            "by the interval over seeds alone. An effect size needs three seeds."
        ),
    )


def _p(value: float | None) -> str:
    return "" if value is None else "< 0.001" if value < 0.001 else f"{value:.3f}"


def _number(value: float | None, digits: int = 2) -> str:
    return "" if value is None else f"{value:.{digits}f}".replace("-", "\N{MINUS SIGN}")


def _add_controls(page: Composition, study: Study) -> None:
    """Add what each control keeps, destroys and changed; variants that say the same share a row."""
    found = {item.name: item.control for item in study.variants}
    alike: dict[tuple[str, ...], list[Variant]] = {}
    for variant in study.experiment.variants:
        if variant.keeps or variant.destroys:
            cells = ("; ".join(variant.keeps), "; ".join(variant.destroys), *_control_cells(found.get(variant.name)))
            alike.setdefault(cells, []).append(variant)
    if not alike:
        return
    names = {cells: own[0].name if len(own) == 1 else own[0].null or own[0].name for cells, own in alike.items()}
    controls = {names[cells]: found.get(own[0].name) for cells, own in alike.items()}
    page.add_table(
        "rewired",
        (
            *("control", "keeps", "destroys", "edges changed"),
            *("radius before", "radius rewired", "factor", "radius matched"),
        ),
        [(name, *cells) for cells, name in names.items()],
        title="What each control keeps and destroys, and how much it changed",
        caption=(
            "Edges changed, to other cells or to another weight, are counted among those that the network uses. Radius "
            "is the spectral radius of the initial weights: before rewiring, and of the rewired edges, which carry the "
            "same weights. All of these are then multiplied by one factor, so that the control begins to learn with "
            "the radius before rewiring (a norm of drives takes most of that factor out again). Means over "
            f"the graphs drawn, one for each seed.{_furthest(controls)}"
        ),
        rows=[{"variant": name} | control.model_dump() for name, control in found.items() if control is not None],
    )


def _furthest(controls: Mapping[str, Control | None]) -> str:
    """Return which null model moved the radius most, and whether there is one that was not matched."""
    known = {name: item for name, item in controls.items() if item is not None}
    if not known:
        return ""

    def moved(name: str) -> float:
        return abs(known[name].spectral_radius_after - known[name].spectral_radius_before)

    most = max(known, key=moved)
    before, after = known[most].spectral_radius_before, known[most].spectral_radius_after
    text = f" Rewiring moved the radius most in {most}: {before:.3f} to {after:.3f}."
    if any(abs(item.spectral_radius_matched - item.spectral_radius_before) > 1e-3 for item in known.values()):
        text += " Where the last radius is not the first, weights were normalised anew and not matched."
    return text


def _control_cells(control: Control | None) -> tuple[str, ...]:
    if control is None:
        return ("",) * 5
    share = f" ({percent(control.edges_changed_share, 0)})" if control.edges_changed_share is not None else ""
    radii = (control.spectral_radius_before, control.spectral_radius_after, control.spectral_radius_matched)
    before, rewired, trained = (f"{radius:.3f}" for radius in radii)
    return f"{control.edges_changed:,.0f}{share}", before, rewired, f"{control.scale:.3f}", trained


def _add_effects(page: Composition, effects: Sequence[Effect]) -> None:
    seen = sum(effect.p_corrected is not None and effect.p_corrected < LEVEL for effect in effects)
    largest = max(effects, key=lambda effect: abs(effect.effect))
    shown = ladder.strongest_effects(effects)
    mixed = sum(bool(effect.aliases) for effect in effects)
    alike = f" {mixed} of them cannot be told from others that the table file names." if mixed else ""
    rest = (
        f" The {len(effects) - len(shown)} smallest interactions are in the table file."
        if len(shown) < len(effects)
        else ""
    )
    with chart_style():
        page.add_chart(
            "effects",
            ladder.draw_effects(effects),
            title="What each part adds, and which parts depend on each other",
            caption=(
                "A mark is the effect of having a part, in points, averaged over the other parts, with its 95 % "
                "interval; below the dashed line are interactions of two parts. The largest is "
                f"{' and '.join(largest.term)}: {points(largest.effect)} points. Filled diamonds have an interval that "
                f"leaves zero out; after the correction for {count(len(effects), 'effect')}, {_have(seen)} a p below "
                f"{LEVEL:g}.{rest}{alike}"
            ),
            alt=f"Intervals of {len(shown)} effects",
            rows=[
                {**effect.model_dump(), **{key: _terms(getattr(effect, key)) for key in ("term", "aliases")}}
                for effect in effects
            ],
        )


def _terms(terms: tuple[str, ...] | tuple[tuple[str, ...], ...]) -> list[str]:
    """Return each term as a word; an interaction joins its parts."""
    return [term if isinstance(term, str) else " x ".join(term) for term in terms]
