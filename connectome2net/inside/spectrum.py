"""The recurrent network as one matrix, and what its spectrum says.

Enters: a loaded network. Leaves: ``W[post, pre]`` over all its cells; its eigenvalues, singular values and balance.
"""

# Axes: E edges, U units (cells of the network, group after group).

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
import torch
from torch import nn

from connectome2net.inside.layout import Index, layout_of

if TYPE_CHECKING:
    from scipy import sparse

SMALL = 400
"""Up to so many cells everything is computed densely at once."""
DENSE = 2_000
"""Up to so many cells all singular values are computed."""

Values = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Edges:
    """Every edge of a network, over its units.

    Attributes:
        post_E: postsynaptic unit.
        pre_E: presynaptic unit.
        weight_E: weight.
    """

    post_E: Index
    pre_E: Index
    weight_E: Values


@torch.no_grad()
def edges_of(model: nn.Module) -> Edges:
    """Return the edges of all projections of a network, one after the other; without gap junctions.

    Raises:
        InsideError: it is a conventional reference, which has none.
    """
    layout, program = layout_of(model), _program(model)
    layout.check_cells()
    post, pre, weight = [np.zeros(0, dtype=np.int64)], [np.zeros(0, dtype=np.int64)], [np.zeros(0)]
    for block in (block for block in program.blocks if block.sign != "positive"):
        module: Any = model.get_submodule(f"W_{block.name}")
        post.append(layout.groups[block.post][0] + module.pattern.row_of_edge().cpu().numpy())
        pre.append(layout.groups[block.pre][0] + module.pre_index.cpu().numpy())
        weight.append(module.weight_E().cpu().double().numpy())
    return Edges(np.concatenate(post), np.concatenate(pre), np.concatenate(weight))


def weight_matrix(model: nn.Module) -> sparse.csr_array:
    """Return ``W[post, pre]`` of a loaded network over all its cells, as a scipy sparse array (U, U).

    Rows and columns are units: ``model.cell_index`` says which cells of the spec they are. Edges of several
    projections between the same two cells are added; delays and gap junctions are left out.
    """
    from scipy import sparse

    edges, units = edges_of(model), len(layout_of(model).cell_index)
    return sparse.csr_array((edges.weight_E, (edges.post_E, edges.pre_E)), shape=(units, units))


def spectral_report(model: nn.Module, *, quick: bool = False) -> dict[str, Any]:
    """Return what the recurrent weights of a network say about its dynamics.

    It is the spectrum of W alone: slopes, norms and leaks of the cells come on top. A linear network
    ``rate <- W rate + x`` is stable where the spectral radius is below 1.

    Args:
        model: what ``load`` returned.
        quick: without what takes a second for a thousand cells: the small singular values, the departure from
            normality.

    Returns:
        ``units, edges``;
        ``spectral_radius``, the largest absolute eigenvalue, taken over the strongly connected components, because W is
        block triangular in them: 0, exactly, where there is no loop; dense for few cells, by ARPACK above
        (Lehoucq, Sorensen and Yang 1998, doi 10.1137/1.9780898719628), and to some percent by the growth of a vector
        where that does not converge;
        ``largest_singular_value``, the most by which a step can amplify;
        ``rank``, ``smallest_singular_value`` that is not 0 and ``condition``, their quotient: from all singular values,
        those below ``largest * U * 2.2e-16`` taken as 0 (the rule of numpy.linalg.matrix_rank); None above 2,000 cells,
        because iterations do not find the small ones reliably;
        ``non_normality``, ``|W W^T - W^T W| / |W|^2`` in Frobenius norms: 0 where eigenvectors are orthogonal, at most
        the root of 2; it bounds the departure from normality of Henrici (1962, Numerische Mathematik 4, 24) on both
        sides (Elsner and Paardekooper 1987, Linear Algebra and its Applications 92, 107); None above 2,000 cells;
        ``excitation, inhibition``, the sums of weights above and below 0, and ``pairs``, the same for each pair of
        populations;
        ``cells_without_edges_in``, and ``cells_without_input``, those among them that the image does not drive;
        ``notes``, what could not be had and why.
    """
    from connectome2net.spectral import spectral_radius

    edges, layout = edges_of(model), layout_of(model)
    units = len(layout.cell_index)
    report: dict[str, Any] = {"units": units, "edges": len(edges.weight_E)}
    report |= dict.fromkeys(("spectral_radius", "largest_singular_value", "rank", "smallest_singular_value"))
    report |= dict.fromkeys(("condition", "non_normality"))
    report |= {"notes": [], **_balance(model, edges), **_without_input(model, edges)}
    if not np.isfinite(edges.weight_E).all():
        report["notes"].append("a weight is not finite: there is no spectrum")
        return report
    matrix = weight_matrix(model)
    report["spectral_radius"] = spectral_radius(matrix)
    if units <= (SMALL if quick else DENSE):
        return report | _all_singular_values(matrix) | {"non_normality": _non_normality(matrix)}
    left_out = "c2n inspect has them" if units <= DENSE else f"more than {DENSE:,} cells"
    report["notes"].append(f"no condition number and no departure from normality: {left_out}")
    return report | {"largest_singular_value": _largest_singular_value(matrix, report["notes"])}


