"""Rules that the shape of spec.json cannot express.

Enters: a ``Spec`` of the right shape. Leaves: every issue, each with its place and the way out.
"""

from __future__ import annotations

import keyword
from collections import Counter
from collections.abc import Iterator, Sequence

import numpy as np
import numpy.typing as npt

from connectome2net.errors import Issue
from connectome2net.spec.compatible import check_cells, check_synapses
from connectome2net.spec.learnable import learning_issues
from connectome2net.spec.model import Spec
from connectome2net.spec.network import Network, Projection, feature_map
from connectome2net.spec.pairs import count_pairs, pairs_of
from connectome2net.spec.parquet import AGAIN
from connectome2net.spec.reach import check_readout
from connectome2net.spec.rules import check_rules
from connectome2net.spec.select import CONDITIONS, population_cells, projection_cells, resolve, select
from connectome2net.spec.tables import EI_CLASSES, LAMINAE, OUTSIDE_INPUTS, edge_index, values

Index = npt.NDArray[np.int32]

MOST_NAMES = 100
"""An issue lists so many names."""


def validate(spec: Spec) -> list[Issue]:
    """Return everything that is wrong with a spec; an empty list means valid.

    Later rules look names and cells up, so they wait until names are right, and rules on projections until edges
    and populations are.
    """
    edges, names = [*_edges(spec)], [*_names(spec.network), *_references(spec.network)]
    issues = [*_account(spec), *_cells(spec), *edges, *_front_end(spec.network), *names]
    if names:
        return issues
    populations = [*_populations(spec)]
    issues += [
        *populations,
        *_input(spec),
        *_inhibition(spec),
        *_schedule(spec.network),
        *learning_issues(spec.network),
    ]
    if edges or populations:
        return issues
    cells = [*check_cells(spec), *check_synapses(spec)]
    return [*issues, *cells, *_projections(spec), *check_rules(spec), *check_readout(spec)]


def _account(spec: Spec) -> Iterator[Issue]:
    for at, step in enumerate(spec.anatomy.steps):
        if step.kept + step.lost != step.rows_in:
            found = f"{step.kept} kept and {step.lost} lost"
            yield Issue(f"/anatomy/steps/{at}", found, f"together {step.rows_in}, the rows that came in", AGAIN)


def _cells(spec: Spec) -> Iterator[Issue]:
    file, cells = spec.anatomy.cells.file, spec.cells
    if not np.array_equal(values(cells, "cell_index"), np.arange(cells.num_rows)):
        yield Issue(f"{file}/cell_index", "something else", "0, 1, 2, ... in the order of the rows", AGAIN)
    for name in ("nucleus_id", "source_id"):
        known, times = np.unique(cells.column(name).drop_null().to_numpy(), return_counts=True)
        if (times > 1).any():
            yield Issue(f"{file}/{name}", f"{known[times > 1][0]} twice", "each cell once", AGAIN)
    for name, words in (("ei_class", EI_CLASSES), ("lamina", LAMINAE)):
        for word in sorted(set(values(cells, name)) - set(words)):
            yield Issue(f"{file}/{name}", repr(word), f"one of {', '.join(words)}", AGAIN)
    for name in ("soma_x_nm", "soma_y_nm", "soma_z_nm", "soma_depth_um"):
        measured = cells.column(name).drop_null().to_numpy()
        if not np.isfinite(measured).all():
            found = str(measured[~np.isfinite(measured)][0])
            yield Issue(f"{file}/{name}", found, "a finite number, or null where not measured", AGAIN)
    for name, most in (("outside_synapse_count", np.inf), ("outside_total_size_vx", np.inf), ("lamina_confidence", 1)):
        measured = cells.column(name).drop_null().to_numpy() if name in cells.column_names else np.empty(0)
        if len(wrong := measured[~((measured >= 0) & (measured <= most))]):
            yield Issue(f"{file}/{name}", str(wrong[0]), f"at least 0{' and at most 1' * (most == 1)}", AGAIN)


