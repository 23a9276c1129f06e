"""Processes that ``c2n train --devices 2`` starts: their end, good or bad, is that of one."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from connectome2net.errors import TrainError
from connectome2net.tasks import Dataset
from connectome2net.train import TrainConfig, train

CONFIG = {"epochs": 200, "batch": 16, "devices": 2, "device": "cpu"}
SCRIPT = """
import sys
from connectome2net.cli import main

if __name__ == "__main__":
    main()
"""


def command(folder: Path, *words: str) -> list[str]:
    """Return ``c2n`` as a script, as pip installs it."""
    (folder / "c2n").write_text(SCRIPT)
    return [sys.executable, str(folder / "c2n"), *words]


def environment() -> dict[str, str]:
    return os.environ | {"OMP_NUM_THREADS": "1"}


def lives(pid: int) -> bool:
    """Tell whether a process runs; one that nobody has buried does not."""
    stat = Path(f"/proc/{pid}/stat")
    return stat.exists() and stat.read_text().rsplit(")", 1)[1].split()[0] != "Z"


def status(run: Path) -> str:
    return json.loads((run / "run.json").read_text())["status"]


def workers(parent: int) -> list[int]:
    """The two processes that train: the last children of a process."""
    found = subprocess.run(
        ["ps", "-ww", "-o", "pid=,args=", "--ppid", str(parent)], capture_output=True, text=True
    ).stdout
    return [int(line.split()[0]) for line in found.splitlines() if "multiprocessing.spawn" in line]


def wait_for(run: Path, epochs: int, running: subprocess.Popen[str]) -> None:
    path = run / "metrics.jsonl"
    while not path.is_file() or len(path.read_text().splitlines()) < epochs:
        assert running.poll() is None, running.communicate()
        time.sleep(0.05)


def test_the_run_of_two_processes(
    feedforward: Path, few_faces: Dataset, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    before = dict(os.environ)
    config = TrainConfig(epochs=2, batch=16, devices=2, device="cpu")
    run = train(feedforward, data=few_faces, config=config, out=tmp_path / "run")
    assert os.environ.items() - before.items() <= {("PYTORCH_NVML_BASED_CUDA_CHECK", "1")}  # how Fabric looks for GPUs
    assert status(run) == "finished"
    assert len((run / "metrics.jsonl").read_text().splitlines()) == 2
    assert {path.name for path in run.iterdir()} == {
        *("run.json", "metrics.jsonl", "best.safetensors", "last.safetensors", "compiled")
    }
    shown = capfd.readouterr()
    assert shown.out == ""
    assert [line.partition(":")[0] for line in shown.err.splitlines()] == [str(run), "epoch 1/2", "epoch 2/2"]


@pytest.mark.slow
def test_an_error_of_the_processes_is_that_of_training(feedforward: Path, few_faces: Dataset, tmp_path: Path) -> None:
    config = TrainConfig(epochs=2, batch=16, devices=2, device="cpu", learning_rate=1e30)
    with pytest.raises(TrainError, match=r"(is not finite|explodes)\n  where:  epoch \d, step \d of training"):
        train(feedforward, data=few_faces, config=config, out=tmp_path / "run")
    assert status(tmp_path / "run") == "failed"


@pytest.fixture
def running(dale: Path, tmp_path: Path) -> Iterator[tuple[subprocess.Popen[str], Path]]:
    """A training by two processes on drawn faces that would take minutes, after its first epoch."""
    (tmp_path / "settings.toml").write_text("\n".join(f"{key} = {value!r}" for key, value in CONFIG.items()))
    words = ("train", str(dale), "--data", "synthetic", "--config", "settings.toml", "--out", "run")
    child = subprocess.Popen(
        command(tmp_path, *words),
        cwd=tmp_path,
        env=environment(),
        text=True,
        stderr=subprocess.PIPE,
        stdout=subprocess.PIPE,
        start_new_session=True,
    )
    wait_for(tmp_path / "run", 1, child)
    yield child, tmp_path / "run"
    child.kill()  # what a failed test has left
    child.wait()


@pytest.mark.slow
@pytest.mark.parametrize("whom", ["all", "parent"])
def test_ctrl_c_ends_all_processes(whom: str, running: tuple[subprocess.Popen[str], Path]) -> None:
    child, run = running
    of_child = workers(child.pid)
    assert len(of_child) == 2
    (os.killpg if whom == "all" else os.kill)(child.pid, signal.SIGINT)
    _, error = child.communicate(timeout=60)
    assert child.returncode == 130
    assert f"c2n train --resume {run.name}" in error
    assert "Traceback" not in error
    assert status(run) == "interrupted"
    assert not any(lives(pid) for pid in of_child)
    epochs = len((run / "metrics.jsonl").read_text().splitlines())
    again = subprocess.Popen(
        command(run.parent, "train", "--resume", str(run)),
        env=environment(),
        text=True,
        stderr=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )
    wait_for(run, epochs + 1, again)
    again.send_signal(signal.SIGINT)
    again.communicate(timeout=60)


@pytest.mark.slow
@pytest.mark.parametrize("rank", [0, 1])
def test_a_process_that_dies_ends_the_others(rank: int, running: tuple[subprocess.Popen[str], Path]) -> None:
    child, run = running
    of_child = workers(child.pid)
    os.kill(of_child[rank], signal.SIGKILL)
    _, error = child.communicate(timeout=60)
    assert child.returncode == 1
    assert status(run) == "failed"
    assert "a process of this training died" in error
    assert f"c2n train --resume {run.name}" in error
    assert not any(lives(pid) for pid in of_child)


@pytest.mark.slow
def test_processes_end_when_their_parent_is_killed(running: tuple[subprocess.Popen[str], Path]) -> None:
    child, _ = running
    of_child = workers(child.pid)
    child.kill()
    child.communicate(timeout=60)
    end = time.monotonic() + 60
    while any(lives(pid) for pid in of_child):
        assert time.monotonic() < end
        time.sleep(0.1)


@pytest.mark.slow
def test_torchrun_starts_the_same(dale: Path, tmp_path: Path) -> None:
    words = ("train", str(dale), "--data", "synthetic", "--epochs", "1", "--device", "cpu", "--out", "run")
    torchrun = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2"]
    script = command(tmp_path, *words, "--devices", "2")[1:]
    done = subprocess.run([*torchrun, *script], cwd=tmp_path, env=environment(), capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("run: validation accuracy") == 1
    assert "distributed" not in done.stderr
    assert status(tmp_path / "run") == "finished"
    again = subprocess.run([*torchrun, *script], cwd=tmp_path, env=environment(), capture_output=True, text=True)
    assert again.returncode != 0
    assert "something lies here already" in again.stderr
