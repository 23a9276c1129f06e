"""A folder and a mapping -> a checked source.

Enters: foreign tables and ``mapping.toml``. Leaves: ``Source`` with ``cells``, and ``edges`` or ``synapses``.
"""

from __future__ import annotations

import hashlib
import os
from pathlib import Path

import ibis.expr.types as ir
from ibis.backends.duckdb import Backend

from connectome2net.errors import SourceError
from connectome2net.sources.engine import start_engine
from connectome2net.sources.mapping.cells import read_cells
from connectome2net.sources.mapping.foreign import count, nothing_in_common
from connectome2net.sources.mapping.links import open_links
from connectome2net.sources.mapping.model import ConnectomeMapping
from connectome2net.sources.mapping.read import read_mapping
from connectome2net.sources.source import MAPPED_CELLS, Source, SourceTable, StraightAxis
from connectome2net.sources.storage import place

MOST = 0.99
"""Where fewer of the rows have both ends among the cells, a note says so."""


def open_mapping(
    folder: str | os.PathLike[str],
    mapping: str | os.PathLike[str],
    *,
    engine: str = "duckdb",
    master: str | None = None,
) -> Source:
    """Open the tables of a foreign connectome.

    Args:
        folder: where they lie, or its address on object storage.
        mapping: the file that says how their columns and words are called here.
        engine: what scans edges and synapses: ``duckdb`` or ``spark``.
        master: address of the Spark master.

    Returns:
        A checked source. Its table ``cells`` has the columns ``CELLS``, sorted by ``source_id``.

    Raises:
        SourceError: the mapping is not understood, or a table is not as the mapping says.

    Example:
        >>> open_mapping("flywire", "examples/mappings/flywire.toml")["cells"].rows  # doctest: +SKIP
        139255
    """
    where, file = place(folder), Path(mapping)
    if not where.is_dir():
        found = "a file" if where.exists() else "nothing"
        raise SourceError("the source is not a folder", where=where, found=found, wanted="a folder of tables")
    said = read_mapping(file)
    large = start_engine(engine, master=master)
    small = large if isinstance(large, Backend) else start_engine()
    links, kept_links, notes_of_links = open_links(large, where, said)
    cells, kept_cells, notes_of_cells = read_cells(small, where, said, links)
    return Source(
        dataset=said.dataset,
        materialization=said.version,
        tables={MAPPED_CELLS: cells, links.name: links},
        location=str(where),
        citation=said.citation,
        parameters=(("mapping_sha256", hashlib.sha256(file.read_bytes()).hexdigest()),),
        notes=(*notes_of_cells, *notes_of_links, *_overlap(links, cells.table)),
        axis=_axis(said),
        kept=(*kept_cells, *kept_links),
        input_types=said.network.input if said.network else (),
    )


def _axis(said: ConnectomeMapping) -> StraightAxis | None:
    if said.depth is None or said.depth.axis is None or said.depth.pia is None:
        return None
    x, y, z = (place * unit for place, unit in zip(said.depth.pia, said.cells.unit_nm, strict=True))
    return StraightAxis(direction=said.depth.axis, pia_nm=(x, y, z))


def _overlap(links: SourceTable, cells: ir.Table) -> tuple[str, ...]:
    """Say how many rows have both ends among the cells, where many have not.

    Raises:
        SourceError: none has.
    """
    pre, post = (links.table[end].isin(cells.source_id) for end in ("pre", "post"))
    among = count(links.table.filter(pre & post), file=links.file)
    if not among:
        ids = (cells.source_id.min(), links.table.pre.min())
        what = f"no row of the {links.name} has both ends among the cells"
        raise nothing_in_common(what, where=links.file, ids=[str(each.to_pyarrow()) for each in ids])
    if among >= MOST * links.rows:
        return ()
    return (f"{links.file}: {among:,} of {links.rows:,} rows have both ends among the cells",)
