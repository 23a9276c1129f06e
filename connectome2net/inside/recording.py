"""What every cell did in every step.

Enters: a loaded network and the populations to look at. Leaves: their activity in each forward pass.
"""

# Axes: T steps, N cells of a population, B batch.

from __future__ import annotations

from collections.abc import Iterable
from functools import partial
from types import TracebackType
from typing import Any

import torch
from torch import Tensor, nn

from connectome2net.errors import InsideError
from connectome2net.inside.layout import Index, Layout, cells_of, layout_of
from connectome2net.inside.tap import Tap, Watch

RATE = "rate_NB"


class Pass:
    """The activity of one forward pass: ``activity["L23E"]`` is (T, N, B), what its cells sent in each step.

    Attributes:
        populations: what was recorded.
    """

    def __init__(self, layout: Layout, populations: tuple[str, ...]) -> None:
        self.populations = populations
        self._layout = layout
        self._steps: dict[tuple[str, str], list[Tensor]] = {}

    def __getitem__(self, population: str) -> Tensor:
        """Return what the cells of a population sent in each step, (T, N, B)."""
        return self.of(population, RATE)

    def of(self, population: str, variable: str) -> Tensor:
        """Return a variable of the state of a population after each step: T, and then the axes in its name.

        Raises:
            InsideError: it was not recorded.
        """
        steps = self._steps.get((population, variable))
        if steps is None:
            known = [f"{name}, {of}" for name, of in self._steps]
            raise InsideError(
                "this was not recorded",
                found=f"{population}, {variable}",
                wanted=" or ".join(known) or "a population that this pass has updated",
                fix="name it when you record: record(model, populations=[...], variables=[...])",
            )
        return torch.stack(steps)

    def cell_index(self, population: str) -> Index:
        """Return the rows of the cells table of the spec that the N cells of a population are."""
        return self._layout.cell_index[slice(*self._layout.populations[population])]

    def _keep(self, population: str, variable: str, value: Tensor) -> None:
        self._steps.setdefault((population, variable), []).append(value)


class Recording:
    """The activity of each forward pass since it began; in between it acts as the last one.

    Attributes:
        passes: one for each call of the model, in their order.
    """

    def __init__(
        self, model: nn.Module, populations: tuple[str, ...], variables: tuple[str, ...], *, detach: bool
    ) -> None:
        layout = layout_of(model)
        self.passes: list[Pass] = []
        self._running = False
        self._layout, self._populations, self._detach = layout, populations, detach
        self._taps: list[tuple[nn.Module, Watch]] = []
        self._hooks = [
            model.register_forward_pre_hook(self._begin),
            model.register_forward_hook(self._end, always_call=True),
        ]
        for group in layout.groups:
            chosen = [name for name in populations if layout.group_of[name] == group]
            if chosen:
                watch = partial(self._take, chosen, variables)
                Tap.add(cells_of(model, group), watch=watch)
                self._taps.append((cells_of(model, group), watch))

    def __getitem__(self, population: str) -> Tensor:
        """Return what the cells of a population sent in each step of the last pass, (T, N, B)."""
        return self.of(population, RATE)

    def of(self, population: str, variable: str) -> Tensor:
        """Return a variable of the state of a population after each step of the last pass; see ``Pass.of``."""
        return self._last().of(population, variable)

    def cell_index(self, population: str) -> Index:
        """Return the rows of the cells table of the spec that the N cells of a population are."""
        return Pass(self._layout, self._populations).cell_index(population)

    def remove(self) -> None:
        """Stop recording; what was recorded stays."""
        for module, watch in self._taps:
            Tap.drop(module, watch)
        for hook in self._hooks:
            hook.remove()
        self._taps, self._hooks = [], []

    def __enter__(self) -> Recording:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.remove()

    def _last(self) -> Pass:
        if not self.passes:
            raise InsideError(
                "nothing was recorded", wanted="a forward pass", fix="call the model while it is recorded: model(image)"
            )
        return self.passes[-1]

    def _begin(self, *_: Any) -> None:
        self.passes.append(Pass(self._layout, self._populations))
        self._running = True

    def _end(self, *_: Any) -> None:
        self._running = False

    def _take(self, populations: list[str], variables: tuple[str, ...], state: Any) -> None:
        if not self._running:  # outside a pass a checkpoint computes steps again, which were recorded before
            return
        for variable in (name for name in variables if hasattr(state, name)):
            for population in populations:
                value = self._layout.part(population, variable, getattr(state, variable))
                # A copy, because a detached slice would keep the states of the whole group.
                self.passes[-1]._keep(population, variable, value.detach().clone() if self._detach else value)


def record(
    model: nn.Module,
    populations: str | Iterable[str] | None = None,
    *,
    variables: Iterable[str] = (RATE,),
    detach: bool = True,
) -> Recording:
    """Record what cells do in each step of each forward pass.

        with record(model, ["L23E"]) as activity:
            model(image)
        activity["L23E"]  # (T, N, B)

    A step is one update of a population: one call of the cells of its group, as ``forward`` of model.py has them. T
    runs through all phases in which the population is updated, in the order of the schedule; entry t is the state
    after update t + 1, and the state at rest before the first is no entry. Interventions (``lesion``, ``clamp``) are
    seen, whichever came first. A phase that settles has as many steps as it took. Steps that a checkpoint computes
    again for the backward pass, or that equilibrium propagation takes in it, are not recorded.

    ``activity`` is the last pass; ``activity.passes`` holds all of them. Only what is asked for is kept, and it is
    kept until ``activity`` is gone. It records from the call on: ``with`` ends it, and so does ``remove()``.

    Args:
        model: a network that ``load`` returned.
        populations: their names; None for all.
        variables: fields of the state of the cells; ``rate_NB``, what they send, is one of every kind of cell.
        detach: keep copies; False keeps the tensors with their graph, so that a loss can look at them.

    Returns:
        The recording.

    Raises:
        InsideError: there is no such population, or none of them has such a variable.
    """
    layout = layout_of(model)
    names, wanted = layout.names(populations), tuple(variables)
    like = next(model.parameters()).new_zeros(1)
    with torch.no_grad():
        groups: list[Any] = [cells_of(model, group) for group in {layout.group_of[name] for name in names}]
        states = [cells.rest(like) for cells in groups]
    known = list(dict.fromkeys(field for state in states for field in (*state._fields, "read_NB")))
    if unknown := [name for name in wanted if name not in known]:
        raise InsideError("no such variable of these cells", found=", ".join(unknown), wanted=", ".join(known))
    return Recording(model, names, wanted, detach=detach)
