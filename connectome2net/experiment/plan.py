"""What is compared with what: the plan of an experiment.

Enters: a TOML file or the name of a preset. Leaves: a frozen ``Plan``, or one error that names the place.
"""

from __future__ import annotations

import json
import tomllib
from collections import Counter
from importlib import resources
from pathlib import Path
from typing import Annotated, Any, Final, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError

from connectome2net.errors import ExperimentError, near
from connectome2net.experiment.change import Change, check_control
from connectome2net.experiment.factors import Kind, vary
from connectome2net.train.config import OF_IMAGES, TrainConfig, make_config

MOST_SEEDS: Final = 10_000
Seed = Annotated[int, Field(ge=0, lt=2**31)]
Epochs = Annotated[int, Field(ge=1)]


def _seeds(value: Any) -> Any:
    """Turn a number of seeds into the seeds 0, 1, ..."""
    if type(value) is int and 0 < value <= MOST_SEEDS:
        return tuple(range(value))
    return tuple(value) if isinstance(value, list) else value


Seeds = Annotated[tuple[Seed, ...], BeforeValidator(_seeds), Field(min_length=1)]


class Quick(BaseModel):
    """What ``--quick`` leaves of a plan.

    Attributes:
        variants: names of those that stay; all, where none is named.
        seeds: instead of the plan's.
        epochs: instead of the plan's.
        design_runs: instead of the plan's.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    variants: tuple[str, ...] = ()
    seeds: Seeds = (0, 1, 2)
    epochs: Epochs = 6
    design_runs: int = 32


class Plan(BaseModel):
    """Variants x seeds.

    Attributes:
        name: of the experiment and its folder.
        why: the question.
        spec: path of the base spec; ``synthetic`` stands for a drawn column, on the command line.
        needs: the network that the base spec must have, by name.
        data: images, in any form that ``open_dataset`` takes.
        reference: the variant that the others are compared with.
        seeds: a number or a list. All variants have the same seeds, so that differences are paired.
        part: what the statistics look at. Tune on ``validation``: then no test image is ever touched.
        metric: what variants are compared by.
        robustness: also measure accuracy under noise, blur, occlusion and lesions.
        train: settings of training of all variants: keys of ``TrainConfig``, without the seed.
        variants: ``[[variant]]``.
        factors: ``[[factor]]``: changes that each switch one part off, under the part's name, for ``design``.
        design: ``one-at-a-time``: the variant ``full``, and one without each part; ``factorial``: parts are switched
            off together, so that interactions are seen.
        design_runs: the most variants of a factorial design.
        quick: what ``--quick`` leaves.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", populate_by_name=True)

    name: Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.-]{0,79}$")]
    why: str = ""
    spec: str = "spec.json"
    needs: str | None = None
    data: str | None = None
    reference: str
    seeds: Seeds
    part: Literal["test", "validation"] = "test"
    metric: Literal["accuracy", "macro_f1", "roc_auc"] = "accuracy"
    robustness: bool = False
    train: dict[str, Any] = {}
    variants: Annotated[tuple[Change, ...], Field(alias="variant")] = ()
    factors: Annotated[tuple[Change, ...], Field(alias="factor")] = ()
    design: Kind | None = None
    design_runs: int = 128
    quick: Quick = Quick()


def preset_names() -> tuple[str, ...]:
    """Return the names of the experiments that come with the package."""
    folder = resources.files("connectome2net.experiment") / "presets"
    return tuple(sorted(file.name.removesuffix(".toml") for file in folder.iterdir() if file.name.endswith(".toml")))


def read_plan(plan: str | Path, *, quick: bool = False) -> Plan:
    """Read a plan.

    Args:
        plan: a TOML file, or the name of a preset.
        quick: leave what the plan's table ``quick`` says.

    Raises:
        ExperimentError: there is no such plan, or something in it is wrong; the first such thing is named.
    """
    if str(plan) in preset_names():
        return make_plan(_preset(str(plan)), where=f"preset {plan}", quick=quick)
    path = Path(plan)
    if not path.is_file():
        example = "a clone of the repository has one, examples/experiment.toml, with a comment for every key"
        fix = near(str(plan), preset_names()) or example
        wanted = f"a TOML file, or one of {', '.join(preset_names())}"
        raise ExperimentError("there is no such plan", found=plan, wanted=wanted, fix=fix)
    try:
        content = tomllib.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise ExperimentError("the plan cannot be read", where=path, found=error, wanted="TOML") from None
    return make_plan(content, where=str(path), quick=quick)


def _preset(name: str) -> dict[str, Any]:
    """Return the keys of a preset; what it does not say is as in the one that it is ``like``."""
    folder = resources.files("connectome2net.experiment") / "presets"
    content = tomllib.loads((folder / f"{name}.toml").read_text(encoding="utf-8"))
    like = content.pop("like", None)
    return _preset(like) | content if like else content


def make_plan(content: dict[str, Any], *, where: str = "the plan", quick: bool = False) -> Plan:
    """Return a plan of parsed TOML, with its design written out as variants.

    Args:
        content: the keys of a plan.
        where: what messages call it.
        quick: leave what its table ``quick`` says.

    Raises:
        ExperimentError: something in it is wrong; the first such thing is named.
    """
    try:
        plan = Plan.model_validate_json(json.dumps(content, default=str), strict=True)
    except ValidationError as error:
        raise _wrong_key(content, error, where) from None
    if (plan.design is None) != (not plan.factors):
        fix = "give both, or neither"
        raise ExperimentError("[[factor]] and `design` go together", where=where, fix=fix)
    if quick:
        short = plan.quick
        train = plan.train | {"epochs": short.epochs}
        update = {"seeds": short.seeds, "train": train, "design_runs": short.design_runs}
        plan = plan.model_copy(update=update)
    if plan.design is not None:
        made = vary(plan.factors, plan.design, runs=plan.design_runs)
        plan = plan.model_copy(update={"variants": (*made, *plan.variants)})
    _check_names(plan, where)
    for variant in plan.variants:
        check_control(variant, f"{where}: variant {variant.name!r}")
    _check_factors(plan, where)
    _check_images(plan, where)
    if quick and plan.quick.variants:
        kept = tuple(variant for variant in plan.variants if variant.name in plan.quick.variants)
        plan = plan.model_copy(update={"variants": kept})
        _check_names(plan, f"{where}, quick")
    return plan


