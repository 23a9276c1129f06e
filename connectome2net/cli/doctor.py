"""``c2n doctor``: what this machine has, and whether CAVE can be used.

Enters: a source to ask for. Leaves: a line for each thing, and 1 if one of them is a problem.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import click

from connectome2net.cli.options import as_json, print_json
from connectome2net.errors import SourceError

if TYPE_CHECKING:
    from connectome2net.sources.cave.health import Condition

PACKAGE = "connectome2net"
NAMED = ("torch", "numpy", "pandas", "pyarrow", "duckdb", "ibis-framework", "caveclient")
"""The packages whose versions matter when something goes wrong."""
ROOM_GB = 5.0
"""Tables of labels and a column take far less; a run of training, with its checkpoints, may not."""
COLOURS = {"ok": "green", "warning": "yellow", "problem": "red"}


@click.command()
@click.option(
    "--source", metavar="CAVE", help="cave[:DATASTACK][@VERSION]; ends with 1 if it cannot be reached.  [default: cave]"
)
@as_json
def doctor(source: str | None, as_json: bool) -> None:
    """Check packages, devices, disk, the CAVE token, its server and version; say what is wrong."""
    conditions = [*_packages(), *_devices(), *_kernel(), *_disk(), *_cave(source)]
    well = all(condition.state != "problem" for condition in conditions)
    if as_json:
        rows = [{"name": c.name, "state": c.state, "text": c.text} for c in conditions]
        print_json({"well": well, "findings": rows})
    else:
        for condition in conditions:
            state = click.style(f"{condition.state:<8}", fg=COLOURS[condition.state])
            text = condition.text.replace("\n", "\n" + " " * 21)
            click.echo(f"{state} {condition.name:<11} {text}")
    sys.exit(0 if well else 1)


def _packages() -> Iterator[Condition]:
    """Compare what is installed with what the package asks for."""
    from importlib.metadata import PackageNotFoundError, requires, version

    from packaging.requirements import Requirement

    from connectome2net.sources.cave.health import Condition

    python = ".".join(map(str, sys.version_info[:3]))
    there, wrong = [f"{PACKAGE} {version(PACKAGE)}"], []
    for wanted in map(Requirement, requires(PACKAGE) or []):
        if wanted.marker is not None and not wanted.marker.evaluate({"extra": ""}):
            continue
        try:
            found = version(wanted.name)
        except PackageNotFoundError:
            found = "missing"
        if found == "missing" or not wanted.specifier.contains(found, prereleases=True):
            wrong.append(f"{wanted.name} is {found}, wanted {wanted.specifier or 'any'}")
        if wanted.name in NAMED:
            there.append(f"{wanted.name} {found}")
    yield Condition("python", "ok", python)
    if wrong:
        yield Condition("packages", "problem", "; ".join(wrong) + "\npip install -c constraints.txt connectome2net")
    else:
        yield Condition("packages", "ok", ", ".join(there))


def _devices() -> Iterator[Condition]:
    import torch

    from connectome2net.sources.cave.health import Condition

    names = [torch.cuda.get_device_name(number) for number in range(torch.cuda.device_count())]
    names += ["mps"] if torch.mps.is_available() else []
    yield Condition("devices", "ok", ", ".join([f"cpu, {torch.get_num_threads()} threads", *names]))
    if torch.backends.mkl.is_available():  # type: ignore[no-untyped-call]
        yield Condition("mkl", "ok", "sparse products on the CPU use MKL")
    else:
        yield Condition("mkl", "warning", "torch is built without MKL: sparse products on the CPU are slower")


def _kernel() -> Iterator[Condition]:
    from connectome2net.runtime.kernel import find_kernel, kernel_problem
    from connectome2net.sources.cave.health import Condition

    if find_kernel() is not None:
        yield Condition("kernel", "ok", "sparse products on the CPU use a kernel that your C compiler has built")
    else:
        yield Condition("kernel", "warning", f"sparse products on the CPU are slower: {kernel_problem()}")


def _disk() -> Iterator[Condition]:
    import shutil

    from connectome2net.cache import cache_root
    from connectome2net.sources.cave.health import Condition

    for name, folder, way_out in (
        ("cache", cache_root(), "another folder: C2N_CACHE=DIR"),
        ("here", Path.cwd(), "another folder"),
    ):
        there = next(place for place in (folder, *folder.absolute().parents) if place.exists())
        free = shutil.disk_usage(there).free / 1e9
        if not there.is_dir() or not os.access(there, os.W_OK):
            yield Condition(name, "problem", f"{folder} cannot be written\ntake {way_out}")
        elif free < ROOM_GB:
            yield Condition(name, "warning", f"{folder}: {free:.1f} GB free\nmake room, or take {way_out}")
        else:
            yield Condition(name, "ok", f"{folder}: {free:,.0f} GB free")


def _cave(source: str | None) -> Iterator[Condition]:
    """Examine CAVE; what fails is a problem only to those who asked for it."""
    from connectome2net.sources.cave.address import is_cave, read_address
    from connectome2net.sources.cave.health import Condition, examine

    if source is not None and not is_cave(source):
        raise SourceError(
            "doctor looks at CAVE only", where="--source", found=source, wanted="cave[:DATASTACK][@VERSION]"
        )
    for condition in examine(read_address(source or "cave")):
        if condition.state == "problem" and source is None:
            yield Condition(condition.name, "warning", f"{condition.text}\n(needed for --source cave only)")
        else:
            yield condition
