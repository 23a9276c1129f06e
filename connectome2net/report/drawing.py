"""A chart as SVG: a file of its own, and a part of the page that follows its light and dark colours.

Enters: a drawn figure of matplotlib. Leaves: text; the same figure gives the same text.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from io import StringIO
from typing import Any, Final

import matplotlib.style
from markupsafe import escape
from matplotlib.axes import Axes
from matplotlib.backends.backend_svg import FigureCanvasSVG
from matplotlib.figure import Figure

from connectome2net.report.page import INK, PALE, PALER, QUIET, RULE, STYLE
from connectome2net.report.panels import LOOKS

WIDTH_IN: Final = 4.9
"""Of every chart: its text is readable where this is shrunk to a phone, and where it is stretched to a column."""

PAPER, ACCENT, SHADE = "#ffffff", "#009e73", "#2a8fcd"
BLUE, ORANGE = LOOKS["inhibitory"].colour, LOOKS["excitatory"].colour

VARIABLES: Final = {
    **{INK: "ink", "#000000": "ink", QUIET: "quiet", PALE: "pale", PALER: "paler", RULE: "rule", PAPER: "paper"},
    **{LOOKS[name].colour: name for name in LOOKS},
    **{LOOKS[name].shades[0]: f"{name}-pale" for name in LOOKS},
    **{ACCENT: "accent", SHADE: "shade"},
}
"""Colour of a chart -> the variable of the page's style sheet that stands for it."""

CHART_STYLE: Final = STYLE | {"svg.fonttype": "none", "font.size": 9, "axes.grid": False, "figure.facecolor": "none"}


@contextmanager
def chart_style() -> Iterator[None]:
    """Draw as the charts of a page, whatever the user's matplotlibrc says."""
    with matplotlib.style.context(["default", CHART_STYLE]):
        yield


def new_chart(height_in: float, rows: int = 1, columns: int = 1, **options: Any) -> tuple[Figure, list[Axes]]:
    """Return a figure as wide as a column of text, and its axes row by row."""
    figure = Figure(figsize=(WIDTH_IN, height_in), layout="constrained")
    FigureCanvasSVG(figure)
    axes = figure.subplots(rows, columns, squeeze=False, **options)
    return figure, [*axes.flat]


def add_grid(axes: Axes, which: str = "both") -> None:
    """Draw quiet lines behind the data."""
    axes.grid(axis=which, color=RULE, linewidth=0.7)  # type: ignore[arg-type]
    axes.set_axisbelow(True)


def to_svg(figure: Figure) -> str:
    """Return a figure as an SVG file: text as text, no date."""
    sink = StringIO()
    with chart_style():
        figure.savefig(sink, format="svg", metadata={"Creator": None, "Date": None, "Format": None, "Type": None})
    return re.sub(r"[ \t]+\n", "\n", re.sub(r" <metadata>.*?</metadata>\n", "", sink.getvalue(), flags=re.DOTALL))


def to_inline(svg: str, *, prefix: str, alt: str) -> str:
    """Return an SVG file as a part of a page.

    Args:
        svg: the file.
        prefix: of every id in it, so that two charts have none in common.
        alt: what it shows, for who cannot see it.
    """
    body = svg[svg.index("<svg") :]
    opening, rest = body.split(">", 1)
    box = re.search(r'viewBox="[^"]*"', opening)
    rest = re.sub(r'\bid="', f'id="{prefix}-', rest)
    rest = re.sub(r'(href="#|url\(#)', rf"\g<1>{prefix}-", rest)
    for colour, name in VARIABLES.items():
        rest = rest.replace(colour, f"var(--{name})")
    head = f'<svg class="chart" role="img" aria-label="{escape(alt)}" {box[0] if box else ""}'
    return f'{head} xmlns="http://www.w3.org/2000/svg" xmlns:xlink="http://www.w3.org/1999/xlink">{rest}'
