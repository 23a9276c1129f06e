"""Connected pairs or single synapses of a foreign connectome.

Enters: the section ``[edges]`` or ``[synapses]`` and its table. Leaves: the same rows under our names, ends as text,
counts and sizes as whole numbers. Rows are scanned, never held in memory.
"""

from __future__ import annotations

from pathlib import Path

import ibis
from ibis.backends import BaseBackend

from connectome2net.errors import SourceError
from connectome2net.sources.files import digest
from connectome2net.sources.mapping.foreign import Foreign, as_ids, count, open_foreign
from connectome2net.sources.mapping.model import ConnectomeMapping, Edges, Synapses
from connectome2net.sources.microns import TableShape
from connectome2net.sources.shape import conform
from connectome2net.sources.source import MAPPED_EDGES, MAPPED_SYNAPSES, Kept, SourceTable

Links = tuple[SourceTable, tuple[Kept, ...], tuple[str, ...]]
"""A table, what was left out of it, and what to know of it."""


def open_links(engine: BaseBackend, folder: Path, mapping: ConnectomeMapping) -> Links:
    """Return edges or synapses, whichever the mapping has.

    Returns:
        ``edges``: ``pre``, ``post`` (text), ``synapse_count`` and ``total_size_vx`` (int64, null where not measured);
        or ``synapses``: ``pre``, ``post``, ``size`` (int64) and, where they have one, ``id`` (text).

    Raises:
        SourceError: a column is missing or of the wrong type, a value is not understood, or a pair stands in several
            rows and the mapping does not say that they are summed.
    """
    if mapping.edges is not None:
        return _edges(engine, folder, mapping.edges)
    assert mapping.synapses is not None  # the mapping has one of the two
    return _synapses(engine, folder, mapping.synapses)


def _edges(engine: BaseBackend, folder: Path, said: Edges) -> Links:
    sizes = [said.size] if said.size else []
    opened = open_foreign(engine, folder, said, [said.pre, said.post, said.count, *sizes], section=MAPPED_EDGES)
    opened = as_ids(opened, [said.pre, said.post])
    shape = TableShape({said.pre: "text", said.post: "text", said.count: "count"}, dict.fromkeys(sizes, "size"))
    raw, rows = conform(opened.table, shape, file=opened.path.name)
    edges = raw.select(
        pre=raw[said.pre],
        post=raw[said.post],
        synapse_count=raw[said.count],
        total_size_vx=raw[said.size] if said.size else ibis.null("int64"),
    )
    pairs = edges.group_by("pre", "post").aggregate(
        synapse_count=edges.synapse_count.sum(),
        total_size_vx=edges.total_size_vx.isnull().any().ifelse(ibis.null("int64"), edges.total_size_vx.sum()),
        times=edges.count(),
    )
    notes: tuple[str, ...] = ()
    number = count(pairs, file=opened.path.name)
    if number < rows:
        if said.repeated_pairs == "refuse":
            raise _twice(pairs.filter(pairs.times > 1), opened, said, rows=rows, number=number)
        edges = pairs.drop("times")
        notes = (f"{opened.path.name}: {rows:,} rows are {number:,} pairs; the rows of a pair are summed",)
    return SourceTable(MAPPED_EDGES, opened.path.name, number, digest(opened.path), edges), opened.kept, notes


def _twice(repeated: ibis.Table, opened: Foreign, said: Edges, *, rows: int, number: int) -> SourceError:
    first = repeated.order_by("pre", "post").limit(1).to_pyarrow().to_pylist()[0]
    return SourceError(
        "a pair of cells stands in several rows",
        where=f"{opened.path.name}, columns {said.pre} and {said.post}",
        found=f"{first['pre']} -> {first['post']} {first['times']} times; {rows:,} rows, {number:,} pairs",
        wanted="one row per pair",
        fix='repeated_pairs = "sum" in [edges], if the rows are parts of one connection, as of several neuropils',
    )


def _synapses(engine: BaseBackend, folder: Path, said: Synapses) -> Links:
    sizes, ids = [said.size] if said.size else [], [said.id] if said.id else []
    ends = [said.pre, said.post, *ids]
    opened = as_ids(open_foreign(engine, folder, said, [*ends, *sizes], section=MAPPED_SYNAPSES), ends)
    shape = TableShape(dict.fromkeys(ends, "text"), dict.fromkeys(sizes, "size"))
    raw, rows = conform(opened.table, shape, file=opened.path.name)
    synapses = raw.select(
        pre=raw[said.pre],
        post=raw[said.post],
        size=raw[said.size] if said.size else ibis.null("int64"),
        **({"id": raw[said.id]} if said.id else {}),
    )
    return SourceTable(MAPPED_SYNAPSES, opened.path.name, rows, digest(opened.path), synapses), opened.kept, ()
