"""A page before it is a file: sections with numbered figures and tables.

Enters: charts, texts, rows. Leaves: what the template shows, and the SVG and CSV files beside the page.
"""

from __future__ import annotations

import csv
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from io import StringIO
from typing import Any, Final

from markupsafe import Markup
from matplotlib.figure import Figure

from connectome2net.report.drawing import to_inline, to_svg

ABSENT: Final = "\N{EN DASH}"
"""Stands in a table where there is no number."""


@dataclass(frozen=True)
class Item:
    """A figure or a table.

    Attributes:
        number: counted over the page.
        title: what it shows.
        caption: what to see.
        body: markup of a figure; empty for a table and for what the template draws itself.
        kind: ``chart``, ``table``, ``scene``, ``ladder`` or ``faces``.
        head: titles of a table's columns.
        rows: its cells as text; the first is the row's title.
        file: the CSV with its numbers.
    """

    number: int
    title: str
    caption: str
    kind: str
    name: str
    body: str = ""
    head: tuple[str, ...] = ()
    rows: tuple[tuple[str, ...], ...] = ()
    content: Any = None
    file: str = ""


@dataclass
class Section:
    """A section of the page; ``absent`` are sentences about what could not be shown."""

    name: str
    title: str
    items: list[Item] = field(default_factory=list)
    absent: list[str] = field(default_factory=list)
    content: Any = None


@dataclass
class Composition:
    """The page so far.

    Attributes:
        sections: in their order.
        files: SVG and CSV by name.
    """

    sections: list[Section] = field(default_factory=list)
    files: dict[str, str] = field(default_factory=dict)
    figures: int = 0
    tables: int = 0

    def open_section(self, name: str, title: str) -> Section:
        """Begin a section; what is added next belongs to it."""
        self.sections.append(Section(name, title))
        return self.sections[-1]

    def leave_out(self, sentence: str) -> None:
        """Say what cannot be shown, and why."""
        self.sections[-1].absent.append(sentence)

    def add_chart(
        self,
        name: str,
        figure: Figure | str,
        *,
        title: str,
        caption: str,
        alt: str,
        rows: Iterable[Mapping[str, Any]] = (),
    ) -> None:
        """Add a figure, its SVG file and, where there are rows, its CSV file.

        Args:
            name: of the files.
            figure: a chart, or an SVG file.
            title: what it shows.
            caption: what to see.
            alt: the same for who cannot see it.
            rows: the numbers that it was drawn from.
        """
        self.figures += 1
        svg = figure if isinstance(figure, str) else to_svg(figure)
        self.files[f"{name}.svg"] = svg
        body = Markup(to_inline(svg, prefix=f"f{self.figures}", alt=alt))  # matplotlib and xml escape texts
        file = self._add_rows(name, rows)
        self.sections[-1].items.append(Item(self.figures, title, caption, "chart", name, body, file=file))

    def add_drawn(
        self, kind: str, name: str, content: Any, *, title: str, caption: str, rows: Iterable[Mapping[str, Any]] = ()
    ) -> None:
        """Add a figure that the template draws itself."""
        self.figures += 1
        file = self._add_rows(name, rows)
        self.sections[-1].items.append(Item(self.figures, title, caption, kind, name, content=content, file=file))

    def add_table(
        self,
        name: str,
        head: Sequence[str],
        cells: Sequence[Sequence[str]],
        *,
        title: str,
        caption: str,
        rows: Iterable[Mapping[str, Any]] = (),
    ) -> None:
        """Add a table of texts, and its CSV file of numbers; an empty text is a number that cannot be had."""
        self.tables += 1
        file = self._add_rows(name, rows)
        shown = tuple(tuple(cell or ABSENT for cell in line) for line in cells)
        item = Item(self.tables, title, caption, "table", name, head=tuple(head), rows=shown, file=file)
        self.sections[-1].items.append(item)

    def _add_rows(self, name: str, rows: Iterable[Mapping[str, Any]]) -> str:
        every = list(rows)
        if not every:
            return ""
        self.files[f"{name}.csv"] = to_csv(every)
        return f"{name}.csv"


def to_csv(rows: Sequence[Mapping[str, Any]]) -> str:
    """Return rows as CSV: numbers with all their digits, None as an empty field, lists joined by semicolons."""
    sink = StringIO()
    writer = csv.DictWriter(sink, list(dict.fromkeys(name for row in rows for name in row)), lineterminator="\n")
    writer.writeheader()
    for row in rows:
        writer.writerow({name: "; ".join(v) if isinstance(v, list | tuple) else v for name, v in row.items()})
    return sink.getvalue()
