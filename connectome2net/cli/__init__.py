"""The command line ``c2n``: every command parses, calls one public function, prints.

Enters: words. Leaves: results on stdout, progress on stderr, and 0 (done), 1 (data or spec wrong) or 2 (wrong usage).
"""

from __future__ import annotations

import sys
import warnings

import click

from connectome2net.cli.commands import compile_, extract, inspect, validate
from connectome2net.cli.convert import convert
from connectome2net.cli.demo import demo
from connectome2net.cli.doctor import doctor
from connectome2net.cli.experiment import experiment
from connectome2net.cli.export import export
from connectome2net.cli.report import report
from connectome2net.cli.rewire import rewire
from connectome2net.cli.train import evaluate, train


@click.group(context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(package_name="connectome2net", prog_name="c2n")
def c2n() -> None:
    """Compile a connectome into a neural network that can be trained.

    \b
    c2n demo                                   everything, on built-in stand-ins
    c2n doctor                                 is everything there for the rest?
    c2n extract --column v1 --source cave      MICrONS     -> spec.json; or --source DIR, your tables
    c2n compile spec.json                      spec.json   -> compiled/
    c2n train --data fer2013.csv               compiled/   -> runs/001/
    c2n evaluate runs/001                      how good it is on images that chose nothing
    c2n experiment control-ladder              variants x seeds: does the wiring matter?
    c2n report experiments/control-ladder      a page about it, or about a run -> report.html
    """  # noqa: D301 - click wants the backspace


COMMANDS = [convert, extract, inspect, validate, rewire, compile_, train, evaluate, experiment, report]
COMMANDS += [export, demo, doctor]
for command in COMMANDS:
    c2n.add_command(command)


def main() -> None:
    """Run ``c2n``; print an error of the user as text and end with 1."""
    from connectome2net.errors import C2NError

    warnings.formatwarning = lambda message, *_, **__: f"note: {message}\n"
    try:
        c2n(standalone_mode=False)
    except click.exceptions.Exit as leave:
        sys.exit(leave.exit_code)
    except click.ClickException as error:
        error.show()
        sys.exit(error.exit_code)
    except C2NError as error:
        click.echo(f"{click.style('Error:', fg='red')} {error}", err=True)
        sys.exit(1)
    except OSError as error:
        where = f" ({error.filename})" if error.filename else ""
        click.echo(f"{click.style('Error:', fg='red')} {error.strerror or error}{where}", err=True)
        sys.exit(1)
    except (KeyboardInterrupt, click.Abort) as stop:
        notes = getattr(stop.__cause__ or stop, "__notes__", [])  # click raises Abort from KeyboardInterrupt
        click.echo("\n".join(["Stopped.", *notes]), err=True)
        sys.exit(130)
