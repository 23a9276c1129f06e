"""The sections about the column and the network.

Enters: a study. Leaves: sections of the page.
"""

from __future__ import annotations

import numpy as np

from connectome2net.report import anatomy
from connectome2net.report.composing import Composition
from connectome2net.report.diagram import draw_program
from connectome2net.report.drawing import chart_style, to_inline, to_svg
from connectome2net.report.numbers import count, percent
from connectome2net.report.study import Study
from connectome2net.spec import Spec

MOST_DIAGRAMS = 4


def compose_column(page: Composition, study: Study) -> None:
    """Add the column in three dimensions and its matrix by lamina."""
    page.open_section("column", "The column")
    spec = study.spec
    if spec is None:
        page.leave_out("The column is not shown, because its spec is not known; give it with --spec spec.json.")
        return
    if anatomy.has_positions(spec):
        _add_scene(page, spec)
    else:
        page.leave_out("The column is not drawn in space, because no cell has a position and a depth.")
    matrix = anatomy.measure_laminae(spec)
    known = np.nan_to_num(matrix.connected_KK)
    post, pre = np.unravel_index(int(known.argmax()), known.shape)
    with chart_style():
        page.add_chart(
            "laminae",
            anatomy.draw_laminae(matrix),
            title="How often two cells of given laminae and classes are connected",
            caption=(
                "Numbers are percent of the pairs of two different cells that have an edge; a column sends, a row "
                f"receives. E is excitatory, I inhibitory. The densest is {matrix.names[pre]} to {matrix.names[post]} "
                f"with {percent(float(known[post, pre]))}. Axons of many cells are incomplete, so a number is a lower "
                "bound."
            ),
            alt=f"Matrix of connection probabilities between {len(matrix.names)} kinds of cells",
            rows=matrix.rows(),
        )


def _add_scene(page: Composition, spec: Spec) -> None:
    with chart_style():
        side = to_svg(anatomy.draw_side(spec))
    page.files["column.svg"] = side
    scene = anatomy.scene_of(spec)
    drawn, cells = len(scene["x"]), spec.cells.num_rows
    without = f" {cells - drawn:,} of {cells:,} cells have no position and are not drawn." if drawn < cells else ""
    stretch = scene["stretch"]
    stretched = f" The column is narrow: it is drawn {stretch:g} times as wide as it is." if stretch > 1 else ""
    page.add_drawn(
        "scene",
        "column",
        {
            "data": scene,
            "side": to_inline(side, prefix="side", alt=f"{count(drawn, 'cell')} of the column from the side"),
        },
        title=f"The column: {count(drawn, 'cell')} where their somata lie",
        caption=(
            "Turn it with a finger, the mouse or the buttons; the pia is up. Diamonds are excitatory, circles "
            "inhibitory cells. Choose whose edges are drawn; of large sets the edges with the most synapses are "
            f"shown.{stretched}{without}"
        ),
    )


def compose_network(page: Composition, study: Study) -> None:
    """Add a diagram of the reference and of each conventional network beside it."""
    page.open_section("network", "The network")
    reference = study.experiment.reference
    wanted = [reference, *(v.name for v in study.experiment.variants if v.network and v.name != reference)]
    programs = {}
    for name in wanted[:MOST_DIAGRAMS]:
        run = next((run for run in study.runs_of(name) if run.program()), None)
        if run is not None:
            programs[name] = run.program()
    for at, (name, program) in enumerate(programs.items()):
        assert program is not None
        column = bool(program.get("groups"))
        words = (
            "Blue boxes are the populations that see the image, those with an arrow are read out. Lines are blocks of "
            "edges: solid where Dale's law fixes the signs, dashed where signs are free, dotted for gap junctions."
            if column
            else "A conventional network with the same front end and no column, for comparison."
        )
        page.add_chart(
            "network" if at == 0 else f"network-{at + 1}",
            draw_program(program),
            title=f"What {name} computes, from the image to the classes",
            caption=f"Read it from the top down; it is drawn from program.json. {words}",
            alt=f"Diagram of network {name}",
        )
    if not programs:
        page.leave_out("The network is not drawn, because no run has a compiled network yet.")
