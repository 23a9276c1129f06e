"""Positions in one column of text -> x, y and z.

Enters: ``[1, 2, 3]`` in any brackets, ``POINT Z (1 2 3)``, or what PostGIS writes: hex of the (extended) well-known
binary of a PointZ. Leaves: three columns of numbers; an empty text is no position.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from connectome2net.errors import SourceError

POINTS: Mapping[str, tuple[str, int]] = {
    "0101000080": ("<f8", 10),
    "01E9030000": ("<f8", 10),
    "01010000A0": ("<f8", 18),
    "0080000001": (">f8", 10),
    "00000003E9": (">f8", 10),
    "00A0000001": (">f8", 18),
}
"""How the hex of a point with three coordinates begins -> type of a coordinate, and the digit where the first stands:
byte order, then 0x80000001 (extended) or 1001 (ISO), or 0xA0000001 and eight digits that name a system of coordinates.
"""

NUMBER = r"[-+]?(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?"
TRIPLE = (
    rf"^\s*(?:POINT\s*Z?)?\s*[\[({{]?\s*(?P<x>{NUMBER})(?:\s*,\s*|\s+)(?P<y>{NUMBER})(?:\s*,\s*|\s+)(?P<z>{NUMBER})"
    r"\s*[\])}]?\s*$"
)


def parse_positions(texts: pa.ChunkedArray, *, where: str) -> npt.NDArray[np.float64]:
    """Return positions, one row each, NaN where the text is empty.

    Args:
        texts: one text per position.
        where: file and column, for messages.

    Raises:
        SourceError: a text is not understood.
    """
    texts = pc.utf8_trim_whitespace(pc.fill_null(texts.combine_chunks(), ""))
    triples = pc.extract_regex(texts, TRIPLE)
    parsed = np.stack([pc.struct_field(triples, axis).cast("float64").to_numpy(False) for axis in "xyz"], axis=1)
    words = np.asarray(pc.utf8_upper(texts).to_numpy(False), dtype=np.str_)
    for begin, (kind, start) in POINTS.items():
        is_point = np.char.startswith(words, begin) & (np.char.str_len(words) == start + 48)
        parsed[is_point] = _points(words[is_point], kind, start)
    wrong = np.flatnonzero(np.isnan(parsed).any(axis=1) & (words != ""))
    if len(wrong):
        raise SourceError(
            "a position is not understood",
            where=where,
            found=f"{texts[wrong[0]].as_py()[:80]} (row {wrong[0] + 1:,}; {len(wrong):,} in all)",
            wanted="three numbers as [x, y, z], or PostGIS hex of a PointZ",
        )
    return parsed


def _points(words: npt.NDArray[np.str_], kind: str, start: int) -> npt.NDArray[np.float64]:
    try:
        coordinates = bytes.fromhex("".join(word[start:] for word in words))
    except ValueError:
        return np.full((len(words), 3), np.nan)
    return np.frombuffer(coordinates, dtype=kind).reshape(-1, 3).astype(np.float64)
