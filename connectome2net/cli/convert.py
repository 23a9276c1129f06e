"""``c2n convert``: downloaded tables -> sorted parquet.

Enters: a folder. Leaves: a folder beside its tables, and on stderr a bar with the time left, or a line now and then.
"""

from __future__ import annotations

from pathlib import Path

import click


@click.command()
@click.argument("folder", metavar="DIR", type=click.Path(path_type=Path))
@click.option("--out", "-o", type=click.Path(path_type=Path), help="Where to write.  [default: DIR/parquet]")
def convert(folder: Path, out: Path | None) -> None:
    """Make sorted parquet of csv.gz tables, once: a scan of synapses then takes seconds."""
    from connectome2net.progress import Screen
    from connectome2net.sources.convert import convert as make_parquet

    with Screen().percent() as show:
        done = make_parquet(folder, out=out, progress=show)
    for table in done:
        click.echo(f"{table.file}: {table.rows:,} rows{', made before' if table.done_before else ''}")
    click.echo(f"Next: c2n extract --source {done[0].file.parent}")
