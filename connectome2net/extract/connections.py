"""Connections between cells of the column.

Enters: the connection table, or synapse rows, which are aggregated as they stream. Leaves: the edges table, sorted by
(post, pre), and what was lost at each step.
"""

from __future__ import annotations

import ibis
import ibis.expr.types as ir
import numpy as np
import pyarrow as pa

from connectome2net.errors import ExtractError
from connectome2net.extract.quality import step
from connectome2net.sources.microns import CONNECTIONS, SYNAPSES
from connectome2net.sources.source import Source
from connectome2net.spec.model import Step
from connectome2net.spec.tables import EDGES_SCHEMA

OUTSIDE = "an end lies outside the column"
AUTAPSE = "an autapse: nearly always two touching branches of one cell, so CAVE's own synapse query drops them too"


def connect(source: Source, census: pa.Table) -> tuple[pa.Table, tuple[Step, ...]]:
    """Return the edges of the column.

    Args:
        source: where the tables are. Synapse rows are used if they are there, else the connection table.
        census: the cells, in the order of ``cell_index``.

    Returns:
        The edges (``EDGES_SCHEMA``) and the accounts of the steps.

    Raises:
        ExtractError: a pair of cells or a synapse occurs twice.
    """
    counted, steps = (_from_synapses if SYNAPSES in source else _from_connections)(source, census)
    columns = {
        "post_index": counted.column("post_index"),
        "pre_index": counted.column("pre_index"),
        "synapse_count": counted.column("synapse_count"),
        "total_size_vx": counted.column("total_size_vx"),
    }
    edges = pa.table(columns).cast(EDGES_SCHEMA).sort_by([("post_index", "ascending"), ("pre_index", "ascending")])
    return edges.combine_chunks(), steps


def _from_connections(source: Source, census: pa.Table) -> tuple[pa.Table, tuple[Step, ...]]:
    given = source[CONNECTIONS]
    inside = _between(given.table, census, key="id", pre="pre_nuc_id", post="post_nuc_id")
    size = inside.sum_size if "sum_size" in inside.columns else ibis.null("int64")
    pairs = inside.select("pre_index", "post_index", synapse_count=inside.n_syn, total_size_vx=size).to_pyarrow()
    autapse = _equal(pairs)
    edges = pairs.filter(pa.array(~autapse))
    _refuse_twice(edges, where=given.file or given.name)
    return edges, (
        step("pairs with both cells in the column", given.rows, pairs.num_rows, why=OUTSIDE),
        step("pairs of different cells", pairs.num_rows, edges.num_rows, why=AUTAPSE),
    )


def _from_synapses(source: Source, census: pa.Table) -> tuple[pa.Table, tuple[Step, ...]]:
    given = source[SYNAPSES]
    rows, steps, total = given.table, [], given.rows
    if "valid" in rows.columns:
        rows = rows.filter(rows.valid)
        valid = int(rows.count().to_pyarrow().as_py())
        steps.append(step("valid synapses", total, valid, why="the table itself calls them invalid"))
        total = valid
    inside = _between(rows, census, key="pt_root_id", pre="pre_pt_root_id", post="post_pt_root_id")
    measures = {"synapse_count": inside.count(), "total_size_vx": ibis.null("int64")}
    if "size" in inside.columns:
        measures["total_size_vx"] = inside["size"].sum()
    if "id" in inside.columns:
        measures["ids"] = inside["id"].nunique()
    pairs = inside.group_by("pre_index", "post_index").aggregate(**measures).to_pyarrow()
    _refuse_repeated_synapses(pairs, where=given.file or given.name)
    edges = pairs.filter(pa.array(~_equal(pairs)))
    kept, different = (int(np.sum(table.column("synapse_count"))) for table in (pairs, edges))
    steps.append(step("synapses with both cells in the column", total, kept, why=OUTSIDE))
    steps.append(step("synapses between different cells", kept, different, why=AUTAPSE))
    return edges, tuple(steps)


def _between(rows: ir.Table, census: pa.Table, *, key: str, pre: str, post: str) -> ir.Table:
    """Keep rows with both ends in the census, and add their ``pre_index`` and ``post_index``."""
    index = np.arange(census.num_rows, dtype=np.int32)
    cells = ibis.memtable(pa.table({"key": census.column(key), "cell_index": index}))
    for end, column in (("pre_index", pre), ("post_index", post)):
        rows = rows.join(cells.select(key="key", **{end: "cell_index"}), rows[column] == cells.key)
        rows = rows.drop("key")
    return rows


def _equal(pairs: pa.Table) -> np.ndarray[tuple[int], np.dtype[np.bool_]]:
    return np.asarray(pairs.column("pre_index")) == np.asarray(pairs.column("post_index"))


def _refuse_twice(edges: pa.Table, *, where: str) -> None:
    pair = np.asarray(edges.column("pre_index")).astype(np.int64) << 32 | np.asarray(edges.column("post_index"))
    if repeated := len(pair) - len(np.unique(pair)):
        raise ExtractError(
            "A pair of cells occurs more than once in the connection table",
            where=f"{where}, columns pre_nuc_id and post_nuc_id",
            found=f"{repeated:,} rows too many",
            wanted="one row per pair",
            fix="download the table again, or remove the repeated rows",
        )


def _refuse_repeated_synapses(pairs: pa.Table, *, where: str) -> None:
    if "ids" not in pairs.column_names:
        return
    if repeated := int(np.sum(pairs.column("synapse_count")) - np.sum(pairs.column("ids"))):
        raise ExtractError(
            "A synapse occurs more than once",
            where=f"{where}, column id",
            found=f"{repeated:,} rows too many",
            wanted="one row per synapse id",
            fix="download the table again",
        )
