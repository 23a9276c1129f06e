"""Half precision: of the filters, in training, and nowhere else."""

import json
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

import connectome2net as c2n
from connectome2net.tasks import Dataset
from connectome2net.train import TrainConfig, train
from connectome2net.train.config import read_config


@pytest.mark.parametrize("network", ["bionic", "column_deep"])
def test_the_settings_of_networks_are_valid(network: str) -> None:
    config = read_config(Path(__file__).parents[2] / "examples" / f"{network}.toml")
    assert config.precision == "bf16"


def test_half_precision_learns_nearly_the_same_and_is_evaluated_in_full(
    dale: Path, few_faces: Dataset, tmp_path: Path
) -> None:
    config = TrainConfig(epochs=2, batch=16, learning_rate=1e-2)
    lines = {}
    for precision in ("32", "bf16"):
        run = train(
            dale, data=few_faces, config=config.model_copy(update={"precision": precision}), out=tmp_path / precision
        )
        lines[precision] = json.loads((run / "metrics.jsonl").read_text().splitlines()[-1])
    assert lines["bf16"]["loss"] != lines["32"]["loss"]
    assert lines["bf16"]["loss"] == pytest.approx(lines["32"]["loss"], rel=0.02)
    assert {tensor.dtype for tensor in load_file(run / "best.safetensors").values()} == {torch.float32}
    images, label_B = few_faces.validation, torch.from_numpy(few_faces.validation.label_N)
    logits_BK = c2n.load(run)(torch.from_numpy(images.image_NHW)[:, None].float() / 255)
    record = json.loads((run / "run.json").read_text())
    assert (logits_BK.argmax(1) == label_B).double().mean().item() == pytest.approx(record["validation_accuracy"])
