"""A page of panels and how it becomes a file.

Enters: texts, places in inches, a drawn figure. Leaves: PNG, SVG or PDF; the same figure gives the same bytes.
"""

from __future__ import annotations

import textwrap
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from io import BytesIO
from pathlib import Path
from typing import Any, Final

import matplotlib.style
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter

from connectome2net.atomic import write_files
from connectome2net.errors import ReportError

WIDTH_IN, HEIGHT_IN = 12.0, 8.6
DPI: Final = 200
INK, QUIET, PALE, PALER, RULE = "#222222", "#5f5f5f", "#f3f2ee", "#fbfaf7", "#e6e4de"
CHARACTERS_PER_IN = 15.5
"""Of the font of captions."""

METADATA: dict[str, dict[str, Any]] = {
    ".png": {"Software": "connectome2net"},
    ".svg": {"Creator": "connectome2net", "Date": None},
    ".pdf": {"Creator": "connectome2net", "Producer": None, "CreationDate": None},
}
"""By suffix: no date, so that equal figures are equal files."""

STYLE: dict[str, Any] = {
    "font.size": 9,
    "axes.labelsize": 9.5,
    "xtick.labelsize": 9,
    "ytick.labelsize": 9,
    "text.color": INK,
    "axes.labelcolor": INK,
    "axes.edgecolor": QUIET,
    "xtick.color": INK,
    "ytick.color": INK,
    "axes.linewidth": 0.7,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "legend.frameon": False,
    "text.parse_math": False,  # a name with two $ is a name
    "svg.hashsalt": "connectome2net",
}

plain = FuncFormatter(lambda number, _: f"{number:,.10g}")


@contextmanager
def own_style() -> Iterator[None]:
    """Draw as this page does, whatever the user's matplotlibrc says, and leave it as it was."""
    with matplotlib.style.context(["default", STYLE]):
        yield


def check_format(path: Path) -> None:
    """Refuse a file name that no figure can have.

    Raises:
        ReportError: the suffix names no format.
    """
    if path.suffix.lower() not in METADATA:
        raise ReportError(
            "no figure can be written in this format",
            where=path,
            found=path.suffix or "no suffix",
            wanted=" or ".join(METADATA),
            fix=f"name it {path.with_suffix('.png').name}",
        )


def save(figure: Figure, path: Path) -> Path:
    """Write a figure whole or not at all.

    Raises:
        ReportError: the place cannot be written to.
    """
    suffix = path.suffix.lower()
    sink = BytesIO()
    figure.savefig(sink, format=suffix[1:], dpi=DPI, metadata=METADATA[suffix])
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        write_files({path: sink.getvalue()})
    except OSError as error:
        raise ReportError(
            "the figure cannot be written",
            where=path,
            found=error.strerror or str(error),
            wanted="a file name in a folder that can be written to",
            fix="choose another place",
        ) from error
    return path


def place(figure: Figure, *, left: float, bottom: float, width: float, height: float, **options: Any) -> Axes:
    """Return axes whose place on the page is given in inches."""
    box = (left / WIDTH_IN, bottom / HEIGHT_IN, width / WIDTH_IN, height / HEIGHT_IN)
    return figure.add_axes(box, **options)


def head(figure: Figure, title: str, caption: str, *, left: float, top: float, width: float) -> None:
    """Write a panel's title and, beneath, its caption in the lines that the width gives."""
    figure.text(left / WIDTH_IN, top / HEIGHT_IN, title, weight="bold", size=11, va="baseline")
    lines = textwrap.fill(caption, int(width * CHARACTERS_PER_IN))
    figure.text(left / WIDTH_IN, (top - 0.08) / HEIGHT_IN, lines, size=9, color=QUIET, va="top", linespacing=1.15)


def write(figure: Figure, words: str, *, bottom: float, size: float, width: float, **options: Any) -> None:
    """Write a line from the left margin, smaller where it would be wider than so many inches."""
    text = figure.text(0.3 / WIDTH_IN, bottom / HEIGHT_IN, words, size=size, va="baseline", **options)
    text.set_fontsize(size * min(1.0, width * figure.dpi / text.get_window_extent().width))


def spread(places: Sequence[float], *, gap: float, low: float, high: float) -> list[float]:
    """Move ascending places apart, as little as a pass from each end can, so that labels do not overlap.

    Args:
        places: where labels would like to stand.
        gap: the least distance between two.
        low: no label stands below.
        high: no label stands above.

    Returns:
        The places where they stand; closer than ``gap`` only where there is no room for all.
    """
    gap = min(gap, (high - low) / max(len(places) - 1, 1))
    moved = np.clip(np.asarray(places, dtype=np.float64), low, high)
    for at in range(1, len(moved)):
        moved[at] = max(moved[at], moved[at - 1] + gap)
    for at in range(len(moved) - 1, -1, -1):
        moved[at] = min(moved[at], high if at == len(moved) - 1 else moved[at + 1] - gap)
    return [float(place) for place in moved]
