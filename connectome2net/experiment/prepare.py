"""A plan and a spec -> everything that is to be done, before any of it is done.

Enters: a plan, specs, images. Leaves: an ``Experiment``: its variants, checked and counted, and its runs, with keys.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any, Final

from connectome2net.errors import ExperimentError
from connectome2net.experiment.change import Change, changed_spec
from connectome2net.experiment.draw import count_trainable, size_dense_core
from connectome2net.experiment.key import run_key
from connectome2net.experiment.plan import Plan, make_plan, preset_names, read_plan, settings
from connectome2net.experiment.work import Task
from connectome2net.spec import Spec, digest_document, read_spec
from connectome2net.tasks import SYNTHETIC, Dataset, locate_images, open_dataset
from connectome2net.train import TrainConfig

EXPERIMENTS: Final = Path("experiments")

AnySpec = Spec | str | Path
Bases = Mapping[str | None, Spec]
"""The spec that a variant names -> that spec; None is the plan's."""


@dataclass(frozen=True, eq=False)
class Variant:
    """A variant that can be made.

    Attributes:
        change: what it changes.
        spec: with its network changed, its edges as they were.
        home: the folder of its base spec within the experiment.
        config: how it is trained; the seed is that of each run.
        parameters: how many numbers it learns; of a control, with the graph of the first seed.
    """

    change: Change
    spec: Spec
    home: str
    config: TrainConfig
    parameters: int


@dataclass(frozen=True, eq=False)
class Experiment:
    """What is to be done.

    Attributes:
        plan: with everything that the command line changed.
        quick: some of the plan was left out.
        preset: the preset that the plan is, if it is one.
        folder: where, absolute.
        bases: folder of a base spec within the experiment -> that spec.
        variants: in the order of the plan.
        left_out: optional variants that cannot be made, and why.
        runs: variant and task, seed after seed, so that a part of an experiment has all variants alike.
        data: facts about the images, for the record.
    """

    plan: Plan
    quick: bool
    preset: str | None
    folder: Path
    bases: dict[str, Spec]
    variants: tuple[Variant, ...]
    left_out: dict[str, str]
    runs: tuple[tuple[Variant, Task], ...]
    data: dict[str, Any]

    @property
    def tasks(self) -> tuple[Task, ...]:
        """What there is to do: each run once, even where two variants are the same."""
        return tuple({task.key: task for _, task in self.runs}.values())


def prepare(
    plan: str | Path | Mapping[str, Any],
    *,
    spec: AnySpec | Sequence[AnySpec] | None = None,
    data: str | Path | Dataset | None = None,
    out: str | Path | None = None,
    quick: bool = False,
    seeds: int | None = None,
    epochs: int | None = None,
    device: str | None = None,
) -> Experiment:
    """Check a plan and work out its variants and runs; nothing is written.

    Args:
        plan: a TOML file, the name of a preset, or the keys of a plan.
        spec: instead of the plan's; of several, all variants are made of each.
        data: instead of the plan's.
        out: the folder; by default ``experiments/NAME``.
        quick: leave what the plan's table ``quick`` says.
        seeds: how many, instead of the plan's.
        epochs: instead of those of the plan and of its variants.
        device: of training.

    Raises:
        ExperimentError: the plan is wrong, or a variant cannot be made.
        SpecError: a spec is not valid.
        DataError: the images cannot be read.
    """
    _open.cache_clear()  # other images may lie there by now
    preset = plan if isinstance(plan, str) and plan in preset_names() else None
    whole = make_plan({**plan}, quick=quick) if isinstance(plan, Mapping) else read_plan(plan, quick=quick)
    whole = whole.model_copy(update={"seeds": tuple(range(seeds))}) if seeds else whole
    whole, bases = _open_specs(whole, spec)
    homes = {name: f"specs/{digest_document(base.document)[:12]}" for name, base in bases.items()} | {None: "spec"}
    variants, left_out = _make_variants(whole, bases, homes, epochs=epochs, device=device)
    images = locate_images(data if data is not None else whole.data)
    folder = Path(out or EXPERIMENTS / whole.name).absolute()
    runs = tuple(
        (variant, _task(whole, variant, folder, images, seed=seed)) for seed in whole.seeds for variant in variants
    )
    _check_design(runs)
    dataset, source = _opened(images, variants[0]), None if isinstance(images, Dataset) else images
    return Experiment(
        plan=whole,
        quick=quick,
        preset=preset,
        folder=folder,
        bases={homes[name]: base for name, base in bases.items()},
        variants=variants,
        left_out=left_out,
        runs=runs,
        data={"source": source, **dataset.facts(), "classes": list(dataset.classes)},
    )


def _make_variants(
    plan: Plan, bases: Bases, homes: Mapping[str | None, str], **how: Any
) -> tuple[tuple[Variant, ...], dict[str, str]]:
    """Return the variants, and the optional ones that cannot be made, each with its reason."""
    named = {plan.reference, *(name for item in plan.variants for name in (item.reference, item.gap_to))}
    left_out: dict[str, str] = {}

    @contextmanager
    def unless_optional(change: Change) -> Iterator[None]:
        try:
            yield
        except ExperimentError as error:
            if not change.optional or change.name in named:
                raise
            left_out[change.name] = str(error.__cause__ or error).partition("\n")[0]

    # All changes first, because they take no time; then a graph of each control.
    specs, made = {}, []
    for change in plan.variants:
        with unless_optional(change):
            specs[change.name] = changed_spec(bases[change.spec], change)
    for change in (item for item in plan.variants if item.name in specs):
        with unless_optional(change):
            made.append(_variant(plan, change, specs[change.name], homes[change.spec], **how))
    return tuple(made), left_out


