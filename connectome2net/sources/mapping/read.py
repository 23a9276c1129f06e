"""``mapping.toml`` -> ``ConnectomeMapping``.

Enters: the file. Leaves: the mapping, or one error that names the key, what is there and what may be there.
"""

from __future__ import annotations

import tomllib
from collections.abc import Iterator
from pathlib import Path

from pydantic import ValidationError

from connectome2net.errors import SourceError
from connectome2net.sources.mapping.model import Cells, ConnectomeMapping, Depth, Edges, Hint, Labels, Section, Synapses

SECTIONS: dict[str, type[Section]] = {
    "cells": Cells,
    "labels": Labels,
    "edges": Edges,
    "synapses": Synapses,
    "depth": Depth,
    "network": Hint,
}


def read_mapping(path: Path) -> ConnectomeMapping:
    """Read ``mapping.toml``.

    Raises:
        SourceError: the file is not there or broken, or a key or value is not understood.
    """
    if not path.is_file():
        raise SourceError("there is no such mapping", where="--mapping", found=path, wanted="a file in TOML")
    try:
        return ConnectomeMapping.model_validate(tomllib.loads(path.read_text(encoding="utf-8")))
    except ValidationError as error:
        raise _complaint(path, error) from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError, OSError) as error:
        raise SourceError("the mapping cannot be read", where=path, found=str(error), fix="mend the line") from error


def _complaint(path: Path, error: ValidationError) -> SourceError:
    """Say what pydantic says in the words of the file."""
    # An unknown key is told first: it may be the missing one, misspelt.
    first = min(error.errors(include_url=False), key=lambda each: each["type"] != "extra_forbidden")
    place = [str(part) for part in first["loc"]]
    section = SECTIONS.get(place[0], ConnectomeMapping) if place else ConnectomeMapping
    known = ", ".join(_keys(section if len(place) > 1 else ConnectomeMapping))
    where = f"{path}, {'.'.join(place)}" if place else path
    if first["type"] == "extra_forbidden":
        return SourceError("unknown key in the mapping", where=where, found=place[-1], wanted=known)
    if first["type"] == "missing":
        return SourceError("a key is missing in the mapping", where=path, wanted=".".join(place))
    wanted = first["msg"].removeprefix("Value error, ").removeprefix("Input should be ")
    if first["type"] == "value_error" and isinstance(first["input"], dict):
        return SourceError("the mapping does not fit together", where=where, wanted=wanted)
    return SourceError(
        "a value in the mapping is not understood", where=where, found=repr(first["input"]), wanted=wanted
    )


def _keys(section: type[Section]) -> Iterator[str]:
    return (field.alias or name for name, field in section.model_fields.items())
