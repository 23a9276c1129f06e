"""Cells -> laminae.

Enters: cell types, classes and depths. Leaves: one of L1, L2/3, L4, L5, L6, WM, unknown for each cell, how sure that
is, and the cells whose type and depth disagree.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from typing import Literal

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from connectome2net.errors import ExtractError
from connectome2net.sources.microns import LAMINA_BOTTOM_UM, TYPE_LAMINA
from connectome2net.sources.source import MAPPED_CELLS, Source
from connectome2net.spec.model import LaminaBorder, Laminae
from connectome2net.spec.tables import values

How = Literal["fixed", "estimated"]
FloatArray = npt.NDArray[np.float64]
Words = npt.NDArray[np.str_]

DEEPEST_UM = 1000.0
TOLERANCE_UM = 50.0
"""Types mingle at borders: only a soma further than this outside the lamina of its type is a contradiction."""
WINDOW_UM, FEWEST_NEARBY = 25.0, 10
"""Confidence looks this far up and down, and is not given where fewer cells of known lamina lie there."""
FEWEST_TYPED = 20
"""A border is estimated only between laminae that have so many cells of known type."""
FIRST_CELLS, LAST_CELLS = 0.01, 0.99
"""L1 ends, and white matter begins, at these quantiles of depth of the cells of L2/3 and L6: outside lie strays."""

NAMES = (*LAMINA_BOTTOM_UM, "WM")
BY_TYPE = "excitatory cells by their type where it names a lamina; all others by the depth of the soma"
CONFIDENCE = (
    f"lamina_confidence of a cell is the share of the typed excitatory cells within {WINDOW_UM:.0f} um of its depth "
    "that are of its lamina; null in L1, which no excitatory type marks"
)


def _laminae(bottoms_um: Sequence[float], *, method: str, why: str) -> Laminae:
    tops, bottoms = (0.0, *bottoms_um), (*bottoms_um, DEEPEST_UM)
    borders = tuple(LaminaBorder(name=n, top_um=t, bottom_um=b) for n, t, b in zip(NAMES, tops, bottoms, strict=True))
    return Laminae(method=f"{BY_TYPE}; {method}; {CONFIDENCE}", borders=borders, why=why)


FIXED = _laminae(
    tuple(LAMINA_BOTTOM_UM.values()),
    method="fixed borders",
    why="the depth at which the dominant excitatory type of the V1 column changes; L1 ends at 80 um by choice",
)
MAPPED = Laminae(method="as the mapping gives them")
UNMEASURED = Laminae(method="none: the source gives no lamina, and no depth below a pia of mouse V1")


def find_lamina(source: Source, cells: pa.Table, depth_um: FloatArray, *, how: How) -> tuple[Words, Laminae]:
    """Return the lamina of each cell, and the borders that were used.

    Args:
        source: a mapped source may give laminae itself; its depths are not those of mouse V1.
        cells: N cells with ``cell_type``.
        depth_um: (N,), um below the pia; NaN where not known.
        how: ``fixed`` borders of V1, or borders ``estimated`` from the types of these cells.

    Raises:
        ExtractError: too few cells of a lamina's types to estimate its borders.
    """
    cell_type = values(cells, "cell_type").astype(np.str_)
    if MAPPED_CELLS in source and how == "fixed":
        words = np.array([word or "unknown" for word in cells.column("lamina").to_pylist()])
        return words, UNMEASURED if set(words) <= {"unknown"} else MAPPED
    if how == "fixed":
        return assign_laminae(cell_type, depth_um), FIXED
    marked = _type_lamina(cell_type)
    if MAPPED_CELLS in source:
        excitatory = values(cells, "ei_class") == "excitatory"
        given = np.array([word or "" for word in cells.column("lamina").to_pylist()])
        marked = np.where(excitatory & (marked == ""), given, marked)
    borders = estimate_laminae(marked, depth_um)
    return assign_laminae(cell_type, depth_um, borders), borders


def estimate_laminae(marked: Words, depth_um: FloatArray) -> Laminae:
    """Put borders where the dominant excitatory type changes along depth.

    Args:
        marked: (N,), the lamina that a cell's type names, or its table if it is excitatory; empty where neither does.
        depth_um: (N,), um below the pia; NaN where not known.

    Raises:
        ExtractError: too few cells of a lamina, or laminae that cannot be told apart.
    """
    depths = {name: np.sort(depth_um[(marked == name) & ~np.isnan(depth_um)]) for name in NAMES[1:-1]}
    if few := {name: len(found) for name, found in depths.items() if len(found) < FEWEST_TYPED}:
        raise ExtractError(
            "the borders of laminae cannot be estimated: too few excitatory cells of known type and depth",
            where="--laminae estimated",
            found=", ".join(f"{count} of {name}" for name, count in few.items()),
            wanted=f"{FEWEST_TYPED} or more of each of {', '.join(depths)}",
            fix="cut a larger column, or take --laminae fixed; a mapping has to give depths, and laminae or such types",
        )
    above = [depths[name] for name in NAMES[1:-1]]
    changes = [
        _change(np.concatenate(above[: at + 1]), np.concatenate(above[at + 1 :])) for at in range(len(above) - 1)
    ]
    first, last = max(np.quantile(above[0], FIRST_CELLS), 0.0), np.quantile(above[-1], LAST_CELLS)
    bottoms_um = [round(float(depth), 1) for depth in (first, *changes, last)]
    if not all(a <= b for a, b in itertools.pairwise((0.0, *bottoms_um, DEEPEST_UM))):
        raise ExtractError(
            "the borders of laminae cannot be estimated: their types are not one below the other",
            where="--laminae estimated",
            found=", ".join(f"{depth:g}" for depth in bottoms_um),
            wanted=f"five depths that grow, between 0 and {DEEPEST_UM:g} um",
            fix="look at c2n inspect --figure, or take --laminae fixed",
        )
    return _laminae(
        bottoms_um,
        method="borders estimated from the cells of this column",
        why="a border lies where fewest excitatory cells are on the wrong side of it; L1 ends above "
        f"{1 - FIRST_CELLS:.0%} of the cells of L2/3, white matter begins below {LAST_CELLS:.0%} of those of L6",
    )


def assign_laminae(cell_type: Words, depth_um: FloatArray, laminae: Laminae = FIXED) -> Words:
    """Return the lamina of each cell.

    Args:
        cell_type: (N,).
        depth_um: (N,), um below the pia; NaN where not known.
        laminae: the borders.

    Returns:
        (N,): from the type where it tells, else from the depth, else ``unknown``.
    """
    names = [border.name for border in laminae.borders]
    bottoms_um = [border.bottom_um for border in laminae.borders]
    by_depth = np.array(names)[np.searchsorted(bottoms_um[:-1], depth_um, side="right")]
    by_type = _type_lamina(cell_type)
    return np.where(by_type != "", by_type, np.where(np.isnan(depth_um), "unknown", by_depth))


def lamina_confidence(lamina: Words, cell_type: Words, depth_um: FloatArray) -> FloatArray:
    """Return how sure the lamina of each cell is.

    Args:
        lamina: (N,), as assigned.
        cell_type: (N,).
        depth_um: (N,), um below the pia; NaN where not known.

    Returns:
        (N,): the share of the cells whose type names a lamina, within ``WINDOW_UM`` of a cell's depth, that are of its
        lamina; NaN where there are fewer than ``FEWEST_NEARBY``, or where no type names that lamina.
    """
    marked = _type_lamina(cell_type)
    nearby, agreeing = np.zeros(len(lamina)), np.zeros(len(lamina))
    for name in np.unique(marked[marked != ""]):
        around = np.sort(depth_um[(marked == name) & ~np.isnan(depth_um)])
        first = np.searchsorted(around, depth_um - WINDOW_UM, "left")
        end = np.searchsorted(around, depth_um + WINDOW_UM, "right")
        count = np.where(np.isnan(depth_um), 0, end - first)
        nearby += count
        agreeing += np.where(lamina == name, count, 0)
    told = (nearby >= FEWEST_NEARBY) & np.isin(lamina, marked[marked != ""])
    return np.where(told, agreeing / np.maximum(nearby, 1), np.nan)


def contradicts_depth(cell_type: Words, depth_um: FloatArray, laminae: Laminae = FIXED) -> npt.NDArray[np.bool_]:
    """Tell which cells lie more than ``TOLERANCE_UM`` outside the lamina that their type names.

    Args:
        cell_type: (N,).
        depth_um: (N,), um below the pia.
        laminae: the borders.

    Returns:
        (N,).
    """
    span_um = {border.name: (border.top_um, border.bottom_um) for border in laminae.borders}
    sides = [span_um.get(name, (np.nan, np.nan)) for name in _type_lamina(cell_type)]
    tops, bottoms = np.array(sides, dtype=np.float64).reshape(-1, 2).T
    return (depth_um < tops - TOLERANCE_UM) | (depth_um > bottoms + TOLERANCE_UM)


def _type_lamina(cell_type: Words) -> Words:
    return np.array([TYPE_LAMINA.get(name, "") for name in cell_type], dtype="<U7")


def _change(shallow_um: FloatArray, deep_um: FloatArray) -> float:
    """Return the depth that leaves fewest cells on the wrong side, the middle where several do."""
    depth = np.concatenate([shallow_um, deep_um])
    order = np.argsort(depth, kind="stable")
    # A border below the first k cells has on its wrong side the deep cells above it and the shallow ones below it.
    passed_deep = np.concatenate([[0], np.cumsum(order >= len(shallow_um))])
    passed = np.arange(len(depth) + 1)
    wrong = passed_deep + len(shallow_um) - (passed - passed_deep)
    best = np.flatnonzero(wrong == wrong.min())
    k = int(best[len(best) // 2])
    ends = np.concatenate([depth[order][:1], depth[order], depth[order][-1:]])
    return float((ends[k] + ends[k + 1]) / 2)
