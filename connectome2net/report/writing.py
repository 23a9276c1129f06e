"""A composition -> the page and the files beside it.

Enters: paths of runs or of an experiment. Leaves: one HTML file that needs no other, and SVG and CSV files in a folder.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from markupsafe import Markup

from connectome2net.atomic import write_files
from connectome2net.errors import ReportError
from connectome2net.report import column_sections, inside_sections, ladder_sections, provenance, result_sections
from connectome2net.report.composing import Composition
from connectome2net.report.headline import headline_of
from connectome2net.report.inside_sections import Faces
from connectome2net.report.reading import read_study
from connectome2net.report.study import Study

TEMPLATES = Path(__file__).parent / "templates"


def write_report(
    paths: Sequence[str | Path],
    *,
    out: str | Path = "report.html",
    spec: str | Path | None = None,
    faces: Faces | None = None,
) -> Path:
    """Write the page of an experiment, or of runs.

    The page is one file that loads nothing from anywhere. Its charts lie beside it as SVG, its numbers as CSV, in a
    folder that has the page's name. Equal folders give equal bytes. No image of a data set is read.

    Args:
        paths: one experiment folder; or run folders, or folders that hold them, or that hold ``runs/``.
        out: the page; what lies there is written over.
        spec: the column's spec, where it lies neither in the experiment nor beside the folder of the runs.
        faces: drawn faces by class, (n, rows, columns), uint8; shown as samples.

    Returns:
        The path of the page.

    Raises:
        ReportError: a folder is missing, is neither, or is damaged; the page cannot be written, or its files would lie
            among the runs.
        SpecError: the spec is not valid.
    """
    out = Path(out)
    if out.suffix.lower() not in (".html", ".htm"):
        what, fix = "a page is HTML", f"name it {out.name}.html"
        raise ReportError(what, where=out, found=out.suffix or "no suffix", wanted=".html", fix=fix)
    study = read_study(paths, spec=spec)
    _make_folder(out, paths)
    page = compose(study, faces=faces)
    files = {f"{out.stem}/{name}": text for name, text in page.files.items()}
    _write_all(out, {**files, out.name: render(page, study, folder=out.stem)})
    return out


def compose(study: Study, *, faces: Faces | None = None) -> Composition:
    """Return all sections of a page in their order."""
    page = Composition()
    column_sections.compose_column(page, study)
    column_sections.compose_network(page, study)
    result_sections.compose_learning(page, study)
    ladder_sections.compose_ladder(page, study)
    result_sections.compose_accuracy(page, study)
    inside_sections.compose_answers(page, study, faces)
    inside_sections.compose_insides(page, study)
    return page


def render(page: Composition, study: Study, *, folder: str) -> str:
    """Return the page as HTML."""
    from jinja2 import Environment, FileSystemLoader, StrictUndefined

    environment = Environment(
        loader=FileSystemLoader(TEMPLATES),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    scene = next((item.content for part in page.sections for item in part.items if item.kind == "scene"), None)
    script, version = _plotly() if scene else ("", "")
    return environment.get_template("page.html.jinja").render(
        headline=headline_of(study),
        sections=page.sections,
        folder=folder,
        style=Markup((TEMPLATES / "page.css").read_text(encoding="utf-8")),
        script=Markup((TEMPLATES / "page.js").read_text(encoding="utf-8")),
        scene=in_script(scene["data"]) if scene else "",
        side=Markup(scene["side"]) if scene else "",
        plotly=Markup(script),
        plotly_version=version,
        facts=provenance.facts_of(study),
        settings=provenance.settings_of(study),
        runs=provenance.runs_of(study),
        citations=provenance.citations_of(study),
    )


def in_script(content: Any) -> Markup:
    """Return JSON that may stand in a script element: no text in it can end the element."""
    text = json.dumps(content, separators=(",", ":"))
    return Markup(text.replace("&", "\\u0026").replace("<", "\\u003c").replace(">", "\\u003e"))


def _plotly() -> tuple[str, str]:
    """Return plotly's script and version. The package ships one bundle, with everything."""
    from plotly.offline import get_plotlyjs, get_plotlyjs_version

    return get_plotlyjs().replace("</script", "<\\/script"), get_plotlyjs_version()


def _make_folder(out: Path, paths: Sequence[str | Path]) -> None:
    """Make the folder of the page and that of its files, before anything is drawn."""
    folder = out.parent / out.stem
    if folder.resolve() in {Path(path).resolve() for path in paths}:
        what, fix = "the files of this page would lie among the runs", "give the page another name with --out"
        raise ReportError(what, where=folder, wanted="a folder of their own", fix=fix)
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise _no_place(out, error) from error


def _write_all(out: Path, files: dict[str, str]) -> None:
    """Write every file whole, the page last; none where one cannot be written."""
    try:
        write_files({out.parent / name: text.encode() for name, text in files.items()})
    except OSError as error:
        raise _no_place(out, error) from error


def _no_place(out: Path, error: OSError) -> ReportError:
    return ReportError(
        "the page cannot be written",
        where=out,
        found=error.strerror or str(error),
        wanted="a file name in a folder that can be written to",
        fix="choose another place with --out",
    )
