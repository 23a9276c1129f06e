"""``c2n experiment``: variants x seeds, and what follows.

Enters: a plan or a preset. Leaves: an experiment folder, a table on stdout, a live line on stderr.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from connectome2net.experiment.prepare import Experiment
    from connectome2net.spec import Spec


@click.command()
@click.argument("plan", metavar="FILE_OR_PRESET")
@click.option(
    "--spec",
    "specs",
    multiple=True,
    metavar="PATH",
    help="Spec to use instead of the plan's; `synthetic` draws one; may be given several times.",
)
@click.option("--data", metavar="PATH", help="Images: a file, a folder, or `synthetic`.")
@click.option("--quick", is_flag=True, help="Fewer variants, epochs and seeds, as the plan says; the page says so too.")
@click.option("--seeds", type=click.IntRange(min=1), help="How many seeds.  [default: the plan's]")
@click.option("--epochs", type=click.IntRange(min=1), help="Passes over the images.  [default: the plan's]")
@click.option("--jobs", type=click.IntRange(min=1), help="Processes at a time, one thread each.  [default: the cores]")
@click.option(
    "--dask", metavar="ADDRESS", help="A Dask scheduler (tcp://HOST:PORT), or `local` for one of --jobs workers."
)
@click.option("--device", help="cpu, cuda, ...; several runs share a GPU.  [default: a GPU if there is one]")
@click.option("--out", "-o", type=click.Path(path_type=Path), help="The folder.  [default: experiments/NAME]")
@click.option("--dry-run", is_flag=True, help="List the runs and how long they will take, and end.")
def experiment(
    plan: str, specs: tuple[str, ...], jobs: int | None, dask: str | None, dry_run: bool, **choices: Any
) -> None:
    """Train variants of a network with several seeds, and compare them.

    PRESETS: control-ladder, bionic-ablations, bionic-factorial, scaling, smoke. The same command again goes on with
    what was stopped; finished runs are kept. Ends with 1 if a run failed.
    """
    from connectome2net.experiment.plan import read_plan
    from connectome2net.experiment.prepare import prepare
    from connectome2net.experiment.run import carry_out_all
    from connectome2net.tasks import SYNTHETIC

    named = specs or (read_plan(plan).spec,)
    made = [_synthetic_column(plan) if name == SYNTHETIC else name for name in named]
    prepared = prepare(plan, spec=made if len(made) > 1 else made[0], **choices)
    if dry_run:
        _show_plan(prepared, jobs)
        return
    folder = carry_out_all(prepared, jobs=jobs, dask=dask)
    record = json.loads((folder / "experiment.json").read_bytes())
    _show_results(record, folder)
    sys.exit(1 if any(run["status"] == "failed" for run in record["runs"]) else 0)


def _synthetic_column(plan: str) -> Spec:
    """Return a drawn column; a small one for a smoke test."""
    from connectome2net.extract import extract
    from connectome2net.sources import open_source

    return extract(open_source("synthetic", cells=300 if plan == "smoke" else None))


def _show_plan(prepared: Experiment, jobs: int | None) -> None:
    from connectome2net.experiment.estimate import estimate

    for variant, task in prepared.runs:
        state = task.state()
        click.echo(f"{task.key}  seed {task.config.seed}  {state.status:<8}  {variant.change.name}")
    for variant in prepared.variants:
        changes = "; ".join(variant.change.words()) or "as it is"
        click.echo(f"{variant.change.name}: {variant.parameters:,} trainable parameters; {changes}")
    _show_left_out(prepared.left_out)
    click.echo(f"{len(prepared.variants)} variants x {len(prepared.plan.seeds)} seeds in {prepared.folder}")
    click.echo(estimate(prepared, jobs=jobs))


def _show_left_out(left_out: dict[str, str]) -> None:
    for name, reason in left_out.items():
        click.echo(f"{name}: left out, because it cannot be made of this spec: {reason}")


def _show_results(record: dict[str, Any], folder: Path) -> None:
    """Print what came out, and every run that failed."""
    path = folder / "results.json"
    results = json.loads(path.read_bytes()) if path.is_file() else {}
    measured = {item["name"]: item["metrics"].get(record["metric"]) for item in results.get("variants", ())}
    wide = max(len(item["name"]) for item in record["variants"])
    click.echo(f"{'variant':<{wide}}  parameters  finished  failed  {record['metric']}, {record['part']}")
    for item in record["variants"]:
        status = [run["status"] for run in record["runs"] if run["variant"] == item["name"]]
        found = measured.get(item["name"])
        words = "-" if not found or found["mean"] is None else f"{found['mean']:.4f}"
        words += f" +- {found['sd']:.4f}" if found and found["sd"] is not None else ""
        counts = f"{status.count('finished'):>8}  {status.count('failed'):>6}"
        click.echo(f"{item['name']:<{wide}}  {item['parameters']:>10,}  {counts}  {words}")
    _show_left_out(record["left_out"])
    for run in record["runs"]:
        if run["status"] == "failed":
            click.echo(
                f"{run['variant']}, seed {run['seed']} failed: {folder / run['folder']}\n{run['error']}", err=True
            )
    for sentence in results.get("conclusion", ()):
        click.echo(sentence)
    if record["quick"]:
        click.echo("This was --quick: fewer variants, seeds and epochs than planned.")
    click.echo(f"{folder}: for a page of it, c2n report {folder}")
