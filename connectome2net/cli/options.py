"""What several commands share: options, and how ``--json`` prints.

Enters: nothing. Leaves: decorators of commands; JSON on stdout.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import click

as_json = click.option("--json", "as_json", is_flag=True, help="Print JSON, for scripts.")
spec_path = click.argument("spec", type=click.Path(path_type=Path), default=Path("spec.json"))
data_option = click.option(
    "--data", metavar="PATH", help="Images: a file, a folder, or `synthetic`.  [default: fer2013.csv here, or C2N_DATA]"
)
backend_option = click.option(
    "--backend",
    metavar="NAME",
    help="Sparse products: program (as compiled), auto (measured), native, csr, gather, dense.",
)
trust_option = click.option("--trust", is_flag=True, help="Run a model.py that was changed by hand.")


def print_json(content: Any) -> None:
    """Print plain data as JSON, for scripts."""
    click.echo(json.dumps(content, indent=1, ensure_ascii=False))
