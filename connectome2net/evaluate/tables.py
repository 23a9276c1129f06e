"""What a run answered, learned and did, as tables for figures and statistics.

Enters: a run's network, fresh and trained, and what it answered. Leaves: predictions.parquet, weights.parquet and
activity.parquet.
"""

# Axes: N images, E edges, U units, K classes.

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import torch
from torch import Tensor, nn

from connectome2net.evaluate.predict import Activity
from connectome2net.inside.layout import layout_of
from connectome2net.tasks import ImageSet
from connectome2net.train.checkpoint import write_atomically


def prediction_table(logits_NK: Tensor, images: ImageSet) -> pa.Table:
    """Return one row per image, in the order of the data set: ``label, part, leaked, blank, logit``."""
    flat = pa.array(logits_NK.float().numpy().reshape(-1))
    columns = {"label": images.label_N, "part": images.part_N.tolist(), "leaked": images.leaked_N}
    return pa.table(
        {**columns, "blank": images.blank_N, "logit": pa.FixedSizeListArray.from_arrays(flat, logits_NK.shape[1])}
    )


@torch.no_grad()
def weight_table(fresh: nn.Module, trained: nn.Module) -> pa.Table:
    """Return one row per edge: ``projection, pre_index, post_index, before, after``.

    Args:
        fresh: the network before training.
        trained: the same after it.

    Returns:
        Indices are rows of the spec's cells table; weights have their sign, conductances of gap junctions are positive.
    """
    layout, blocks = layout_of(trained), _program(trained).blocks
    names = list(dict.fromkeys(block.projection for block in blocks))
    kinds = (np.int32, np.int64, np.int64, np.float32, np.float32)
    parts: list[tuple[Any, ...]] = [tuple(np.zeros(0, kind) for kind in kinds)]
    for block in blocks:
        before, after = (_matrix(model, block.name) for model in (fresh, trained))
        pre_E = layout.cell_index[layout.groups[block.pre][0] + _array(after.pre_index)]
        post_E = layout.cell_index[layout.groups[block.post][0] + _array(after.pattern.row_of_edge())]
        name_E = np.full(len(pre_E), names.index(block.projection), np.int32)
        parts.append((name_E, pre_E, post_E, _array(before.weight_E()), _array(after.weight_E())))
    name_E, *columns = (np.concatenate(values) for values in zip(*parts, strict=True))
    projection = pa.DictionaryArray.from_arrays(name_E, pa.array(names, pa.string()))
    return pa.table([projection, *columns], names=["projection", "pre_index", "post_index", "before", "after"])


def activity_table(model: nn.Module, activity: Activity) -> pa.Table:
    """Return one row per unit: ``cell_index, population, rate, active``."""
    layout = layout_of(model)
    population = np.full(len(layout.cell_index), "", dtype=object)
    for name, (start, end) in layout.populations.items():
        population[start:end] = name
    columns = {"rate": activity.rate_U.numpy(), "active": activity.active_U.numpy()}
    return pa.table({"cell_index": layout.cell_index, "population": pa.array(population, pa.string()), **columns})


def write_table(path: Path, table: pa.Table) -> None:
    """Write a parquet file, never half."""
    sink = pa.BufferOutputStream()
    pq.write_table(table, sink, compression="zstd")
    write_atomically(path, sink.getvalue().to_pybytes())


def _program(model: nn.Module) -> Any:
    return model.program


def _matrix(model: nn.Module, name: str) -> Any:
    return model.get_submodule(f"W_{name}")


def _array(tensor: Tensor) -> Any:
    return tensor.cpu().numpy()
