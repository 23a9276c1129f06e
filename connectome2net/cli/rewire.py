"""``c2n rewire``: a spec -> a control.

Enters: a spec and the name of a null model. Leaves: another spec, and what it keeps and destroys on stdout.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from connectome2net.cli.options import spec_path, write_told

if TYPE_CHECKING:
    from connectome2net.spec import Spec


def _list_nulls(context: click.Context, _: click.Parameter, wanted: bool) -> None:
    from connectome2net.transform import NULLS

    if not wanted or context.resilient_parsing:
        return
    for null in NULLS.values():
        given = f"  (takes --{' or --'.join(null.takes)})" if null.takes else ""
        click.echo(f"{null.name}: {null.text}{given}\n  keeps {'; '.join(null.keeps)}")
        click.echo(f"  destroys {'; '.join(null.destroys)}")
    context.exit()


@click.command()
@spec_path
@click.option("--null", required=True, metavar="NAME", help="The null model: degree, erdos-renyi, ...; see --list.")
@click.option("--seed", default=0, show_default=True, type=click.IntRange(min=0), help="Random seed.")
@click.option("--fraction", type=float, help="Fraction of edges (remove, add) or of cells (subset).")
@click.option(
    "--cells", type=click.IntRange(min=1), help="Cells of the dense core.  [default: as many as give its edges]"
)
@click.option(
    "--weights",
    default="matched",
    show_default=True,
    type=click.Choice(["matched", "normalised"]),
    help="Initial weights: those of the spec, scaled to its spectral radius, or computed anew from counts.",
)
@click.option("--out", "-o", required=True, type=click.Path(path_type=Path), help="The folder to write.")
@click.option("--force", is_flag=True, help="Write over another spec.")
@click.option("--list", is_flag=True, is_eager=True, expose_value=False, callback=_list_nulls, help="List null models.")
def rewire(spec: Path, out: Path, force: bool, null: str, **choices: Any) -> None:
    """Make a control: the same network on edges that a null model rewired, with the same initial weights."""
    from connectome2net.spec import read_spec
    from connectome2net.transform import rewire as change

    control = change(read_spec(spec), null, **choices)
    path = write_told(control, out, force=force)
    _show(control, path)


def _show(control: Spec, path: Path) -> None:
    """Print what the control keeps and destroys, and how many of its edges are others."""
    from connectome2net.spec.summary import summarise

    done, used = control.document.provenance.transforms[-1], summarise(control)["edges_used"]
    click.echo(f"{path}: CONTROL {done.name}, seed {done.seed}: {done.text}")
    click.echo(f"keeps {'; '.join(done.keeps)}")
    click.echo(f"destroys {'; '.join(done.destroys)}")
    click.echo(f"{done.edges_changed:,} edges changed; the network uses {used:,}")
    click.echo(
        f"spectral radius of the initial weights {done.spectral_radius_before:g}, "
        f"of those of the control {done.spectral_radius_after:g} before all were multiplied by {done.scale:.4g}"
    )
    for name, value in done.parameters.items():
        click.echo(f"{name.replace('_', ' ')}: {value}")
