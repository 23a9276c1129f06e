"""Learning distributions: the loss by hand, resume, evaluation and the readout of a reservoir."""

import io
import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import torch
from click.testing import CliRunner
from columns import twelve_cells
from PIL import Image

from connectome2net.cli import c2n
from connectome2net.compile.package import compile_spec
from connectome2net.evaluate import evaluate
from connectome2net.load import load
from connectome2net.tasks import Dataset, ImageSet
from connectome2net.train import TrainConfig, train
from connectome2net.train.epoch import evaluate_images
from connectome2net.train.ridge import _pairs


def png_of(image: np.ndarray) -> bytes:
    file = io.BytesIO()
    Image.fromarray(image).save(file, "PNG")
    return file.getvalue()


def with_opinions(split: ImageSet, *, seed: int = 0) -> ImageSet:
    """Mix each label with noise; the label stays the most likely class."""
    noise = np.random.default_rng(seed).dirichlet(np.ones(7), len(split))
    target = 0.6 * np.eye(7)[split.label_N] + 0.4 * noise
    return replace(split, target_NK=target.astype(np.float32))


@pytest.fixture
def opinions(few_faces: Dataset) -> Dataset:
    parts = {name: with_opinions(getattr(few_faces, name)) for name in ("train", "validation", "test")}
    return replace(few_faces, **parts)


def test_the_loss_is_the_cross_entropy_against_the_distribution(feedforward: Path, opinions: Dataset) -> None:
    model = load(feedforward).eval()
    loss, accuracy = evaluate_images(model, opinions.test)
    with torch.no_grad():
        logits = model(torch.from_numpy(opinions.test.image_NHW)[:, None].float() / 255).double().numpy()
    log_p = logits - np.log(np.exp(logits).sum(1, keepdims=True))
    assert loss == pytest.approx(-(opinions.test.target_NK * log_p).sum(1).mean(), rel=1e-5)
    assert accuracy == pytest.approx((logits.argmax(1) == opinions.test.label_N).mean())
    assert loss != pytest.approx(evaluate_images(model, replace(opinions.test, target_NK=None))[0], rel=1e-3)


def test_certain_opinions_are_labels(feedforward: Path, few_faces: Dataset, tmp_path: Path) -> None:
    certain = replace(
        few_faces, train=replace(few_faces.train, target_NK=np.eye(7, dtype=np.float32)[few_faces.train.label_N])
    )
    config = TrainConfig(epochs=2, label_smoothing=0.1)
    runs = [
        train(feedforward, data=data, config=config, out=tmp_path / name)
        for name, data in (("labels", few_faces), ("certain", certain))
    ]
    first, second = ([json.loads(line) for line in (run / "metrics.jsonl").read_text().splitlines()] for run in runs)
    assert [line["loss"] for line in first] == pytest.approx([line["loss"] for line in second], rel=1e-4)


def test_a_reservoir_learns_distributions(feedforward: Path, opinions: Dataset) -> None:
    model = load(feedforward)
    told = torch.cat([y_BK for _, y_BK in _pairs(model, opinions.train, batch=32)])
    np.testing.assert_allclose(told.numpy(), opinions.train.target_NK, atol=1e-7)


def test_votes_survive_the_whole_chain(few_faces: Dataset, tmp_path: Path) -> None:
    """train --labels ferplus, resume, evaluate: each opens the votes again and finds the same images."""
    split = few_faces.train
    votes = np.zeros((len(split), 10), np.uint8)
    votes[np.arange(len(split)), split.label_N] = 6
    votes[:, 7] = 4
    table = {
        "usage": ["Training"] * 60 + ["PublicTest"] * 24,
        "label": split.label_N.tolist(),
        "image_png": [png_of(image) for image in split.image_NHW],
        "ferplus_votes": votes.tolist(),
    }
    pq.write_table(pa.table(table), tmp_path / "fer.parquet")
    compiled = compile_spec(twelve_cells("feedforward"), out=tmp_path / "compiled")
    run, data = tmp_path / "run", str(tmp_path / "fer.parquet")
    options = ["--data", data, "--labels", "ferplus", "--epochs", "1", "--out", str(run), "--device", "cpu"]
    done = CliRunner().invoke(c2n, ["train", str(compiled), *options])
    assert done.exit_code == 0, done.output
    assert "FER+: 0 of 84 images left out" in done.output
    record = json.loads((run / "run.json").read_text())
    assert (len(record["classes"]), record["config"]["labels"]) == (8, "ferplus")
    assert CliRunner().invoke(c2n, ["train", "--resume", str(run)]).exit_code == 0
    found = evaluate(run)
    assert found["trained_on_these_data"]
    assert found["test"]["images"] == 24
    refused = CliRunner().invoke(c2n, ["train", "--resume", str(run), "--labels", "ferplus"])
    assert "leave out --labels" in refused.output
