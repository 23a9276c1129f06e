"""Evaluation: numbers by hand, and test images that leak or are blank set apart."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from columns import twelve_cells

from connectome2net.compile.package import compile_spec
from connectome2net.errors import EvaluateError, LoadError, TrainError
from connectome2net.evaluate import evaluate, run
from connectome2net.evaluate.metrics import classification_metrics
from connectome2net.load import load
from connectome2net.tasks import Dataset
from connectome2net.tasks.augmentation import Augmentation
from connectome2net.tasks.faces import faces
from connectome2net.train import TrainConfig, train
from connectome2net.train.checkpoint import write_json


@pytest.fixture(scope="module")
def data() -> Dataset:
    return faces(train=56, validation=14, test=21, size=12)


@pytest.fixture
def trained(tmp_path: Path, data: Dataset) -> Path:
    compiled = compile_spec(twelve_cells("feedforward"), out=tmp_path / "compiled")
    return train(compiled, data=data, config=TrainConfig(epochs=1), out=tmp_path / "run")


def logits(predictions: list[int], classes: int) -> torch.Tensor:
    return torch.nn.functional.one_hot(torch.tensor(predictions), classes).double() * 3


def test_metrics_by_hand() -> None:
    label_N = torch.tensor([0, 0, 0, 0, 1, 1, 2, 2])
    result = classification_metrics(logits([0, 0, 1, 2, 1, 1, 0, 1], 3), label_N, ("a", "b", "c"))
    assert result["confusion"] == [[2, 1, 1], [0, 2, 0], [1, 1, 0]]
    assert result["accuracy"] == 4 / 8
    for scores in result["per_class"].values():
        scores.pop("roc_auc")  # see test_metrics
    assert result["per_class"]["a"] == pytest.approx({"precision": 2 / 3, "recall": 2 / 4, "f1": 4 / 7, "images": 4})
    assert result["per_class"]["b"] == pytest.approx({"precision": 2 / 4, "recall": 1, "f1": 2 / 3, "images": 2})
    assert result["per_class"]["c"] == pytest.approx({"precision": 0, "recall": 0, "f1": 0, "images": 2})
    assert result["macro_f1"] == pytest.approx((4 / 7 + 2 / 3) / 3)
    right, wrong = np.log(np.exp(3) + 2) - 3, np.log(np.exp(3) + 2)
    assert result["cross_entropy"] == pytest.approx((4 * right + 4 * wrong) / 8)


def test_leaked_and_blank_images_are_set_apart(trained: Path, data: Dataset, monkeypatch: pytest.MonkeyPatch) -> None:
    count = len(data.test)
    right = np.arange(count) % 3 == 0
    leaked, blank = np.arange(count) < 6, np.arange(count) >= count - 2
    test = replace(data.test, leaked_N=leaked, blank_N=blank, part_N=np.where(np.arange(count) < 9, "x", "y"))
    answers = np.where(right, data.test.label_N, (data.test.label_N + 1) % 7)
    monkeypatch.setattr(run, "predict", lambda *_: logits(answers.tolist(), 7))
    result = evaluate(trained, data=replace(data, test=test))
    assert result["test"]["accuracy"] == pytest.approx(right.mean())
    assert result["without_leaked"]["images"] == count - 6
    assert result["without_leaked"]["accuracy"] == pytest.approx(right[6:].mean())
    assert result["without_leaked_or_blank"]["images"] == count - 8
    assert result["without_leaked_or_blank"]["accuracy"] == pytest.approx(right[6:-2].mean())
    assert result["parts"]["x"]["accuracy"] == pytest.approx(right[:9].mean())
    assert result["parts"]["y"]["images"] == count - 9


def test_an_image_and_its_mirror_image_answer_together(trained: Path, data: Dataset) -> None:
    found = evaluate(trained, data=data)["mirrored"]
    model = load(trained).eval()
    image_BCHW = torch.from_numpy(data.test.image_NHW)[:, None].float() / 255
    with torch.no_grad():
        chances = [model(shown).double().softmax(1) for shown in (image_BCHW, torch.flip(image_BCHW, [3]))]
    mean_NK, label_N = (chances[0] + chances[1]) / 2, torch.from_numpy(data.test.label_N)
    assert found["accuracy"] == float((mean_NK.argmax(1) == label_N).double().mean())
    chosen = mean_NK[torch.arange(len(label_N)), label_N]
    assert found["cross_entropy"] == pytest.approx(float(-chosen.log().mean()), abs=1e-6)


def test_a_network_that_has_seen_no_mirror_image_is_not_shown_any(tmp_path: Path, data: Dataset) -> None:
    compiled = compile_spec(twelve_cells("feedforward"), out=tmp_path / "compiled")
    for name, augmentation in (("none", None), ("no flip", Augmentation(flip=0.0))):
        config = TrainConfig(epochs=1, augmentation=augmentation)
        found = evaluate(train(compiled, data=data, config=config, out=tmp_path / name), data=data)
        assert "mirrored" not in found
    front_end = {"height": 12, "width": 12, "blocks": []}
    reservoir = twelve_cells("column", front_end=front_end, learning={"kind": "reservoir"})
    solved = train(compile_spec(reservoir, out=tmp_path / "reservoir"), data=data, out=tmp_path / "solved")
    assert "mirrored" not in evaluate(solved, data=data)  # it learns from the images as they are


def test_where_every_image_leaks_nothing_can_be_said_of_the_others(trained: Path, data: Dataset) -> None:
    test = replace(data.test, leaked_N=np.ones(len(data.test), dtype=bool))
    evaluate(trained, data=replace(data, test=test))

    def refuse(word: str) -> None:
        raise AssertionError(f"{word} is no JSON")

    found = json.loads((trained / "evaluation.json").read_text(), parse_constant=refuse)
    assert found["test"]["accuracy"] is not None
    nothing = found["without_leaked"]
    assert nothing == found["without_leaked_or_blank"]
    assert nothing.keys() == found["test"].keys()
    assert (nothing["images"], nothing["accuracy"], nothing["macro_f1"]) == (0, None, None)
    assert nothing["calibration"] == {"ece": None, "bins": []}
    assert nothing["per_class"]["happy"] == {
        "precision": None,
        "recall": None,
        "f1": None,
        "roc_auc": None,
        "images": 0,
    }
    assert np.array_equal(nothing["confusion"], np.zeros((7, 7)))


def test_answers_that_are_no_numbers_are_refused(trained: Path, data: Dataset, monkeypatch: pytest.MonkeyPatch) -> None:
    answers = logits([0] * 21, 7)
    answers[3:5, 2] = torch.nan
    monkeypatch.setattr(run, "predict", lambda *_: answers)
    with pytest.raises(EvaluateError, match=r"not finite\n  where:  .*run\n  found:  2 of 21 test images"):
        evaluate(trained, data=data)
    assert not (trained / "evaluation.json").exists()


@pytest.mark.parametrize("number", [float("nan"), float("inf")])
def test_a_file_never_holds_what_json_has_no_word_for(tmp_path: Path, number: float) -> None:
    with pytest.raises(ValueError, match="not JSON compliant"):
        write_json(tmp_path / "x.json", {"loss": number})
    assert not list(tmp_path.iterdir())


def test_evaluation_is_written_beside_the_run(trained: Path, data: Dataset) -> None:
    result = evaluate(trained, data=data)
    assert json.loads((trained / "evaluation.json").read_text()) == result
    assert result["test"]["images"] == 21
    assert result["trained_on_these_data"]
    assert result["data"]["synthetic"]


def test_what_other_images_give_is_shown_and_not_written(trained: Path, data: Dataset, tmp_path: Path) -> None:
    """Nobody takes it for the result of the run; and leaks are those from what the run has learned from."""
    evaluate(trained, data=data)
    before = {path.name: path.read_bytes() for path in trained.iterdir() if path.is_file()}
    other = faces(train=35, validation=14, test=21, size=12, seed=5)
    seen = np.arange(21) < 6
    pixels = other.test.image_NHW.copy()
    pixels[seen] = data.train.image_NHW[:6]
    other = replace(other, test=replace(other.test, image_NHW=pixels), digest="0" * 64)
    unknown = evaluate(trained, data=other)
    assert not unknown["trained_on_these_data"]
    assert "without_leaked" not in unknown
    record = json.loads((trained / "run.json").read_text())
    (trained / "run.json").write_text(json.dumps(record | {"data": "images"}))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(run, "open_dataset", lambda *_, **__: data)  # as its own images lie where they lay
        found = evaluate(trained, data=other)
    assert found["without_leaked"]["images"] == 15
    (trained / "run.json").write_bytes(before["run.json"])
    assert {path.name: path.read_bytes() for path in trained.iterdir() if path.is_file()} == before


def test_robustness_that_was_measured_stays(trained: Path, data: Dataset) -> None:
    whole = evaluate(trained, data=data, robustness=True)
    assert evaluate(trained, data=data) == whole
    path = trained / "evaluation.json"
    path.write_text(json.dumps(whole | {"best_epoch": 7}))
    assert "robustness" not in evaluate(trained, data=data)
    path.write_text("{")  # a damaged file is mended by what wrote it
    assert evaluate(trained, data=data)["test"] == whole["test"]


def test_other_classes_are_refused(trained: Path, data: Dataset) -> None:
    other = replace(data, classes=tuple("abcdefg"))
    with pytest.raises(EvaluateError, match=r"other classes than the run(.|\n)*wanted: angry, disgust"):
        evaluate(trained, data=other)


def test_an_untrained_run_says_how_to_go_on(trained: Path, data: Dataset) -> None:
    (trained / "best.safetensors").unlink()
    with pytest.raises(LoadError, match=r"no trained weights yet(.|\n)*c2n train --resume"):
        evaluate(trained, data=data)


def test_a_changed_model_runs_only_when_it_is_trusted_again(trained: Path, data: Dataset) -> None:
    text = trained / "compiled" / "model.py"
    text.write_text(text.read_text() + "\nprint('changed')\n")
    record = json.loads((trained / "run.json").read_text())
    (trained / "run.json").write_text(json.dumps(record | {"trusted": True}))
    with pytest.raises(LoadError, match="not what the compiler writes"):
        evaluate(trained, data=data)
    with pytest.raises(LoadError, match="not what the compiler writes"):
        train(resume=trained, data=data)
    assert evaluate(trained, data=data, trust=True)["test"]["images"] == 21


def test_no_such_device(trained: Path, data: Dataset) -> None:
    with pytest.raises(TrainError, match="no such device\n  where:  --device\n  found:  banana"):
        evaluate(trained, data=data, device="banana")
