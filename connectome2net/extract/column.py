"""Which column: by name, by file, or by the sizes that the user gives.

Enters: words of the user. Leaves: ``Column``, as it will stand in the spec.
"""

from __future__ import annotations

import math
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from connectome2net.errors import ExtractError
from connectome2net.sources.microns import CENSUS
from connectome2net.sources.source import MAPPED_CELLS, Source
from connectome2net.spec.model import Column

COLUMNS: Mapping[str, Column] = {
    "v1": Column(
        name="v1",
        method="membership in the census",
        table=CENSUS,
        why="100 x 100 um through all laminae of V1, every cell typed by hand; slanted below along the apical axons",
        reference="Schneider-Mizell et al., Nature 640:448 (2025)",
    ),
    "all": Column(name="all", method="every cell of the source"),
}
V1_VOLUME = "minnie65"
CENTRES_NM: Mapping[str, tuple[float, float, float]] = {"v1": (722_970.0, 646_950.0, 858_480.0)}
"""Columns that can be cut with another size: their centre. That of v1 lies in L4, measured on the census."""

Um = Annotated[float, Field(gt=0)]
Point = tuple[float, float, float]


class ColumnFile(BaseModel):
    """A column of the user's own: keys of a TOML file.

    Attributes:
        name: of the column; default is that of the file.
        centre_um: a point on its axis, in um; or
        centre_nm: in nm.
        radius_um: of a cylinder; or
        side_um: of a square.
        top_um: depth where it begins.
        bottom_um: depth where it ends.
        area: cortical area that its cells lie in.
        why: the reason for this column.
        reference: the publication that it is from.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)

    name: str | None = None
    centre_um: Point | None = None
    centre_nm: Point | None = None
    radius_um: Um | None = None
    side_um: Um | None = None
    top_um: float | None = None
    bottom_um: float | None = None
    area: str | None = None
    why: str = ""
    reference: str = ""

    @model_validator(mode="after")
    def _one_of_each(self) -> Self:
        if (self.centre_um is None) == (self.centre_nm is None):
            raise ValueError("centre_um or centre_nm (x, y, z), one of the two")
        if (self.radius_um is None) == (self.side_um is None):
            raise ValueError("radius_um or side_um, one of the two")
        if self.top_um is not None and self.bottom_um is not None and not self.top_um < self.bottom_um:
            raise ValueError("top_um above bottom_um: depth grows from the pia down")
        return self

    def column(self, *, default_name: str) -> Column:
        """Return the column."""
        x, y, z = self.centre_nm or tuple(value * 1000 for value in self.centre_um or ())
        own = self.model_dump(exclude={"name", "centre_um", "centre_nm"})
        shape: Literal["cylinder", "square"] = "cylinder" if self.radius_um is not None else "square"
        return Column(name=self.name or default_name, method="", shape=shape, centre_nm=(x, y, z), **own)


KNOWN = f"{' or '.join(COLUMNS)}, or a file that ends in .toml"


def find_column(
    text: str | None, *, source: Source, radius_um: float | None = None, side_um: float | None = None
) -> Column:
    """Return a column.

    Args:
        text: its name, or a TOML file with the keys of ``ColumnFile``; None takes ``v1``, or ``all`` of a mapped
            connectome.
        source: what it will be cut from.
        radius_um: of a cylinder about the column's centre; overrules name and file.
        side_um: of a square about the column's centre; overrules name and file.

    Raises:
        ExtractError: there is no column of that name, its file is not understood, or it has no centre to measure from.
    """
    text = text or ("all" if MAPPED_CELLS in source else "v1")
    column = _read_toml(Path(text)) if text.endswith(".toml") else COLUMNS.get(text)
    if column is None:
        raise ExtractError("there is no such column", where="--column", found=text, wanted=KNOWN)
    if text == "v1":
        _refuse_other_volume(source, sized=radius_um is not None or side_um is not None)
    if radius_um is None and side_um is None:
        return column
    if radius_um is not None and side_um is not None:
        raise ExtractError("a column has one shape", found="--radius-um and --side-um", wanted="one of the two")
    centre_nm = column.centre_nm or CENTRES_NM.get(text)
    if centre_nm is None:
        raise ExtractError(
            "the column has no centre",
            where="--column",
            found=f"{text} with a size",
            wanted=f"{' or '.join(CENTRES_NM)}, or a .toml file with centre_um",
        )
    if not 0 < (size := radius_um or side_um or 0.0) < math.inf:
        raise ExtractError("a column has a size", where="--radius-um or --side-um", found=size, wanted="um, above 0")
    shape = "cylinder" if radius_um is not None else "square"
    sizes = {"shape": shape, "radius_um": radius_um, "side_um": side_um, "centre_nm": centre_nm}
    return column.model_copy(update={"method": "", "table": None, "why": "", "reference": ""} | sizes)


def _refuse_other_volume(source: Source, *, sized: bool) -> None:
    """Refuse to look for the V1 column of MICrONS in another volume."""
    if source.dataset.startswith(V1_VOLUME) and (sized or MAPPED_CELLS not in source):
        return
    raise ExtractError(
        f"v1 is the column of {V1_VOLUME}" + " that the census lists" * (not sized),
        where="--column",
        found=f"data set {source.dataset}, by a mapping" if MAPPED_CELLS in source else f"data set {source.dataset}",
        wanted="all, or a file that ends in .toml with centre_um and radius_um or side_um",
    )


def _read_toml(path: Path) -> Column:
    try:
        keys = tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise ExtractError("the column's file cannot be read", where=path, found=error, wanted="TOML") from error
    try:
        asked = ColumnFile.model_validate(keys)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        key = str(first["loc"][0]) if first["loc"] else ""
        unknown = first["type"] == "extra_forbidden"
        raise ExtractError(
            "the column's file is not understood",
            where=f"{path}, {key}" if key and not unknown else path,
            found=f"{key} = {keys[key]!r}" if key else ", ".join(keys),
            wanted=", ".join(ColumnFile.model_fields) if unknown else first["msg"].removeprefix("Value error, "),
        ) from error
    return asked.column(default_name=path.stem)
