"""The panels of the column's page.

Enters: a ``Spec``, and axes to draw on. Leaves: drawn axes, and for some the sentence that belongs under the title.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt
from matplotlib.axes import Axes
from matplotlib.colors import LinearSegmentedColormap, LogNorm
from matplotlib.image import AxesImage
from matplotlib.ticker import EngFormatter, LogLocator, MaxNLocator, NullFormatter

from connectome2net.report.measures import FloatArray, IntArray, Order, class_index, class_pairs, share_with_at_least
from connectome2net.report.page import INK, PALE, PALER, QUIET, RULE, plain, spread
from connectome2net.spec import Spec
from connectome2net.spec.tables import EI_CLASSES, edge_index, values


@dataclass(frozen=True)
class Look:
    """How a class is drawn: Okabe and Ito's colours, which the colour-blind tell apart, and a mark."""

    letter: str
    colour: str
    shades: tuple[str, str, str]
    mark: str


LOOKS: Final = {
    "excitatory": Look("E", "#d55e00", ("#fbd9bd", "#d55e00", "#4a1f00"), "^"),
    "inhibitory": Look("I", "#0072b2", ("#bfe0f5", "#0072b2", "#00263d"), "o"),
    "unknown": Look("?", "#8a8a8a", ("#dddddd", "#8a8a8a", "#222222"), "s"),
}
MOST_MARKS = 5_000
"""More marks than this go into an SVG as pixels."""
DEPTH_BIN_UM = 25.0
MOST_TYPES = 24
UM: Final = "\N{MICRO SIGN}m"


def draw_somata(axes: Axes, spec: Spec) -> None:
    """Draw somata where they lie, lateral against depth; on one scale where the column is narrow enough."""
    across = values(spec.cells, "soma_x_nm") / 1000
    depth = values(spec.cells, "soma_depth_um")
    known = ~np.isnan(across) & ~np.isnan(depth)
    across = across - np.median(across[known])
    class_N = class_index(spec.cells)
    size = float(np.clip(14_000 / known.sum(), 1.0, 26.0))
    for at, name in enumerate(EI_CLASSES):
        chosen, look = known & (class_N == at), LOOKS[name]
        if chosen.any():
            axes.scatter(
                across[chosen],
                depth[chosen],
                s=size,
                c=look.colour,
                marker=look.mark,
                linewidths=0,
                alpha=0.75,
                zorder=3 + (name == "inhibitory"),
                rasterized=int(chosen.sum()) > MOST_MARKS,
                label=f"{chosen.sum():,} {name}",
            )
    box = axes.get_window_extent()
    bottom, top = axes.get_ylim()
    half = (bottom - top) * box.width / box.height / 2
    widest = float(np.abs(across[known]).max()) * 1.05
    axes.set_xlim(-max(half, widest), max(half, widest))
    axes.set(xlabel=f"soma x, {UM} from the median" + ("" if half >= widest else "\n(not to scale)"))
    axes.set_ylabel(f"depth below pia, {UM}")


def depth_range(spec: Spec) -> tuple[float, float]:
    """Return the depths (um) between which somata are drawn."""
    depth = values(spec.cells, "soma_depth_um")
    low, high = float(np.nanmin(depth)), float(np.nanmax(depth))
    margin = max(0.03 * (high - low), 10.0)
    return min(low - margin, 0.0), high + margin


def draw_depths(axes: Axes, spec: Spec) -> None:
    """Draw how many somata of each class lie at each depth."""
    depth, class_N = values(spec.cells, "soma_depth_um"), class_index(spec.cells)
    bottom, top = axes.get_ylim()
    step = max(DEPTH_BIN_UM, (bottom - top) / 60)
    bins = np.arange(np.floor(top / step), np.ceil(bottom / step) + 1) * step
    for at, name in enumerate(EI_CLASSES):
        if (chosen := (class_N == at) & ~np.isnan(depth)).any():
            count, _ = np.histogram(depth[chosen], bins)
            look = LOOKS[name]
            axes.stairs(count, bins, orientation="horizontal", fill=True, color=look.shades[0], zorder=1.5)
            axes.stairs(count, bins, orientation="horizontal", color=look.colour, linewidth=1.2, zorder=4)
    axes.set(xlabel=f"cells / {step:,.0f} {UM}")
    axes.tick_params(labelleft=False, left=False)
    axes.xaxis.set_major_locator(_few())
    axes.xaxis.set_major_formatter(plain)