def _all_singular_values(matrix: sparse.csr_array) -> dict[str, Any]:
    rows, columns = (np.unique(index) for index in matrix.nonzero())
    values = np.linalg.svd(matrix[rows][:, columns].toarray(), compute_uv=False) if len(rows) else np.zeros(1)
    rank = int((values > values[0] * matrix.shape[0] * np.finfo(np.float64).eps).sum())
    smallest = float(values[rank - 1]) if rank else None
    return {
        "largest_singular_value": float(values[0]),
        "rank": rank,
        "smallest_singular_value": smallest,
        "condition": float(values[0]) / smallest if smallest else None,
    }


def _largest_singular_value(matrix: sparse.csr_array, notes: list[str]) -> float | None:
    from scipy.sparse.linalg import ArpackError, svds

    try:
        return float(svds(matrix, k=1, v0=np.ones(matrix.shape[0]), return_singular_vectors=False)[0])
    except ArpackError:
        notes.append("ARPACK did not converge: no singular value")
        return None


def _non_normality(matrix: sparse.csr_array) -> float:
    square = float((matrix.data**2).sum())
    commutator = matrix @ matrix.T - matrix.T @ matrix
    return float(np.sqrt((commutator.data**2).sum())) / square if square else 0.0


def _balance(model: nn.Module, edges: Edges) -> dict[str, Any]:
    layout = layout_of(model)
    names = list(layout.populations)
    of_unit = np.zeros(len(layout.cell_index), dtype=np.int64)
    for number, (start, end) in enumerate(layout.populations.values()):
        of_unit[start:end] = number
    pair_E = of_unit[edges.pre_E] * len(names) + of_unit[edges.post_E]
    sums = {
        "edges": np.bincount(pair_E, minlength=len(names) ** 2),
        "excitation": np.bincount(pair_E, np.maximum(edges.weight_E, 0), len(names) ** 2),
        "inhibition": np.bincount(pair_E, np.maximum(-edges.weight_E, 0), len(names) ** 2),
    }
    pairs = [
        {"pre": names[pair // len(names)], "post": names[pair % len(names)]}
        | {name: values[pair].item() for name, values in sums.items()}
        for pair in np.flatnonzero(sums["edges"])
    ]
    whole = {name: float(sums[name].sum()) for name in ("excitation", "inhibition")}
    return whole | {"pairs": pairs}


def _without_input(model: nn.Module, edges: Edges) -> dict[str, int]:
    layout, given = layout_of(model), _program(model).input
    reached = np.zeros(len(layout.cell_index), dtype=bool)
    reached[edges.post_E[edges.weight_E != 0]] = True
    silent = int((~reached).sum())
    first = layout.groups[given.group][0] + given.rows_before
    reached[first : first + given.cells] = True
    return {"cells_without_edges_in": silent, "cells_without_input": int((~reached).sum())}


def _program(model: nn.Module) -> Any:
    return model.program
