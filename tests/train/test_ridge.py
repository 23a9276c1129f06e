"""A reservoir: its readout against scikit-free least squares in numpy, and a run that is as any other."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from click.testing import CliRunner
from columns import twelve_cells

import connectome2net as c2n
from connectome2net.cli import c2n as command
from connectome2net.compile.package import compile_spec
from connectome2net.errors import TrainError
from connectome2net.tasks import Dataset
from connectome2net.train import TrainConfig, loop, train, training
from connectome2net.train.ridge import solve_readout

FRONT_END = {"height": 12, "width": 12, "blocks": [{"channels": 4, "pool": 2}]}


def reservoir(folder: Path, *ridge: float, **changes: Any) -> Path:
    way = {"kind": "reservoir"} | ({"ridge": ridge} if ridge else {})
    spec = twelve_cells("column", **{"front_end": FRONT_END, "learning": way} | changes)
    return compile_spec(spec, out=folder / "compiled")


def rates(model: Any, images: Any) -> np.ndarray:
    """What the readout sees of each image, with one column more of ones."""
    seen: list[torch.Tensor] = []
    handle = model.readout.linear.register_forward_pre_hook(lambda module, given: seen.append(given[0]))
    with torch.no_grad():
        model.eval()(torch.from_numpy(images.image_NHW)[:, None].float() / 255)
    handle.remove()
    return seen[0].double().numpy()


@pytest.mark.parametrize("ridge", [1e-4, 0.03, 2.0])
def test_the_readout_is_that_of_penalised_least_squares(ridge: float, few_faces: Dataset, tmp_path: Path) -> None:
    """Solved here as a least squares problem with one more row for each penalised weight, without any mean."""
    model = c2n.load(reservoir(tmp_path), seed=3)
    x = rates(model, few_faces.train)
    images, cells = x.shape
    y = np.eye(7)[few_faces.train.label_N]
    penalty = np.sqrt(ridge * x.var(0).mean() * images)
    left = np.block([[x, np.ones((images, 1))], [penalty * np.eye(cells), np.zeros((cells, 1))]])
    right = np.vstack([y, np.zeros((cells, 7))])
    wanted, *_ = np.linalg.lstsq(left, right, rcond=None)
    assert solve_readout(model, few_faces, [ridge]) == ridge
    np.testing.assert_allclose(model.readout.linear.weight.detach().numpy().T, wanted[:-1], rtol=0, atol=2e-5)
    np.testing.assert_allclose(model.readout.linear.bias.detach().numpy(), wanted[-1], rtol=0, atol=2e-5)


def test_the_validation_images_choose_the_penalty(few_faces: Dataset, tmp_path: Path) -> None:
    model = c2n.load(reservoir(tmp_path), seed=5)
    ridges, right = (1e-5, 1e-2, 0.3, 10.0), {}
    images = torch.from_numpy(few_faces.validation.image_NHW)[:, None].float() / 255
    for ridge in ridges:
        solve_readout(model, few_faces, [ridge])
        right[ridge] = float((model(images).argmax(1).numpy() == few_faces.validation.label_N).mean())
    assert max(right, key=right.__getitem__) == 0.3
    assert solve_readout(model, few_faces, ridges) == 0.3


def test_a_run_changes_the_readout_only_and_can_be_evaluated(few_faces: Dataset, tmp_path: Path) -> None:
    compiled = reservoir(tmp_path)
    run = train(compiled, data=few_faces, out=tmp_path / "run", config=TrainConfig(seed=3))
    fresh, trained = c2n.load(compiled, seed=3).state_dict(), c2n.load(run).state_dict()
    assert {name for name in fresh if not torch.equal(fresh[name], trained[name])} == {
        "readout.linear.weight",
        "readout.linear.bias",
    }
    (line,) = [json.loads(text) for text in (run / "metrics.jsonl").read_text().splitlines()]
    record = json.loads((run / "run.json").read_text())
    assert (record["status"], record["epochs"], record["best_epoch"]) == ("finished", 1, 1)
    assert record["learning"] == {"kind": "reservoir", "ridge": line["ridge"]}
    assert record["parameters"] == {"readout": 7 * (9 + 1)}
    assert record["validation_accuracy"] == line["validation_accuracy"]
    assert c2n.evaluate(run, data=few_faces)["test"]["images"] == 42


def test_a_finished_run_resumes_to_itself_and_a_stopped_one_is_solved(
    few_faces: Dataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    compiled = reservoir(tmp_path)
    whole = train(compiled, data=few_faces, out=tmp_path / "whole", config=TrainConfig(seed=3))
    before = (whole / "metrics.jsonl").read_text(), (whole / "best.safetensors").read_bytes()
    train(resume=whole, data=few_faces)
    assert before == ((whole / "metrics.jsonl").read_text(), (whole / "best.safetensors").read_bytes())

    def stop(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(loop, "solve_readout", stop)
    with pytest.raises(KeyboardInterrupt):
        train(compiled, data=few_faces, out=tmp_path / "stopped", config=TrainConfig(seed=3))
    monkeypatch.undo()
    train(resume=tmp_path / "stopped", data=few_faces)
    assert (tmp_path / "stopped" / "best.safetensors").read_bytes() == before[1]


def test_settings_that_mean_nothing_warn(few_faces: Dataset, tmp_path: Path) -> None:
    compiled = reservoir(tmp_path)
    with pytest.warns(UserWarning, match=r"this network is a reservoir.* ignored: epochs, learning_rate$") as caught:
        train(compiled, data=few_faces, out=tmp_path / "run", config=TrainConfig(epochs=3, learning_rate=0.1, seed=1))
    assert caught[0].filename == __file__


def test_a_network_that_sees_nothing_is_no_reservoir(few_faces: Dataset, tmp_path: Path) -> None:
    model = c2n.load(reservoir(tmp_path, dynamics={"leak": 0.5, "norm": "none"}))
    model.cells_all.threshold_N.data.fill_(1e3)
    message = r"a readout cannot be solved\n  where:  reservoir\n  found:  rates that are the same for every image"
    with pytest.raises(TrainError, match=message):
        solve_readout(model, few_faces, [0.1])
    model.cells_all.threshold_N.data.fill_(float("nan"))
    with pytest.raises(TrainError, match="found:  rates that are not finite"):
        solve_readout(model, few_faces, [0.1])


def test_the_command_says_what_was_done(few_faces: Dataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    reservoir(tmp_path, 0.05)
    monkeypatch.setattr(training, "open_dataset", lambda *_, **__: few_faces)
    done = CliRunner().invoke(command, ["train", "--data", "synthetic"])
    assert done.exit_code == 0, done.output
    assert "a reservoir: only its readout was solved, by ridge regression, penalty 0.05" in done.output
    assert "in epoch 1 of 1" in done.output