def draw_laminae(spec: Spec, somata: Axes, depths: Axes) -> None:
    """Shade laminae behind both axes, draw their borders and name those that can be seen."""
    bottom, top = somata.get_ylim()
    seen = [b for b in spec.anatomy.laminae.borders if b.bottom_um > top and b.top_um < bottom]
    for at, border in enumerate(seen):
        for axes in (somata, depths):
            axes.axhspan(border.top_um, border.bottom_um, color=PALE if at % 2 else PALER, zorder=0, linewidth=0)
            for depth in {border.top_um, border.bottom_um}:
                axes.axhline(depth, color=QUIET, linewidth=0.7, zorder=2)
    for axes in (somata, depths):
        axes.set_ylim(bottom, top)
    centres = [(max(b.top_um, top) + min(b.bottom_um, bottom)) / 2 for b in seen]
    gap = (bottom - top) / 40
    for border, depth in zip(seen, spread(centres, gap=gap, low=top, high=bottom), strict=True):
        depths.text(1.06, depth, border.name, transform=depths.get_yaxis_transform(), va="center", weight="bold")


def draw_types(axes: Axes, spec: Spec) -> None:
    """Draw how many cells each type has: what is known of cells without depth."""
    pairs = Counter(zip(values(spec.cells, "cell_type"), values(spec.cells, "ei_class"), strict=True))
    shown = sorted(pairs.items(), key=lambda item: (-item[1], item[0]))[:MOST_TYPES]
    for at, ((_, ei_class), count) in enumerate(shown):
        axes.barh(at, count, color=LOOKS[ei_class].colour, height=0.7)
        axes.text(count, at, f" {count:,}", va="center")
    axes.set_yticks(range(len(shown)), [cut(name, 16) for (name, _), _ in shown])
    axes.set_ylim(max(len(shown), 8) - 0.5, -0.5)
    axes.set_xlim(0, shown[0][1] * 1.25)
    axes.xaxis.set_major_locator(_few())
    axes.xaxis.set_major_formatter(plain)
    axes.tick_params(axis="y", length=0)
    rest = len(pairs) - len(shown)
    axes.set(xlabel="cells" + (f" ({rest:,} smaller types are not drawn)" if rest else ""))


def draw_matrix(axes: Axes, synapses: FloatArray, pairs: FloatArray, order: Order) -> dict[str, AxesImage]:
    """Draw synapses per pair of cells, in the colour of the presynaptic class that gives most of them.

    Args:
        axes: a square.
        synapses: (class, post bin, pre bin).
        pairs: (post bin, pre bin), pairs of cells in a bin.
        order: the order of cells along both axes.

    Returns:
        The image of each class that is anywhere.
    """
    size = len(order.rank_N)
    mean = synapses.sum(axis=0) / pairs
    main = np.where(mean > 0, synapses.argmax(axis=0), -1)
    images = {}
    if (main >= 0).any():
        low, high = float(mean[mean > 0].min()), float(mean.max())
        scale = LogNorm(min(low, high / 10), high)
        for at, name in enumerate(EI_CLASSES):
            if (main == at).any():
                shades = LinearSegmentedColormap.from_list(name, LOOKS[name].shades)
                shown = np.ma.masked_array(mean, mask=main != at)
                extent = (0, size, size, 0)
                images[name] = axes.imshow(shown, cmap=shades, norm=scale, extent=extent, interpolation="none")
    axes.set(xlim=(0, size), ylim=(size, 0), xticks=[], yticks=[])
    axes.set_xlabel("presynaptic cell", labelpad=18)
    axes.set_ylabel("postsynaptic cell", labelpad=48)
    axes.spines[:].set_visible(True)
    _name_blocks(axes, order)
    return images


def ticks_of(image: AxesImage) -> LogLocator:
    """Return where the scale of a matrix has ticks: at decades, or at 1, 2, 5 where it has few of them."""
    low, high = image.get_clim()
    return LogLocator(subs=(1.0,) if high > 50 * low else (1.0, 2.0, 5.0))