def _open_specs(plan: Plan, given: AnySpec | Sequence[AnySpec] | None) -> tuple[Plan, Bases]:
    """Read every spec of a plan; several that were given multiply its variants."""
    several = list(given) if isinstance(given, Sequence) and not isinstance(given, str) else [given or plan.spec]
    opened = [_open_spec(item, plan.needs) for item in several]
    bases: dict[str | None, Spec] = {None: opened[0]}
    if len(opened) > 1:
        bases |= {spec.name: spec for spec in opened}
        if len(bases) <= len(opened):
            found = ", ".join(spec.name for spec in opened)
            raise ExperimentError("two specs have one name", found=found, fix="extract one anew, with --name")
        plan = _over(plan, [spec.name for spec in opened])
    else:
        bases |= {item.spec: _open_spec(item.spec, None) for item in plan.variants if item.spec is not None}
    return plan, bases


def _open_spec(spec: AnySpec, needs: str | None) -> Spec:
    """Read a spec that has the network that is needed."""
    network = needs or "column"
    fix = (
        f"make one with: c2n extract --column v1 --network {network} --source DIR (--source synthetic for a drawn "
        "column); and name it with --spec"
    )
    if not isinstance(spec, Spec):
        if not Path(spec).exists():
            drawn = "give extract(open_source('synthetic')); the word is known to the command line alone"
            fix = drawn if spec == SYNTHETIC else fix
            raise ExperimentError("there is no spec here", where=spec, fix=fix)
        spec = read_spec(spec)
    if needs is not None and spec.network.name != needs:
        what = "this experiment is about another network"
        raise ExperimentError(what, where=spec.name, found=spec.network.name, wanted=needs, fix=fix)
    return spec


def _over(plan: Plan, specs: Sequence[str]) -> Plan:
    """Return a plan with every variant made of every spec, compared within the spec."""
    if own := [item.name for item in plan.variants if item.spec is not None]:
        raise ExperimentError("this variant has a spec of its own", found=own[0], fix="give a single --spec")
    if plan.design is not None or any(item.factors for item in plan.variants):
        found, fix = f"{len(specs)} specs", "make an experiment of each, with a single --spec"
        raise ExperimentError("the effects of factors are those in one spec", where=plan.name, found=found, fix=fix)
    variants = tuple(
        change.model_copy(
            update={
                "name": f"{name}: {change.name}",
                "spec": name,
                "reference": f"{name}: {change.reference or plan.reference}",
                "gap_to": f"{name}: {change.gap_to}" if change.gap_to else None,
            }
        )
        for name in specs
        for change in plan.variants
    )
    return plan.model_copy(update={"variants": variants, "reference": f"{specs[0]}: {plan.reference}"})


def _variant(plan: Plan, change: Change, spec: Spec, home: str, *, epochs: int | None, device: str | None) -> Variant:
    if change.null == "dense-core" and change.cells is None:
        change = size_dense_core(spec, change, seed=plan.seeds[0])
    parameters = count_trainable(spec, change, seed=plan.seeds[0])
    config = settings(plan, change, epochs=epochs, device=device)
    return Variant(change, spec, home, config, parameters)


def _task(plan: Plan, variant: Variant, folder: Path, images: str | Dataset, *, seed: int) -> Task:
    config = variant.config.model_copy(update={"seed": seed})
    digest = _opened(images, variant).digest
    return Task(
        key=run_key(variant.spec, variant.change, config, data=digest),
        variant=variant.change.name,
        folder=folder,
        spec=folder / variant.home,
        change=variant.change,
        config=config,
        data=images,
        digest=digest,
        size=variant.spec.network.front_end.height,
        part=plan.part,
        robustness=plan.robustness,
    )


def _check_design(runs: Sequence[tuple[Variant, Task]]) -> None:
    """Refuse rows of a factorial design that are one run: it would be taken for two that agree by chance.

    Raises:
        ExperimentError: there are such rows.
    """
    rows: dict[str, Change] = {}
    for change, key in ((variant.change, task.key) for variant, task in runs if variant.change.factors):
        other = rows.setdefault(key, change)
        if idle := [name for name, on in change.factors.items() if on != other.factors[name]]:
            on = [name for name in change.factors if change.factors[name] and other.factors[name]]
            raise ExperimentError(
                "two rows of the design are one network",
                where=f"{other.name} and {change.name}",
                found=f"{' and '.join(idle)} changes nothing where only {', '.join(on) or 'nothing'} is on",
                wanted="factors that change something, whatever the others are",
                fix="leave one of them out, or compare them as a [[variant]] each",
            )


def _opened(images: str | Dataset, variant: Variant) -> Dataset:
    """Return the images of a variant as seed 0 splits them; with the seed of a run they determine its own."""
    if isinstance(images, Dataset):
        return images
    front_end, config = variant.spec.network.front_end, variant.config
    if front_end.height != front_end.width:
        found = f"{front_end.height} x {front_end.width}"
        fix = "open your images yourself and hand a Dataset to run_experiment(data=...)"
        raise ExperimentError("files of images are read as squares", where=variant.change.name, found=found, fix=fix)
    return _open(images, size=front_end.height, **config.of_images())


@lru_cache(maxsize=2)
def _open(data: str, **how: Any) -> Dataset:
    return open_dataset(data, **how)
