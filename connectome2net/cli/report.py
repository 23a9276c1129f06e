"""``c2n report``: runs -> a page.

Enters: folders. Leaves: one HTML file, figures and tables beside it, and their names on stdout.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from connectome2net.report.inside_sections import Faces

FACES_OF_A_CLASS = 3


@click.command()
@click.argument("paths", metavar="PATH...", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option(
    "--out", "-o", default="report.html", show_default=True, type=click.Path(path_type=Path), help="The page."
)
@click.option("--spec", type=click.Path(path_type=Path), help="The column's spec, where it does not lie beside runs/.")
def report(paths: tuple[Path, ...], out: Path, spec: Path | None) -> None:
    """Write a page about an experiment, or about runs: one HTML file that loads nothing.

    Its figures lie beside it as SVG, its numbers as CSV. No image of a data set is shown, only drawn faces.
    """
    from connectome2net.report import write_report

    page = write_report(paths, out=out, spec=spec, faces=_draw_faces())
    beside = sum(1 for _ in (page.parent / page.stem).iterdir())
    click.echo(f"{page}: {page.stat().st_size / 1e6:.1f} MB; {page.parent / page.stem}: {beside} files, SVG and CSV")


def _draw_faces() -> Faces:
    """Draw a few faces of each class; they are the same for everyone."""
    from connectome2net.tasks.faces import faces

    drawn = faces(train=7, validation=7, test=7 * FACES_OF_A_CLASS)
    return {name: drawn.test.image_NHW[drawn.test.label_N == at] for at, name in enumerate(drawn.classes)}