def _name_blocks(axes: Axes, order: Order) -> None:
    size, names = len(order.rank_N), list(order.blocks)
    ends = np.cumsum(list(order.blocks.values()))
    centres = [float(end - size / 2) for end, size in zip(ends, order.blocks.values(), strict=True)]
    for end in ends[:-1]:
        axes.axhline(end, color=INK, linewidth=0.6)
        axes.axvline(end, color=INK, linewidth=0.6)
    for name, x in zip(names, spread(centres, gap=size * 0.075, low=0, high=size), strict=True):
        axes.text(x, size * 1.015, LOOKS[name].letter if name in LOOKS else name, ha="center", va="top")
    for name, y in zip(names, spread(centres, gap=size * 0.04, low=0, high=size), strict=True):
        short = LOOKS[name].letter if name in ("excitatory", "inhibitory") else name
        axes.text(-size * 0.015, y, short, ha="right", va="center")


def draw_degrees(axes: Axes, spec: Spec, degree: IntArray, solid: npt.NDArray[np.bool_]) -> None:
    """Draw the share of cells with at least so many partners, by class.

    Args:
        axes: where.
        spec: whose cells.
        degree: (N,) partners of each cell.
        solid: (N,) whose curve is solid; that of the others is dashed.
    """
    class_N = class_index(spec.cells)
    for at, name in enumerate(EI_CLASSES):
        for chosen, line in ((solid, "-"), (~solid, (0, (3, 1.5)))):
            if (cells := degree[chosen & (class_N == at)]).size:
                value, share = share_with_at_least(cells)
                value, share = np.r_[value, value[-1]], np.r_[share, 0.0]
                axes.step(value, share, where="pre", linestyle=line, color=LOOKS[name].colour, linewidth=1.4)
    axes.set(xscale="log", xlim=(0.9, max(10, degree.max() * 1.15)), ylim=(0, 1.02))
    _count_axis(axes)


def draw_synapses_per_edge(axes: Axes, spec: Spec) -> str:
    """Draw how many edges have how many synapses, by presynaptic class.

    Returns:
        The caption.
    """
    count_E = values(spec.edges, "synapse_count")
    class_E = class_index(spec.cells)[edge_index(spec.edges)[0]]
    for at, name in enumerate(EI_CLASSES):
        if (chosen := count_E[class_E == at]).size:
            value, edges = np.unique(chosen, return_counts=True)
            look = LOOKS[name]
            axes.plot(value, edges, color=look.colour, marker=look.mark, markersize=3.5, linestyle="")
    axes.set(xscale="log", yscale="log", xlabel="synapses of an edge", ylabel="edges")
    axes.set(xlim=(0.9, max(10, count_E.max(initial=1) * 1.15)), ylim=(0.7, max(10, len(count_E)) * 1.5))
    axes.yaxis.set_major_formatter(EngFormatter(sep=""))
    axes.yaxis.set_minor_formatter(NullFormatter())
    _count_axis(axes)
    if not len(count_E):
        return "There are no edges."
    return f"{(count_E == 1).mean():.0%} of edges are one synapse; the most is {count_E.max():,}."


def draw_class_pairs(axes: Axes, spec: Spec) -> None:
    """Write the table of class pairs: edges, share of connected pairs, synapses per edge."""
    axes.set_axis_off()
    rows = [("", "\nedges", "share of\npairs", "syn. per\nedge")]
    for row in class_pairs(spec):
        connected, mean = row["connected"], row["synapses_per_edge"]
        rows.append(
            (
                f"{LOOKS[row['pre']].letter} \N{RIGHTWARDS ARROW} {LOOKS[row['post']].letter}",
                f"{row['edges']:,}",
                "" if connected is None else f"{connected:.{1 if connected >= 0.01 else 2}%}",
                "" if mean is None else f"{mean:.2f}",
            )
        )
    for at, cells in enumerate(rows):
        for place, text, side in zip((0, 0.48, 0.73, 1), cells, ("left", "right", "right", "right"), strict=True):
            axes.text(place, 1 - (at + bool(at) * 0.8) / 11, text, ha=side, va="top", color=INK if at else QUIET)


def cut(text: str, most: int) -> str:
    """Return a text of at most so many characters."""
    return text if len(text) <= most else text[: most - 1] + "\N{HORIZONTAL ELLIPSIS}"


def _count_axis(axes: Axes) -> None:
    axes.xaxis.set_major_formatter(plain)
    axes.xaxis.set_minor_formatter(NullFormatter())
    axes.grid(color=RULE, linewidth=0.6)
    axes.set_axisbelow(True)


def _few() -> MaxNLocator:
    return MaxNLocator(2, integer=True)
