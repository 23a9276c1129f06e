"""The network as a diagram, from the image to the classes.

Enters: program.json. Leaves: SVG text.
"""

from __future__ import annotations

import textwrap
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any, Final
from xml.etree import ElementTree

from connectome2net.report.drawing import BLUE, PAPER
from connectome2net.report.page import INK, PALE, QUIET
from connectome2net.report.panels import cut
from connectome2net.report.program_words import (
    cell_lines,
    core_lines,
    front_end_lines,
    input_lines,
    learning_lines,
    phase_lines,
    readout_lines,
    sign_words,
)

WIDTH: Final = 470
BOX: Final = 300
"""Width of a box; lines between groups and their words run beside it."""
LEFT: Final = 8
LINE, PAD, GAP = 16, 9, 24
CHARACTERS: Final = 42
"""In a line of a box."""
MOST_BLOCKS: Final = 12
MOST_GROUPS: Final = 12
MOST_CHIPS: Final = 30
DASHES: Final = {"free": "5 3", "junction": "1.5 3"}


@dataclass
class Sheet:
    """What has been drawn so far, from the top down."""

    root: ElementTree.Element = field(
        default_factory=lambda: ElementTree.Element("svg", {"xmlns": "http://www.w3.org/2000/svg"})
    )
    y: float = 8.0

    def line(self, points: Sequence[tuple[float, float]], *, dash: str = "", arrow: bool = True) -> None:
        """Draw a line through some points, with an arrow head at its end."""
        path = "M" + " L".join(f"{x:g},{y:g}" for x, y in points)
        style = f"fill:none;stroke:{QUIET};stroke-width:1.5" + (f";stroke-dasharray:{dash}" if dash else "")
        ElementTree.SubElement(self.root, "path", {"d": path, "style": style})
        if arrow:
            (x0, y0), (x, y) = points[-2:]
            dx, dy = (x > x0) - (x < x0), (y > y0) - (y < y0)
            back, side = (x - 7 * dx, y - 7 * dy), (3.5 * dy, 3.5 * dx)
            head = [(x, y), (back[0] + side[0], back[1] + side[1]), (back[0] - side[0], back[1] - side[1])]
            corners = " ".join(f"{a:g},{b:g}" for a, b in head)
            ElementTree.SubElement(self.root, "polygon", {"points": corners, "style": f"fill:{QUIET}"})

    def text(
        self, x: float, y: float, words: str, *, size: float = 12.5, bold: bool = False, colour: str = INK
    ) -> None:
        """Write a line of text from its left end."""
        style = f"font:{'600 ' if bold else ''}{size:g}px sans-serif;fill:{colour}"
        ElementTree.SubElement(self.root, "text", {"x": f"{x:g}", "y": f"{y:g}", "style": style}).text = words

    def rectangle(
        self, x: float, y: float, width: float, height: float, *, fill: str, stroke: str, thick: float
    ) -> None:
        """Draw a box with round corners."""
        place = {"x": f"{x:g}", "y": f"{y:g}", "width": f"{width:g}", "height": f"{height:g}", "rx": "4"}
        style = f"fill:{fill};stroke:{stroke};stroke-width:{thick:g}"
        ElementTree.SubElement(self.root, "rect", place | {"style": style})

    def box(self, title: str, lines: Iterable[str], *, width: float = BOX) -> None:
        """Draw a box of words below what is there."""
        wrapped = [part for line in lines for part in textwrap.wrap(line, int(CHARACTERS * width / BOX)) or [""]]
        height = 2 * PAD + LINE * (1 + len(wrapped)) - 3
        self.rectangle(LEFT, self.y, width, height, fill=PALE, stroke=QUIET, thick=1)
        self.text(LEFT + PAD, self.y + PAD + 11, title, bold=True)
        for at, words in enumerate(wrapped, 1):
            self.text(LEFT + PAD, self.y + PAD + 11 + LINE * at, words, size=12)
        self.y += height

    def arrow_down(self, words: str = "", *, dash: str = "") -> None:
        """Draw an arrow from what is there to what comes next."""
        x = LEFT + BOX / 2
        height = GAP + 10 * bool(words)
        self.line([(x, self.y), (x, self.y + height)], dash=dash)
        if words:
            self.text(x + 8, self.y + height / 2 + 3, words, size=11, colour=QUIET)
        self.y += height


def draw_program(program: dict[str, Any]) -> str:
    """Draw a program, of a column or of a conventional reference, as an SVG file."""
    sheet = Sheet()
    sheet.box("Image", [f"{program['height']} \N{MULTIPLICATION SIGN} {program['width']} pixels, grey"])
    sheet.arrow_down()
    sheet.box("Front end", front_end_lines(program))
    sheet.arrow_down()
    if program.get("groups"):
        sheet.box("Input", input_lines(program))
        sheet.arrow_down()
        _groups(sheet, program)
        sheet.box("Order of updates", phase_lines(program))
        sheet.arrow_down()
    else:
        sheet.box("Layers instead of a column", core_lines(program))
        sheet.arrow_down()
    sheet.box("Readout", readout_lines(program))
    sheet.y += GAP / 2
    if rest := [*cell_lines(program), *learning_lines(program)]:
        sheet.box("Cells and learning", rest, width=WIDTH - 2 * LEFT)
    sheet.root.set("viewBox", f"0 0 {WIDTH} {sheet.y + 8:g}")
    return ElementTree.tostring(sheet.root, encoding="unicode") + "\n"


