"""Connections between cells of the column.

Enters: synapse rows or a table of connected pairs, which are aggregated as they stream. Leaves: the edges table, sorted
by (post, pre), what each cell receives from outside the column, and what was lost at each step.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import ibis
import ibis.expr.types as ir
import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from connectome2net.errors import ExtractError, SourceError
from connectome2net.extract.quality import Account
from connectome2net.sources.check import TWO_VERSIONS
from connectome2net.sources.engine import collect
from connectome2net.sources.microns import CONNECTIONS, STATISTICS, SYNAPSES
from connectome2net.sources.source import MAPPED_EDGES, MAPPED_SYNAPSES, Source, SourceTable
from connectome2net.spec.tables import EDGES_SCHEMA

OUTSIDE = "an end is no cell of this column: it lies outside, was left out above, or is in no table of cells"
AUTAPSE = "an autapse: nearly always two touching branches of one cell, so CAVE's own synapse query drops them too"
MEASURES = ("synapse_count", "total_size_vx")

Mask = npt.NDArray[np.bool_]


@dataclass(frozen=True)
class Wiring:
    """How a table says who connects to whom.

    Attributes:
        given: the table.
        key: the column of the cells by which it names them.
        pre: its column for the presynaptic cell.
        post: its column for the postsynaptic cell.
        count: its column of synapses per row; None for one row per synapse.
        size: its column of cleft sizes.
        roots: its columns for the root ids of the two ends, where ``key`` is another.
    """

    given: SourceTable
    key: str
    pre: str
    post: str
    count: str | None = None
    size: str = "size"
    roots: tuple[str, str] | None = None

    @property
    def where(self) -> str:
        """The table, for messages."""
        return self.given.file or self.given.name


def find_wiring(source: Source, cells: pa.Table) -> Wiring:
    """Return the table that tells the connections of cells: synapse rows if they are there, else connected pairs.

    A source that is queried is asked now.
    """
    if MAPPED_SYNAPSES in source:
        return Wiring(source[MAPPED_SYNAPSES], "source_id", "pre", "post")
    if MAPPED_EDGES in source:
        return Wiring(source[MAPPED_EDGES], "source_id", "pre", "post", count="synapse_count", size="total_size_vx")
    ends = ("pre_pt_root_id", "post_pt_root_id")
    if SYNAPSES in source:
        return Wiring(source[SYNAPSES], "root_id", *ends)
    if source.fetch_synapses is not None and CONNECTIONS not in source:
        return Wiring(source.fetch_synapses(cells.column("root_id").to_numpy()), "root_id", *ends)
    pairs = ("pre_nuc_id", "post_nuc_id")
    return Wiring(source[CONNECTIONS], "nucleus_id", *pairs, count="n_syn", size="sum_size", roots=ends)


@dataclass(frozen=True)
class Connected:
    """The connections of N cells.

    Attributes:
        edges: ``EDGES_SCHEMA``.
        outside: one row per cell with ``outside_synapse_count`` and ``outside_total_size_vx``; null where the source
            does not hold them.
        touched: (N,), whether the table has a row of the cell.
    """

    edges: pa.Table
    outside: pa.Table
    touched: Mask


def connect(source: Source, cells: pa.Table, wiring: Wiring, account: Account) -> Connected:
    """Connect the cells of the column.

    Args:
        source: where the tables are.
        cells: the cells, in the order of ``cell_index``.
        wiring: the table that tells their connections.
        account: of the extraction.

    Raises:
        ExtractError: a pair of cells or a synapse occurs twice.
        SourceError: the table is of another materialization than the cells.
    """
    rows, total = _valid(wiring, account)
    counted = _aggregate(rows, wiring, cells)
    _refuse_other_roots(counted, wiring)
    from_outside = counted.filter(counted.column("pre_index").is_null())
    inside = counted.filter(counted.column("pre_index").is_valid())
    _refuse_repeated(inside, wiring)
    edges = inside.filter(pc.not_equal(inside.column("pre_index"), inside.column("post_index")))
    what = "pairs" if wiring.count else "synapses"
    among, different = (_total(part.column("rows")) for part in (inside, edges))
    account.count(f"{what} with both cells in the column", total, among, why=OUTSIDE)
    kind = "pairs of different cells" if wiring.count else "synapses between different cells"
    account.count(kind, among, different, why=AUTAPSE)
    edges = edges.select(EDGES_SCHEMA.names).cast(EDGES_SCHEMA)
    edges = edges.sort_by([("post_index", "ascending"), ("pre_index", "ascending")]).combine_chunks()
    touched = np.zeros(cells.num_rows, dtype=bool)
    touched[np.asarray(counted.column("post_index"))] = True
    touched[np.asarray(inside.column("pre_index"))] = True
    return Connected(edges, _outside(source, from_outside, edges, cells), touched)


def threshold(
    edges: pa.Table, account: Account, *, senders: Mapping[str, Mask], min_synapses: int, min_size_vx: int
) -> pa.Table:
    """Drop edges that a user does not trust.

    Args:
        edges: ``EDGES_SCHEMA``.
        account: of the extraction.
        senders: requirement -> (N,), which cells fulfil it and so may be presynaptic.
        min_synapses: fewest synapses of an edge.
        min_size_vx: least total cleft size of an edge, voxels.

    Raises:
        ExtractError: sizes are asked for and were not measured.
    """
    for requirement, fulfilled in senders.items():
        name = f"edges of cells with a {requirement.replace('-', ' ')}"
        allowed = fulfilled[np.asarray(edges.column("pre_index"))]
        edges = account.keep(name, edges, allowed, why="the presynaptic cell has none")
    if min_synapses > 1:
        enough = np.asarray(edges.column("synapse_count")) >= min_synapses
        edges = account.keep(f"edges of {min_synapses} synapses or more", edges, enough, why="fewer synapses")
    if min_size_vx > 0:
        size = edges.column("total_size_vx")
        if size.null_count:
            raise ExtractError(
                "sizes of synapses were not measured",
                where="--min-size-vx",
                found=f"{size.null_count:,} of {len(size):,} edges without a size",
                wanted="a table with sizes",
            )
        large = np.asarray(size) >= min_size_vx
        edges = account.keep(f"edges of {min_size_vx:,} voxels or more", edges, large, why="smaller clefts")
    return edges.combine_chunks()


def _valid(wiring: Wiring, account: Account) -> tuple[ir.Table, int]:
    """Leave out synapses that the table itself does not call valid."""
    rows, total = wiring.given.table, wiring.given.rows
    if "valid" not in rows.columns:
        return rows, total
    rows = rows.filter(rows.valid)
    valid = collect(rows.aggregate(rows=rows.count()), file=wiring.where).column("rows")[0].as_py()
    account.count("valid synapses", total, valid, why="the table itself does not call them valid")
    return rows, valid


def _aggregate(rows: ir.Table, wiring: Wiring, cells: pa.Table) -> pa.Table:
    """Sum rows by pair of cells in one scan; those from outside the column by postsynaptic cell, ``pre_index`` null.

    Returns:
        ``post_index, pre_index, rows, synapse_count, total_size_vx``; ``ids``, the number of different synapse ids,
        and ``other_roots``, rows whose root ids are not those of the cells, where the table has such columns.
    """
    known = ibis.memtable(
        pa.table({
            "key": cells.column(wiring.key),
            "index": np.arange(cells.num_rows, dtype=np.int32),
            "root": cells.column("root_id"),
        })
    )  # fmt: skip
    post, pre = (known.rename({f"{end}_{name}": name for name in known.columns}) for end in ("post", "pre"))
    rows = rows.inner_join(post, rows[wiring.post] == post.post_key)
    rows = rows.left_join(pre, rows[wiring.pre] == pre.pre_key)
    measures = {
        "rows": rows.count(),
        "synapse_count": rows[wiring.count].sum() if wiring.count else rows.count(),
        "total_size_vx": _whole_sum(rows[wiring.size]) if wiring.size in rows.columns else ibis.null("int64"),
    }
    if not wiring.count and "id" in rows.columns:
        measures["ids"] = rows.pre_index.notnull().ifelse(rows["id"], ibis.null(rows["id"].type())).nunique()
    if wiring.roots:
        pre_root, post_root = (rows[name] for name in wiring.roots)
        differ = (post_root != rows.post_root) | (pre_root != rows.pre_root).fill_null(False)
        measures["other_roots"] = differ.cast("int64").sum()
    return collect(rows.group_by("post_index", "pre_index").aggregate(**measures), file=wiring.where)


def _whole_sum(size: ir.Column) -> ir.Scalar:
    """Sum sizes; a sum of which a part was not measured is not known."""
    return size.isnull().any().ifelse(ibis.null("int64"), size.sum())


def _outside(source: Source, counted: pa.Table, edges: pa.Table, cells: pa.Table) -> pa.Table:
    """Return what each cell receives from outside the column.

    Totals over the whole volume tell it best; else the rows themselves do. A table without one row from outside was
    cut to the column before, and says nothing of the rest.
    """
    if STATISTICS in source:
        measured = _from_totals(source[STATISTICS].read(), edges, cells)
    else:
        post = np.asarray(counted.column("post_index"))
        measured = {
            name: np.bincount(post, np.asarray(counted.column(name), dtype=np.float64), minlength=cells.num_rows)
            for name in MEASURES
            if counted.num_rows and not counted.column(name).null_count
        }
    nothing = np.full(cells.num_rows, np.nan)
    columns = {name: pa.array(measured.get(name, nothing), from_pandas=True) for name in MEASURES}
    return pa.table({f"outside_{name}": column.cast(pa.int64()) for name, column in columns.items()})


def _from_totals(totals: pa.Table, edges: pa.Table, cells: pa.Table) -> dict[str, npt.NDArray[Any]]:
    """Subtract what comes from the column from what comes from the whole volume."""
    row_of = {nucleus: row for row, nucleus in enumerate(totals.column("id").to_pylist())}
    rows = [row_of.get(nucleus, -1) for nucleus in cells.column("nucleus_id").to_pylist()]
    found = {}
    for name, column in zip(MEASURES, ("ds_num_of_incoming_synapses", "ds_incoming_syn_sum_weight"), strict=True):
        inside = edges.column(name)
        if column not in totals.column_names or inside.null_count:
            continue
        whole = np.append(totals.column(column).to_numpy().astype(np.float64), np.nan)[rows]
        here = np.bincount(np.asarray(edges.column("post_index")), np.asarray(inside), minlength=cells.num_rows)
        found[name] = np.where(whole >= here, whole - here, np.nan)
    return found


def _refuse_other_roots(counted: pa.Table, wiring: Wiring) -> None:
    if wiring.roots and (differing := _total(counted.column("other_roots"))):
        raise SourceError(
            "two materializations: tables disagree on the root id of a nucleus",
            where=f"{wiring.where}, columns {' and '.join(wiring.roots)}",
            found=f"{differing:,} {'rows' if differing > 1 else 'row'} with another root id than the table of cells",
            wanted="one root id per nucleus",
            fix=TWO_VERSIONS,
        )


def _refuse_repeated(inside: pa.Table, wiring: Wiring) -> None:
    """Refuse a pair that is listed twice, or a synapse of a pair."""
    rows = _total(inside.column("rows"))
    if wiring.count and (repeated := rows - inside.num_rows):
        raise ExtractError(
            "a pair of cells occurs more than once in the connection table",
            where=f"{wiring.where}, columns {wiring.pre} and {wiring.post}",
            found=f"{repeated:,} rows too many",
            wanted="one row per pair",
            fix="download the table again, or remove the repeated rows",
        )
    if "ids" in inside.column_names and (repeated := rows - _total(inside.column("ids"))):
        raise ExtractError(
            "a synapse occurs more than once",
            where=f"{wiring.where}, column id",
            found=f"{repeated:,} rows too many",
            wanted="one row per synapse id",
            fix="download the table again",
        )


def _total(column: pa.ChunkedArray) -> int:
    return int(pc.sum(column).as_py() or 0)
