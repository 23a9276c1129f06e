"""The shape of ``mapping.toml``: how the columns and words of a foreign connectome are called here.

Enters: parsed TOML. Leaves: frozen pydantic models, or pydantic's list of what does not fit.
"""

from __future__ import annotations

from pathlib import PureWindowsPath
from typing import Annotated, Literal, Self

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    PositiveFloat,
    field_validator,
    model_validator,
)

from connectome2net.sources.about import OneOrMany, PositionUnit, Version

EiClass = Literal["excitatory", "inhibitory", "unknown", "nonneuron"]
Meaning = Literal["excitatory", "inhibitory", "unknown", "nonneuron", "drop"]
"""What a foreign word for a class means; ``drop`` leaves its cells out."""

Lamina = Literal["L1", "L2/3", "L4", "L5", "L6", "WM", "unknown"]
Vector = tuple[float, float, float]


def _inside(file: str) -> str:
    """Refuse what leaves the folder, so that a mapping from elsewhere cannot read other files of its user."""
    path = PureWindowsPath(file)  # it knows both kinds of slash
    if path.anchor or ".." in path.parts or "://" in file:
        raise ValueError("a path inside --source: without .., not absolute, no address")
    return file


def _some_direction(axis: Vector) -> Vector:
    if not any(axis):
        raise ValueError("a direction other than 0, 0, 0")
    return axis


