"""Processes that ``c2n train --devices 2`` starts: their end, good or bad, is that of one."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from connectome2net.errors import TrainError
from connectome2net.tasks import Dataset
from connectome2net.train import TrainConfig, train


def status(run: Path) -> str:
    return json.loads((run / "run.json").read_text())["status"]


def test_the_run_of_two_processes(feedforward: Path, few_faces: Dataset, tmp_path: Path) -> None:
    before = dict(os.environ)
    config = TrainConfig(epochs=2, batch=16, devices=2, device="cpu")
    run = train(feedforward, data=few_faces, config=config, out=tmp_path / "run")
    assert dict(os.environ) == before
    assert status(run) == "finished"
    assert len((run / "metrics.jsonl").read_text().splitlines()) == 2
    assert {path.name for path in run.iterdir()} == {
        *("run.json", "metrics.jsonl", "best.safetensors", "last.safetensors", "compiled")
    }


@pytest.mark.slow
def test_an_error_of_the_processes_is_that_of_training(feedforward: Path, few_faces: Dataset, tmp_path: Path) -> None:
    config = TrainConfig(epochs=2, batch=16, devices=2, device="cpu", learning_rate=1e30)
    with pytest.raises(TrainError, match=r"(is not finite|explodes)\n  where:  epoch \d, step \d of training"):
        train(feedforward, data=few_faces, config=config, out=tmp_path / "run")
    assert status(tmp_path / "run") == "failed"
