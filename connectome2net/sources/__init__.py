"""Tables as their makers publish them -> one checked shape.

Enters: a word or a folder. Leaves: ``Source``: tables checked, typed, and not yet read.
"""

from __future__ import annotations

import os
from collections.abc import Mapping

from connectome2net.errors import SourceError
from connectome2net.sources.cave.address import is_cave
from connectome2net.sources.folder import open_folder
from connectome2net.sources.mapping import open_mapping
from connectome2net.sources.source import Source, SourceTable
from connectome2net.sources.synthetic import synthetic

__all__ = ["Source", "SourceTable", "open_folder", "open_source", "synthetic"]

WAYS = (
    "--source synthetic, the built-in stand-in; --source cave, MICrONS from its server, with a token in CAVE_TOKEN; "
    "--source DIR, a folder of published tables (allen_v1_column_types_slanted_ref and connections_with_nuclei or "
    "synapses_pni_2, as parquet, feather, csv or csv.gz); with --mapping TOML any other connectome; "
    "or the same in the environment as C2N_SOURCE"
)
OPTIONS: Mapping[str, tuple[str, ...]] = {
    "the stand-in": ("cells", "seed"),
    "CAVE": (),
    "a folder": ("position_unit", "engine", "master"),
    "a folder with a mapping": ("mapping", "engine", "master"),
}
"""Kind of source -> the options that it takes."""


def open_source(
    text: str | os.PathLike[str] | None = None,
    *,
    position_unit: str | None = None,
    cells: int | None = None,
    seed: int | None = None,
    mapping: str | os.PathLike[str] | None = None,
    engine: str = "duckdb",
    master: str | None = None,
) -> Source:
    """Open a source by word or folder.

    Args:
        text: ``synthetic``, ``cave[:DATASTACK][@VERSION]`` or a folder; None takes ``C2N_SOURCE`` from the environment,
            else, where there is a CAVE token, ``cave``.
        position_unit: nm, voxel or um; overrules ``source.toml``. Folders only.
        cells: number of cells; default is that of the real column. Stand-in only.
        seed: of the stand-in; default is 0. Stand-in only.
        mapping: TOML file that says what the tables of a foreign connectome call things. Folders only.
        engine: what scans synapses and connections, ``duckdb`` or ``spark``. Folders only.
        master: address of the Spark master; default is this machine.

    Returns:
        A checked source.

    Raises:
        SourceError: no source is named, it does not take an option, or it is not as it should be.
    """
    chosen = os.fspath(text) if text is not None else os.environ.get("C2N_SOURCE", "")
    if not chosen and not _has_token():
        raise SourceError("no source is named", where="--source", found="nothing", wanted="a source", fix=WAYS)
    chosen = chosen or "cave"
    kind = "a folder" if mapping is None else "a folder with a mapping"
    kind = "the stand-in" if chosen == "synthetic" else "CAVE" if is_cave(chosen) else kind
    given = {"position_unit": position_unit, "cells": cells, "seed": seed, "mapping": mapping, "master": master}
    given["engine"] = None if engine == "duckdb" else engine
    for option, value in given.items():
        if value is not None and option not in OPTIONS[kind]:
            others = [name for name, options in OPTIONS.items() if option in options]
            where = "--" + option.replace("_", "-")
            wanted = f"--source for {' or '.join(others)}"
            raise SourceError(f"this option is not for {kind}", where=where, found=chosen, wanted=wanted)
    if kind == "the stand-in":
        return synthetic(seed=seed or 0, cells=cells)
    if kind == "CAVE":
        from connectome2net.sources.cave.open import open_cave

        return open_cave(chosen)
    if mapping is not None:
        return open_mapping(chosen, mapping, engine=engine, master=master)
    return open_folder(chosen, position_unit=position_unit, engine=engine, master=master)


def _has_token() -> bool:
    from connectome2net.sources.cave.token import has_token

    return has_token()
