"""Equilibrium propagation: learning from two fixed points instead of from the steps between.

Enters: cells, what drives them, where they start. Leaves: the fixed point, with a gradient that the dynamics compute.

With x the input, W the weights and f the cells, the fixed point is ``r = f(d)``, ``d = x + W r - threshold``. A small
push p of the drive moves it by ``dr = D (W dr + p)``, D = f'(d). Against the gradient of the loss, p = -nudge c with
c = dL/dr, it moves by ``-nudge (1 - D W)^-1 D c``. The gradient of the drive, by the implicit function theorem, is
``dL/dd = D (1 - W^T D)^-1 c = (1 - D W^T)^-1 D c``: the same where W is symmetric, so it is read from how far the
rates move. The gradient of an edge is then the local product of that movement with the presynaptic rate.

Scellier and Bengio 2017, doi 10.3389/fncom.2017.00024. With directed edges it is an approximation, and no energy falls
(Scellier et al. 2018, arXiv 1808.04873); ``gradients.gradient_angles`` says how good it is. If what a push changes
travels against the edges, ``dr = D (W^T dr + p)``, it is exact for any W (Scurria et al. 2026, arXiv 2602.03670).
"""

# Axes: N cells, B batch.

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.autograd.function import once_differentiable

from connectome2net.runtime.dynamics import total
from connectome2net.runtime.gradients import are_exact
from connectome2net.runtime.unroll import repeat


def settle(
    cells: Sequence[nn.Module],
    drives: Callable[..., list[list[Tensor]]],
    states: Sequence[Any],
    *,
    steps: int,
    tolerance: float,
    nudge: float,
    nudging: str,
    direction: str,
) -> list[Any]:
    """Return the states at the fixed point.

    Args:
        cells: of each group; they have a threshold and no norm.
        drives: the states of all groups -> the drives of each group.
        states: where each group starts.
        steps: most steps of a phase, free or nudged.
        tolerance: a free phase ends where no rate changes by more than this in a step; a nudged one, whose changes are
            of the size of the nudge, at ``nudge * tolerance``.
        nudge: the largest push of a cell on each image, in units of its drive; the gradient is scaled back.
        nudging: ``one_sided``: a phase with a push to a lower loss and one without; ``symmetric``: one with a push to
            a lower loss and one to a higher, which cancels the error of first order (Laborieux et al. 2021, doi
            10.3389/fnins.2021.633674).
        direction: in which what a push changes travels: ``forward``, along the edges, or ``backward``, against them.
    """
    phase = _Phase(cells, drives, steps, nudge, nudging, direction)
    if are_exact():
        return repeat(phase.step, states, steps=steps, tolerance=tolerance)
    with torch.no_grad():
        free = repeat(phase.step, states, steps=steps, tolerance=tolerance)
    if not torch.is_grad_enabled():
        return free
    thresholds: Any = [cell.threshold_N for cell in cells]
    driven = [
        total(*terms, -threshold_N[:, None].expand_as(state.rate_NB))
        for state, terms, threshold_N in zip(free, drives(*free), thresholds, strict=True)
    ]

    def answer(gradients: Sequence[Tensor]) -> list[Tensor]:
        return phase.gradient_of_drives(free, gradients, tolerance=nudge * tolerance)

    rates = _FixedPoint.apply(answer, *driven, *(state.rate_NB for state in free))  # type: ignore[no-untyped-call]
    return [state._replace(rate_NB=rate_NB) for state, rate_NB in zip(free, rates, strict=True)]


@dataclass(frozen=True)
class _Phase:
    """The dynamics of all groups; arguments as of ``settle``."""

    cells: Sequence[nn.Module]
    drives: Callable[..., list[list[Tensor]]]
    steps: int
    nudge: float
    nudging: str
    direction: str

    def step(self, *states: Any) -> list[Any]:
        """Return the states one step later."""
        groups = zip(self.cells, states, self.drives(*states), strict=True)
        return [cell(state, *terms) for cell, state, terms in groups]

    def nudged(self, free: Sequence[Any], push: Sequence[Tensor]) -> Callable[..., list[Any]]:
        """Return a step with a push of each group."""
        changed = self._backward(free) if self.direction == "backward" else self.drives

        def step(*states: Any) -> list[Any]:
            groups = zip(self.cells, states, changed(*states), push, strict=True)
            return [cell(state, *terms, push_NB) for cell, state, terms, push_NB in groups]

        return step

    def _backward(self, free: Sequence[Any]) -> Callable[..., list[list[Tensor]]]:
        """Return drives that are those of the fixed point, and ``W^T (rate - rate there)``."""
        with torch.enable_grad():
            rates = [state.rate_NB.detach().requires_grad_() for state in free]
            there = self.drives(*(state._replace(rate_NB=rate_NB) for state, rate_NB in zip(free, rates, strict=True)))
            driven = [total(*terms, torch.zeros_like(rate_NB)) for terms, rate_NB in zip(there, rates, strict=True)]

        def drives(*states: Any) -> list[list[Tensor]]:
            moved = [state.rate_NB - rate_NB.detach() for state, rate_NB in zip(states, rates, strict=True)]
            back = torch.autograd.grad(driven, rates, moved, retain_graph=True, materialize_grads=True)
            return [[drive_NB.detach(), back_NB] for drive_NB, back_NB in zip(driven, back, strict=True)]

        return drives

    def gradient_of_drives(self, free: Sequence[Any], gradients: Sequence[Tensor], *, tolerance: float) -> list[Tensor]:
        """Return the gradient of the drive of each group, from that of its rates."""
        size_B = torch.stack([gradient_NB.abs().amax(0) for gradient_NB in gradients]).amax(0)
        size_B = torch.where(size_B > 0, size_B, 1) / self.nudge

        def movement(direction: int) -> list[Tensor]:
            push = [direction * gradient_NB / size_B for gradient_NB in gradients]
            moved = repeat(self.nudged(free, push), free, steps=self.steps, tolerance=tolerance)
            return [(after.rate_NB - before.rate_NB) * size_B for before, after in zip(free, moved, strict=True)]

        down = movement(-1)
        if self.nudging == "symmetric":
            return [(up_NB - down_NB) / 2 for up_NB, down_NB in zip(movement(+1), down, strict=True)]
        # Rates that had not quite come to rest move without any push, too.
        return [rest_NB - down_NB for rest_NB, down_NB in zip(movement(0), down, strict=True)]


class _FixedPoint(torch.autograd.Function):
    """Rates at a fixed point, as a function of the drives there."""

    @staticmethod
    def forward(ctx: Any, answer: Any, *drives_and_rates: Tensor) -> tuple[Tensor, ...]:
        ctx.answer = answer
        return tuple(rate_NB.clone() for rate_NB in drives_and_rates[len(drives_and_rates) // 2 :])

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor | None, ...]:
        return (None, *ctx.answer(gradients), *(None for _ in gradients))