def settings(plan: Plan, variant: Change, *, where: str = "the plan", **changes: Any) -> TrainConfig:
    """Return how a variant is trained.

    Args:
        plan: its ``train`` comes first.
        variant: its ``train`` overrules the plan's.
        where: what messages call the plan.
        changes: overrule both; None means not given.

    Raises:
        ExperimentError: a setting is not valid.
    """
    content = plan.train | variant.train
    place = f"{where}: train" if not variant.train else f"{where}: variant {variant.name!r}: train"
    if "seed" in content:
        fix = "the seeds of all variants stand in `seeds`"
        raise ExperimentError("a variant has no seed of its own", where=place, found="seed", fix=fix)
    content |= {name: value for name, value in changes.items() if value is not None}
    return make_config(content, where=f"{place}.", error=ExperimentError)


def _wrong_key(content: dict[str, Any], error: ValidationError, where: str) -> ExperimentError:
    """Return an error about the first place where a plan has not the right shape."""
    errors = error.errors(include_url=False)
    # A key that is misspelt is missing too: what is there and should not be tells more.
    first = next((item for item in errors if item["type"] == "extra_forbidden"), errors[0])
    shapes: dict[int | str, type[BaseModel]] = {"variant": Change, "factor": Change, "quick": Quick}
    inside: Any = content
    place, shape = where, shapes.get(first["loc"][0], Plan)
    for step in first["loc"][:-1]:
        inside = _inside(inside, step)
        if isinstance(step, int):
            name = inside.get("name") if isinstance(inside, dict) else None
            place += f" {name!r}" if name else f" number {step + 1}"
        else:
            place += f": {step}"
    key = str(first["loc"][-1])
    known = [field.alias or name for name, field in shape.model_fields.items()]
    if first["type"] == "extra_forbidden":
        fix = near(key, known)
        return ExperimentError("there is no such key", where=place, found=key, wanted=", ".join(known), fix=fix)
    if first["type"] == "missing":
        return ExperimentError("a key is missing", where=place, wanted=key, fix="see examples/experiment.toml")
    return ExperimentError("a value does not fit", where=f"{place}: {key}", found=first["input"], wanted=first["msg"])


def _inside(content: Any, step: int | str) -> Any:
    if isinstance(step, int):
        return content[step] if isinstance(content, list) else None
    return content.get(step) if isinstance(content, dict) else None


def _check_names(plan: Plan, where: str) -> None:
    names = [variant.name for variant in plan.variants]
    if not names:
        raise ExperimentError("a plan without variants", where=where, fix="add a table [[variant]]")
    if twice := [name for name, times in Counter(names).items() if times > 1]:
        raise ExperimentError("two variants have one name", where=where, found=twice[0], fix="rename one")
    if len(set(plan.seeds)) < len(plan.seeds):
        raise ExperimentError("a seed is listed twice", where=f"{where}: seeds", found=list(plan.seeds))
    named = {"reference": [plan.reference], "quick.variants": plan.quick.variants}
    named |= {f"variant {item.name!r}: reference": [item.reference] for item in plan.variants if item.reference}
    named |= {f"variant {item.name!r}: gap_to": [item.gap_to] for item in plan.variants if item.gap_to}
    for place, wanted in named.items():
        for name in wanted:
            if name not in names:
                raise ExperimentError(
                    "there is no such variant",
                    where=f"{where}: {place}",
                    found=name,
                    wanted=", ".join(names),
                    fix=near(name, names),
                )
    compared = {
        item.name: not item.factors and (item.reference or plan.reference) != item.name for item in plan.variants
    }
    for item in plan.variants:
        if item.gap_to and not (compared[item.name] and compared[item.gap_to] and item.gap_to != item.name):
            raise ExperimentError(
                "a gap is between two variants that each differ from a reference",
                where=f"{where}: variant {item.name!r}: gap_to",
                found=item.gap_to,
                wanted=", ".join(name for name in names if compared[name] and name != item.name),
                fix="leave `gap_to` out, or give both variants a `reference` of their own",
            )


def _check_factors(plan: Plan, where: str) -> None:
    """Refuse variants whose effects cannot be estimated together."""
    designed = [variant for variant in plan.variants if variant.factors]
    for variant in designed:
        if variant.factors.keys() != designed[0].factors.keys():
            raise ExperimentError(
                "variants of a design have the same factors",
                where=f"{where}: variant {variant.name!r}: factors",
                found=", ".join(variant.factors),
                wanted=f"{', '.join(designed[0].factors)}, as {designed[0].name!r}",
            )


def _check_images(plan: Plan, where: str) -> None:
    first, *others = ((variant, settings(plan, variant, where=where)) for variant in plan.variants)
    for variant, config in others:
        for name in OF_IMAGES:
            if (found := getattr(config, name)) != (wanted := getattr(first[1], name)):
                raise ExperimentError(
                    "a variant would be trained on other images than the others",
                    where=f"{where}: variant {variant.name!r}: train.{name}",
                    found=repr(found),
                    wanted=f"{wanted!r}, as {first[0].name!r}: runs of a seed are compared on the same images",
                    fix="set it in the plan's `train`, or make another experiment",
                )
