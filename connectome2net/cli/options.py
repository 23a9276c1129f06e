"""What several commands share: options, how ``--json`` prints, what is said where something is written over.

Enters: nothing. Leaves: decorators of commands; JSON on stdout; a spec; notes on stderr.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from connectome2net.spec import Spec

as_json = click.option("--json", "as_json", is_flag=True, help="Print JSON, for scripts.")
spec_path = click.argument("spec", type=click.Path(path_type=Path), default=Path("spec.json"))
backend_option = click.option(
    "--backend",
    metavar="NAME",
    help="Sparse products: program (as compiled), auto (measured), native, csr, gather, dense.",
)
trust_option = click.option("--trust", is_flag=True, help="Run a model.py that was changed by hand.")


def print_json(content: Any) -> None:
    """Print plain data as JSON, for scripts."""
    click.echo(json.dumps(content, indent=1, ensure_ascii=False))


def write_told(spec: Spec, out: Path, *, force: bool) -> Path:
    """Write a spec, and say what became of one that lay there before."""
    from connectome2net.spec import write_spec
    from connectome2net.spec.write import spec_file

    with told(spec_file(out), "spec"):
        return write_spec(spec, out, force=force)


@contextmanager
def told(path: Path, what: str, *others: Path) -> Iterator[None]:
    """Say what became of a file, and of others that belong to it, that lay where another is written."""
    lay_there = [item for item in (path, *others) if item.is_file()]
    before = [item.read_bytes() for item in lay_there]
    yield
    if before:
        same = [item.read_bytes() for item in lay_there] == before
        words = (
            f"the same {what} lay there already; nothing has changed" if same else f"another {what} was written over"
        )
        click.echo(f"note: {words}: {path}", err=True)
