"""Training: what a run leaves, that it can be stopped at any moment, and that a seed decides everything."""

import hashlib
import json
import re
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path

import pytest
import torch
from PIL import Image
from safetensors.torch import load_file

import connectome2net as c2n
from connectome2net.errors import DataError, LoadError, TrainError
from connectome2net.evaluate import evaluate
from connectome2net.inside import examine
from connectome2net.tasks import Dataset
from connectome2net.tasks.faces import faces
from connectome2net.train import TrainConfig, loop, train, training
from connectome2net.train.checkpoint import load_checkpoint, save_checkpoint
from connectome2net.train.config import read_config
from connectome2net.train.progress import Progress
from connectome2net.train.run import newest_run
from connectome2net.train.schedule import learning_rate, make_optimiser
from connectome2net.train.training import Training

SHORT = TrainConfig(epochs=4, batch=16, learning_rate=1e-2)
Captured = pytest.CaptureFixture[str]
Stopped = Callable[[int], AbstractContextManager[None]]


def metrics(run: Path) -> list[dict[str, float]]:
    lines = [json.loads(line) for line in (run / "metrics.jsonl").read_text().splitlines()]
    return [{key: value for key, value in line.items() if "second" not in key} for line in lines]


def same_weights(one: Path, other: Path, name: str = "last.safetensors") -> bool:
    first, second = load_file(one / name), load_file(other / name)
    return first.keys() == second.keys() and all(torch.equal(first[key], second[key]) for key in first)


def test_a_run_says_what_was_trained_on_what(feedforward: Path, few_faces: Dataset, tmp_path: Path) -> None:
    run = train(feedforward, data=few_faces, config=SHORT, out=tmp_path / "run")
    record = json.loads((run / "run.json").read_text())
    assert record["status"] == "finished"
    assert record["dataset"]["digest"] == few_faces.digest
    assert record["spec_sha256"] == c2n.load(feedforward).program.origin.spec_sha256
    program = (feedforward / "program.json").read_bytes()
    assert record["program_sha256"] == hashlib.sha256(program).hexdigest()
    assert record["audit"]["after"]["dale"] == {"edges": 0, "violations": 0, "free": 19}
    assert record["config"] == SHORT.model_dump(mode="json")
    lines = metrics(run)
    assert [line["epoch"] for line in lines] == [1, 2, 3, 4]
    best = max(line["validation_accuracy"] for line in lines)
    assert record["validation_accuracy"] == best
    assert lines[record["best_epoch"] - 1]["validation_accuracy"] == best


def test_the_loaded_run_is_the_best_epoch(feedforward: Path, few_faces: Dataset, tmp_path: Path) -> None:
    run = train(feedforward, data=few_faces, config=SHORT, out=tmp_path / "run")
    model = c2n.load(run)
    images = torch.from_numpy(few_faces.validation.image_NHW)[:, None].float() / 255
    right = model(images).argmax(1) == torch.from_numpy(few_faces.validation.label_N)
    record = json.loads((run / "run.json").read_text())
    assert right.double().mean().item() == pytest.approx(record["validation_accuracy"])
    assert not model.training


def test_dale_holds_after_training(dale: Path, few_faces: Dataset, tmp_path: Path) -> None:
    config = SHORT.model_copy(update={"learning_rate": 0.3})
    run = train(dale, data=few_faces, config=config, out=tmp_path / "run")
    audit = json.loads((run / "run.json").read_text())["audit"]["after"]["dale"]
    assert audit == {"edges": 37, "violations": 0, "free": 0}


def test_training_learns(few_faces: Dataset, dale: Path, tmp_path: Path) -> None:
    """All images in each step: with small batches, whether twelve cells learn depends on how a processor rounds."""
    config = TrainConfig(
        **{"epochs": 60, "batch": 84, "learning_rate": 3e-2, "strength_rate": 1},
        **{"augmentation": None, "label_smoothing": 0},
    )
    run = train(dale, data=few_faces, config=config, out=tmp_path / "run")
    first, *_, last = metrics(run)
    assert last["loss"] < 0.95 * first["loss"]


