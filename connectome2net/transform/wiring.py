"""The edges that a control may move, and where it may put them.

Enters: a ``Spec``. Leaves: arrays of its edges; and back, a ``Spec`` with other edges.
"""

# Axes: E edges that may be moved, N cells, P populations and one more for the cells of none.

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from connectome2net.errors import TransformError
from connectome2net.spec import Spec
from connectome2net.spec.network import Network
from connectome2net.spec.pairs import pairs_of
from connectome2net.spec.select import population_cells
from connectome2net.spec.tables import edge_index

Index = npt.NDArray[np.int32]
Rows = npt.NDArray[np.intp]
Keys = npt.NDArray[np.int64]
Mask = npt.NDArray[np.bool_]


@dataclass(frozen=True)
class Wiring:
    """The edges that a control may move: chemical, held by a projection, no autapses.

    Attributes:
        pre_E: presynaptic cell.
        post_E: postsynaptic cell.
        row_E: row of the edges table.
        population_N: number of each cell's population; the last number where it is in none.
        held_PP: which pairs of populations (pre, post) a chemical projection holds.
    """

    pre_E: Index
    post_E: Index
    row_E: Rows
    population_N: npt.NDArray[np.int16]
    held_PP: Mask

    @property
    def cells(self) -> int:
        """Number of cells."""
        return len(self.population_N)

    def pair(self, pre: Index, post: Index) -> npt.NDArray[np.int32]:
        """Return the number of the pair of populations, pre * P + post, of some pairs of cells."""
        return self.population_N[pre].astype(np.int32) * len(self.held_PP) + self.population_N[post]

    def may(self, pre: Index, post: Index) -> Mask:
        """Return which pairs of cells may be edges: of a pair of populations that is held, and no autapses."""
        return self.held_PP.ravel()[self.pair(pre, post)] & (pre != post)

    def key(self, pre: Index, post: Index) -> Keys:
        """Return one number for each pair of cells, in the order of the edges table."""
        return post.astype(np.int64) * self.cells + pre

    def cells_of(self, population: int) -> Index:
        """Return the cells of a population, ascending."""
        return np.flatnonzero(self.population_N == population).astype(np.int32)


def read_wiring(spec: Spec) -> Wiring:
    """Return the edges of a spec that a control may move.

    Gap junctions stay, because the two edges of each would no longer be one junction; so do autapses, and everything
    that no projection uses.

    Raises:
        TransformError: there is no such edge, or populations or projections overlap.
    """
    population = population_numbers(spec)
    projections = projection_table(spec.network)
    electrical = [item.synapse == "electrical" for item in spec.network.projections]
    held = (projections >= 0) & ~np.isin(projections, np.flatnonzero(electrical))
    pre, post = edge_index(spec.edges)
    row = np.flatnonzero(held[population[pre], population[post]] & (pre != post))
    if not len(row):
        raise TransformError(
            "there is nothing to rewire: no chemical projection holds an edge",
            where=f"network {spec.network.name} of {spec.name}",
            wanted="at least one edge between two different cells",
            fix="declare a projection",
        )
    return Wiring(pre[row], post[row], row, population, held)


def population_numbers(spec: Spec) -> npt.NDArray[np.int16]:
    """Return for each cell the number of its population, in the order of the spec; one more where it is in none.

    Raises:
        TransformError: a cell is in two.
    """
    members = population_cells(spec)
    number = np.full(spec.cells.num_rows, len(members), dtype=np.int16)
    for at, (name, cells) in enumerate(members.items()):
        if both := int((number[cells] != len(members)).sum()):
            fix = "narrow one of them; c2n validate tells more"
            raise TransformError(
                f"{both:,} cells of population {name} are in another one too", where=spec.name, fix=fix
            )
        number[cells] = at
    return number


def edge_projections(spec: Spec) -> npt.NDArray[np.int16]:
    """Return the number of the projection that holds each edge of the table; -1 where none does."""
    population, pre_post = population_numbers(spec), edge_index(spec.edges)
    return projection_table(spec.network)[population[pre_post[0]], population[pre_post[1]]]


def projection_table(network: Network) -> npt.NDArray[np.int16]:
    """Return the number of the projection that holds each pair of populations, shape (P, P); -1 where none does.

    Raises:
        TransformError: two projections hold a pair, and so may give its edges different weights.
    """
    side = len(network.populations)
    table = np.full((side + 1, side + 1), -1, dtype=np.int16)
    for at, projection in enumerate(network.projections):
        pairs = pairs_of(projection, network)
        if (taken := table[:-1, :-1][pairs]).max(initial=-1) >= 0:
            other = network.projections[taken.max()]
            raise TransformError(
                f"projections {other.name} and {projection.name} hold the same edges",
                where=f"/network/projections/{at}",
                found=f"normalise {other.normalise} and {projection.normalise}",
                wanted="each pair of populations in one projection, so that an edge has one weight",
                fix="narrow pre or post of one of them",
            )
        table[:-1, :-1][pairs] = at
    return table


def with_edges(spec: Spec, wiring: Wiring, pre_E: Index, post_E: Index, row_E: Rows) -> Spec:
    """Return the spec with other edges in place of those that may be moved.

    Args:
        spec: what ``wiring`` was read from.
        wiring: the edges that go.
        pre_E: presynaptic cells of those that come.
        post_E: their postsynaptic cells.
        row_E: the row of the old table whose count, size and weight each of them has.
    """
    stays = np.ones(spec.edges.num_rows, dtype=bool)
    stays[wiring.row_E] = False
    pre, post = edge_index(spec.edges)
    pre, post = np.concatenate([pre[stays], pre_E]), np.concatenate([post[stays], post_E])
    order = np.argsort(wiring.key(pre, post))
    row = np.concatenate([np.flatnonzero(stays), row_E])[order]
    edges = spec.edges.take(row)
    for name, index in (("pre_index", pre), ("post_index", post)):
        edges = with_column(edges, name, index[order])
    return replace(spec, edges=edges)


def with_column(table: pa.Table, name: str, column: npt.NDArray[Any]) -> pa.Table:
    """Return a table with a column in place of the one of that name."""
    at = table.column_names.index(name)
    field = table.schema.field(at)
    return table.set_column(at, field, pa.array(column, field.type))
