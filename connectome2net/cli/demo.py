"""``c2n demo``: the whole chain on built-in stand-ins.

Enters: nothing. Leaves: a folder with a spec, a compiled network, a trained run, and its accuracy.
"""

from __future__ import annotations

import time
from pathlib import Path

import click

EPOCHS = 5
GOAL = 0.6


@click.command()
@click.option(
    "--out", "-o", default="c2n-demo", show_default=True, type=click.Path(path_type=Path), help="Where to write."
)
def demo(out: Path) -> None:
    """Run the whole chain on a synthetic column and drawn faces: no files, no network, about a minute."""
    from connectome2net.cli.show import show_evaluation, show_extraction
    from connectome2net.compile.package import compile_spec
    from connectome2net.evaluate import evaluate
    from connectome2net.extract import extract
    from connectome2net.sources import open_source
    from connectome2net.spec import write_spec
    from connectome2net.train import TrainConfig, train
    from connectome2net.train.run import next_run

    started = time.perf_counter()
    click.secho("1. extract: a synthetic V1 column", bold=True)
    spec = extract(open_source("synthetic"))
    show_extraction(spec, write_spec(spec, out))
    click.secho("2. compile: a network with its wiring and Dale's law", bold=True)
    compiled = compile_spec(spec, out=out / "compiled")
    click.echo(f"{compiled / 'model.py'}: read it, it is short")
    click.secho(f"3. train: {EPOCHS} epochs on drawn faces", bold=True)
    run = train(compiled, data="synthetic", config=TrainConfig(epochs=EPOCHS), out=next_run(out / "runs"))
    click.secho("4. evaluate: on faces that chose nothing", bold=True)
    result = evaluate(run)
    show_evaluation(result)
    accuracy = result["test"]["accuracy"]
    click.echo(
        f"\nThe network has learned: {accuracy:.1%} of {result['test']['images']:,} new faces right (chance is 14 %), "
        f"after {time.perf_counter() - started:.0f} seconds. What the column contributes, c2n experiment tells."
    )
    if accuracy < GOAL:
        click.echo(f"That is less than the {GOAL:.0%} that this demo should reach; please report it.", err=True)
    click.echo("\nNext:")
    for command, words in (
        (f"c2n inspect {out}/spec.json", "the column and its network at a glance"),
        (f"c2n report {out}", "a page about it"),
        ("c2n extract --column v1 --source DIR", "your own tables; see README"),
        ("c2n compile && c2n train --data PATH", "on them, with FER-2013 or your images"),
    ):
        click.echo(f"  {command:<40}  {words}")
