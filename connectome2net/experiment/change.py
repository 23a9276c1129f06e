"""One variant: what it changes of the base spec and of training, as a plan says it.

Enters: a base spec. Leaves: the spec of the variant, valid, or an error that names the variant.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from connectome2net.errors import ExperimentError, near
from connectome2net.spec import Spec, digest_document, validate
from connectome2net.spec.network import Network
from connectome2net.spec.parse import fit
from connectome2net.transform import NULLS

Fraction = Annotated[float, Field(gt=0, le=1)]


class Change(BaseModel):
    """A variant, as ``[[variant]]`` of a plan says it; what is not given stays as in the base.

    Attributes:
        name: of the variant.
        why: the reason for the way in which it is made.
        spec: another spec than the plan's.
        without: parts of ``network`` that are switched off, by dotted path (``noise``, ``plasticity.hebbian``); an item
            of a list by its name (``projections.A_A``), or place where it has none, is taken out.
        set: dotted path into ``network`` -> new value.
        subset: keep this fraction of the cells, those nearest to the axis of the column, before edges are rewired;
            weights are normalised for what is left.
        null: a control of ``transform``; each seed draws its own graph.
        fraction: of edges; of some controls.
        cells: size of the control ``dense-core``; by default such that it has as many trainable parameters as the base.
        weights: of a control: as many of each magnitude as before, or normalised again.
        optional: leave the variant out, and say so, where it cannot be made of the spec; not one that others are
            compared with.
        network: a conventional network in the place of the column, with as many trainable parameters.
        train: settings of training on top of the plan's.
        reference: another variant than the plan's that this one is compared with.
        gap_to: a variant whose difference from its own reference is compared with that of this one: a difference of
            differences, which tells whether an effect changes with something else, such as size.
        factors: which factors are on, where the variant belongs to a factorial design.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: Annotated[str, Field(min_length=1, max_length=80)]
    why: str = ""
    spec: str | None = None
    without: tuple[str, ...] = ()
    set: dict[str, Any] = {}
    subset: Fraction | None = None
    null: str | None = None
    fraction: Fraction | None = None
    cells: Annotated[int, Field(ge=1)] | None = None
    weights: Literal["matched", "normalised"] = "matched"
    optional: bool = False
    network: Literal["linear", "mlp", "cnn"] | None = None
    train: dict[str, Any] = {}
    reference: str | None = None
    gap_to: str | None = None
    factors: dict[str, bool] = {}

    def words(self) -> tuple[str, ...]:
        """Return what is changed, one phrase for each change."""
        found = [f"spec {self.spec}"] if self.spec else []
        found += [f"without {path}" for path in self.without]
        found += [f"{path} = {value!r}" for path, value in self.set.items()]
        anew = ", weights normalised" * (self.weights == "normalised")
        found += [f"{self.subset:.0%} of the cells, nearest to the axis"] if self.subset else []
        if self.null:
            given = {"fraction": self.fraction, "cells": self.cells}
            more = "".join(f", {name} {value:g}" for name, value in given.items() if value is not None)
            found.append(f"edges: {self.null}{more}{anew}")
        found += [f"network: {self.network}"] if self.network else []
        found += [f"training: {name} = {value!r}" for name, value in self.train.items()]
        return tuple(found)


def changed_spec(base: Spec, change: Change) -> Spec:
    """Return the base with the parts of its network changed; edges are not rewired yet.

    Raises:
        ExperimentError: a path does not exist, or what comes out is not a valid spec.
    """
    if not (change.without or change.set):
        return base
    content = base.network.model_dump(mode="json")
    _switch_off(content, change)
    for path, value in change.set.items():
        holder, key = _find(content, path, change.name)
        holder[key] = value
    network, issues = fit(Network, content)
    if network is not None:
        parents = (*base.document.provenance.parents, digest_document(base.document))
        provenance = base.document.provenance.model_copy(update={"parents": parents})
        document = base.document.model_copy(update={"network": network, "provenance": provenance})
        spec = replace(base, document=document)
        issues = validate(spec)
        if not issues:
            return spec
    found = "\n".join(map(str, issues))
    what = f"variant {change.name!r} makes no valid network"
    raise ExperimentError(what, found=found, fix="correct its `without` and `set`")


def check_control(variant: Change, where: str) -> None:
    """Check the control of a variant, which messages call ``where``.

    Raises:
        ExperimentError: there is no such control, or it is not given what it takes.
    """
    if variant.network is not None and variant.null is not None:
        found, fix = f"{variant.network} and {variant.null}", "leave `null` or `network` out"
        raise ExperimentError("a conventional network has no edges to rewire", where=where, found=found, fix=fix)
    if variant.null is not None and variant.null not in NULLS:
        fix = near(variant.null, NULLS)
        raise ExperimentError(
            "there is no such control", where=where, found=variant.null, wanted=", ".join(NULLS), fix=fix
        )
    if variant.null is None and "weights" in variant.model_fields_set and not variant.factors:
        found, fix = f"weights = {variant.weights!r}", "leave `weights` out, or name a `null`"
        raise ExperimentError("nothing here takes weights", where=where, found=found, fix=fix)
    takes = NULLS[variant.null].takes if variant.null is not None else ()
    for key in ("fraction", "cells"):
        given = getattr(variant, key) is not None
        if given and key not in takes:
            found, fix = f"{key} = {getattr(variant, key)}", f"leave `{key}` out"
            raise ExperimentError(f"nothing here takes {key}", where=where, found=found, fix=fix)
        if not given and key in takes and key != "cells":
            raise ExperimentError(f"the control {variant.null} needs {key}", where=where, fix=f"add {key} = 0.2")


def _switch_off(content: dict[str, Any], change: Change) -> None:
    # Every place is looked up before an item of a list goes, and the last item goes first: no other one moves.
    places = [_find(content, path, change.name) for path in dict.fromkeys(change.without)]
    for holder, key in places:
        if isinstance(holder, dict):
            holder[key] = None
    for holder, at in sorted((place for place in places if isinstance(place[0], list)), key=lambda place: -place[1]):
        del holder[at]


def _find(content: Any, path: str, variant: str) -> tuple[Any, Any]:
    """Return what holds the last step of a dotted path, and its key or place in there."""
    holder: Any = None
    key: Any = None
    for step in path.split("."):
        holder, places = content, _places(content)
        if step not in places:
            raise ExperimentError(
                "there is no such place in the network",
                where=f"variant {variant!r}: {path}",
                found=step,
                wanted=", ".join(places) or "no further step, because this is a plain value",
                fix=near(step, places),
            )
        key = places[step]
        content = holder[key]
    return holder, key


def _places(content: Any) -> dict[str, Any]:
    """Return the steps that a path may take from here, with the key or the place in a list that each means."""
    if isinstance(content, dict):
        return {key: key for key in content}
    if not isinstance(content, list):
        return {}
    named = {item["name"]: at for at, item in enumerate(content) if isinstance(item, dict) and "name" in item}
    return named or {str(at): at for at in range(len(content))}
