"""Which cells, synapses and rules of a network go together.

Enters: a ``Spec`` whose populations and projections are right. Leaves: an issue for each combination that makes no
sense, with the way out.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Final

import numpy as np

from connectome2net.errors import Issue
from connectome2net.spec.firing import firing_of_populations
from connectome2net.spec.model import Spec
from connectome2net.spec.network import Network, Projection
from connectome2net.spec.rules import SPIKING
from connectome2net.spec.select import population_cells, projection_cells, resolve
from connectome2net.spec.tables import edge_index

HAVE_A_VOLTAGE: Final = ("lif", "izhikevich", "conductance")


def check_cells(spec: Spec) -> Iterator[Issue]:
    """Yield what is wrong with the numbers of the cells."""
    network = spec.network
    form, path = network.dynamics, "/network/dynamics"
    for name in type(form).model_fields:
        if isinstance(value := getattr(form, name), Mapping):
            yield from _populations(value, network, path=f"{path}/{name}", all_of_them=name != "firing")
    if form.model == "rate" and form.learn_leak:
        starts = form.leak.values() if isinstance(form.leak, Mapping) else [form.leak]
        if 1 in starts:
            fix = "start lower, at 0.5, or set learn_leak to false"
            yield Issue(f"{path}/leak", "1, at the end of what can be learned", "less than 1", fix)
    if form.model == "elm" and form.tau_min_ms >= form.tau_max_ms:
        found = f"{form.tau_min_ms:g}, not below tau_max_ms, {form.tau_max_ms:g}"
        yield Issue(f"{path}/tau_min_ms", found, "the shorter of the two", "make it shorter")
    if form.model in SPIKING:
        yield from _held(network)
    if form.model == "izhikevich":
        known = firing_of_populations(spec)
        for name in (population.name for population in network.populations if population.name not in known):
            fix = 'say how it fires, such as "regular_spiking", or divide it by ei_class'
            yield Issue(f"{path}/firing", f"{name!r}, whose cells are not of one known class", "how it fires", fix)


def _held(network: Network) -> Iterator[Issue]:
    """Yield a phase that holds cells which have sent spikes: they would repeat those of their last step."""
    active: set[str] = set()
    for at, phase in enumerate(network.schedule):
        updated = set(resolve(phase.populations, network))
        if held := sorted(active - updated):
            found = f"{held[0]!r} is held, and would repeat the spikes of its last step"
            wanted = f"populations of {network.dynamics.model} cells in all phases after their first"
            fix = "add it, or make the schedule one phase"
            yield Issue(f"/network/schedule/{at}/populations", found, wanted, fix)
        active |= updated


def check_synapses(spec: Spec) -> Iterator[Issue]:
    """Yield projections that do not go together with the cells, or with their edges."""
    network = spec.network
    for at, projection in enumerate(network.projections):
        path = f"/network/projections/{at}"
        if projection.synapse == "electrical":
            yield from _electrical(projection, network, path)
            yield from _one_way(spec, projection, path)
        elif projection.sign == "free" and network.dynamics.model == "conductance":
            fix = "declare the projection dale, or choose other dynamics"
            yield Issue(f"{path}/sign", "free, between cells with reversal potentials", "dale", fix)


def _electrical(projection: Projection, network: Network, path: str) -> Iterator[Issue]:
    model = network.dynamics.model
    if model not in HAVE_A_VOLTAGE:
        fix = "declare the projection chemical, or choose such dynamics"
        yield Issue(
            f"{path}/synapse",
            f"electrical, between cells of the model {model}, without a voltage",
            f"dynamics of the model {', '.join(HAVE_A_VOLTAGE)}",
            fix,
        )
    if projection.sign == "free":
        found = "free, but the conductance of a gap junction is never negative"
        yield Issue(f"{path}/sign", found, "dale, which for gap junctions means positive", "leave the key out")
    if projection.delay_steps:
        found = f"{projection.delay_steps}, but a gap junction has no synaptic delay"
        yield Issue(f"{path}/delay_steps", found, "0", "leave the key out, or declare the projection chemical")
    if projection.plasticity:
        fix = "leave the key out, or declare the projection chemical"
        yield Issue(f"{path}/plasticity", f"{projection.plasticity[0]!r}, a rule of chemical synapses", "no rule", fix)


def _one_way(spec: Spec, projection: Projection, path: str) -> Iterator[Issue]:
    """Yield gap junctions that conduct one way only, all in one issue."""
    may_send, may_receive = projection_cells(spec, population_cells(spec))[projection.name]
    pre, post = (index.astype(np.int64) for index in edge_index(spec.edges))
    chosen = may_send[pre] & may_receive[post]
    pre, post, cells = pre[chosen], post[chosen], spec.cells.num_rows
    if alone := int((~np.isin(pre * cells + post, post * cells + pre)).sum()):
        found = f"electrical, and {alone:,} of {len(pre):,} edges have none the other way"
        fix = "give the edges table both edges of each gap junction, or declare the projection chemical"
        yield Issue(
            f"{path}/synapse", found, "both (post, pre) and (pre, post): a gap junction conducts both ways", fix
        )


def _populations(values: Mapping[str, object], network: Network, *, path: str, all_of_them: bool) -> Iterator[Issue]:
    names = [population.name for population in network.populations]
    for name in values:
        if name not in names and name != "*":
            yield Issue(path, repr(name), f"one of {', '.join(names)}, or *", "mend its spelling or declare it")
    if all_of_them and "*" not in values and (missing := [name for name in names if name not in values]):
        yield Issue(path, f"nothing for {missing[0]}", "a number for each population", "add it, or * for all others")
