"""Rules that the shape of spec.json cannot express.

Enters: a ``Spec`` of the right shape. Leaves: every issue, each with its place and the way out.
"""

from __future__ import annotations

import keyword
from collections import Counter
from collections.abc import Iterator

import numpy as np

from connectome2net.errors import Issue
from connectome2net.spec.model import Spec
from connectome2net.spec.reach import reachable
from connectome2net.spec.select import CONDITIONS, population_cells, projection_cells, resolve, select
from connectome2net.spec.tables import EI_CLASSES, LAMINAE, edge_index, values

AGAIN = "extract again; the tables are not meant to be edited"


def validate(spec: Spec) -> list[Issue]:
    """Return everything that is wrong with a spec; an empty list means valid."""
    issues = [*_cells(spec), *_edges(spec)]
    names = [*_names(spec)]
    if issues or names:
        return [*issues, *names]
    return [*_populations(spec), *_projections(spec), *_flow(spec)]


def _cells(spec: Spec) -> Iterator[Issue]:
    file, cells = spec.anatomy.cells.file, spec.cells
    if not np.array_equal(values(cells, "cell_index"), np.arange(cells.num_rows)):
        yield Issue(f"{file}/cell_index", "something else", "0, 1, 2, ... in the order of the rows", AGAIN)
    for name in ("nucleus_id", "source_id"):
        column = cells.column(name).drop_null()
        if len(column.unique()) < len(column):
            twice = column.value_counts().filter(np.array([x["counts"].as_py() > 1 for x in column.value_counts()]))
            yield Issue(f"{file}/{name}", f"{twice[0]['values']} twice", "each cell once", AGAIN)
    for name, words in (("ei_class", EI_CLASSES), ("lamina", LAMINAE)):
        for word in sorted(set(values(cells, name)) - set(words)):
            yield Issue(f"{file}/{name}", repr(word), f"one of {', '.join(words)}", AGAIN)


def _edges(spec: Spec) -> Iterator[Issue]:
    file, cells = spec.anatomy.edges.file, spec.cells.num_rows
    pre, post = edge_index(spec.edges)
    for name, index in (("pre_index", pre), ("post_index", post)):
        outside = (index < 0) | (index >= cells)
        if outside.any():
            yield Issue(f"{file}/{name}", str(index[outside][0]), f"a cell_index from 0 to {cells - 1}", AGAIN)
    key = post.astype(np.int64) * (np.int64(1) << 32) + pre
    step = np.diff(key)
    if (step == 0).any():
        at = int(np.flatnonzero(step == 0)[0])
        yield Issue(file, f"the pair (post {post[at]}, pre {pre[at]}) twice", "each pair once", AGAIN)
    if (step < 0).any():
        yield Issue(file, f"row {int(np.flatnonzero(step < 0)[0]) + 1} out of order", "sorted by (post, pre)", AGAIN)
    for name, least in (("synapse_count", 1), ("total_size_vx", 0)):
        smallest = spec.edges.column(name).drop_null().to_numpy()
        if len(smallest) and smallest.min() < least:
            yield Issue(f"{file}/{name}", str(smallest.min()), f"at least {least}", AGAIN)


def _names(spec: Spec) -> Iterator[Issue]:
    network = spec.network
    known = [population.name for population in network.populations]
    for kind, names in (("populations", known), ("projections", [item.name for item in network.projections])):
        for at, name in enumerate(names):
            if names.index(name) < at:
                yield Issue(f"/network/{kind}/{at}/name", f"{name!r} a second time", "each name once", "rename one")
            if keyword.iskeyword(name):
                yield Issue(f"/network/{kind}/{at}/name", f"{name!r}, a word of Python", "another word", "rename it")
    places = [("/network/input/population", [network.input.population])]
    places += [("/network/readout/populations", list(network.readout.populations))]
    for at, projection in enumerate(network.projections):
        places += [(f"/network/projections/{at}/pre", list(projection.pre))]
        places += [(f"/network/projections/{at}/post", list(projection.post))]
    for at, phase in enumerate(network.schedule):
        places += [(f"/network/schedule/{at}/populations", list(phase.populations))]
    for path, names in places:
        if not names:
            yield Issue(path, "no population", "at least one", f"name one of {', '.join(known)}")
        for name in names:
            if name not in known and name != "*":
                yield Issue(path, repr(name), f"one of {', '.join(known)}", "mend its spelling")
    for at, projection in enumerate(network.projections):
        for place, rule in enumerate(projection.plasticity):
            if rule not in network.plasticity:
                wanted = f"one of {', '.join(network.plasticity)}" if network.plasticity else "a declared rule"
                path = f"/network/projections/{at}/plasticity/{place}"
                yield Issue(path, repr(rule), wanted, "declare it in /network/plasticity")