def _groups(sheet: Sheet, program: dict[str, Any]) -> None:
    """Draw groups below each other; blocks to the next group between them, all others beside them."""
    groups = program["groups"][:MOST_GROUPS]
    place = {group["name"]: at for at, group in enumerate(groups)}
    junctions = {name for phase in program["phases"] for drive in phase["drives"] for name in drive["junctions"]}
    blocks = [block for block in program["blocks"] if block["pre"] in place and block["post"] in place]
    down = {block["pre"]: block for block in blocks if place[block["post"]] == place[block["pre"]] + 1}
    beside = [block for block in blocks if down.get(block["pre"]) is not block]
    boxes = []
    for at, group in enumerate(groups):
        top = sheet.y
        _group(
            sheet, group, program, room=2 * LINE * sum(block["post"] == group["name"] for block in beside[:MOST_BLOCKS])
        )
        boxes.append((top, sheet.y))
        if at + 1 < len(groups):
            block = down.get(group["name"])
            sheet.arrow_down(
                ", ".join(_block_words(block)) if block else "", dash=_dash(block, junctions) if block else ""
            )
    bottom = sheet.y
    _beside(sheet, beside, place, boxes, junctions)
    sheet.y = bottom
    hidden = len(program["groups"]) - len(groups), len(program["blocks"]) - len(down) - min(len(beside), MOST_BLOCKS)
    if any(hidden):
        sheet.y += LINE
        sheet.text(LEFT, sheet.y, f"not drawn: {hidden[0]} groups, {hidden[1]} blocks", size=11, colour=QUIET)
        sheet.y += 6
    sheet.arrow_down()


def _group(sheet: Sheet, group: dict[str, Any], program: dict[str, Any], *, room: float) -> None:
    """Draw a group as a box with a chip for each population."""
    cells = {item["name"]: item for item in program["populations"]}
    seeing, read = _seeing(program), set(program["readout"].get("populations", ()))
    chips: list[tuple[float, float, str, bool]] = []
    x, y = float(LEFT + PAD), sheet.y + PAD + LINE + 4
    rest = len(group["populations"]) - MOST_CHIPS
    for name in group["populations"][:MOST_CHIPS]:
        words = f"{cut(name, 16)} {cells[name]['cells']:,}" + (" \N{RIGHTWARDS ARROW}" if name in read else "")
        width = 7.2 * len(words) + 10
        if x + width > LEFT + BOX - PAD:
            x, y = LEFT + PAD, y + 25
        chips.append((x, y, words, name in seeing))
        x += width + 6
    height = max(y + 20 + PAD - sheet.y, room + PAD)
    sheet.rectangle(LEFT, sheet.y, BOX, height, fill=PALE, stroke=INK, thick=1.5)
    title = "" if group["populations"] == [group["name"]] else f"Group {group['name']}: "
    more = f", {rest} more populations" if rest > 0 else ""
    sheet.text(LEFT + PAD, sheet.y + PAD + 11, f"{title}{group['cells']:,} cells{more}", bold=True)
    for x, y, words, sees in chips:
        sheet.rectangle(
            x, y, 7.2 * len(words) + 10, 20, fill=PAPER, stroke=BLUE if sees else QUIET, thick=2 if sees else 1
        )
        sheet.text(x + 5, y + 14, words, size=12)
    sheet.y += height


def _seeing(program: dict[str, Any]) -> set[str]:
    """Return the populations that the image drives: the rows that the input fills."""
    given = program["input"]
    group = next(group for group in program["groups"] if group["name"] == given["group"])
    cells = {item["name"]: item["cells"] for item in program["populations"]}
    start, seen = 0, set()
    for name in group["populations"]:
        if given["rows_before"] <= start < given["rows_before"] + given["cells"]:
            seen.add(name)
        start += cells[name]
    return seen


def _beside(
    sheet: Sheet,
    blocks: Sequence[dict[str, Any]],
    place: dict[str, int],
    boxes: Sequence[tuple[float, float]],
    junctions: set[str],
) -> None:
    """Draw blocks within a group, and those that do not go to the next one, to the right of the boxes."""
    right = LEFT + BOX
    ending = {name: 0 for name in place}
    for lane, block in enumerate(blocks[:MOST_BLOCKS]):
        top, number = boxes[place[block["post"]]][0], ending[block["post"]]
        ending[block["post"]] += 1
        y = top + 10 + 2 * LINE * number
        out = right + 10 + 3 * (lane % 4)
        if block["pre"] == block["post"]:
            points = [(right, y), (out, y), (out, y + 16), (right, y + 16)]
        else:
            start_top, start_bottom = boxes[place[block["pre"]]]
            start = start_bottom - 5 - 3 * (lane % 4) if start_top < top else start_top + 5 + 3 * (lane % 4)
            points = [(right, start), (out, start), (out, y + 8), (right, y + 8)]
        sheet.line(points, dash=_dash(block, junctions))
        for at, words in enumerate(_block_words(block)):
            sheet.text(right + 26, y + 5 + 13 * at, words, size=11, colour=QUIET)


def _block_words(block: dict[str, Any]) -> tuple[str, str]:
    return f"{cut(block['name'], 18)}: {block['edges']:,} edges", sign_words(block)


def _dash(block: dict[str, Any], junctions: set[str]) -> str:
    return DASHES.get("junction" if block["name"] in junctions else block["sign"], "")
