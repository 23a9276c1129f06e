"""A spec -> a control: the same network on other edges, with the same weights before learning.

Enters: a valid ``Spec`` and the name of a null model. Leaves: a valid ``Spec`` that says what was done to it.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np

from connectome2net.errors import TransformError
from connectome2net.spec import Spec, digest_document, make_spec, validate
from connectome2net.spec.model import Transform
from connectome2net.spec.tables import values
from connectome2net.transform.distance import draw_at_distance
from connectome2net.transform.draw import add_edges, connect_all, draw_distinct, draw_edges, draw_edges_of_pairs
from connectome2net.transform.fit import leave_out_empty
from connectome2net.transform.labels import permute_signs, permute_types
from connectome2net.transform.nulls import NULLS, Null
from connectome2net.transform.radius import spectral_radius
from connectome2net.transform.size import dense_core, nearest_to_axis
from connectome2net.transform.swap import Ends, swap_degrees, swap_reciprocal
from connectome2net.transform.weights import carry_weights, scale_weights
from connectome2net.transform.wiring import Index, Wiring, read_wiring, with_edges


@dataclass(frozen=True)
class Rewired:
    """What a rule leaves.

    Attributes:
        spec: the control.
        facts: numbers that the record of it gets.
        kept_N: the old index of each cell, where there are fewer.
    """

    spec: Spec
    facts: dict[str, str] = field(default_factory=dict)
    kept_N: Index | None = None


Rule = Callable[[Spec, Wiring, np.random.Generator, Any], Rewired]


def rewire(
    spec: Spec,
    null: str,
    *,
    seed: int = 0,
    fraction: float | None = None,
    cells: int | None = None,
    weights: Literal["matched", "normalised"] = "matched",
) -> Spec:
    """Return a control: a spec whose edges, cells or signs are changed as a null model says.

    Only edges that the network uses are changed, and new ones lie only where a projection holds them; gap junctions and
    autapses stay. The number of synapses, the size and the weight of an edge stay together.

    Args:
        spec: a valid spec; a control may be rewired again.
        null: a name of ``NULLS``, which says what each keeps and destroys.
        seed: of everything that is random.
        fraction: of the edges (``remove``, ``add``) or of the cells (``subset``).
        cells: of the ``dense-core``; without it about as many as give it the edges of the spec.
        weights: ``matched``: edges take their weights before learning with them, and all are multiplied by one factor,
            so that the spectral radius is that of the spec; ``normalised``: weights are computed anew from counts or
            sizes, as the projections say.

    Returns:
        The control; the last of ``provenance.transforms`` says what was done, with both spectral radii.

    Raises:
        TransformError: there is no such null model, it does not take what is given, or the spec has nothing to change
            or no room for what is asked.
    """
    chosen = _check(null, weights, seed, fraction=fraction, cells=cells)
    chosen = chosen if weights == "matched" else chosen.normalised()
    amount = cells if "cells" in chosen.takes else fraction
    parent = spec
    if weights == "matched":
        spec = carry_weights(spec)
    wiring = read_wiring(spec)
    done = RULES[null](spec, wiring, np.random.default_rng(seed), amount)
    control, left_out = leave_out_empty(done.spec)
    before, after = spectral_radius(spec), spectral_radius(control)
    scale = before / after if weights == "matched" and before and after else 1.0
    control = scale_weights(control, scale) if weights == "matched" else control
    given = {"weights": weights} | ({} if amount is None else {chosen.takes[0]: f"{amount:g}"})
    record = Transform(
        name=null,
        seed=seed,
        text=chosen.text,
        parameters=given | done.facts | left_out,
        keeps=chosen.keeps,
        destroys=chosen.destroys,
        spectral_radius_before=before,
        spectral_radius_after=after,
        scale=scale,
        edges_changed=count_changed(spec, done),
        edges_before=len(wiring.row_E),
        reference=chosen.reference,
    )
    return _valid(_recorded(control, record, parent), record)


def count_changed(before: Spec, done: Rewired) -> int:
    """Return how many edges of the network have gone or come, or are others in count, weight, sign or populations.

    Where more have gone than come, those that have gone.
    """
    old_key, old = _described(before, np.arange(before.cells.num_rows))
    new_key, new = _described(done.spec, np.arange(before.cells.num_rows) if done.kept_N is None else done.kept_N)
    at = np.minimum(np.searchsorted(old_key, new_key), len(old_key) - 1)
    same = old_key[at] == new_key
    for old_column, new_column in zip(old, new, strict=True):
        same &= old_column[at] == new_column
    return int(max(len(old_key), len(new_key)) - same.sum())


def _described(spec: Spec, index_N: np.ndarray) -> tuple[np.ndarray, tuple[np.ndarray, ...]]:
    """Return the keys of the edges that the network uses, ascending, and what an edge is beside its two cells."""
    wiring = read_wiring(spec)
    key = index_N[wiring.post_E].astype(np.int64) * 2**31 + index_N[wiring.pre_E]
    measured = [name for name in ("synapse_count", "weight") if name in spec.edges.column_names]
    moved = tuple(values(spec.edges, name)[wiring.row_E] for name in measured)
    inhibitory = values(spec.cells, "ei_class") == "inhibitory"
    return key, (*moved, inhibitory[wiring.pre_E], wiring.pair(wiring.pre_E, wiring.post_E))


def _check(null: str, weights: str, seed: int, **given: float | None) -> Null:
    """Return the null model of a name, if it takes what is given."""
    if null not in NULLS:
        known = "\n".join(f"{item.name}: {item.text}" for item in NULLS.values())
        raise TransformError("there is no such null model", found=null, wanted=f"one of\n{known}")
    if weights not in ("matched", "normalised"):
        raise TransformError("there are no such weights", found=weights, wanted="matched or normalised")
    if seed < 0:
        raise TransformError("a seed is a whole number", found=seed, wanted="at least 0")
    chosen = NULLS[null]
    for name, value in given.items():
        if value is not None and name not in chosen.takes:
            fix = f"leave --{name} out"
            raise TransformError(f"{null} takes no {name}", where=f"--{name}", found=f"{value:g}", fix=fix)
    if "fraction" in chosen.takes:
        _check_fraction(null, given["fraction"])
    return chosen


def _check_fraction(null: str, fraction: float | None) -> None:
    most, wanted = {
        "add": (sys.float_info.max, "more than 0"),
        "subset": (1.0, "more than 0, at most 1"),
    }.get(null, (np.nextafter(1, 0), "more than 0, less than 1"))
    if fraction is None or not 0 < fraction <= most:
        found = "nothing" if fraction is None else f"{fraction:g}"
        raise TransformError(
            f"{null} needs a fraction", where="--fraction", found=found, wanted=wanted, fix="for example --fraction 0.2"
        )


def _recorded(spec: Spec, record: Transform, parent: Spec) -> Spec:
    """Return the control with its name, its parent and what was done."""
    provenance = parent.document.provenance
    made = provenance.model_copy(
        update={
            "parents": (*provenance.parents, digest_document(parent.document)),
            "transforms": (*provenance.transforms, record),
        }
    )
    update = {"provenance": made, "name": f"{parent.name}-{record.name}-{record.seed}"}
    return make_spec(spec.document.model_copy(update=update), cells=spec.cells, edges=spec.edges)


def _valid(spec: Spec, record: Transform) -> Spec:
    if issues := validate(spec):
        raise TransformError(
            "the control is no valid spec, because the network does not fit its edges or cells",
            where=spec.name,
            found="\n".join(map(str, issues)),
            fix="choose another null model, another fraction, or another network",
        )
    return spec


def _with_ends(spec: Spec, wiring: Wiring, ends: Ends, swaps: float) -> Rewired:
    changed = with_edges(spec, wiring, ends.pre_E, ends.post_E, ends.row_E)
    return Rewired(changed, {"swaps_per_edge": f"{swaps:.1f}"})


def _permute_counts(spec: Spec, wiring: Wiring, rng: np.random.Generator) -> Rewired:
    if all(item.anatomy == "binary" for item in spec.network.projections):
        raise TransformError(
            "the network does not look at counts",
            where=f"network {spec.network.name} of {spec.name}",
            found="anatomy binary in each projection, and weights normalised anew",
            wanted="a projection that uses counts or sizes",
            fix="permute matched weights, or choose another null model",
        )
    class_E = values(spec.cells, "ei_class")[wiring.pre_E]
    row_E = wiring.row_E.copy()
    for ei_class in np.unique(class_E):
        row_E[class_E == ei_class] = rng.permutation(wiring.row_E[class_E == ei_class])
    return Rewired(with_edges(spec, wiring, wiring.pre_E, wiring.post_E, row_E))


def _transpose(spec: Spec, wiring: Wiring) -> Rewired:
    """Turn the edges of pairs of populations that are held both ways; others stay."""
    turns = wiring.may(wiring.post_E, wiring.pre_E)
    pre, post = np.where(turns, (wiring.post_E, wiring.pre_E), (wiring.pre_E, wiring.post_E))
    return Rewired(with_edges(spec, wiring, pre, post, wiring.row_E))


def _remove(spec: Spec, wiring: Wiring, rng: np.random.Generator, fraction: float) -> Rewired:
    edges = len(wiring.row_E)
    kept = draw_distinct(rng, edges, edges - round(fraction * edges))
    return Rewired(with_edges(spec, wiring, wiring.pre_E[kept], wiring.post_E[kept], wiring.row_E[kept]))


def _add(spec: Spec, wiring: Wiring, rng: np.random.Generator, fraction: float) -> Rewired:
    names = [population.name for population in spec.network.populations]
    return Rewired(with_edges(spec, wiring, *add_edges(wiring, rng, fraction, names=names)))


def _smaller(spec: Spec, kept_N: Index) -> Rewired:
    return Rewired(spec, {"cells_kept": f"{len(kept_N)}"}, kept_N)


RULES: dict[str, Rule] = {
    "erdos-renyi": lambda spec, wiring, rng, _: Rewired(with_edges(spec, wiring, *draw_edges(wiring, rng))),
    "erdos-renyi-pairs": lambda spec, wiring, rng, _: Rewired(
        with_edges(spec, wiring, *draw_edges_of_pairs(wiring, rng))
    ),
    "all-to-all": lambda spec, wiring, rng, _: Rewired(with_edges(spec, wiring, *connect_all(wiring, rng))),
    "degree": lambda spec, wiring, rng, _: _with_ends(spec, wiring, *swap_degrees(wiring, rng)),
    "degree-pairs": lambda spec, wiring, rng, _: _with_ends(
        spec, wiring, *swap_degrees(wiring, rng, within_pairs=True)
    ),
    "degree-reciprocal": lambda spec, wiring, rng, _: _with_ends(spec, wiring, *swap_reciprocal(wiring, rng)),
    "distance": lambda spec, wiring, rng, _: Rewired(with_edges(spec, wiring, *draw_at_distance(spec, wiring, rng))),
    "types": lambda spec, wiring, rng, _: Rewired(permute_types(spec, wiring, rng)),
    "signs": lambda spec, wiring, rng, _: Rewired(permute_signs(spec, wiring, rng)),
    "counts": lambda spec, wiring, rng, _: _permute_counts(spec, wiring, rng),
    "transpose": lambda spec, wiring, rng, _: _transpose(spec, wiring),
    "remove": _remove,
    "add": _add,
    "dense-core": lambda spec, wiring, rng, cells: _smaller(*dense_core(spec, wiring, rng, cells)),
    "subset": lambda spec, wiring, rng, fraction: _smaller(*nearest_to_axis(spec, fraction)),
}
"""What each null model does to a spec, given the number that it takes."""
