"""``c2n train`` and ``c2n evaluate``.

Enters: options. Leaves: a run folder and its metrics, and a few lines about them.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from connectome2net.cli.options import as_json, backend_option, print_json, trust_option
from connectome2net.errors import LoadError


@click.command()
@click.argument("compiled", type=click.Path(path_type=Path), required=False)
@click.option(
    "--data", metavar="PATH", help="Images: a file, a folder, or `synthetic`.  [default: fer2013.csv here, or C2N_DATA]"
)
@click.option("--config", type=click.Path(path_type=Path), metavar="TOML", help="Settings; see TrainConfig.")
@click.option("--epochs", type=click.IntRange(min=1), help="Passes over the images.  [default: 20]")
@click.option("--seed", type=click.IntRange(min=0), help="Seed of everything but anatomy.  [default: 0]")
@click.option("--device", help="cpu, cuda, ...  [default: a GPU if there is one]")
@click.option("--devices", type=click.IntRange(min=1), help="Processes that share each batch.  [default: 1]")
@click.option("--nodes", type=click.IntRange(min=1), help="Machines, under torchrun or SLURM.  [default: 1]")
@backend_option
@click.option("--out", "-o", type=click.Path(path_type=Path), help="The run folder.  [default: the next free runs/NNN]")
@click.option("--resume", type=click.Path(path_type=Path), metavar="RUN", help="Go on with a run that was stopped.")
@click.option("--tensorboard", is_flag=True, help="Write curves for TensorBoard into the run folder.")
@click.option("--skip-broken", is_flag=True, help="Leave broken images out and say so.")
@click.option(
    "--labels",
    type=click.Choice(["fer2013", "ferplus"]),
    help="Of FER-2013: its labels, or the votes of FER+, as distributions.  [default: fer2013]",
)
@trust_option
def train(
    compiled: Path | None,
    data: str | None,
    config: Path | None,
    epochs: int | None,
    seed: int | None,
    device: str | None,
    devices: int | None,
    nodes: int | None,
    backend: str | None,
    out: Path | None,
    resume: Path | None,
    tensorboard: bool,
    skip_broken: bool,
    labels: str | None,
    trust: bool,
) -> None:
    """Train a compiled network (./compiled, if none is named); Ctrl-C leaves a run that --resume continues."""
    from connectome2net.cli.show import audit_line
    from connectome2net.train import train as learn
    from connectome2net.train.config import read_config
    from connectome2net.train.processes import is_first
    from connectome2net.train.run import read_run

    choices: dict[str, Any] = {"epochs": epochs, "seed": seed, "device": device, "devices": devices, "nodes": nodes}
    choices |= {
        "backend": backend,
        "tensorboard": tensorboard or None,
        "skip_broken": skip_broken or None,
        "labels": labels,
    }
    if resume is not None:
        given = {"--config": config, **{f"--{name.replace('_', '-')}": value for name, value in choices.items()}}
        given |= {"--out": out, str(compiled): compiled}
        if ignored := [name for name, value in given.items() if value is not None]:
            raise click.UsageError(f"--resume takes the run's own settings; leave out {', '.join(ignored)}")
        if read_run(resume)["status"] == "finished":
            click.echo(f"note: {resume} was finished already; nothing is left to train", err=True)
    compiled = compiled or Path("compiled")
    if resume is None:
        _refuse_others(compiled)
    settings = read_config(config, **choices)
    folder = learn(compiled, data=data, config=settings, out=out, resume=resume, trust=trust)
    if not is_first():
        return
    run = read_run(folder)
    for finding in run["dataset"]["findings"]:
        click.echo(f"note: {finding}")
    click.echo(
        f"{folder}: validation accuracy {run['validation_accuracy']:.1%} in epoch {run['best_epoch']} of "
        f"{run['epochs']}; {_duration(run['seconds'])}"
    )
    if run["learning"]["kind"] == "reservoir":
        click.echo(f"a reservoir: only its readout was solved, by ridge regression, penalty {run['learning']['ridge']}")
    click.echo(audit_line(run["audit"]["after"]))


@click.command()
@click.argument("run", type=click.Path(path_type=Path), required=False)
@click.option("--data", metavar="PATH", help="Other images than those that the run was trained on.")
@click.option("--device", default="cpu", show_default=True, help="cpu, cuda, ...")
@click.option("--robustness", is_flag=True, help="Also under noise, blur, occlusion and lesions: 17 times the work.")
@click.option(
    "--part",
    type=click.Choice(["test", "validation"]),
    default="test",
    show_default=True,
    help="Images to evaluate on. Choose settings on validation; look at test once.",
)
@trust_option
@as_json
def evaluate(
    run: Path | None, data: str | None, device: str, robustness: bool, part: Any, trust: bool, as_json: bool
) -> None:
    """Evaluate a run (the newest, if none is named) on test images."""
    from connectome2net.cli.show import show_evaluation
    from connectome2net.evaluate import evaluate as measure
    from connectome2net.train.run import newest_run

    chosen = run or newest_run()
    result = measure(chosen, data=data, device=device, trust=trust, robustness=robustness, part=part)
    if as_json:
        print_json(result)
    else:
        show_evaluation(result)


def _refuse_others(compiled: Path) -> None:
    """Refuse a run, and a compiled folder beside a spec.json that it was not made from."""
    from connectome2net.load import read_program
    from connectome2net.spec import digest_document, read_spec

    if (compiled / "run.json").is_file():
        fix = f"go on with it: c2n train --resume {compiled}; or train its network anew: c2n train {compiled}/compiled"
        raise LoadError("this is a run, not a compiled network", where=compiled, fix=fix)
    beside = compiled.parent / "spec.json"
    if not beside.is_file():
        return
    if digest_document(read_spec(beside).document) != read_program(compiled).origin.spec_sha256:
        raise LoadError(
            "the compiled network was made from another spec than the one beside it",
            where=compiled,
            wanted=f"the network of {beside}",
            fix=f"compile again: c2n compile {beside}; or move one of them away",
        )


def _duration(seconds: float) -> str:
    return f"{seconds:.0f} seconds" if seconds < 120 else f"{seconds / 60:.1f} minutes"