def _edges(spec: Spec) -> Iterator[Issue]:
    file, cells = spec.anatomy.edges.file, spec.cells.num_rows
    pre, post = edge_index(spec.edges)
    for name, index in (("pre_index", pre), ("post_index", post)):
        outside = (index < 0) | (index >= cells)
        if outside.any():
            yield Issue(f"{file}/{name}", str(index[outside][0]), f"a cell_index from 0 to {cells - 1}", AGAIN)
    same_post = post[1:] == post[:-1]
    twice = same_post & (pre[1:] == pre[:-1])
    if twice.any():
        at = int(twice.argmax())
        yield Issue(file, f"the pair (post {post[at]}, pre {pre[at]}) twice", "each pair once", AGAIN)
    back = (post[1:] < post[:-1]) | (same_post & (pre[1:] < pre[:-1]))
    if back.any():
        yield Issue(file, f"row {int(back.argmax()) + 1} out of order", "sorted by (post, pre)", AGAIN)
    for name, least in (("synapse_count", 1), ("total_size_vx", 0), ("weight", 0)):
        measured = spec.edges.column(name).drop_null().to_numpy() if name in spec.edges.column_names else np.empty(0)
        if len(wrong := measured[~((measured >= least) & (measured < np.inf))]):
            yield Issue(f"{file}/{name}", str(wrong.min()), f"at least {least}", AGAIN)


def _names(network: Network) -> Iterator[Issue]:
    for kind, items in (("populations", network.populations), ("projections", network.projections)):
        before: set[str] = set()
        for at, name in enumerate(item.name for item in items):
            path = f"/network/{kind}/{at}/name"
            if name in before:
                yield Issue(path, f"{name!r} a second time", "each name once", "rename one")
            before.add(name)
            if keyword.iskeyword(name):
                yield Issue(path, f"{name!r}, a word of Python", "another word", "rename it")


def _references(network: Network) -> Iterator[Issue]:
    populations = [population.name for population in network.populations]
    uses: list[tuple[str, Sequence[str]]] = [
        ("/network/input/population", [network.input.population]),
        ("/network/readout/populations", network.readout.populations),
    ]
    for at, population in enumerate(network.populations):
        path = f"/network/populations/{at}/plasticity"
        yield from _uses(path, population.plasticity, known=[*network.plasticity])
    for at, projection in enumerate(network.projections):
        path = f"/network/projections/{at}"
        uses += [(f"{path}/pre", projection.pre), (f"{path}/post", projection.post)]
        yield from _uses(f"{path}/plasticity", projection.plasticity, known=[*network.plasticity])
    uses += [(f"/network/schedule/{at}/populations", phase.populations) for at, phase in enumerate(network.schedule)]
    for path, names in uses:
        if not names:
            yield Issue(path, "no population", "at least one", f"name one of {_some(populations)}")
        if "*" in names and len(names) > 1:
            yield Issue(path, "'*' beside others", "'*' alone, which means all, or names", "remove one of the two")
        yield from _uses(path, [name for name in names if name != "*"], known=populations)


def _uses(path: str, names: Sequence[str], *, known: Sequence[str]) -> Iterator[Issue]:
    for name, times in Counter(names).items():
        if name not in known:
            wanted = f"one of {_some(known)}" if known else "nothing, because none is declared"
            yield Issue(path, repr(name), wanted, "mend its spelling or declare it")
        elif times > 1:
            yield Issue(path, f"{name!r} twice", "each name once", "remove one")


def _some(names: Sequence[str]) -> str:
    """Return names in a row; of very many only the first."""
    more = [f"and {len(names) - MOST_NAMES:,} more"] if len(names) > MOST_NAMES else []
    return ", ".join([*names[:MOST_NAMES], *more])


def _populations(spec: Spec) -> Iterator[Issue]:
    members = population_cells(spec)
    held = np.zeros(spec.cells.num_rows, dtype=bool)
    for at, population in enumerate(spec.network.populations):
        path = f"/network/populations/{at}/select"
        cells = members[population.name]
        if not len(cells):
            given = [name for name in CONDITIONS if getattr(population.select, name) is not None]
            known = "; ".join(f"{name} from {_some(sorted(set(values(spec.cells, name))))}" for name in given)
            yield Issue(path, "no cell", f"at least one; {known}" if known else "at least one", "widen the selection")
        if shared := int(held[cells].sum()):
            yield Issue(path, f"{shared} cells that another population holds", "each cell in one", "narrow it")
        held[cells] = True


def _front_end(network: Network) -> Iterator[Issue]:
    front_end, place = network.front_end, network.input
    smallest = min(feature_map(front_end))
    if not smallest:
        found = f"{front_end.height} x {front_end.width} images pooled to nothing"
        yield Issue("/network/front_end/blocks", found, "at least one place left", "pool less, or use larger images")
    elif place.kind == "retinotopic" and place.neighbourhood >= 2 * smallest + 1:
        found = f"{place.neighbourhood}, on a feature map of {' x '.join(map(str, feature_map(front_end)))}"
        yield Issue("/network/input/neighbourhood", found, f"at most {2 * smallest - 1}", "make it smaller")


