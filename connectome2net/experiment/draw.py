"""The graph of one run: the spec of a variant with its edges rewired.

Enters: a spec, a change, a seed. Leaves: the spec that is compiled; the number of what it learns.
"""

from __future__ import annotations

from pathlib import Path

from connectome2net.compile.lower import lower
from connectome2net.compile.package import compile_spec
from connectome2net.compile.parameters import count_parameters
from connectome2net.compile.reference import compile_reference, lower_reference
from connectome2net.errors import C2NError, ExperimentError
from connectome2net.experiment.change import Change
from connectome2net.spec import Spec
from connectome2net.spec.select import population_cells
from connectome2net.transform import rewire


def draw(spec: Spec, change: Change, *, seed: int) -> Spec:
    """Return a spec with the cells and edges of a variant; each seed draws its own graph.

    The middle of a column gets weights as a column of its size would, not those that fitted a larger one: else a gap to
    a control would change with size for that alone.

    Args:
        spec: of the variant, its network changed already.
        change: says which control, if any.
        seed: of the control.
    """
    if change.subset is not None:
        spec = rewire(spec, "subset", fraction=change.subset, seed=seed, weights="normalised")
    if change.null is None:
        return spec
    return rewire(spec, change.null, seed=seed, fraction=change.fraction, cells=change.cells, weights=change.weights)


def compile_drawn(spec: Spec, change: Change, *, out: Path) -> Path:
    """Compile a drawn spec, or the conventional network in the place of its column."""
    if change.network is not None:
        return compile_reference(spec, change.network, out=out)
    return compile_spec(spec, out=out)


def count_trainable(spec: Spec, change: Change, *, seed: int) -> int:
    """Return how many numbers a variant learns.

    Raises:
        ExperimentError: the variant cannot be made of this spec.
    """
    try:
        drawn = draw(spec, change, seed=seed)
        program = lower(drawn)[0] if change.network is None else lower_reference(drawn, change.network)
        return sum(count_parameters(program).values())
    except C2NError as error:
        raise ExperimentError(f"variant {change.name!r} cannot be made of this spec", found=error) from error


def size_dense_core(spec: Spec, change: Change, *, seed: int) -> Change:
    """Return a change to a dense core that is as large as trainable parameters allow.

    Args:
        spec: of the variant; the core gets as many trainable parameters as it has, as nearly as possible.
        change: to the control ``dense-core``, without a number of cells.
        seed: of the control.
    """
    wanted = count_trainable(spec, Change(name=change.name, subset=change.subset), seed=seed)

    def learned(cells: int) -> int:
        return count_trainable(spec, change.model_copy(update={"cells": cells}), seed=seed)

    members = population_cells(spec)
    low, high = len(members), sum(map(len, members.values()))  # with all cells it has at least the edges of the spec
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (middle, high) if learned(middle) <= wanted else (low, middle)
    cells = min((low, high), key=lambda size: abs(learned(size) - wanted))
    return change.model_copy(update={"cells": cells})
