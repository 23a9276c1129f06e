"""What a folder of tables says of itself in ``source.toml``.

Enters: the file, or its absence. Leaves: data set, materialization, unit of position, citation.
"""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Annotated, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, PositiveFloat, ValidationError

from connectome2net.errors import SourceError
from connectome2net.sources.engine import unreadable
from connectome2net.sources.microns import CITATION, VOXEL_NM

TOML = "source.toml"
PositionUnit = Literal["nm", "voxel", "um"]
Version = Annotated[str, BeforeValidator(lambda value: str(value) if type(value) is int else value)]
"""A number or text."""
OneOrMany = Annotated[tuple[str, ...], BeforeValidator(lambda value: (value,) if isinstance(value, str) else value)]
"""A text or a list of texts."""


class About(BaseModel):
    """The keys of ``source.toml``; without the file, tables are taken as CAVE publishes them.

    Attributes:
        dataset: name of the data set; it decides how a position becomes a depth.
        materialization: version of the tables.
        position_unit: unit of all positions.
        position_voxel_nm: x, y, z size of a voxel, for positions in voxels.
        citation: what to cite.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    dataset: str = "minnie65_public"
    materialization: Version = "unknown"
    position_unit: PositionUnit = "voxel"
    position_voxel_nm: tuple[PositiveFloat, PositiveFloat, PositiveFloat] = VOXEL_NM
    citation: OneOrMany = CITATION


def read_about(folder: Path, *, position_unit: str | None = None) -> About:
    """Read ``source.toml``.

    Args:
        folder: where the tables lie.
        position_unit: overrules what the file says.

    Raises:
        SourceError: the file is broken, or a key or value is not understood.
    """
    path = folder / TOML
    about = About()
    if path.exists():
        try:
            about = About.model_validate(tomllib.loads(path.read_text(encoding="utf-8")))
        except ValidationError as error:
            raise _not_understood(path, error) from error
        except (tomllib.TOMLDecodeError, UnicodeDecodeError, OSError) as error:
            raise unreadable(path, error, fix="mend it; it is TOML") from error
    if position_unit is None:
        return about
    try:
        return About.model_validate({**about.model_dump(), "position_unit": position_unit})
    except ValidationError as error:
        raise SourceError(
            "unknown position unit", where="--position-unit", found=position_unit, wanted="nm, voxel or um"
        ) from error


def _not_understood(path: Path, error: ValidationError) -> SourceError:
    first = error.errors(include_url=False)[0]
    key = ".".join(map(str, first["loc"]))
    if first["type"] == "extra_forbidden":
        return SourceError(f"unknown key in {TOML}", where=path, found=key, wanted=", ".join(About.model_fields))
    return SourceError(
        f"a value in {TOML} is not understood", where=f"{path}, {key}", found=repr(first["input"]), wanted=first["msg"]
    )
