"""The running mean of the weights: what it is, that training does not see it, and that it survives a stop."""

import json
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from safetensors.torch import load_file
from torch import nn, optim

import connectome2net as c2n
from connectome2net.tasks import Dataset
from connectome2net.train import TrainConfig, train
from connectome2net.train.average import Average

CONFIG = TrainConfig(epochs=3, batch=16, learning_rate=1e-2, average=0.9)
Stopped = Callable[[int], AbstractContextManager[None]]


@given(decay=st.floats(0.1, 0.999), steps=st.integers(1, 30))
def test_the_mean_forgets_the_first_steps_and_then_decays(decay: float, steps: int) -> None:
    model = nn.Linear(3, 2).double()
    optimiser = optim.AdamW(model.parameters(), lr=0.1)
    average = Average(model, optimiser, decay)
    mean = np.zeros((2, 3))
    for step in range(steps):
        model(torch.randn(5, 3).double()).square().sum().backward()
        optimiser.step()
        average.update(step)
        kept = min(decay, (1 + step) / (10 + step)) if step else 0.0
        mean = kept * mean + (1 - kept) * model.weight.detach().numpy()
    own = model.weight.detach().clone()
    with average.shown():
        assert model.weight.detach().numpy() == pytest.approx(mean)
    assert torch.equal(model.weight, own)


def test_what_is_validated_and_kept_is_the_mean_and_training_does_not_see_it(
    feedforward: Path, few_faces: Dataset, tmp_path: Path
) -> None:
    plain = train(
        feedforward, data=few_faces, config=CONFIG.model_copy(update={"average": 0.0}), out=tmp_path / "plain"
    )
    run = train(feedforward, data=few_faces, config=CONFIG, out=tmp_path / "run")
    lines = [
        [json.loads(line) for line in (folder / "metrics.jsonl").read_text().splitlines()] for folder in (plain, run)
    ]
    assert [item["loss"] for item in lines[0]] == [item["loss"] for item in lines[1]]
    assert [item["validation_loss"] for item in lines[0]] != [item["validation_loss"] for item in lines[1]]
    last = [load_file(folder / "last.safetensors") for folder in (plain, run)]
    weights = [name for name in last[0] if name.startswith("model.")]
    assert all(last[0][name].equal(last[1][name]) for name in weights)
    assert not any(name.endswith(".average") for name in last[0])
    images = torch.from_numpy(few_faces.validation.image_NHW)[:, None].float() / 255
    right = c2n.load(run)(images).argmax(1) == torch.from_numpy(few_faces.validation.label_N)
    record = json.loads((run / "run.json").read_text())
    assert right.double().mean().item() == pytest.approx(record["validation_accuracy"])


def test_the_mean_survives_a_stop(feedforward: Path, few_faces: Dataset, tmp_path: Path, stopped: Stopped) -> None:
    whole = train(feedforward, data=few_faces, config=CONFIG, out=tmp_path / "whole")
    with stopped(3):
        train(feedforward, data=few_faces, config=CONFIG, out=tmp_path / "run")
    train(resume=tmp_path / "run", data=few_faces)
    for name in ("last.safetensors", "best.safetensors"):
        found, wanted = load_file(tmp_path / "run" / name), load_file(whole / name)
        assert found.keys() == wanted.keys()
        assert all(found[key].equal(wanted[key]) for key in wanted)


def test_the_mean_comes_back_where_it_was_not_written(feedforward: Path, few_faces: Dataset, tmp_path: Path) -> None:
    run = train(feedforward, data=few_faces, config=CONFIG.model_copy(update={"epochs": 1}), out=tmp_path / "run")
    before = (run / "best.safetensors").read_bytes()
    (run / "best.safetensors").unlink()
    train(resume=run, data=few_faces)
    assert (run / "best.safetensors").read_bytes() == before
