"""What settling and each way of learning ask of the rest of a network.

Enters: a ``Network`` whose names are right. Leaves: issues.
"""

from __future__ import annotations

from collections.abc import Iterator

from connectome2net.errors import Issue
from connectome2net.spec.learning import Equilibrium, Reservoir
from connectome2net.spec.network import Network
from connectome2net.spec.plasticity import NEED_STEPS
from connectome2net.spec.select import resolve

BY_BACKPROPAGATION = "or set learning to null"


def learning_issues(network: Network) -> Iterator[Issue]:
    """Yield what does not fit the phases or the way of learning."""
    yield from _phases(network)
    if isinstance(network.learning, Equilibrium):
        yield from _equilibrium(network)
    if isinstance(network.learning, Reservoir):
        yield from _reservoir(network)


def _phases(network: Network) -> Iterator[Issue]:
    slow = [projection.name for projection in network.projections if projection.delay_steps]
    for at, phase in enumerate(network.schedule):
        path = f"/network/schedule/{at}"
        if phase.tolerance is not None and slow:
            found = f"{phase.tolerance}, while projection {slow[0]!r} has a delay"
            wanted = "no tolerance: rates may rest while others are on their way"
            fix = "leave tolerance out; or set delay_steps to 0, because delays do not move a fixed point"
            yield Issue(f"{path}/tolerance", found, wanted, fix)
        if phase.checkpoint is not None and phase.checkpoint >= phase.steps:
            found = f"{phase.checkpoint}, of {phase.steps} steps"
            fix = "about the square root of steps needs least memory; or leave it out"
            yield Issue(f"{path}/checkpoint", found, "fewer than the steps", fix)


def _equilibrium(network: Network) -> Iterator[Issue]:
    form = network.dynamics
    if form.model != "rate":
        wanted = "'rate': the fixed point of rates is what learns"
        yield Issue("/network/dynamics/model", repr(form.model), wanted, f"use rate, {BY_BACKPROPAGATION}")
    elif form.norm != "none":
        wanted = "'none': a norm couples the cells, and a nudge then has an answer that is no gradient"
        yield Issue("/network/dynamics/norm", repr(form.norm), wanted, f"set norm to none, {BY_BACKPROPAGATION}")
    if form.model == "rate" and form.learn_leak:
        wanted = "false: a leak does not move the fixed point, so there is nothing to learn it from"
        yield Issue("/network/dynamics/learn_leak", "true", wanted, f"set it to false, {BY_BACKPROPAGATION}")
    if network.noise is not None:
        wanted = "null: the difference of two fixed points is divided by the nudge, and so is the noise"
        yield Issue("/network/noise", "noise", wanted, f"set noise to null, {BY_BACKPROPAGATION}")
    if slow := [at for at, projection in enumerate(network.projections) if projection.delay_steps]:
        wanted = "0: a delay does not move a fixed point"
        found = str(network.projections[slow[0]].delay_steps)
        yield Issue(f"/network/projections/{slow[0]}/delay_steps", found, wanted, f"set it to 0, {BY_BACKPROPAGATION}")
    for at, name, rule in _active(network):
        if rule in NEED_STEPS:
            path, wanted = f"/network/projections/{at}/plasticity", "rules that look at the fixed point only"
            yield Issue(path, f"{name!r}, which looks at every step", wanted, f"remove it, {BY_BACKPROPAGATION}")
    phase, *more = network.schedule
    every = [population.name for population in network.populations]
    if more or len(resolve(phase.populations, network)) < len(every):
        found = f"{len(network.schedule)} phases" if more else f"only {', '.join(phase.populations)}"
        wanted = "one phase of all populations, which settles"
        yield Issue("/network/schedule", found, wanted, f"set its populations to ['*'], {BY_BACKPROPAGATION}")
    elif phase.tolerance is None and not slow:
        fix = "add tolerance, 0.0001 for instance, and steps enough to reach it"
        yield Issue("/network/schedule/0/tolerance", "nothing", "a tolerance: the phase has to settle", fix)
    elif phase.checkpoint is not None:
        fix = "leave it out"
        yield Issue("/network/schedule/0/checkpoint", str(phase.checkpoint), "none: no state is kept anyway", fix)


def _reservoir(network: Network) -> Iterator[Issue]:
    for at, name, _ in _active(network):
        path, wanted = f"/network/projections/{at}/plasticity", "no rule: the strengths of a reservoir stay"
        yield Issue(path, repr(name), wanted, f"remove it, {BY_BACKPROPAGATION}")
    for at, population in enumerate(network.populations):
        for name in population.plasticity:
            if network.plasticity[name] is not None:
                path, wanted = f"/network/populations/{at}/plasticity", "no rule: the cells of a reservoir stay"
                yield Issue(path, repr(name), wanted, f"remove it, {BY_BACKPROPAGATION}")
    dropped = {"front_end": network.front_end.dropout, "readout": network.readout.dropout}
    for part, dropout in dropped.items():
        if dropout:
            wanted = "0: there is one pass, and it sees all rates"
            path = f"/network/{part}/dropout"
            yield Issue(path, str(dropout), wanted, f"set it to 0; ridge regularises, {BY_BACKPROPAGATION}")
    if network.noise is not None:
        wanted = "null: there is one pass, without noise"
        yield Issue("/network/noise", "noise", wanted, f"set noise to null; ridge regularises, {BY_BACKPROPAGATION}")


def _active(network: Network) -> Iterator[tuple[int, str, str]]:
    """Yield the number of a projection, and the name and the kind of each rule that acts on it."""
    for at, projection in enumerate(network.projections):
        for name in projection.plasticity:
            if (rule := network.plasticity[name]) is not None:
                yield at, name, rule.rule
