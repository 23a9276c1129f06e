"""A run that is killed at any moment, and goes on, ends with the bits of one that was not."""

import json
import os
import random
import resource
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from safetensors.torch import load_file

from connectome2net.errors import TrainError
from connectome2net.tasks import Dataset
from connectome2net.train import TrainConfig, train
from connectome2net.train.checkpoint import write_atomically
from connectome2net.train.run import STARTING

CHILD = Path(__file__).with_name("killed_child.py")
OUR_FILES = {"run.json", "metrics.jsonl", "best.safetensors", "last.safetensors", "compiled"}


def outcome(run: Path) -> dict[str, object]:
    """Everything that a run ends with, but for times."""
    record = json.loads((run / "run.json").read_text())
    lines = [json.loads(line) for line in (run / "metrics.jsonl").read_text().splitlines()]
    return {
        "record": {key: value for key, value in record.items() if key != "seconds"},
        "metrics": [{key: value for key, value in line.items() if "second" not in key} for line in lines],
        "files": {path.name for path in run.iterdir()},
        **{name: tensors(run / f"{name}.safetensors") for name in ("best", "last")},
    }


def tensors(path: Path) -> dict[str, bytes]:
    return {name: tensor.numpy().tobytes() for name, tensor in load_file(path).items()}


def check(cases: dict[Path, list[str]], folder: Path, *, epochs: int) -> None:
    """Train each compiled network in one go, and killed at some moments, and compare."""
    command = [sys.executable, str(CHILD), str(epochs)]
    for number, (compiled, moments) in enumerate(cases.items()):
        command += [str(compiled), str(folder / f"whole{number}"), ""]
        command += [str(compiled), str(folder / f"killed{number}"), ",".join(moments)]
    done = subprocess.run(command, env=os.environ | {"OMP_NUM_THREADS": "1"}, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    for number in range(len(cases)):
        killed = outcome(folder / f"killed{number}")
        assert killed["files"] == OUR_FILES
        assert killed == outcome(folder / f"whole{number}")


def random_moments(seed: int) -> list[str]:
    """Ten: while the run begins, and then in steps and files, each soon enough for all to come to pass.

    An epoch has 6 steps and touches files 6 to 9 times; a run begins with 8 more.
    """
    draw = random.Random(seed)
    begin = [f"file:{draw.randint(1, 8)}", f"file:{draw.randint(1, 8)}", f"time:{draw.uniform(0, 0.1)}"]
    later = [f"step:{draw.randint(1, 6)}" for _ in range(3)] + [f"file:{draw.randint(1, 12)}" for _ in range(4)]
    draw.shuffle(later)
    return begin + later


def test_a_killed_run_ends_as_if_never_stopped(feedforward: Path, plastic: Path, tmp_path: Path) -> None:
    """In the first files, in a step, and while an epoch is written; with rules that remember, and without."""
    check({plastic: ["file:3", "step:8", "file:8"], feedforward: ["file:13"]}, tmp_path, epochs=3)


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(4))
def test_a_run_killed_at_ten_random_moments_ends_as_if_never_stopped(
    seed: int, dale: Path, plastic: Path, tmp_path: Path
) -> None:
    check({plastic: random_moments(seed), dale: random_moments(100 + seed)}, tmp_path, epochs=12)


def test_a_run_that_was_killed_before_it_began_can_be_started_again(
    feedforward: Path, few_faces: Dataset, tmp_path: Path
) -> None:
    out = tmp_path / "run"
    (out / "compiled").mkdir(parents=True)
    (out / STARTING).touch()
    with pytest.raises(TrainError, match=f"this is not a run(.|\n)*stopped before it began(.|\n)*--out {out}"):
        train(resume=out, data=few_faces)
    train(feedforward, data=few_faces, config=TrainConfig(epochs=1), out=out)
    assert {path.name for path in out.iterdir()} == OUR_FILES


def test_a_folder_of_somebody_else_is_left_alone(feedforward: Path, few_faces: Dataset) -> None:
    with pytest.raises(TrainError, match="something lies here already"):
        train(feedforward, data=few_faces, out=feedforward.parent)
    assert (feedforward / "model.py").is_file()


@contextmanager
def small_disk() -> Iterator[None]:
    """No file may be larger than 15 kB: what a full disk does to large files, with another number."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (15_000, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


def test_a_full_disk_leaves_what_was_there(tmp_path: Path) -> None:
    path = tmp_path / "last.safetensors"
    write_atomically(path, b"old")
    with (
        small_disk(),
        pytest.raises(TrainError, match=r"a file cannot be written\n  where:  .*last.*\n  found:  File too large"),
    ):
        write_atomically(path, bytes(30_000))
    assert path.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [path]


def test_a_run_on_a_full_disk_goes_on_when_there_is_room(feedforward: Path, few_faces: Dataset, tmp_path: Path) -> None:
    config = TrainConfig(epochs=2, batch=16)
    whole = train(feedforward, data=few_faces, config=config, out=tmp_path / "whole")
    with small_disk(), pytest.raises(TrainError, match="a file cannot be written"):
        train(feedforward, data=few_faces, config=config, out=tmp_path / "run")
    assert json.loads((tmp_path / "run" / "run.json").read_text())["status"] == "failed"
    train(resume=tmp_path / "run", data=few_faces)
    assert outcome(tmp_path / "run") == outcome(whole)


def test_a_damaged_checkpoint_is_named(feedforward: Path, few_faces: Dataset, tmp_path: Path) -> None:
    run = train(feedforward, data=few_faces, config=TrainConfig(epochs=1), out=tmp_path / "run")
    content = (run / "last.safetensors").read_bytes()
    (run / "last.safetensors").write_bytes(content[: len(content) // 2])
    with pytest.raises(TrainError, match=r"this checkpoint cannot be read\n  where:  .*last.safetensors"):
        train(resume=run, data=few_faces)


def test_best_weights_that_were_not_written_come_back(feedforward: Path, few_faces: Dataset, tmp_path: Path) -> None:
    """Killed after the checkpoint, and before what follows from it."""
    run = train(feedforward, data=few_faces, config=TrainConfig(epochs=1), out=tmp_path / "run")
    before = outcome(run)
    (run / "best.safetensors").unlink()
    (run / "metrics.jsonl").unlink()
    train(resume=run, data=few_faces)
    assert outcome(run) == before