def test_equal_seeds_give_equal_runs_and_others_do_not(feedforward: Path, few_faces: Dataset, tmp_path: Path) -> None:
    one = train(feedforward, data=few_faces, config=SHORT, out=tmp_path / "one")
    torch.rand(7)  # the state of the global generator plays no part
    two = train(feedforward, data=few_faces, config=SHORT, out=tmp_path / "two")
    other = train(feedforward, data=few_faces, config=SHORT.model_copy(update={"seed": 1}), out=tmp_path / "other")
    assert metrics(one) == metrics(two)
    assert same_weights(one, two)
    assert not same_weights(one, other)


def test_where_no_terminal_watches_each_epoch_is_a_line(
    feedforward: Path, few_faces: Dataset, tmp_path: Path, stopped: Stopped, capsys: Captured
) -> None:
    with stopped(3):
        train(feedforward, data=few_faces, config=SHORT, out=tmp_path / "run")
    first = capsys.readouterr()
    train(resume=tmp_path / "run", data=few_faces)
    second = capsys.readouterr()
    assert first.out == second.out == ""
    title = f"{tmp_path / 'run'}: feedforward on {few_faces.name}"
    (one, *begun), (other, *ended) = first.err.splitlines(), second.err.splitlines()
    assert one == other == title
    lines = [json.loads(line) for line in (tmp_path / "run" / "metrics.jsonl").read_text().splitlines()]
    for line, told in zip(lines, begun + ended, strict=True):
        assert told.startswith(
            f"epoch {line['epoch']}/4: loss {line['loss']:.3f}, accuracy {100 * line['accuracy']:.1f}%, "
            f"validation {100 * line['validation_accuracy']:.1f}%, {line['images_per_second']:,.0f} images/s, 0:0"
        )
    train(feedforward, data=few_faces, config=SHORT, out=tmp_path / "other", quiet=True)
    assert capsys.readouterr() == ("", "")


