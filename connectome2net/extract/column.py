"""Which cells belong to the column.

Enters: a source and the name of a column. Leaves: its census rows, in the order of nucleus id.
"""

from __future__ import annotations

from collections.abc import Mapping

import pyarrow as pa

from connectome2net.errors import ExtractError
from connectome2net.sources.microns import CENSUS
from connectome2net.sources.source import Source
from connectome2net.spec.model import Column

COLUMNS: Mapping[str, Column] = {
    "v1": Column(
        name="v1",
        method="membership in the census",
        table=CENSUS,
        why="100 x 100 um through all laminae of V1, every cell typed by hand; slanted below along the apical axons",
        reference="Schneider-Mizell et al., Nature 640:448 (2025)",
    )
}


def find_column(name: str) -> Column:
    """Return a column by name.

    Raises:
        ExtractError: there is no column of that name.
    """
    if name not in COLUMNS:
        raise ExtractError("There is no such column", where="--column", found=name, wanted=" or ".join(COLUMNS))
    return COLUMNS[name]


def cut(source: Source) -> pa.Table:
    """Return the census, one row per cell, sorted by nucleus id so that the order of the file does not matter."""
    return source[CENSUS].read().sort_by("id")
