"""Random wiring with given counts between types, heavy-tailed degrees, and a fall with distance.

Enters: cells with types and places, and how many edges a cell of one type has to another type. Leaves: edges.
Time and memory grow with edges; nothing is cells x cells.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

IntArray = npt.NDArray[np.int64]
FloatArray = npt.NDArray[np.float64]

LENGTH_UM = 114.0
"""Connection falls as a Gaussian of lateral distance with this sigma: Levy and Reyes, J Neurosci 32:5609 (2012)."""

TILE_UM = 25.0
"""Distance is resolved to this: a Gaussian throw lands in a tile, and a cell of the tile is taken."""

ROUNDS = 50
"""A pair that is drawn twice is drawn again, so often; what is missing then is given up (tiny columns only)."""


def propensities(rng: np.random.Generator, cell_type: IntArray, spread: FloatArray) -> FloatArray:
    """Draw how much more or less than its type's mean a cell connects.

    Args:
        rng: source of chance.
        cell_type: (N,), ascending.
        spread: (N,), standard deviation of the logarithm.

    Returns:
        (N,), lognormal, mean 1 within each type.

    Reference:
        Buzsaki and Mizuseki, Nat Rev Neurosci 15:264 (2014): degrees are lognormal.
    """
    drawn = np.exp(rng.normal(0.0, spread))
    mean = np.bincount(cell_type, weights=drawn) / np.maximum(np.bincount(cell_type), 1)
    return drawn / mean[cell_type]


def draw_edges(
    rng: np.random.Generator,
    *,
    cell_type: IntArray,
    place_um: FloatArray,
    edges_per_cell: FloatArray,
    out_propensity: FloatArray,
    in_propensity: FloatArray,
) -> tuple[IntArray, IntArray]:
    """Draw edges.

    A cell of type a has about ``edges_per_cell[a, b]`` edges, times its propensity, to different cells of type b,
    each chosen in proportion to ``in_propensity`` and a Gaussian of lateral distance.

    Args:
        rng: source of chance.
        cell_type: (N,), types as numbers, ascending.
        place_um: (N, 2), lateral position.
        edges_per_cell: (types, types), rows pre.
        out_propensity: (N,), mean 1 within a type.
        in_propensity: (N,), mean 1 within a type.

    Returns:
        pre and post, (E,) each, sorted by (pre, post); no pair twice, no autapse.
    """
    cells, types = len(cell_type), len(edges_per_cell)
    members = np.bincount(cell_type, minlength=types)
    room = members - (np.arange(types) == cell_type[:, None])
    wanted = np.minimum(rng.poisson(out_propensity[:, None] * edges_per_cell[cell_type]), room).ravel()
    tiles = _Tiles.lay(cell_type, place_um, in_propensity, types=types)
    pairs = np.empty(0, dtype=np.int64)
    for _ in range(ROUNDS):
        drawn = np.bincount(pairs // cells * types + cell_type[pairs % cells], minlength=cells * types)
        pre, to_type = np.divmod(np.repeat(np.arange(cells * types), wanted - drawn), types)
        if not len(pre):
            break
        post = _targets(rng, pre, to_type, place_um=place_um, tiles=tiles)
        pairs = np.sort(np.concatenate([pairs, pre * cells + post]))
        pairs = pairs[np.diff(pairs, prepend=-1) > 0]
    return pairs // cells, pairs % cells


@dataclass(frozen=True)
class _Tiles:
    """Cells by type and lateral tile, so that a target near a place is found without looking at all cells.

    Attributes:
        corner_um: where the first tile begins.
        shape: number of tiles along both axes.
        order: cells sorted by type, then tile.
        summed: the propensities of the cells up to each place in that order.
        first: for each type and tile, its first place in that order.
        weight: (types, tiles), sum of propensities.
    """

    corner_um: FloatArray
    shape: IntArray
    order: IntArray
    summed: FloatArray
    first: IntArray
    weight: FloatArray

    @classmethod
    def lay(cls, cell_type: IntArray, place_um: FloatArray, propensity: FloatArray, *, types: int) -> _Tiles:
        corner_um = place_um.min(axis=0)
        at = ((place_um - corner_um) // TILE_UM).astype(np.int64)
        shape = at.max(axis=0) + 1
        group = (cell_type * shape[0] + at[:, 0]) * shape[1] + at[:, 1]
        order = np.argsort(group, kind="stable")
        groups = types * int(shape.prod())
        return cls(
            corner_um=corner_um,
            shape=shape,
            order=order,
            summed=np.concatenate([[0.0], np.cumsum(propensity[order])]),
            first=np.concatenate([[0], np.cumsum(np.bincount(group, minlength=groups))]),
            weight=np.bincount(group, weights=propensity, minlength=groups).astype(np.float64).reshape(types, -1),
        )

    def draw(self, rng: np.random.Generator, from_um: FloatArray, to_type: IntArray) -> IntArray:
        """Throw once for each edge; return the cell that is hit, or -1.

        A throw lands in a tile, and is kept in proportion to the tile's weight: the height of the throw, where it is
        below the weight, is at once the place of the cell within the tile.
        """
        at = ((from_um + rng.normal(0.0, LENGTH_UM, from_um.shape) - self.corner_um) // TILE_UM).astype(np.int64)
        inside = ((at >= 0) & (at < self.shape)).all(axis=1)
        tile = np.where(inside, at[:, 0] * self.shape[1] + at[:, 1], 0)
        height = rng.random(len(to_type)) * self.weight.max(axis=1)[to_type]
        hit = np.flatnonzero(inside & (height < self.weight[to_type, tile]))
        group = to_type[hit] * self.weight.shape[1] + tile[hit]
        first, end = self.first[group], self.first[group + 1]
        place = np.searchsorted(self.summed, self.summed[first] + height[hit], side="right") - 1
        target = np.full(len(to_type), -1)
        target[hit] = self.order[np.clip(place, first, end - 1)]
        return target


def _targets(
    rng: np.random.Generator, pre: IntArray, to_type: IntArray, *, place_um: FloatArray, tiles: _Tiles
) -> IntArray:
    """Throw until every edge has hit a cell that is not its own."""
    post = np.full(len(pre), -1)
    todo = np.arange(len(pre))
    while len(todo):
        target = tiles.draw(rng, place_um[pre[todo]], to_type[todo])
        target[target == pre[todo]] = -1
        post[todo] = target
        todo = todo[target < 0]
    return post