@pytest.mark.parametrize("stop_at", [(0, 2), (1, 0), (2, 5)])
def test_ctrl_c_and_resume_end_as_if_never_stopped(
    stop_at: tuple[int, int], feedforward: Path, few_faces: Dataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = train(feedforward, data=few_faces, config=SHORT, out=tmp_path / "whole")
    steps = -(-len(few_faces.train) // SHORT.batch)
    left = stop_at[0] * steps + stop_at[1]

    def interrupt(*arguments: object, **options: object) -> None:
        nonlocal left
        left -= 1
        if left < 0:
            raise KeyboardInterrupt

    monkeypatch.setattr(loop.Progress, "step", interrupt)
    with pytest.raises(KeyboardInterrupt) as stop:
        train(feedforward, data=few_faces, config=SHORT, out=tmp_path / "run")
    assert f"c2n train --resume {tmp_path / 'run'}" in stop.value.__notes__[0]
    assert json.loads((tmp_path / "run" / "run.json").read_text())["status"] == "interrupted"
    monkeypatch.undo()
    resumed = train(resume=tmp_path / "run", data=few_faces)
    assert metrics(resumed) == metrics(whole)
    assert same_weights(resumed, whole)
    assert same_weights(resumed, whole, "best.safetensors")


def test_what_rules_remember_survives_a_stop(
    plastic: Path, few_faces: Dataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = train(plastic, data=few_faces, config=SHORT, out=tmp_path / "whole")
    keep, epochs = Training.keep, iter(range(2))

    def keep_and_stop(*arguments: object) -> None:
        keep(*arguments)
        if next(epochs):
            raise KeyboardInterrupt

    monkeypatch.setattr(Training, "keep", keep_and_stop)
    with pytest.raises(KeyboardInterrupt):
        train(plastic, data=few_faces, config=SHORT, out=tmp_path / "run")
    monkeypatch.undo()
    resumed = train(resume=tmp_path / "run", data=few_faces)
    assert metrics(resumed) == metrics(whole)
    names = {"last.safetensors": "model.", "best.safetensors": ""}
    for name, prefix in names.items():
        assert same_weights(resumed, whole, name)
        remembered = load_file(resumed / name)
        for rule in ("0.power.mean_N", "1.pre.batches", "2.baseline.mean_N", "3.batches"):
            assert remembered[f"{prefix}rules_A_B.{rule}"].any()
        assert remembered[f"{prefix}cell_rules_D.0.mean.mean_N"].any()
        assert remembered[f"{prefix}W_A_B.active_E"].sum() == round(0.5 * len(remembered[f"{prefix}W_A_B.theta_E"]))
    assert not load_file(resumed / "last.safetensors")["model.W_B_B.active_E"].equal(c2n.load(plastic).W_B_B.active_E)
    assert c2n.load(resumed).W_B_B.active_E.equal(load_file(resumed / "best.safetensors")["W_B_B.active_E"])


def test_rules_are_told_which_answers_were_right(
    plastic: Path, few_faces: Dataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The baseline of reward after an epoch that it remembers as a whole is the accuracy that training reports."""
    run = train(
        plastic, data=few_faces, config=SHORT.model_copy(update={"epochs": 1, "batch": 21}), out=tmp_path / "run"
    )
    baseline = load_file(run / "last.safetensors")["model.rules_A_B.2.baseline.mean_N"]
    assert float(baseline) == pytest.approx(metrics(run)[0]["accuracy"], abs=1e-6)


def test_resume_drops_the_line_of_an_epoch_without_a_checkpoint(
    feedforward: Path, few_faces: Dataset, tmp_path: Path
) -> None:
    run = train(feedforward, data=few_faces, config=SHORT, out=tmp_path / "run")
    before = metrics(run)
    with (run / "metrics.jsonl").open("a") as file:
        file.write('{"epoch": 5, "half')
    train(resume=run, data=few_faces)
    assert metrics(run) == before


def test_early_stopping_waits_for_patience(
    feedforward: Path, few_faces: Dataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    accuracy = iter([0.2, 0.5, 0.4, 0.5, 0.3, 0.9])
    monkeypatch.setattr(loop, "evaluate_images", lambda *_, **__: (1.0, next(accuracy)))
    config = TrainConfig(epochs=20, batch=64, patience=3)
    run = train(feedforward, data=few_faces, config=config, out=tmp_path / "run")
    record = json.loads((run / "run.json").read_text())
    assert (record["epochs"], record["best_epoch"], record["validation_accuracy"]) == (5, 2, 0.5)


def test_runs_are_numbered_and_the_newest_is_found(
    feedforward: Path, few_faces: Dataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    config = TrainConfig(epochs=1, batch=64)
    for number in ("001", "002"):
        assert train(data=few_faces, config=config) == Path("runs") / number
        assert newest_run() == Path("runs") / number


def test_a_checkpoint_gives_back_every_bit(feedforward: Path, tmp_path: Path) -> None:
    config = TrainConfig()
    model = c2n.load(feedforward, seed=1)
    optimiser = make_optimiser(model, config)
    model(torch.rand(4, 1, 12, 12)).square().sum().backward()
    optimiser.step()
    save_checkpoint(tmp_path / "last.safetensors", model, optimiser, {"epoch": 3})
    other = c2n.load(feedforward, seed=2)
    empty = make_optimiser(other, config)
    assert load_checkpoint(tmp_path / "last.safetensors", other, empty) == {"epoch": 3}
    assert all(torch.equal(a, b) for a, b in zip(model.parameters(), other.parameters(), strict=True))
    for index, state in optimiser.state_dict()["state"].items():
        for name, value in state.items():
            assert torch.equal(value, empty.state_dict()["state"][index][name])


def test_the_schedule_rises_and_falls_as_cosines() -> None:
    config = TrainConfig(learning_rate=2.0)
    rates = [learning_rate(config, step, 100) for step in range(100)]
    assert rates[0] == pytest.approx(0.08)
    assert rates[10] == pytest.approx((0.08 + 2) / 2)
    assert rates[20] == pytest.approx(2.0)
    assert rates[60] == pytest.approx(1.0)
    assert rates[99] == pytest.approx(0.0, abs=1e-3)
    cosine = TrainConfig(learning_rate=2.0, schedule="cosine")
    assert [learning_rate(cosine, step, 100) for step in (0, 50)] == pytest.approx([2.0, 1.0])
    assert learning_rate(TrainConfig(learning_rate=2.0, schedule="constant"), 7, 100) == 2.0


def test_only_matrices_decay_and_only_strengths_are_faster(feedforward: Path) -> None:
    model = c2n.load(feedforward)
    groups = make_optimiser(model, TrainConfig(weight_decay=0.5, strength_rate=3.0)).param_groups
    names = {id(parameter): name for name, parameter in model.named_parameters()}
    kinds = {names[id(item)]: (group["weight_decay"], group["factor"]) for group in groups for item in group["params"]}
    assert len(kinds) == len(names)
    assert kinds["W_A_B.theta_E"] == (0.0, 3.0)
    assert kinds["input.weight_NF"] == (0.5, 1.0)
    assert kinds["cells_A.threshold_N"] == (0.0, 1.0)


def test_settings_come_from_a_file_and_options_overrule_it(tmp_path: Path) -> None:
    path = tmp_path / "run.toml"
    path.write_text("epochs = 7\nbatch = 32\naugmentation = false\n")
    config = read_config(path, epochs=3, seed=None)
    assert (config.epochs, config.batch, config.seed, config.augmentation) == (3, 32, 0, None)
    path.write_text("[augmentation]\nflip = 0.0\nrotation_deg = 5\n")
    assert read_config(path).augmentation.rotation_deg == 5


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            "epochs = 0",
            r"setting of training is not valid\n  where:  .*run.toml: epochs\n  found:  0\n  wanted: .*greater",
        ),
        (
            "clip = inf",
            r"setting of training is not valid\n  where:  .*run.toml: clip\n  found:  inf\n  wanted: .*finite",
        ),
        ("epoch = 3", r"no such setting of training\n  where:  .*run.toml: epoch\n(.|\n)*did you mean epochs"),
        ("augmentation = { flips = 1 }", r"no such setting(.|\n)*augmentation.flips\n(.|\n)*did you mean flip"),
        ("epochs = ", r"the settings cannot be read\n  where:  .*run.toml"),
    ],
)
def test_wrong_settings_are_named(text: str, message: str, tmp_path: Path) -> None:
    (tmp_path / "run.toml").write_text(text)
    with pytest.raises(TrainError, match=message):
        read_config(tmp_path / "run.toml")


def test_clear_errors(feedforward: Path, few_faces: Dataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("C2N_DATA", raising=False)
    with pytest.raises(LoadError, match="no compiled network here"):
        train("elsewhere", data=few_faces)
    with pytest.raises(DataError, match="--data synthetic"):
        train(feedforward)
    with pytest.raises(TrainError, match="no such device\n  where:  --device\n  found:  gpu"):
        train(feedforward, data=few_faces, config=TrainConfig(device="gpu"))
    with pytest.raises(TrainError, match=r"something lies here already(.|\n)*--resume"):
        train(feedforward, data=few_faces, out=feedforward)
    with pytest.raises(TrainError, match="there is no run here"):
        newest_run()
    with pytest.raises(TrainError, match="this is not a run"):
        train(resume=tmp_path, data=few_faces)
    assert not (tmp_path / "runs").exists()


def test_resume_wants_the_same_images(feedforward: Path, few_faces: Dataset, tmp_path: Path) -> None:
    run = train(feedforward, data=few_faces, config=TrainConfig(epochs=1), out=tmp_path / "run")
    other = faces(train=84, validation=28, test=42, size=12, seed=5)
    message = re.escape("these are not the images of this run")
    with pytest.raises(TrainError, match=message):
        train(resume=run, data=other)


def test_a_run_in_the_folder_that_it_is_trained_from(feedforward: Path, few_faces: Dataset) -> None:
    """It copies the network, and not itself, without end, nor what lies beside it."""
    (feedforward / "fer2013.csv").touch()
    for name in ("one", "two"):
        run = train(feedforward, data=few_faces, config=TrainConfig(epochs=1), out=feedforward / name)
        assert sorted(path.name for path in (run / "compiled").iterdir()) == [
            *("model.py", "program.json", "weights.safetensors"),
        ]


@pytest.mark.parametrize("trouble", [KeyboardInterrupt, OSError])
def test_a_run_that_cannot_begin_leaves_nothing(
    trouble: type[BaseException], feedforward: Path, few_faces: Dataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def stop(*_: object, **__: object) -> None:
        raise trouble

    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(training, "describe", stop)
    with pytest.raises(trouble):
        train(feedforward, data=few_faces, config=SHORT)
    assert not list((tmp_path / "runs").iterdir())
    mine = tmp_path / "mine"
    mine.mkdir()
    (mine / ".starting").touch()
    (mine / "notes.md").write_text("mine")
    with pytest.raises(trouble):
        train(feedforward, data=few_faces, config=SHORT, out=mine)
    assert [path.name for path in mine.iterdir()] == ["notes.md"]


def test_a_run_knows_where_its_images_are(feedforward: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Other defaults, or another working directory, must not change what it is evaluated on."""
    data = faces(train=14, validation=7, test=14)
    for part, content in (("train", data.train), ("test", data.test)):
        for at, (image, label) in enumerate(zip(content.image_NHW, content.label_N, strict=True)):
            (tmp_path / "images" / part / data.classes[label]).mkdir(parents=True, exist_ok=True)
            Image.fromarray(image).save(tmp_path / "images" / part / data.classes[label] / f"{at}.png")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("C2N_DATA", "images")
    run = train(feedforward, config=TrainConfig(epochs=1, validation_fraction=0.5), out=tmp_path / "run")
    record = json.loads((run / "run.json").read_text())
    assert (record["data"], record["data_at"]) == ("images", str(tmp_path / "images"))
    monkeypatch.delenv("C2N_DATA")
    monkeypatch.chdir("/")
    assert evaluate(run)["trained_on_these_data"]
    (tmp_path / "moved").mkdir()  # the whole project, to another machine perhaps
    (tmp_path / "images").rename(tmp_path / "moved" / "images")
    monkeypatch.chdir(tmp_path / "moved")
    assert evaluate(run)["trained_on_these_data"]


@pytest.mark.parametrize(
    ("trouble", "raised"),
    [(torch.OutOfMemoryError("CUDA out of memory\nmore"), TrainError), (RuntimeError("odd"), RuntimeError)],
)
def test_a_run_that_breaks_says_so(
    trouble: Exception,
    raised: type[Exception],
    feedforward: Path,
    few_faces: Dataset,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def stop(*_: object, **__: object) -> None:
        raise trouble

    monkeypatch.setattr(loop, "train_epoch", stop)
    with pytest.raises(raised, match=str(trouble).partition("\n")[0]):
        train(feedforward, data=few_faces, config=SHORT, out=tmp_path / "run")
    assert json.loads((tmp_path / "run" / "run.json").read_text())["status"] == "failed"


def test_the_audit_is_of_the_network_that_is_kept(dale: Path, few_faces: Dataset, tmp_path: Path) -> None:
    config = SHORT.model_copy(update={"learning_rate": 0.3, "average": 0.9})
    run = train(dale, data=few_faces, config=config, out=tmp_path / "run")
    record = json.loads((run / "run.json").read_text())
    kept = json.loads(json.dumps(examine(c2n.load(run), quick=True)))
    assert record["audit"]["after"] == kept != record["audit"]["before"]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda run: run["config"].update(epochs=0), r"cannot go on\n  where:  .*run.json: config.epochs\n  found:  0"),
        (lambda run: run.pop("status"), r"this run is damaged\n  where:  .*run.json\n  found:  no status"),
    ],
)
def test_a_damaged_record_is_one_error(
    change: Callable[[dict], object], message: str, feedforward: Path, few_faces: Dataset, tmp_path: Path
) -> None:
    run = train(feedforward, data=few_faces, config=TrainConfig(epochs=1), out=tmp_path / "run")
    record = json.loads((run / "run.json").read_text())
    change(record)
    (run / "run.json").write_text(json.dumps(record))
    with pytest.raises(TrainError, match=message):
        train(resume=run, data=few_faces)


def test_a_log_of_long_epochs_is_not_silent(capsys: Captured, monkeypatch: pytest.MonkeyPatch) -> None:
    now = [0.0]
    monkeypatch.setattr("time.monotonic", lambda: now[0])
    with Progress(3, 4, done=4) as progress:
        for _ in range(3):
            now[0] += 100.0
            progress.step(loss=1.5, images=64)
    assert capsys.readouterr().err.splitlines()[-1] == "epoch 2/3, 50% of it: loss 1.500, 1 images/s"
