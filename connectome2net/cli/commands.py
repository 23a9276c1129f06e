"""The commands from a connectome to a compiled network.

Enters: options. Leaves: what the public functions make, and a few lines about it.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from connectome2net.cli.options import as_json, backend_option, print_json, spec_path, told, trust_option, write_told
from connectome2net.errors import SpecError

if TYPE_CHECKING:
    from connectome2net.spec import Spec

positive = click.FloatRange(min=0, min_open=True)


@click.command()
@click.option("--column", help="v1, all, or a TOML file with centre_um and radius_um or side_um.  [default: v1]")
@click.option("--radius-um", type=positive, help="Cut a cylinder about the column's centre along the axis of cortex.")
@click.option("--side-um", type=positive, help="Cut a square about it instead.")
@click.option(
    "--source",
    metavar="WHERE",
    help="cave[:DATASTACK][@VERSION], a folder of tables, or `synthetic`.  [default: C2N_SOURCE, else CAVE]",
)
@click.option(
    "--laminae",
    default="fixed",
    show_default=True,
    type=click.Choice(["fixed", "estimated"]),
    help="Borders of mouse V1, or estimated from the types of the cells.",
)
@click.option(
    "--require",
    multiple=True,
    type=click.Choice(["proofread-axon", "fully-extended-axon"]),
    help="Keep edges of such presynaptic cells only.",
)
@click.option(
    "--min-synapses",
    default=1,
    show_default=True,
    type=click.IntRange(min=1),
    help="Leave out edges with fewer synapses.",
)
@click.option(
    "--min-size-vx",
    default=0,
    show_default=True,
    type=click.IntRange(min=0),
    help="Least total cleft size of an edge, voxels.",
)
@click.option(
    "--border-um",
    default=100.0,
    show_default=True,
    type=click.FloatRange(min=0),
    help="List cells closer than this to a side of the volume.",
)
@click.option(
    "--network", help="Which network to assume: column, column_deep, bionic, laminae or types.  [default: column]"
)
@click.option("--signs", type=click.Choice(["dale", "free"]), help="Signs of all weights.  [default: the network's]")
@click.option("--out", "-o", default=".", show_default=True, type=click.Path(path_type=Path), help="Where to write.")
@click.option("--name", help="Name of the spec.  [default: data set, column and network]")
@click.option("--cells", type=click.IntRange(min=200), help="Cells of the synthetic column.  [default: 1351]")
@click.option("--seed", type=click.IntRange(min=0), help="Seed of the synthetic column.  [default: 0]")
@click.option("--position-unit", help="nm, voxel or um; overrules source.toml.")
@click.option(
    "--mapping",
    type=click.Path(path_type=Path),
    metavar="TOML",
    help="What the tables of any other connectome call things; see examples/mappings.",
)
@click.option(
    "--engine",
    default="duckdb",
    show_default=True,
    type=click.Choice(["duckdb", "spark"]),
    help="What scans synapses and connections.",
)
@click.option("--master", help="Address of the Spark master.  [default: this machine]")
@click.option("--force", is_flag=True, help="Write over another spec.")
def extract(source: str | None, out: Path, force: bool, **choices: Any) -> None:
    """Cut a column out of a connectome and write spec.json with its two tables."""
    from connectome2net.cli.show import show_extraction
    from connectome2net.extract import extract as cut
    from connectome2net.sources import open_source
    from connectome2net.spec import validate

    of_source = ("position_unit", "cells", "seed", "mapping", "engine", "master")
    tables = open_source(source, **{name: choices.pop(name) for name in of_source})
    spec = cut(tables, **choices)
    path = write_told(spec, out, force=force)
    show_extraction(spec, path)
    if issues := validate(spec):
        network = spec.network.name
        raise SpecError(f"the column is written, but network {network} does not fit it", issues, fix=f"edit {path}")


@click.command()
@click.argument("path", type=click.Path(path_type=Path), default=Path("spec.json"))
@click.option("--figure", type=click.Path(path_type=Path), metavar="FILE", help="Draw the column: .png, .svg or .pdf.")
@backend_option
@trust_option
@as_json
def inspect(path: Path, figure: Path | None, backend: str | None, trust: bool, as_json: bool) -> None:
    """Show a spec, a compiled network or a run at a glance.

    Of a spec the column, the network and what was lost on the way; of a network and a run the audits and the spectrum
    of its weights, before and after training, and how each projection is computed.
    """
    if (path / "run.json").is_file() or (path / "program.json").is_file():
        from connectome2net.cli.show import show_network
        from connectome2net.inside import inspect_network

        if figure is not None:
            raise click.UsageError("--figure draws the column of a spec; leave it out here")
        found = inspect_network(path, backend=backend, trust=trust)
        print_json(found) if as_json else show_network(found)
    elif backend is not None or trust:
        option = "--trust" if backend is None else "--backend"
        raise click.UsageError(f"{option} is for compiled networks and runs; leave it out here")
    else:
        _inspect_spec(path, figure, as_json)


def _inspect_spec(spec: Path, figure: Path | None, as_json: bool) -> None:
    from connectome2net.cli.show import show_spec
    from connectome2net.compile.lower import lower
    from connectome2net.compile.parameters import count_parameters
    from connectome2net.spec import read_spec
    from connectome2net.spec.summary import summarise

    valid = read_spec(spec)
    parameters = count_parameters(lower(valid)[0])
    summary = summarise(valid) | {"parameters": parameters, "trainable_parameters": sum(parameters.values())}
    drawn = None
    if figure is not None:
        from connectome2net.report import draw_column

        drawn = draw_column(valid, figure)
    if as_json:
        print_json(summary)
    else:
        show_spec(summary)
    if drawn is not None:
        click.echo(drawn, err=as_json)


@click.command()
@spec_path
@as_json
def validate(spec: Path, as_json: bool) -> None:
    """Check a spec and its tables; list every issue; exit with 1 if there is one."""
    from dataclasses import asdict

    from connectome2net.spec import open_spec

    _, issues = open_spec(spec)
    if as_json:
        print_json({"valid": not issues, "issues": [asdict(issue) for issue in issues]})
    else:
        for issue in issues:
            click.echo(str(issue))
        click.echo(f"{spec}: {len(issues)} issue{'s' * (len(issues) != 1)}" if issues else f"{spec} is valid")
    sys.exit(1 if issues else 0)


@click.command(name="compile")
@spec_path
@click.option(
    "--out", "-o", default="compiled", show_default=True, type=click.Path(path_type=Path), help="Where to write."
)
@click.option(
    "--reference",
    type=click.Choice(["linear", "mlp", "cnn"]),
    help="A conventional network instead: the spec's front end, and no connectome.",
)
@click.option("--parameters", type=click.IntRange(min=1), help="Size of the reference.  [default: that of the network]")
@click.option("--force", is_flag=True, help="Write over a model.py that was changed by hand.")
def compile_(spec: Path, out: Path, reference: Any, parameters: int | None, force: bool) -> None:
    """Compile a spec into a readable torch model."""
    from connectome2net.compile.package import compiled_folder
    from connectome2net.spec import read_spec

    if parameters is not None and reference is None:
        raise click.UsageError("--parameters is the size of a --reference; a network has that of its spec")
    valid, out = read_spec(spec), compiled_folder(out)
    with told(out / "program.json", "compiled network", out / "model.py"):
        if reference is None:
            folder = _compile_network(valid, out, force=force)
        else:
            from connectome2net.compile.reference import compile_reference

            folder = compile_reference(valid, reference, out=out, parameters=parameters, force=force)
    click.echo(f"{folder}/model.py  weights.safetensors  program.json")


def _compile_network(spec: Spec, out: Path, *, force: bool) -> Path:
    from connectome2net.compile.package import compile_spec
    from connectome2net.spec.rules import unused_rules

    for name in unused_rules(spec.network):
        text = f"note: rule {name} changes nothing: name it under plasticity of a projection or a population"
        click.echo(text, err=True)
    return compile_spec(spec, out=out, force=force)