def _input(spec: Spec) -> Iterator[Issue]:
    place = spec.network.input
    if place.kind != "retinotopic":
        return
    driven = population_cells(spec)[place.population]
    for axis in ("soma_x_nm", "soma_z_nm"):
        if missing := int(np.isnan(values(spec.cells, axis)[driven]).sum()):
            fix = "choose a population with positions, or the dense input"
            yield Issue("/network/input/population", f"{missing} cells without {axis}", "a position for each", fix)


def _inhibition(spec: Spec) -> Iterator[Issue]:
    if spec.network.inhibition is None:
        return
    path = "/network/inhibition/presynaptic"
    chosen = select(spec.cells, spec.network.inhibition.presynaptic)
    if not len(chosen):
        yield Issue(path, "no cell", "at least one", "widen the selection or set inhibition to null")
    units = np.concatenate(list(population_cells(spec).values()))
    if both := int(np.isin(chosen, units).sum()):
        yield Issue(path, f"{both} cells that are units", "cells that are not", "narrow it or set inhibition to null")


def _schedule(network: Network) -> Iterator[Issue]:
    updated = {name for phase in network.schedule for name in resolve(phase.populations, network)}
    for at, population in enumerate(network.populations):
        if population.name not in updated:
            yield Issue(f"/network/populations/{at}", "in no phase of the schedule", "in at least one", "add it to one")


def _projections(spec: Spec) -> Iterator[Issue]:
    network, members = spec.network, population_cells(spec)
    names = list(members)
    ei_class = values(spec.cells, "ei_class")
    unknown = np.array([(ei_class[cells] == "unknown").sum() for cells in members.values()])
    edges, _ = count_pairs(spec)
    claimed = np.zeros_like(edges, dtype=bool)
    for at, projection in enumerate(network.projections):
        path, pairs = f"/network/projections/{at}", pairs_of(projection, network)
        if (twice := np.argwhere(pairs & claimed)).size:
            pre, post = twice[0]
            found = f"{names[pre]} -> {names[post]}, which another projection holds"
            yield Issue(path, found, "each pair of populations in one projection", "narrow pre or post")
        claimed |= pairs
        if not edges[pairs].any():
            yield Issue(path, "no edge", "at least one", "remove the projection")
        chemical = projection.synapse == "chemical"
        if chemical and projection.sign == "dale" and (wrong := int(unknown[pairs.any(1)].sum())):
            fix = "leave them out of the presynaptic populations, or declare the projection free"
            yield Issue(f"{path}/sign", f"{wrong} presynaptic cells of unknown class", "a class for each", fix)
        if projection.anatomy in ("total_size", "mean_size") and spec.edges.column("total_size_vx").null_count:
            yield Issue(f"{path}/anatomy", "edges without a size", "total_size_vx of every edge", "use synapse_count")
        if projection.anatomy == "weight":
            yield from _weights(spec, projection, members, path=path)
        if projection.normalise == "all_inputs":
            receivers = np.concatenate([members[names[post]] for post in np.flatnonzero(pairs.any(0))])
            yield from _all_inputs(spec, projection.anatomy, receivers, path=f"{path}/normalise")


def _weights(spec: Spec, projection: Projection, members: dict[str, Index], *, path: str) -> Iterator[Issue]:
    if "weight" not in spec.edges.column_names:
        found = "weight, and edges without such a column"
        yield Issue(f"{path}/anatomy", found, "a column weight in the edges table", "use synapse_count")
        return
    pre, post = edge_index(spec.edges)
    may_send, may_receive = projection_cells(spec, members)[projection.name]
    missing = np.isnan(values(spec.edges, "weight").astype(float)) & may_send[pre] & may_receive[post]
    if missing.any():
        at = int(missing.argmax())
        found = f"null for the edge (post {post[at]}, pre {pre[at]}), which {projection.name} uses"
        yield Issue(f"{spec.anatomy.edges.file}/weight", found, "a weight", "make the control again")


def _all_inputs(spec: Spec, anatomy: str, receivers: Index, *, path: str) -> Iterator[Issue]:
    fix = "use sum, norm or none"
    if (column := OUTSIDE_INPUTS.get(anatomy)) is None:
        yield Issue(path, f"all_inputs of {anatomy}", f"all_inputs of {' or '.join(OUTSIDE_INPUTS)}", fix)
    elif column not in spec.cells.column_names or np.isnan(values(spec.cells, column).astype(float)[receivers]).any():
        yield Issue(path, f"cells without {column}", "what each cell receives from outside the column", fix)
