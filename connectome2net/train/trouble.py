"""Where numbers stopped being numbers.

Enters: a model, and a batch with which something was not finite. Leaves: an error that names the population, the step
of the network and the step of training, or the parameter.
"""

# Axes: N cells of a group, B batch.

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn

from connectome2net.errors import TrainError
from connectome2net.inside.layout import cell_axis, cells_of, layout_of
from connectome2net.inside.tap import Tap

SLOWER = "train again with a lower learning_rate (of edges: strength_rate) or slower plasticity rules"
CALMER = (
    "keep the activity small in the spec: dynamics norm `layer`, projections normalise `sum`, fewer steps; "
    "c2n inspect shows the spectral radius; or lower learning_rate"
)
PLAIN = "lower learning_rate, or give the blocks of the spec's front end the norm `group`"
"""What calms a conventional reference, which has none of that."""


def bound(dtype: torch.dtype) -> float:
    """Return the size from which on activity explodes: the root of the largest number of a type.

    The square of anything larger is infinite, and norms, variances and lengths of gradients are sums of squares; in
    float32 it is 1.8e19.
    """
    return torch.finfo(dtype).max ** 0.5


def trouble_in(model: nn.Module, again: Callable[[], Sequence[Tensor]], *, when: str) -> TrainError:
    """Run a batch again, watch every step of every population, and return the error that says what is wrong.

    Args:
        model: a compiled network, with the weights with which something was not finite.
        again: runs the same batch (or batches) again; returns the loss first, or nothing where nothing was learned.
        when: the epoch and the step of training.
    """
    broken = _broken(model, lambda parameter: parameter)
    with _Lookout(model) as lookout:
        loss, *_ = again() or (None,)
    if lookout.what or broken:
        found = "; ".join(text for text in (lookout.found, broken and f"not finite: {broken}") if text)
        return TrainError(
            lookout.what or "a parameter is not finite",
            where="; ".join(text for text in (when, lookout.where) if text),
            found=found,
            wanted=lookout.wanted or "finite numbers",
            fix=SLOWER if broken else lookout.fix,
        )
    most = f"; the largest activity is {lookout.most:.3g} ({lookout.most_where})"
    if loss is not None and loss.requires_grad and bool(torch.isfinite(loss)):
        model.zero_grad(set_to_none=True)
        loss.backward()  # type: ignore[no-untyped-call]
        found = _broken(model, lambda parameter: parameter.grad) or _longest(model)
        what = "the gradient is not finite"
    else:
        found = "no finite number" if loss is None else f"{loss.item()}"
        what = "the loss is not finite"
    return TrainError(what, where=when, found=found + most, wanted="finite", fix=lookout.calmer)


def _broken(model: nn.Module, look: Callable[[nn.Parameter], Tensor | None]) -> str:
    """Return the parameters in which something is not finite, as words; none where all is well."""
    words = []
    for name, parameter in model.named_parameters():
        values = look(parameter)
        if values is not None and (count := int((~torch.isfinite(values)).sum())):
            words.append(f"{name} ({count:,} of {values.numel():,})")
    return ", ".join(words)


def _longest(model: nn.Module) -> str:
    sizes = {name: float(item.grad.abs().max()) for name, item in model.named_parameters() if item.grad is not None}
    name = max(sizes, key=lambda name: sizes[name])
    return f"finite parts whose squares are not: {sizes[name]:.3g} in {name}"


class _Lookout:
    """Watches the images and every state of a model, and remembers the first that is not as it should be.

    Of a conventional reference, which has no cells, it watches what leaves every layer.

    Attributes:
        most: the largest activity before that.
        most_where: population and step of it, or layer.
        calmer: what to do about activity that is too large.
    """

    def __init__(self, model: nn.Module) -> None:
        self.what = self.where = self.found = self.wanted = self.fix = self.most_where = ""
        self.most = 0.0
        self._model, self._layout = model, layout_of(model)
        self._times: dict[str, int] = {}
        self._watches = [(cells_of(model, group), partial(self._look, group)) for group in self._layout.groups]
        self.calmer = CALMER if self._watches else PLAIN

    def __enter__(self) -> _Lookout:
        self._hooks = [self._model.register_forward_pre_hook(self._begin)]
        for cells, watch in self._watches:
            Tap.add(cells, watch=watch)
        if not self._watches:
            layers = [(name, part) for name, part in self._model.named_modules() if not [*part.children()]]
            self._hooks += [part.register_forward_hook(partial(self._leaves, name)) for name, part in layers]
        return self

    def __exit__(self, *_: object) -> None:
        for hook in self._hooks:
            hook.remove()
        for cells, watch in self._watches:
            Tap.drop(cells, watch)

    def _begin(self, _: nn.Module, arguments: tuple[Any, ...]) -> None:
        self._times = dict.fromkeys(self._layout.groups, 0)
        wrong = (~torch.isfinite(arguments[0])).flatten(1).any(1).nonzero().flatten().tolist()
        if wrong and not self.what:
            self.what, self.where = "an image is not finite", f"image {wrong[0] + 1} of the batch"
            self.found, self.wanted = f"{len(wrong)} such images of {len(arguments[0])}", "pixels from 0 to 1"
            self.fix = "look at the images and at their augmentation"

    def _leaves(self, name: str, layer: nn.Module, _: Any, value: Tensor) -> None:
        if not self.what:
            words = f"layer {name} ({type(layer).__name__})"
            self._judge(
                "an output", value.detach(), where=words, axis=1, parts="channels" if value.dim() > 2 else "units"
            )

    def _look(self, group: str, state: Any) -> None:
        self._times[group] += 1
        place = _place(self._model, group, self._times[group])
        for population in (name for name, of in self._layout.group_of.items() if of == group):
            for variable, value in zip(state._fields, state, strict=True):
                if not self.what:
                    part = self._layout.part(population, variable, value).detach()
                    where = f"population {population}, {place}"
                    self._judge(variable, part, where=where, axis=cell_axis(variable), parts="cells")

    def _judge(self, variable: str, value: Tensor, *, where: str, axis: int, parts: str) -> None:
        limit = bound(value.dtype)
        wrong = ~(value.abs() < limit)
        if not bool(wrong.any()):
            if (size := float(value.abs().max())) >= self.most:
                self.most, self.most_where = size, where
            return
        cells = wrong.movedim(axis, 0).flatten(1).any(1)
        explodes = bool(torch.isfinite(value).all())
        self.what = "the activity explodes" if explodes else "the activity is not finite"
        self.where, self.wanted, self.fix = where, f"finite, and below {limit:.2g}", self.calmer
        self.found = f"{variable} {float(value[wrong][0]):.3g} in {int(cells.sum()):,} of {len(cells):,} {parts}"
        if self.most_where:
            self.found += f"; the largest before was {self.most:.3g} ({self.most_where})"


def _place(model: nn.Module, group: str, times: int) -> str:
    """Return the step of the schedule in which a group is updated for the n-th time, as words."""
    program: Any = model.program
    if any(phase.tolerance is not None for phase in program.phases):
        return f"update {times}"  # phases that settle end when they like
    every = sum(phase.steps for phase in program.phases)
    before = 0
    for number, phase in enumerate(program.phases, start=1):
        if group in [drive.group for drive in phase.drives]:
            if times <= phase.steps:
                return f"step {before + times} of {every} of the network (phase {number})"
            times -= phase.steps
        before += phase.steps
    return f"step {before + times} of the network"
