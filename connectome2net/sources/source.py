"""The one checked shape in which every source arrives.

Enters: tables as ibis expressions, whatever engine runs them. Leaves: ``Source``, which ``extract`` reads.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import ibis.expr.types as ir
import numpy as np
import numpy.typing as npt
import pyarrow as pa

from connectome2net.errors import SourceError
from connectome2net.sources.about import PositionUnit
from connectome2net.sources.engine import collect
from connectome2net.sources.microns import VOXEL_NM

MAPPED_CELLS, MAPPED_EDGES, MAPPED_SYNAPSES = "cells", "edges", "synapses"
"""Tables of a mapped source: cells by ``source_id``, and edges or synapses between them."""


@dataclass(frozen=True)
class StraightAxis:
    """A straight axis from the pia into the tissue.

    Attributes:
        direction: along which depth grows; of any length.
        pia_nm: a point at depth 0.
    """

    direction: tuple[float, float, float]
    pia_nm: tuple[float, float, float]


@dataclass(frozen=True)
class SourceTable:
    """A published table, its columns checked and typed.

    Attributes:
        name: its published name.
        file: its file name; empty for a table that was generated.
        rows: its number of rows.
        sha256: digest of the file; None for a table that was generated.
        table: the rows, not yet read; only the columns named in ``microns.TABLES``.
    """

    name: str
    file: str
    rows: int
    sha256: str | None
    table: ir.Table

    def read(self) -> pa.Table:
        """Return all rows in memory."""
        return collect(self.table, file=self.file or self.name)


@dataclass(frozen=True)
class Kept:
    """What a source left out of a table while it was opened: the first steps of the account of an extraction.

    Attributes:
        name: of the step.
        rows_in: rows that came in.
        kept: rows that were kept.
        why: the others were left out.
    """

    name: str
    rows_in: int
    kept: int
    why: str


@dataclass(frozen=True)
class Source:
    """Tables of one data set at one materialization.

    Attributes:
        dataset: name of the data set; it decides how a position becomes a depth.
        materialization: version of the tables, ``unknown`` where nobody says it.
        tables: by published name.
        location: what the user named, for messages; never written into a spec.
        synthetic: true for the built-in stand-in.
        citation: what to cite.
        position_unit: unit of all positions.
        position_voxel_nm: x, y, z size of a voxel, for positions in voxels.
        parameters: what a generated source was made from.
        notes: what a user must know about how the source was read.
        fetch_synapses: for a source that hands synapse rows out by query: root ids -> all rows of ``synapses_pni_2``
            with both ends among them.
        axis: where depth runs, for a volume whose axis is not known by the name of its data set.
        kept: what was left out of its tables while they were opened, and why.
        input_types: the cell types that a mapping wants the image to drive; ``*`` stands for any letters.
    """

    dataset: str
    materialization: str
    tables: Mapping[str, SourceTable]
    location: str
    synthetic: bool = False
    citation: tuple[str, ...] = ()
    position_unit: PositionUnit = "nm"
    position_voxel_nm: tuple[float, float, float] = VOXEL_NM
    parameters: tuple[tuple[str, str], ...] = ()
    notes: tuple[str, ...] = ()
    fetch_synapses: Callable[[npt.NDArray[np.int64]], SourceTable] | None = None
    axis: StraightAxis | None = None
    kept: tuple[Kept, ...] = ()
    input_types: tuple[str, ...] = ()

    @property
    def unit_nm(self) -> tuple[float, float, float]:
        """Nanometres of one unit of position along x, y, z."""
        if self.position_unit == "voxel":
            return self.position_voxel_nm
        return (1.0,) * 3 if self.position_unit == "nm" else (1000.0,) * 3

    def __contains__(self, name: str) -> bool:
        return name in self.tables

    def __getitem__(self, name: str) -> SourceTable:
        """Return a table.

        Raises:
            SourceError: there is no such table.
        """
        if name not in self.tables:
            raise missing_table(name, self.location, self.tables)
        return self.tables[name]


def missing_table(name: str, location: object, there: Mapping[str, object]) -> SourceError:
    """Say which table is missing and what there is."""
    return SourceError(
        f"the table {name} is missing",
        where=location,
        found=", ".join(sorted(there)) or "no table that is known by its name",
        wanted="a file of that name, .parquet, .feather, .csv or .csv.gz, or a folder of parquet",
        fix="download the table and put it beside the others under its published name",
    )
