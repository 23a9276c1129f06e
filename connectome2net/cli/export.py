"""``c2n export``: files for other programs.

Enters: a compiled folder, a run or a spec. Leaves: one file.
"""

from __future__ import annotations

from pathlib import Path

import click

from connectome2net.cli.options import trust_option


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
@trust_option
def export(source: Path, form: str, out: Path | None, force: bool, trust: bool) -> None:
    """Write a network as ONNX, or a connectome as GraphML."""
    from connectome2net.export import export_graphml, export_onnx

    out = out or _beside(source.absolute(), form)
    if form == "onnx":
        path = export_onnx(source, out, force=force, trust=trust)
    elif trust:
        raise click.UsageError("--trust is about a model.py; a spec has none")
    else:
        path = export_graphml(source, out, force=force)
    click.echo(path)


def _beside(source: Path, form: str) -> Path:
    """Return a file beside a source: spec.graphml beside spec.json, lr0.01.onnx beside the run lr0.01."""
    name = source.stem if source.suffix == ".json" else source.name
    return source.with_name(f"{name}.{form}")
