"""What is asked of one table, and how it falls into parts.

Enters: a table and its limits. Leaves: filters for ``query_table``, and smaller queries that together are the same.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from dataclasses import astuple, dataclass, replace
from itertools import pairwise
from typing import Any

FIRST_ID_STEP = 2**16
"""Ids of a table begin near 1 and their largest is not known: the ranges grow from here."""


@dataclass(frozen=True)
class Rows:
    """Rows of a table by their own ids.

    Attributes:
        table: its name.
        first: the smallest id.
        end: the first id after them; None: no end.
    """

    table: str
    first: int = 0
    end: int | None = None
    columns = None

    def filters(self) -> dict[str, Any]:
        """Return the arguments of ``query_table``; the whole table has none."""
        bounds: dict[str, Any] = {"filter_greater_equal_dict": {"id": self.first}} if self.first else {}
        return bounds | ({"filter_less_dict": {"id": self.end}} if self.end is not None else {})

    def parts(self, number: int) -> list[Rows]:
        """Split; an open range in two, however many more than one are wanted."""
        if number < 2:
            return [self]
        if self.end is None:
            middle = max(2 * self.first, FIRST_ID_STEP)
            return [replace(self, end=middle), replace(self, first=middle)]
        return [replace(self, first=first, end=end) for first, end in _shares(self.first, self.end, number)]


@dataclass(frozen=True)
class Among:
    """Synapses from some cells to some cells.

    Attributes:
        table: the synapse table.
        pre: root ids, ascending.
        post: root ids, ascending.
    """

    table: str
    pre: tuple[int, ...]
    post: tuple[int, ...]
    columns = ("id", "pre_pt_root_id", "post_pt_root_id", "size")

    def filters(self) -> dict[str, Any]:
        """Return the arguments of ``query_table``."""
        return {"filter_in_dict": {"pre_pt_root_id": list(self.pre), "post_pt_root_id": list(self.post)}}

    def parts(self, number: int) -> list[Among]:
        """Split the postsynaptic cells; where there is only one, the presynaptic ones."""
        if len(self.post) > 1:
            return [replace(self, post=self.post[first:end]) for first, end in _shares(0, len(self.post), number)]
        return [replace(self, pre=self.pre[first:end]) for first, end in _shares(0, len(self.pre), number)]


Query = Rows | Among


def _shares(first: int, end: int, number: int) -> Iterator[tuple[int, int]]:
    """Cut a range into so many parts of about equal length, none of them empty."""
    borders = [first + (end - first) * part // number for part in range(number + 1)]
    return ((start, stop) for start, stop in pairwise(borders) if stop > start)


def digest(query: Query) -> str:
    """Name a query by what it asks."""
    asked = json.dumps([type(query).__name__, query.columns, *astuple(query)], separators=(",", ":"))
    return hashlib.sha256(asked.encode()).hexdigest()[:24]