class Section(BaseModel):
    """A part of ``mapping.toml``: no unknown keys, no NaN."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)


class File(Section):
    """A table in the folder of the source.

    Attributes:
        file: path inside the folder: parquet, feather, csv or tsv, also compressed by gzip.
        delimiter: of a text file whose name does not tell it, as tabs in a ``.csv``.
        leave_out: column -> words; rows with one of these words are left out.
    """

    file: Annotated[str, AfterValidator(_inside)]
    delimiter: Annotated[str | None, Field(min_length=1, max_length=1)] = None
    leave_out: dict[str, tuple[str, ...]] = {}


class Labels(File):
    """Facts about cells, one row per cell; every key but those of ``File`` names a column.

    Of several columns for one thing the first that is not empty is believed.

    Attributes:
        id: the cell; text or whole numbers.
        type: cell type.
        class_: word for the class, in the file ``class``; ``[cells.classes]`` says what it means.
        layer: word for the lamina; ``[cells.laminae]`` says what it means.
        position: of the soma: three columns, or one that holds a list or text of three numbers.
        area: cortical area or brain region.
        proofread: whether the axon was proofread.
        root_id: id of the segment, int64.
        nucleus_id: id of the nucleus, int64.
    """

    id: str
    type: OneOrMany = ()
    class_: Annotated[OneOrMany, Field(alias="class")] = ()
    layer: OneOrMany = ()
    position: OneOrMany = ()
    area: OneOrMany = ()
    proofread: OneOrMany = ()
    root_id: OneOrMany = ()
    nucleus_id: OneOrMany = ()

    @field_validator("position")
    @classmethod
    def _one_or_three(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        if len(value) not in (0, 1, 3):
            raise ValueError("one column or three, for x, y and z")
        return value


class Words(Section):
    """What foreign words about cells mean.

    Patterns are those of the shell: ``*`` stands for any letters, ``?`` for one. The first that fits counts.

    Attributes:
        position_unit: unit of all positions of cells.
        voxel_nm: x, y, z size of a voxel, where the unit is ``voxel``.
        id_types: pattern of an id -> cell type, for cells whose type no column tells.
        classes: word of the class column -> class.
        type_classes: pattern of a type -> class, for cells whose class the class column leaves open.
        id_classes: pattern of an id -> class, for cells whose class type and class column leave open.
        other_class: class of all other cells; it must be stated where there are such cells.
        laminae: word of the layer column -> lamina.
        other_lamina: lamina of all other words; it must be stated where there are such words.
        proofread_words: word of the proofread column -> whether it means a proofread axon.
        repeated_cells: a cell in several rows is an error, or left out (as a segment with two nuclei may be).
    """

    position_unit: PositionUnit | None = None
    voxel_nm: tuple[PositiveFloat, PositiveFloat, PositiveFloat] | None = None
    id_types: dict[str, str] = {}
    classes: dict[str, Meaning] = {}
    type_classes: dict[str, Meaning] = {}
    id_classes: dict[str, Meaning] = {}
    other_class: Meaning | None = None
    laminae: dict[str, Lamina] = {}
    other_lamina: Lamina | None = None
    proofread_words: dict[str, bool] = {}
    repeated_cells: Literal["refuse", "drop"] = "refuse"


class Cells(Words, Labels):
    """The cells: a table and what its words mean.

    Without a ``file`` the cells are the ends of the edges.
    """

    file: Annotated[str, AfterValidator(_inside)] = ""
    id: str = ""

    @model_validator(mode="after")
    def _complete(self) -> Self:
        if bool(self.file) != bool(self.id):
            raise ValueError("file and id together, or neither: then the cells are the ends of the edges")
        named = [*Labels.model_fields.keys() & self.model_fields_set - {"file", "id"}]
        if named and not self.file:
            raise ValueError(f"a file, because {min(named).removesuffix('_')} speaks of its columns")
        if self.position and self.position_unit is None:
            raise ValueError("position_unit beside position: nm, um or voxel")
        if self.position_unit == "voxel" and self.voxel_nm is None:
            raise ValueError("voxel_nm beside position_unit = 'voxel', as [4, 4, 40]")
        return self

    @property
    def unit_nm(self) -> Vector:
        """Nanometres of one unit of position along x, y, z."""
        units = {"nm": (1.0,) * 3, "um": (1000.0,) * 3, "voxel": self.voxel_nm or (1.0,) * 3}
        return units[self.position_unit or "nm"]


class Links(File):
    """Connections; each key names a column of its own.

    Attributes:
        pre: presynaptic cell.
        post: postsynaptic cell.
        size: size, of all its synapses if there are several, in voxels of the cleft.
    """

    pre: str
    post: str
    size: str | None = None

    @model_validator(mode="after")
    def _each_its_own(self) -> Self:
        keys = [key for key in ("pre", "post", "count", "id", "size") if getattr(self, key, None)]
        if len({getattr(self, key) for key in keys}) < len(keys):
            raise ValueError(f"a column each for {', '.join(keys)}")
        return self


class Edges(Links):
    """A table with one row per connected pair, or per pair and neuropil.

    Attributes:
        count: number of synapses.
        repeated_pairs: several rows of one pair are an error, or summed.
    """

    count: str
    repeated_pairs: Literal["refuse", "sum"] = "refuse"


class Synapses(Links):
    """A table with one row per synapse.

    Attributes:
        id: the synapse.
    """

    id: str | None = None


class Depth(Section):
    """How deep a cell lies: a column of ``[cells]``, or a straight axis.

    Attributes:
        column: depth below the pia.
        unit: of the column.
        axis: direction along which depth grows, of any length; nm along x, y, z, also where positions are in voxels.
        pia: a point on the pia, in the unit of position.
    """

    column: str | None = None
    unit: Literal["nm", "um"] | None = None
    axis: Annotated[Vector, AfterValidator(_some_direction)] | None = None
    pia: Vector | None = None

    @model_validator(mode="after")
    def _one_way(self) -> Self:
        if {key for key in Depth.model_fields if getattr(self, key) is not None} not in (
            {"column", "unit"},
            {"axis", "pia"},
        ):
            raise ValueError("column and unit, or axis and pia")
        return self


class Hint(Section):
    """What the mapping says of the network.

    Attributes:
        input: types of the cells that the image drives, or patterns of them.
    """

    input: OneOrMany


class ConnectomeMapping(Section):
    """``mapping.toml`` as a whole.

    Attributes:
        dataset: name of the data set.
        version: of its tables.
        citation: what to cite.
        cells: the cells.
        labels: more tables of facts about the same cells; what an earlier table says counts.
        edges: connected pairs, or
        synapses: single synapses.
        depth: how deep cells lie, where it is known.
        network: what to assume on it.
    """

    dataset: Annotated[str, Field(pattern=r"^[A-Za-z0-9_.-]+$")]
    version: Version = "unknown"
    citation: OneOrMany = ()
    cells: Cells = Cells()
    labels: tuple[Labels, ...] = ()
    edges: Edges | None = None
    synapses: Synapses | None = None
    depth: Depth | None = None
    network: Hint | None = None

    @model_validator(mode="after")
    def _whole(self) -> Self:
        if (self.edges is None) == (self.synapses is None):
            raise ValueError("[edges] or [synapses], one of the two")
        if not self.cells.file and (self.labels or self.depth):
            raise ValueError("file and id in [cells], because [[labels]] and [depth] speak of its cells")
        if self.cells.position_unit is None and any(table.position for table in self.labels):
            raise ValueError("position_unit in [cells], because [[labels]] have a position")
        if self.depth and self.depth.axis and not any(table.position for table in (self.cells, *self.labels)):
            raise ValueError("position in [cells] or [[labels]], because [depth] has an axis")
        return self
