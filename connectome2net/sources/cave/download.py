"""All rows of a query, and the proof that they are all.

Enters: a query. Leaves: a parquet file with its rows, sorted by id. A server cuts an answer at a number of rows that it
does not tell beforehand, and it hands rows out in no order, so that paging loses and repeats rows. So the query is
counted, split until each piece is small, each piece is counted, and what arrives is compared: each piece with its
count, the sum with the count of the whole, every row with what was asked, every id once. What does not agree is an
error, and only pieces that agree are kept. One thing cannot be found out: a server whose count and rows lie alike, and
without a word, about a query that fits in one piece.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from connectome2net.errors import SourceError
from connectome2net.sources.cave.cache import Cache
from connectome2net.sources.cave.progress import Progress
from connectome2net.sources.cave.query import Among, Query, digest
from connectome2net.sources.cave.retry import RESUMES
from connectome2net.sources.cave.server import Server
from connectome2net.sources.microns import TABLES, Kind

PIECE_ROWS = 50_000
"""A quarter of the smallest number of rows at which a server is known to cut (200,000, MaterializationEngine's default;
500,000 on some): half a minute of synapses, so that a download that is killed loses little."""
ANEW = "nothing is written; the pieces are fetched anew when the command is repeated"
ARROW: dict[Kind, pa.DataType] = {"id": pa.int64(), "size": pa.float64(), "number": pa.float64(), "text": pa.string()}


@dataclass
class Download:
    """One query on its way.

    Attributes:
        server: whom to ask.
        cache: where pieces are kept.
        query: what is asked.
        piece_rows: no piece is larger; less, once the server has said that it cuts sooner.
        pieces: names of the pieces that have arrived.
    """

    server: Server
    cache: Cache
    query: Query
    piece_rows: int = PIECE_ROWS
    pieces: list[str] = field(default_factory=list)

    def run(self) -> Path:
        """Download what is not there yet; return the file.

        Raises:
            SourceError: rows are lost, repeated or foreign; the server refuses; the cache cannot be written.
        """
        table, name = self.query.table, digest(self.query)
        total = self.server.count(self.query)
        try:
            with Progress(table, total) as progress:
                pieces = list(self._arriving(self.query, total, progress))
        except KeyboardInterrupt as stop:
            stop.add_note(f"What has arrived is kept; {RESUMES}.")
            raise
        try:
            rows = _together(pieces, table)
            _refuse_difference(rows.num_rows, total, where=f"{self.server.address}/{table}")
            _refuse_repeated(rows, where=f"{self.server.address}/{table}")
        except SourceError:  # one of the pieces is wrong, and nobody knows which
            self.cache.remove(table, self.pieces)
            raise
        kept = self.cache.write(table, name, rows)
        self.cache.remove(table, [piece for piece in self.pieces if piece != name])
        return kept

    def _arriving(self, query: Query, count: int, progress: Progress) -> Iterator[pa.Table]:
        """Yield the pieces of a query that has so many rows."""
        if (piece := self._piece(query, count)) is not None:
            progress.arrived(count, fetched=True)
            yield piece
            return
        for part in self._split(query, count) if count else ():
            if (kept := self.cache.read(part.table, digest(part))) is not None:  # not counted: a version never changes
                self.pieces.append(digest(part))
                progress.arrived(kept.num_rows, fetched=False)
                yield kept
            else:
                yield from self._arriving(part, self.server.count(part), progress)

    def _piece(self, query: Query, count: int) -> pa.Table | None:
        """Fetch and keep a query; None if it is empty, or has to be split."""
        if not count or len(self._split(query, count)) > 1:
            return None
        if (piece := self._fetch(query, count)) is not None:
            self.cache.write(query.table, digest(query), piece)
            self.pieces.append(digest(query))
        return piece

    def _split(self, query: Query, count: int) -> Sequence[Query]:
        return query.parts(-(-count // self.piece_rows))

    def _fetch(self, query: Query, count: int) -> pa.Table | None:
        """Fetch a piece; None if the server says that it cut it, so that it must be smaller."""
        for last in (False, True):
            frame, limited_to = self.server.rows(query)
            if limited_to is not None and count > 1 and len(query.parts(2)) > 1:  # it may have cut the count as well
                self.piece_rows = max(1, min(limited_to, count) - 1)
                return None
            if len(frame) == count:
                break
            if limited_to is not None and len(frame) < count:
                raise _too_large(count, limited_to, where=f"{self.server.address}/{query.table}")
            if last:
                _refuse_difference(len(frame), count, where=f"{self.server.address}/{query.table}")
        _refuse_narrow(frame, query, where=f"{self.server.address}/{query.table}")
        piece = _typed(frame, query.table)
        _refuse_foreign(piece, query, where=f"{self.server.address}/{query.table}")
        _refuse_repeated(piece, where=f"{self.server.address}/{query.table}")
        return piece.sort_by("id")


def _typed(frame: pd.DataFrame, table: str) -> pa.Table:
    """Keep the columns that are used; ids as int64, whatever the server made of the others in this piece."""
    kinds: dict[str, Kind] = {"id": "id", "target_id": "id", **TABLES[table].optional, **TABLES[table].required}
    raw = pa.Table.from_pandas(frame, preserve_index=False)
    columns: dict[str, pa.ChunkedArray] = {}
    for name, kind in sorted(kinds.items()):
        if name not in raw.column_names:
            continue
        column = raw[name]
        if kind == "id" and not pa.types.is_integer(column.type):
            raise SourceError(
                "an id has the wrong type",
                where=f"{table}, column {name}",
                found=f"{column.type}, {column.null_count} of {len(column)} empty",
                wanted="whole numbers (int64): a float cannot hold an id above 2^53",
                fix="tell those who run the server; c2n does not guess ids",
            )
        try:
            columns[name] = column.cast(ARROW[kind]) if kind in ARROW else column
        except pa.ArrowException as error:
            raise SourceError(
                "a column cannot be read", where=f"{table}, column {name}", found=error, wanted=ARROW[kind]
            ) from error
    return pa.table(columns).replace_schema_metadata(None)


def _together(pieces: list[pa.Table], table: str) -> pa.Table:
    """Join pieces, sorted by id."""
    if not pieces:
        shape = TABLES[table]
        kinds = {"id": "id", **shape.required}
        return pa.schema([(name, ARROW.get(kind, pa.bool_())) for name, kind in sorted(kinds.items())]).empty_table()
    try:
        return pa.concat_tables(pieces, promote_options="permissive").combine_chunks().sort_by("id")
    except pa.ArrowException as error:
        raise SourceError("pieces do not fit together", where=table, found=error, fix=ANEW) from error


def _too_large(count: int, limited_to: int, *, where: str) -> SourceError:
    return SourceError(
        "the server cuts a piece that cannot be made smaller",
        where=where,
        found=f"{count:,} rows, and answers of {limited_to:,} at most",
        wanted="more rows in an answer",
        fix="take the table from the published dumps",
    )


def _refuse_difference(found: int, wanted: int, *, where: str) -> None:
    if found != wanted:
        raise SourceError(
            "rows are missing" if found < wanted else "there are more rows than the server counts",
            where=where,
            found=f"{found:,} rows",
            wanted=f"{wanted:,} rows, as the server counts them",
            fix=f"{ANEW}; if it stays, take smaller pieces: C2N_CAVE_PIECE_ROWS=10000",
        )


def _refuse_repeated(rows: pa.Table, *, where: str) -> None:
    if (different := pc.count_distinct(rows["id"]).as_py()) != rows.num_rows:
        raise SourceError(
            "rows come more than once",
            where=f"{where}, column id",
            found=f"{rows.num_rows - different:,} repeated ids among {rows.num_rows:,} rows",
            wanted="every id once",
            fix=ANEW,
        )


def _refuse_narrow(frame: pd.DataFrame, query: Query, *, where: str) -> None:
    if missing := [name for name in query.columns or ("id",) if name not in frame]:
        raise SourceError(
            "the server leaves a column out",
            where=where,
            found=", ".join(map(str, frame)),
            wanted=", ".join(missing),
            fix="take another server, or the published dumps",
        )


def _refuse_foreign(piece: pa.Table, query: Query, *, where: str) -> None:
    """Look at every row again: a filter that the server does not know is silently not applied."""
    if isinstance(query, Among):
        ends = {"pre_pt_root_id": query.pre, "post_pt_root_id": query.post}
        asked = np.logical_and.reduce([np.isin(piece[name].to_numpy(), ids) for name, ids in ends.items()])
    else:
        ids = piece["id"].to_numpy()
        asked = (ids >= query.first) & ((query.end is None) | (ids < (query.end or 0)))
    if not asked.all():
        raise SourceError(
            "the server sends rows that were not asked for",
            where=where,
            found=f"{(~asked).sum():,} of {len(asked):,} rows outside the filter",
            wanted="a filter that is applied",
            fix="nothing is written; `c2n doctor` says which server and CAVEclient these are",
        )
