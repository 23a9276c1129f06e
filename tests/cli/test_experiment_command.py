"""``c2n experiment`` as a user types it: what would be run, what came out, what failed."""

import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from columns import twelve_cells
from PIL import Image

from connectome2net.cli import c2n
from connectome2net.experiment import work
from connectome2net.spec import write_spec
from connectome2net.tasks.faces import faces

EXAMPLE = Path(__file__).parents[2] / "examples" / "experiment.toml"
PLAN = """
name = "try"
reference = "real"
seeds = 2
train = { epochs = 1, batch = 28 }
[[variant]]
name = "real"
[[variant]]
name = "linear"
network = "linear"
[quick]
seeds = 1
epochs = 1
variants = ["real"]
"""


@pytest.fixture(scope="module")
def images(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with train/ and test/ of seven class folders, four and two drawn faces in each."""
    folder = tmp_path_factory.mktemp("images")
    data = faces(train=56, validation=7, test=14, size=12)
    for part, content in (("train", data.train), ("test", data.test)):
        for at, (image, label) in enumerate(zip(content.image_NHW, content.label_N, strict=True)):
            target = folder / part / data.classes[label]
            target.mkdir(parents=True, exist_ok=True)
            Image.fromarray(image).save(target / f"{at}.png")
    return folder


@pytest.fixture
def place(tmp_path: Path, images: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with a spec and a plan, where the command is given."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("C2N_DATA", str(images))
    write_spec(twelve_cells("feedforward"), tmp_path)
    (tmp_path / "plan.toml").write_text(PLAN)
    return tmp_path


def give(*words: str) -> Result:
    return CliRunner().invoke(c2n, ["experiment", *words, "--jobs", "1"])


def test_an_experiment_from_a_file(place: Path) -> None:
    dry = give("plan.toml", "--dry-run")
    assert dry.exit_code == 0, dry.output
    assert "2 variants x 2 seeds" in dry.output
    assert dry.output.count("waiting") == 4
    assert "about 1 minute with --jobs 1" in dry.output
    assert not (place / "experiments").exists()
    done = give("plan.toml")
    assert done.exit_code == 0, done.output
    folder = place / "experiments" / "try"
    record = json.loads((folder / "experiment.json").read_text())
    assert [run["status"] for run in record["runs"]] == ["finished"] * 4
    results = json.loads((folder / "results.json").read_text())
    for item in results["variants"]:
        line = next(line for line in done.stdout.splitlines() if line.startswith(item["name"]))
        assert f"{item['metrics']['accuracy']['mean']:.4f}" in line
    assert all(sentence in done.output for sentence in results["conclusion"])
    assert give("plan.toml", "--dry-run").output.splitlines()[-1] == "nothing is left to train"


def test_the_example_is_ready_to_run_as_it_stands(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    done = give(str(EXAMPLE), "--dry-run")
    assert done.exit_code == 0, done.output
    assert "9 variants x 5 seeds" in done.output


def test_quick_is_said(place: Path) -> None:
    done = give("plan.toml", "--quick")
    assert done.exit_code == 0, done.output
    record = json.loads((place / "experiments" / "try" / "experiment.json").read_text())
    assert record["quick"] is True
    assert [run["variant"] for run in record["runs"]] == ["real"]
    assert "This was --quick" in done.output


def test_a_failed_run_is_shown_and_ends_with_1(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*arguments: object, **options: object) -> None:
        raise MemoryError("not enough")

    monkeypatch.setattr(work, "evaluate", fail)
    done = give("plan.toml", "--seeds", "1", "--epochs", "1")
    assert done.exit_code == 1
    assert "linear, seed 0 failed: " in done.output
    assert "MemoryError: not enough" in done.output


def test_a_preset_says_which_spec_it_needs(place: Path) -> None:
    done = give("bionic-ablations")
    assert "c2n extract --column v1 --network bionic" in str(done.exception)
