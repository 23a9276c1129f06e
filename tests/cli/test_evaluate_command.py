"""What ``c2n evaluate`` hands on and prints, without a network."""

import sys
from pathlib import Path
from typing import Any

import pytest
import torch
from click.testing import CliRunner

from connectome2net.cli import c2n
from connectome2net.evaluate.metrics import classification_metrics

AUDIT = {"dale": {"violations": 0, "edges": 37, "free": 0}, "note": "large"}


def result(part: str, *, robustness: bool) -> dict[str, Any]:
    logits_NK = torch.tensor([[2.0, 0.0], [0.0, 1.0], [0.0, 3.0], [1.0, 0.0]])
    whole = classification_metrics(logits_NK, torch.tensor([0, 1, 0, 0]), ("calm", "cross"))
    one_class = classification_metrics(logits_NK[:1], torch.tensor([0]), ("calm", "cross"))
    found = {
        **{"run": "001", "network": "column", "best_epoch": 3, "seed": 0, "status": "finished", "part": part},
        **{"synthetic_column": False, "data": {"name": "fer2013", "part": "PublicTest", "synthetic": False}},
        **{part: whole, "without_leaked": whole, "without_leaked_or_blank": one_class, "parts": {}, "audit": AUDIT},
        **{"mirrored": one_class, "trained_on_these_data": True},
    }
    disturbed = {"noise": [{"level": 0.0, "accuracy": 0.75}, {"level": 0.05, "accuracy": 0.5}], "lesion": []}
    return found | ({"robustness": disturbed} if robustness else {})


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    options: dict[str, Any] = {}

    def measure(run: Path, **given: Any) -> dict[str, Any]:
        options.update(given, run=run)
        return result(given["part"], robustness=given["robustness"])

    monkeypatch.setattr(sys.modules["connectome2net.evaluate"], "evaluate", measure)
    return options


def test_the_new_numbers_are_printed(asked: dict[str, Any]) -> None:
    done = CliRunner().invoke(c2n, ["evaluate", "runs/001", "--robustness"])
    assert done.exit_code == 0, done.output
    assert (asked["run"], asked["part"], asked["robustness"]) == (Path("runs/001"), "test", True)
    lines = [" ".join(line.split()) for line in done.output.splitlines()]
    assert "test images images accuracy balanced macro F1 ROC-AUC ECE" in lines
    # Confidence 0.881, 0.731, 0.953 (wrong), 0.731, each alone in its bin but the two of 0.731.
    assert "all 4 75.00% 0.833 0.733 0.667 0.402" in lines
    assert "nor blank ones 1 100.00% 1.000 1.000 - 0.119" in lines
    assert "all, each with its mirror image 1 100.00% 1.000 1.000 - 0.119" in lines
    assert "calm 3 1.00 0.67 0.80 0.67" in lines
    assert "accuracy under noise: 0: 75.0%, 0.05: 50.0%" in lines
    assert "accuracy under lesion: no cells" in lines


def test_other_images_than_those_of_the_run_are_told(monkeypatch: pytest.MonkeyPatch) -> None:
    found = result("test", robustness=False) | {"trained_on_these_data": False}
    for known in (True, False):
        if not known:
            found = {key: value for key, value in found.items() if not key.startswith("without")}
        monkeypatch.setattr(sys.modules["connectome2net.evaluate"], "evaluate", lambda *_, _found=found, **__: _found)
        done = CliRunner().invoke(c2n, ["evaluate", "runs/001"])
        assert done.exit_code == 0, done.output
        assert "OTHER images than those of the run: shown, and written nowhere" in done.output
        assert ("which of them it has learned from is not known" in done.output) != known


def test_numbers_of_no_image_are_a_dash(monkeypatch: pytest.MonkeyPatch) -> None:
    nothing = classification_metrics(torch.zeros(0, 2), torch.zeros(0, dtype=torch.long), ("calm", "cross"))
    found = result("test", robustness=False) | {"without_leaked": nothing}
    monkeypatch.setattr(sys.modules["connectome2net.evaluate"], "evaluate", lambda *_, **__: found)
    done = CliRunner().invoke(c2n, ["evaluate", "runs/001"])
    assert done.exit_code == 0, done.output
    assert "without those in training 0 - - - - -" in [" ".join(line.split()) for line in done.output.splitlines()]


def test_another_part_is_named(asked: dict[str, Any]) -> None:
    done = CliRunner().invoke(c2n, ["evaluate", "runs/001", "--part", "validation"])
    assert done.exit_code == 0, done.output
    assert (asked["part"], asked["robustness"]) == ("validation", False)
    assert "validation images" in done.output
    assert "under noise" not in done.output
    wrong = CliRunner().invoke(c2n, ["evaluate", "runs/001", "--part", "train"])
    assert wrong.exit_code == 2
