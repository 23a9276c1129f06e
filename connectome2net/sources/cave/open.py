"""``--source cave`` -> a checked source.

Enters: an address, a token, a cache. Leaves: ``Source``, its tables of labels downloaded whole, its synapses on
request. What is complete in the cache is not asked for again: a version never changes, so a finished download needs
neither network nor token.
"""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

import ibis
import ibis.expr.types as ir
import numpy as np
import numpy.typing as npt
import pyarrow as pa

from connectome2net.errors import SourceError
from connectome2net.sources.cave.address import VERSION, Address, read_address
from connectome2net.sources.cave.cache import Cache, cache_of
from connectome2net.sources.cave.download import PIECE_ROWS, Download
from connectome2net.sources.cave.query import Among, Query, Rows, digest
from connectome2net.sources.cave.server import Server, check_version, connect
from connectome2net.sources.cave.session import Patience
from connectome2net.sources.cave.token import find_token
from connectome2net.sources.check import check
from connectome2net.sources.engine import collect, read_parquet, reading
from connectome2net.sources.microns import (
    CENSUS,
    CITATION,
    CONNECTIONS,
    NUCLEI,
    STATISTICS,
    SYNAPSES,
    TABLES,
)
from connectome2net.sources.shape import conform
from connectome2net.sources.source import Source, SourceTable

LABELS = tuple(name for name in TABLES if name not in (SYNAPSES, CONNECTIONS, STATISTICS))
"""Tables that are downloaded whole. The others are not tables of CAVE, or too large."""


@dataclass(frozen=True)
class Volume:
    """A version of a datastack, in the cache or to be asked for.

    Attributes:
        address: which.
        cache: where its tables are kept.
        patience: how long a server is waited for.
        piece_rows: no download is larger.
    """

    address: Address
    cache: Cache
    patience: Patience = field(default_factory=Patience)
    piece_rows: int = PIECE_ROWS

    @cached_property
    def server(self) -> Server:
        """The server, asked for the first time."""
        server = connect(self.address, find_token(self.address.server), patience=self.patience)
        check_version(server)
        return server

    @cached_property
    def engine(self) -> ibis.backends.duckdb.Backend:
        """What reads the files."""
        return ibis.duckdb.connect()

    @cached_property
    def tables(self) -> list[str]:
        """The tables that the server has at this version."""
        if (kept := self.cache.read("", "tables")) is None:
            kept = pa.table({"name": self.server.tables()})
            self.cache.write("", "tables", kept)
        return kept["name"].to_pylist()

    def raw(self, query: Query) -> ir.Table:
        """Return all rows of a query.

        Raises:
            SourceError: there is no such table, or not all of its rows can be had.
        """
        if query.table not in self.tables:
            raise _not_there(query.table, self)
        file = self.cache.find(query.table, digest(query)) or self.download(query)
        with reading(file):
            return read_parquet(self.engine, str(file))

    def download(self, query: Query) -> Path:
        """Ask the server for a query."""
        return Download(self.server, self.cache, query, self.piece_rows).run()

    def labels(self) -> tuple[dict[str, SourceTable], tuple[str, ...]]:
        """Return all tables of labels, and what was left out of them."""
        tables, notes = {}, []
        if absent := [name for name in LABELS if name not in self.tables]:
            notes.append(f"the server has no table {', '.join(absent)} at this version")
        if NUCLEI not in self.tables and CENSUS not in self.tables:
            raise _not_there(NUCLEI, self)
        for name in (name for name in LABELS if name in self.tables):
            raw = self.raw(Rows(name))
            tables[name] = self._shaped(self._with_nuclei(raw, name), name)
            if lost := collect(raw.agg(rows=raw.count()), file=name)["rows"][0].as_py() - tables[name].rows:
                rows = "row of {} names" if lost == 1 else "rows of {} name"
                notes.append(f"{lost:,} {rows.format(name)} no nucleus of {NUCLEI}: left out")
        return tables, tuple(notes)

    def synapses(self, root_ids: npt.NDArray[np.int64]) -> SourceTable:
        """Return all synapses with both ends among some segments.

        Raises:
            SourceError: there is no such table, or not all of its rows can be had.
        """
        ids = tuple(np.unique(root_ids[root_ids > 0]).tolist())
        raw = self.raw(Among(SYNAPSES, ids, ids))
        return self._shaped(raw, SYNAPSES)

    def _with_nuclei(self, raw: ir.Table, name: str) -> ir.Table:
        """Give the census, which points at nuclei, their segments and places; the server's own join is not counted."""
        if name != CENSUS or "pt_root_id" in raw.columns or "target_id" not in raw.columns:
            return raw
        nuclei = self.raw(Rows(NUCLEI))
        shape = TABLES[NUCLEI]
        taken = [n for n in (*shape.required, *shape.optional) if n in nuclei.columns and n not in raw.columns]
        nuclei = nuclei.select(*taken, nucleus=nuclei.id)
        return raw.join(nuclei, raw.target_id == nuclei.nucleus)

    def _shaped(self, raw: ir.Table, name: str) -> SourceTable:
        file = f"{self.address}/{name}"
        table, rows = conform(raw, TABLES[name], file=file)
        return SourceTable(name, file, rows, None, table)  # the digest of a cached file would be that of its writer


def _not_there(table: str, volume: Volume) -> SourceError:
    volume.cache.remove("", ["tables"])  # the list may have been wrong: it is asked for anew
    return SourceError(
        f"the table {table} is not at this version",
        where=volume.address,
        found=", ".join(volume.tables) or "no table",
        wanted=table,
        fix=f"take another version: --source cave:{volume.address.datastack}@{VERSION}",
    )


def open_cave(
    text: str = "cave",
    *,
    server: str | None = None,
    cache: str | os.PathLike[str] | None = None,
    piece_rows: int | None = None,
    patience: Patience | None = None,
) -> Source:
    """Open a version of a CAVE datastack.

    Args:
        text: ``cave[:DATASTACK][@VERSION]``; without them ``minnie65_public`` at 1300.
        server: address of the global server; default is ``C2N_CAVE_SERVER``, else what CAVEclient knows.
        cache: folder; default is ``C2N_CACHE``, else the cache of the platform.
        piece_rows: no download is larger; default is ``C2N_CAVE_PIECE_ROWS``, else ``PIECE_ROWS``.
        patience: how long the server is waited for.

    Returns:
        A checked source that hands out synapses by query.

    Raises:
        SourceError: no token, no access, no such datastack, version or table; the server fails; rows do not add up.
    """
    address = read_address(text, server=server)
    volume = Volume(address, cache_of(address, cache), patience or Patience(), piece_rows=piece_rows or _piece_rows())
    tables, notes = volume.labels()
    return check(
        Source(
            dataset=address.datastack,
            materialization=str(address.version),
            tables=tables,
            location=str(address),
            citation=CITATION if address.datastack.startswith("minnie65") else (),
            notes=notes,
            fetch_synapses=volume.synapses,
        )
    )


def _piece_rows() -> int:
    text = os.environ.get("C2N_CAVE_PIECE_ROWS", str(PIECE_ROWS))
    if not text.isdigit() or not int(text):
        raise SourceError(
            "the size of pieces is not understood", where="C2N_CAVE_PIECE_ROWS", found=text, wanted="rows"
        )
    return int(text)
