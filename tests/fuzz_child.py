"""Open damaged specs, or load damaged compiled folders, in a process whose memory is bounded.

    python tests/fuzz_child.py specs|programs SEED COUNT

Prints JSON: how many came to each end, every end that is not one of the house's own errors, the slowest case and how
far memory grew.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import resource
import shutil
import signal
import sys
import tempfile
import time
import traceback
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from random import Random
from typing import Any

import torch
from columns import NETWORKS, twelve_cells
from mutating import mutate_bytes, mutate_json, mutate_safetensors

from connectome2net.compile.conventional import Conventional
from connectome2net.compile.emit import emit
from connectome2net.compile.package import compile_spec
from connectome2net.compile.program import Program
from connectome2net.compile.reference import compile_reference
from connectome2net.errors import C2NError, Issue
from connectome2net.load import load
from connectome2net.spec import open_spec, write_spec

MOST_SECONDS = 5
MOST_BYTES = 2 * 1024**3
"""What a case may take beyond what the process had before."""

TABLES = ("cells", "edges")


class Hang(BaseException):
    """A case took too long."""


def ring(*_: object) -> None:
    raise Hang


def digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def damaged_text(random: Random, kind: str, data: Any) -> bytes:
    if kind == "json":
        return mutate_json(random, data)
    text = json.dumps(data).encode()
    return mutate_bytes(random, text) if kind == "bytes" else text


def damaged_spec(random: Random, source: Path, folder: Path) -> str:
    """Write a damaged spec and say what was damaged; digests and row counts are brought up to date."""
    document = json.loads((source / "spec.json").read_bytes())
    kind = random.choices(("json", "bytes", "parquet"), (6, 2, 2))[0]
    for name in TABLES:
        shutil.copy(source / f"{name}.parquet", folder)
    if kind == "parquet":
        name = random.choice(TABLES)
        content = mutate_bytes(random, (source / f"{name}.parquet").read_bytes())
        (folder / f"{name}.parquet").write_bytes(content)
        document["anatomy"][name]["sha256"] = digest(content)
    (folder / "spec.json").write_bytes(damaged_text(random, kind, document))
    return kind


def use_spec(folder: Path) -> str:
    """Open a spec; what is valid must compile, load and answer."""
    spec, issues = open_spec(folder)
    assert all(type(issue) is Issue and issue.fix and len(str(issue)) < 3000 for issue in issues), issues
    if issues or spec is None:
        return "issues"
    compile_spec(spec, out=folder / "compiled")
    return f"valid, {use_program(folder / 'compiled')}"


def damaged_program(random: Random, source: Path, folder: Path) -> str:
    """Write a damaged compiled folder as an attacker would: digests and model.py fit whatever program.json says."""
    shutil.copytree(source, folder, dirs_exist_ok=True)
    program = json.loads((source / "program.json").read_bytes())
    kind = random.choices(("json", "bytes", "safetensors"), (6, 2, 2))[0]
    if kind == "safetensors":
        weights = mutate_safetensors(random, (source / "weights.safetensors").read_bytes())
        (folder / "weights.safetensors").write_bytes(weights)
        program["weights_sha256"] = digest(weights)
    text = damaged_text(random, kind, program)
    (folder / "program.json").write_bytes(text)
    with contextlib.suppress(ValueError):
        form = Conventional if b"connectome2net.reference" in text else Program
        (folder / "model.py").write_text(emit(form.model_validate_json(text)), encoding="utf-8")
    return kind


def use_program(folder: Path) -> str:
    """Load a compiled folder; what loads must answer."""
    model: Any = load(folder).eval()
    program = model.program
    if sum(phase.steps for phase in program.phases) > 1000 or program.height * program.width > 10_000:
        return "loaded"
    with torch.no_grad():
        model(torch.rand(2, 1, program.height, program.width))
    return "answered"


SETTLING = [{"populations": ["*"], "steps": 5, "tolerance": 1e-9}]
STORED = [{"populations": ["*"], "steps": 5, "checkpoint": 2}]
VARIANTS: list[tuple[str, dict[str, Any]]] = [
    *((network, {}) for network in NETWORKS),
    ("pairs", {"learning": {"kind": "feedback_alignment"}, "schedule": SETTLING}),
    ("column", {"learning": {"kind": "reservoir"}, "schedule": STORED}),
    ("spiking", {}),
    ("graded", {}),
    ("pairs", {"dynamics": {"model": "izhikevich"}}),
    ("pairs", {"dynamics": {"model": "elm", "memory_units": 3, "hidden": 4}}),
]
"""Networks that use every part of a spec."""


def sources(kind: str, folder: Path) -> Iterator[Path]:
    for at, (network, changes) in enumerate(VARIANTS):
        path = write_spec(twelve_cells(network, **changes), folder / f"{at}")
        yield path.parent if kind == "specs" else compile_spec(path, out=folder / f"{at}" / "compiled")
    if kind == "programs":
        for reference in ("mlp", "cnn"):
            yield compile_reference(twelve_cells("feedforward"), reference, out=folder / reference, parameters=3000)


def try_one(kind: str, seed: int, whole: list[Path], folder: Path) -> tuple[str, str]:
    """Return what was damaged and how it ended; an end that is no error of the house begins with a ``!``."""
    random = Random(seed)
    source = random.choice(whole)
    damage, use = {"specs": (damaged_spec, use_spec), "programs": (damaged_program, use_program)}[kind]
    what = damage(random, source, folder)
    signal.setitimer(signal.ITIMER_REAL, MOST_SECONDS)
    try:
        return what, use(folder)
    except C2NError as error:
        return what, type(error).__name__ if len(str(error)) < 20_000 else "! a text without end"
    except Hang:
        return what, "! hang"
    except BaseException as error:
        return what, f"! {traceback.format_exception_only(error)[-1].strip()[:300]}\n{traceback.format_exc()[-600:]}"
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)


def peak_bytes() -> int:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


def main(kind: str, first: int, count: int) -> None:
    torch.set_num_threads(1)
    signal.signal(signal.SIGALRM, ring)
    ends: Counter[str] = Counter()
    wrong, slowest = [], (0.0, -1)
    with tempfile.TemporaryDirectory() as place:
        whole = list(sources(kind, Path(place) / "whole"))
        size = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
        resource.setrlimit(resource.RLIMIT_AS, (size + MOST_BYTES, size + MOST_BYTES))
        before = peak_bytes()
        for seed in range(first, first + count):
            folder = Path(place) / f"{seed}"
            folder.mkdir()
            print(json.dumps({"trying": seed}), file=sys.stderr, flush=True)
            start = time.perf_counter()
            what, end = try_one(kind, seed, whole, folder)
            slowest = max(slowest, (time.perf_counter() - start, seed))
            if end.startswith("!"):
                wrong.append([seed, what, end])
            ends[f"{what}: {end if end[0] != '!' else '!'}"] += 1
            shutil.rmtree(folder)
    print(json.dumps({"ends": ends, "wrong": wrong, "slowest": slowest, "grew_bytes": peak_bytes() - before}))


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]), int(sys.argv[3]))
