"""Curves for TensorBoard: one point for each epoch, also where a run was stopped."""

from __future__ import annotations

import json
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path

import pytest

from connectome2net.errors import TrainError
from connectome2net.tasks import Dataset
from connectome2net.train import TrainConfig, board, train
from connectome2net.train.schedule import learning_rate

CONFIG = TrainConfig(epochs=4, batch=16, tensorboard=True)
Stopped = Callable[[int], AbstractContextManager[None]]


def test_a_stopped_run_has_each_point_once(
    feedforward: Path, few_faces: Dataset, tmp_path: Path, stopped: Stopped
) -> None:
    """It stops when the points of an epoch are written and the epoch is not kept, and goes on with this epoch."""
    event_accumulator = pytest.importorskip("tensorboard.backend.event_processing.event_accumulator")
    with stopped(3):
        train(feedforward, data=few_faces, config=CONFIG, out=tmp_path / "run")
    run = train(resume=tmp_path / "run", data=few_faces)

    events = event_accumulator.EventAccumulator(str(run / "tensorboard")).Reload()
    lines = [json.loads(line) for line in (run / "metrics.jsonl").read_text().splitlines()]
    for key, curve in board.CURVES.items():
        points = events.Scalars(curve)
        assert [point.step for point in points] == [1, 2, 3, 4]
        assert [point.value for point in points] == pytest.approx([line[key] for line in lines], rel=1e-6)
    steps = -(-len(few_faces.train) // CONFIG.batch)
    rates = [learning_rate(CONFIG, epoch * steps - 1, 4 * steps) for epoch in (1, 2, 3, 4)]
    assert [point.value for point in events.Scalars("learning_rate")] == pytest.approx(rates)


def test_nothing_is_written_unless_asked_for(feedforward: Path, few_faces: Dataset, tmp_path: Path) -> None:
    run = train(feedforward, data=few_faces, config=TrainConfig(epochs=1), out=tmp_path / "run")
    assert not (run / "tensorboard").exists()


def test_a_missing_tensorboard_is_told_before_there_is_a_run(
    feedforward: Path, few_faces: Dataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(board, "find_spec", lambda _: None)
    message = r"TensorBoard is not installed\n(.|\n)*pip install 'connectome2net\[tensorboard\]'"
    with pytest.raises(TrainError, match=message):
        train(feedforward, data=few_faces, config=CONFIG, out=tmp_path / "run")
    assert not (tmp_path / "run").exists()
