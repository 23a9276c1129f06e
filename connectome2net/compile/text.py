"""Pieces of text that the formatter leaves as they are.

Enters: words and values. Leaves: lines of Python, tables in docstrings.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

LINE: Final = 120
"""Characters of a line, as the formatter is set."""


def words(text: str) -> str:
    """Return text that can stand in a docstring: nothing in it ends the docstring or the line."""
    return "".join(mark if mark.isprintable() and mark not in '"\\' else "?" for mark in text[:200])


def arguments(given: Mapping[str, object]) -> list[str]:
    """Return arguments of a call, ``name=value``."""
    return [f"{name}={literal(value)}" for name, value in given.items()]


def literal(value: object) -> str:
    """Return a number or a word as Python writes it."""
    return f'"{value}"' if isinstance(value, str) else repr(value)


def wrap(head: str, items: Sequence[str], tail: str, *, indent: int) -> str:
    """Return ``head items tail``, one item a line where it would be longer than a line."""
    line = f"{head}{', '.join(items)}{tail}"
    if indent + len(line) <= LINE:
        return line
    margin = " " * indent
    return "\n".join([head, *(f"{margin}    {item}," for item in items), f"{margin}{tail}"])


def total(head: str, terms: Sequence[str], tail: str = "", *, indent: int) -> str:
    """Return ``head terms[0] + terms[1] + ... tail``, as a call where it would be longer than a line."""
    line = f"{head}{' + '.join(terms)}{tail}"
    return line if indent + len(line) <= LINE else wrap(f"{head}dynamics.total(", terms, f"){tail}", indent=indent)


def table(rows: Sequence[Sequence[object]]) -> str:
    """Return rows of cells as aligned text; numbers to the right."""
    right = [isinstance(cell, int) for cell in rows[-1]]
    cells = [[f"{cell:,}" if isinstance(cell, int) else str(cell) for cell in row] for row in rows]
    widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
    lines = []
    for row in cells:
        columns = zip(row, widths, right, strict=True)
        parts = [text.rjust(width) if numeric else text.ljust(width) for text, width, numeric in columns]
        lines.append("    " + "  ".join(parts).rstrip())
    return "\n".join(lines)
