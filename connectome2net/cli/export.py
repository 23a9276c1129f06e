"""``c2n export``: files for other programs.

Enters: a compiled folder, a run or a spec. Leaves: one file.
"""

from __future__ import annotations

from pathlib import Path

import click


@click.command()
@click.argument("source", type=click.Path(path_type=Path))
@click.option(
    "--to",
    "form",
    required=True,
    type=click.Choice(["onnx", "graphml"]),
    help="onnx: the network of a compiled folder or a run; graphml: the connectome of a spec.",
)
@click.option(
    "--out", "-o", type=click.Path(path_type=Path), metavar="FILE", help="[default: SOURCE.onnx, SOURCE.graphml]"
)
@click.option("--force", is_flag=True, help="Write over a file that lies there.")
@click.option("--trust", is_flag=True, help="Run a model.py that was changed by hand.")
def export(source: Path, form: str, out: Path | None, force: bool, trust: bool) -> None:
    """Write a network as ONNX, or a connectome as GraphML."""
    from connectome2net.export import export_graphml, export_onnx

    out = out or source.absolute().with_suffix(f".{form}")
    if form == "onnx":
        path = export_onnx(source, out, force=force, trust=trust)
    elif trust:
        raise click.UsageError("--trust is about a model.py; a spec has none")
    else:
        path = export_graphml(source, out, force=force)
    click.echo(path)
