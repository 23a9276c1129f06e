"""The shape of spec.json: measured anatomy, assumed network, provenance.

Enters: parsed JSON. Leaves: frozen pydantic models, or pydantic's list of what does not fit.
Rules that look at the tables too are in ``validate``; the network's own parts are in ``network``.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Final, Literal

import pyarrow as pa
from pydantic import Field

from connectome2net.spec.network import Network
from connectome2net.spec.part import InOrder, NonNegative, Part, Positive

FORMAT: Final = "connectome2net.spec"
FORMAT_VERSION: Final = 1

Sha256 = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
FileName = Annotated[str, Field(pattern=r"^[A-Za-z0-9_][A-Za-z0-9_.-]*$", max_length=200)]
Count = Annotated[int, Field(ge=0)]


class TableFile(Part):
    """A table beside spec.json."""

    file: FileName
    sha256: Sha256
    rows: Count


class SourceTable(Part):
    """A table that the spec was extracted from."""

    name: str
    file: str
    rows: Count
    sha256: Sha256 | None = None


class Column(Part):
    """How the column was cut out of the volume.

    Attributes:
        table: the table whose cells it was cut from.
        shape: ``cylinder`` or ``square`` for a cut by geometry, about the axis through ``centre_nm`` that runs from
            pia to white matter.
        axis: which axis that is.
        area: cortical area that the cells must lie in.
    """

    name: str
    method: str
    table: str | None = None
    shape: Literal["cylinder", "square"] | None = None
    centre_nm: tuple[float, float, float] | None = None
    radius_um: float | None = None
    side_um: float | None = None
    top_um: float | None = None
    bottom_um: float | None = None
    axis: str | None = None
    area: str | None = None


class LaminaBorder(Part):
    """A lamina and its depth below the pia, in micrometres."""

    name: str
    top_um: float
    bottom_um: float


class Laminae(Part):
    """How cells were assigned to laminae."""

    method: str
    borders: tuple[LaminaBorder, ...] = ()


class Step(Part):
    """One step of the extraction: rows in = kept + lost."""

    name: str
    rows_in: Count
    kept: Count
    lost: Count


class Finding(Part):
    """Something about the data that a user must know: which cells, and what was done."""

    name: str
    count: Count
    text: str
    cells: tuple[str, ...] = ()


class Conflict(Part):
    """A cell on whose class the tables disagree.

    Attributes:
        cell: its ``source_id``.
        chosen: its ``ei_class``; ``unknown`` where nothing decides.
        says: table -> the class that it gives.
    """

    cell: str
    chosen: str
    says: Annotated[dict[str, str], InOrder]


class Anatomy(Part):
    """What was measured."""

    dataset: str
    materialization: str
    synthetic: bool = False
    column: Column
    laminae: Laminae
    sources: tuple[SourceTable, ...]
    cells: TableFile
    edges: TableFile
    steps: tuple[Step, ...] = ()
    findings: tuple[Finding, ...] = ()
    conflicts: tuple[Conflict, ...] | None = None


class Transform(Part):
    """How a control was made from the spec that is the last of ``parents``; see ``transform``.

    Attributes:
        name: the null model.
        text: what was done, in words that stand in the header of the compiled model.
        keeps: what the control shares with its parent.
        destroys: what it does not.
        spectral_radius_before: of the weights of the parent before learning.
        spectral_radius_after: of those of the control, before they were scaled.
        scale: by which all weights were multiplied, so that the two are equal.
        edges_changed: how many edges that the network uses are not those of the parent.
        edges_before: how many edges the network of the parent uses; None where that was not written down.
    """

    name: str
    seed: Count
    text: str
    parameters: Annotated[dict[str, str], InOrder] = {}
    keeps: tuple[str, ...]
    destroys: tuple[str, ...]
    spectral_radius_before: NonNegative
    spectral_radius_after: NonNegative
    scale: Positive = 1.0
    edges_changed: Count
    edges_before: Count | None = None


class Provenance(Part):
    """How the spec was made, and what to cite. No time, host or path.

    Attributes:
        parents: digests of the specs that it was made from, the first first.
        transforms: what was done to them, one after the other.
    """

    made_by: str
    versions: Annotated[dict[str, str], InOrder] = {}
    parameters: Annotated[dict[str, str], InOrder] = {}
    parents: tuple[str, ...] = ()
    transforms: tuple[Transform, ...] = ()
    citation: tuple[str, ...] = ()


class SpecDocument(Part):
    """spec.json as a whole."""

    format: Literal["connectome2net.spec"]
    format_version: Annotated[int, Field(ge=1, le=FORMAT_VERSION)]
    name: str
    anatomy: Anatomy
    network: Network
    provenance: Provenance


@dataclass(frozen=True, eq=False)
class Spec:
    """A connectome and the network that is assumed on it.

    Attributes:
        document: what spec.json says.
        cells: one row per cell, ``spec.tables.CELLS_SCHEMA``.
        edges: one row per connected pair, ``spec.tables.EDGES_SCHEMA``, sorted by (post, pre).
    """

    document: SpecDocument
    cells: pa.Table
    edges: pa.Table

    @property
    def name(self) -> str:
        """The spec's name."""
        return self.document.name

    @property
    def network(self) -> Network:
        """What is assumed."""
        return self.document.network

    @property
    def anatomy(self) -> Anatomy:
        """What was measured."""
        return self.document.anatomy

    def __eq__(self, other: object) -> bool:
        return (
            isinstance(other, Spec)
            and self.document == other.document
            and self.cells.equals(other.cells)
            and self.edges.equals(other.edges)
        )

    def __repr__(self) -> str:
        return f"Spec({self.name!r}, {self.cells.num_rows:,} cells, {self.edges.num_rows:,} edges)"
