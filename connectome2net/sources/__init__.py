"""Tables as their makers publish them -> one checked shape.

Enters: a word or a folder. Leaves: ``Source``: tables checked, typed, and not yet read.
"""

from __future__ import annotations

import os

from connectome2net.errors import SourceError
from connectome2net.sources.cave.address import is_cave
from connectome2net.sources.folder import open_folder
from connectome2net.sources.source import Source, SourceTable
from connectome2net.sources.synthetic import synthetic

__all__ = ["Source", "SourceTable", "open_folder", "open_source", "synthetic"]

WAYS = (
    "--source synthetic, the built-in stand-in; --source cave, MICrONS from its server, with a token in CAVE_TOKEN; "
    "--source DIR, a folder of published tables (allen_v1_column_types_slanted_ref and connections_with_nuclei or "
    "synapses_pni_2, as parquet, feather, csv or csv.gz); or the same in the environment as C2N_SOURCE"
)


def open_source(
    text: str | os.PathLike[str] | None = None,
    *,
    position_unit: str | None = None,
    cells: int | None = None,
    seed: int | None = None,
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
        engine: what scans synapses and connections, ``duckdb`` or ``spark``. Folders only.
        master: address of the Spark master; default is this machine.

    Returns:
        A checked source.

    Raises:
        SourceError: no source is named, or it is not as it should be.
    """
    chosen = os.fspath(text) if text is not None else os.environ.get("C2N_SOURCE", "")
    if not chosen and not _has_token():
        raise SourceError("No source is named", where="--source", found="nothing", wanted="a source", fix=WAYS)
    chosen = chosen or "cave"
    if position_unit is not None and (chosen == "synthetic" or is_cave(chosen)):
        name = "CAVE" if is_cave(chosen) else "The stand-in"
        raise SourceError(f"{name} has no choice of position unit", where="--position-unit", found=position_unit)
    if chosen == "synthetic":
        return synthetic(seed=seed or 0, cells=cells)
    for option, value in (("--cells", cells), ("--seed", seed)):
        if value is not None:
            raise SourceError(
                "Only the stand-in takes this option", where=option, found=chosen, wanted="--source synthetic"
            )
    if is_cave(chosen):
        from connectome2net.sources.cave.open import open_cave

        return open_cave(chosen)
    return open_folder(chosen, position_unit=position_unit, engine=engine, master=master)


def _has_token() -> bool:
    from connectome2net.sources.cave.token import has_token

    return has_token()