def _populations(spec: Spec) -> Iterator[Issue]:
    members = population_cells(spec)
    words = {name: set(values(spec.cells, name)) for name in CONDITIONS}
    for at, population in enumerate(spec.network.populations):
        path = f"/network/populations/{at}/select"
        if not len(members[population.name]):
            found = {name: sorted(words[name]) for name in CONDITIONS if getattr(population.select, name) is not None}
            wanted = "; ".join(f"{name} from {', '.join(known)}" for name, known in found.items())
            yield Issue(path, "no cell", f"at least one; {wanted}", "widen the selection")
    counts = np.zeros(spec.cells.num_rows, dtype=int)
    for at, population in enumerate(spec.network.populations):
        cells = members[population.name]
        if shared := int((counts[cells] > 0).sum()):
            path = f"/network/populations/{at}/select"
            yield Issue(path, f"{shared} cells that another population holds", "each cell in one", "narrow it")
        counts[cells] += 1
    place = spec.network.input
    if place.kind == "retinotopic" and place.neighbourhood % 2 == 0:
        yield Issue("/network/input/neighbourhood", str(place.neighbourhood), "an odd number", "add 1")
    if place.kind == "retinotopic":
        for axis in ("soma_x_nm", "soma_z_nm"):
            if missing := int(np.isnan(values(spec.cells, axis)[members[place.population]]).sum()):
                fix = "choose a population with positions, or the dense input"
                yield Issue("/network/input/population", f"{missing} cells without {axis}", "a position for each", fix)


def _projections(spec: Spec) -> Iterator[Issue]:
    masks = projection_cells(spec, population_cells(spec))
    pre, post = edge_index(spec.edges)
    unknown = values(spec.cells, "ei_class") == "unknown"
    claimed: Counter[tuple[str, str]] = Counter()
    for at, projection in enumerate(spec.network.projections):
        path = f"/network/projections/{at}"
        pairs = {(a, b) for a in resolve(projection.pre, spec.network) for b in resolve(projection.post, spec.network)}
        if twice := [pair for pair in sorted(pairs) if claimed[pair]]:
            found = f"{twice[0][0]} -> {twice[0][1]}, which another projection holds"
            yield Issue(path, found, "each pair of populations in one projection", "narrow pre or post")
        claimed.update(pairs)
        may_send, may_receive = masks[projection.name]
        inside = may_send[pre] & may_receive[post]
        if not inside.any():
            yield Issue(path, "no edge", "at least one", "remove the projection")
        if projection.sign == "dale" and (wrong := int((may_send & unknown).sum())):
            fix = "leave them out of the presynaptic populations, or declare the projection free"
            yield Issue(f"{path}/sign", f"{wrong} presynaptic cells of unknown class", "a class for each", fix)
        if projection.anatomy == "total_size" and spec.edges.column("total_size_vx").null_count:
            fix = "use synapse_count"
            yield Issue(f"{path}/anatomy", "edges without a size", "total_size_vx of every edge", fix)


def _flow(spec: Spec) -> Iterator[Issue]:
    network = spec.network
    seen = reachable(network)
    readout = resolve(network.readout.populations, network)
    driven = network.input.population
    if driven in readout and not network.readout.bypass:
        fix = "leave it out, or set bypass to true; then the image reaches the classes past the wiring"
        yield Issue("/network/readout/populations", f"{driven}, which the image drives", "other populations", fix)
    for name in readout:
        if name not in seen:
            fix = "mend the schedule or the projections"
            yield Issue("/network/readout/populations", f"{name}, which no activity reaches", "a reached one", fix)
    if network.inhibition is not None:
        units = np.concatenate(list(population_cells(spec).values()))
        chosen = select(spec.cells, network.inhibition.presynaptic)
        path = "/network/inhibition/presynaptic"
        if not len(chosen):
            yield Issue(path, "no cell", "at least one", "widen the selection or set inhibition to null")
        if both := int(np.isin(chosen, units).sum()):
            yield Issue(path, f"{both} cells that are units", "cells that are not", "narrow it or set it to null")
    updated = {name for phase in network.schedule for name in resolve(phase.populations, network)}
    for at, population in enumerate(network.populations):
        if population.name not in updated:
            yield Issue(f"/network/populations/{at}", "in no phase of the schedule", "in at least one", "add it to one")
