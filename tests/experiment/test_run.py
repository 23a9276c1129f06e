"""Experiments: every run once, whatever happens in between; a run that fails is shown."""

import contextlib
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from columns import twelve_cells
from filelock import FileLock
from safetensors.torch import load_file
from small_experiment import PLAN, record_of, write_images

from connectome2net.errors import DataError, ExperimentError, TrainError
from connectome2net.experiment import run as run_module
from connectome2net.experiment import work
from connectome2net.experiment.estimate import estimate
from connectome2net.experiment.prepare import prepare
from connectome2net.experiment.progress import Watch
from connectome2net.experiment.record import write_record
from connectome2net.experiment.run import run_experiment
from connectome2net.experiment.state import is_evaluated, state_of
from connectome2net.spec import digest_document, make_spec, read_spec, write_spec
from connectome2net.tasks import Dataset, open_dataset
from connectome2net.tasks.augmentation import Augmentation
from connectome2net.train import training as training_module
from connectome2net.train.training import Training


def small(few_faces: Dataset, out: Path, **changes: Any) -> Path:
    plan = changes.pop("plan", PLAN)
    return run_experiment(plan, spec=twelve_cells("feedforward"), data=few_faces, out=out, jobs=1, **changes)


def contents(folder: Path) -> dict[str, Any]:
    """What runs have learned, in bits, and what they answer; by run and file."""
    found: dict[str, Any] = {}
    for run in folder.glob("runs/*"):
        for name in ("last.safetensors", "best.safetensors"):
            tensors = load_file(run / name)
            found[f"{run.name}/{name}"] = {key: tensor.numpy().tobytes() for key, tensor in tensors.items()}
        for name in ("evaluation.json", "predictions.parquet", "transform.json"):
            if (run / name).is_file():
                found[f"{run.name}/{name}"] = (run / name).read_bytes()
    return found


def test_every_variant_is_run_with_every_seed(whole: Path) -> None:
    record = record_of(whole)
    assert [(run["variant"], run["seed"]) for run in record["runs"]] == [
        (name, seed) for seed in (0, 1) for name in ("real", "degree", "quiet")
    ]
    assert {run["status"] for run in record["runs"]} == {"finished"}
    assert len({run["key"] for run in record["runs"]}) == 6
    assert {path.name for path in (whole / "runs").iterdir()} == {run["key"] for run in record["runs"]}
    for run in record["runs"]:
        made = json.loads((whole / run["folder"] / "run.json").read_text())
        assert made["config"]["seed"] == run["seed"]
        assert made["epochs"] == (2 if run["variant"] == "quiet" else 3)
        assert sum(made["parameters"].values()) == next(
            item["parameters"] for item in record["variants"] if item["name"] == run["variant"]
        )
    assert read_spec(whole / "spec") == twelve_cells("feedforward")


def test_every_seed_draws_its_own_graph(whole: Path) -> None:
    compiled: dict[str, list[bytes]] = {}
    for run in record_of(whole)["runs"]:
        weights = (whole / run["folder"] / "compiled" / "weights.safetensors").read_bytes()
        compiled.setdefault(run["variant"], []).append(weights)
        assert (whole / run["folder"] / "transform.json").is_file() == (run["variant"] == "degree")
    assert compiled["real"][0] == compiled["real"][1] == compiled["quiet"][0]
    assert len({*compiled["degree"], compiled["real"][0]}) == 3


def test_the_record_says_what_is_compared(whole: Path) -> None:
    record = record_of(whole)
    assert (record["format"], record["format_version"]) == ("connectome2net.experiment", 1)
    assert (record["quick"], record["preset"], record["part"], record["metric"]) == (False, None, "test", "accuracy")
    assert [item["changes"] for item in record["variants"]] == [
        [],
        ["edges: degree"],
        ["without noise", "training: epochs = 2"],
    ]
    assert record["variants"][1]["keeps"]
    assert record["variants"][1]["destroys"]
    assert record["variants"][0]["keeps"] == []
    assert record["data"]["test"] == 42


def test_the_record_says_how_each_variant_is_trained(few_faces: Dataset, tmp_path: Path) -> None:
    """Also where the first variant has settings of its own."""
    plan = PLAN | {"variant": [{"name": "short", "train": {"epochs": 1}}, {"name": "real"}]}
    experiment = prepare(plan, spec=twelve_cells("feedforward"), data=few_faces, out=tmp_path)
    record = write_record(experiment)
    assert (record["train"]["epochs"], record["train"]["batch"]) == (3, 28)
    assert [item["train"] for item in record["variants"]] == [{"epochs": 1}, {}]


def test_a_factor_that_others_make_idle_is_refused(few_faces: Dataset, tmp_path: Path) -> None:
    """Rows of a design that are one run would count as two: its intervals would hold 87 %."""
    idle = [
        {"name": "filters", "set": {"front_end.blocks": []}, "without": ["front_end.attention"]},
        {"name": "surround", "without": ["front_end.blocks.0.lateral_inhibition"]},
    ]
    noise = {"name": "noise", "without": ["noise"]}
    plan = {key: value for key, value in PLAN.items() if key != "variant"} | {"reference": "full"}
    plan |= {"design": "factorial", "factor": [*idle, noise]}
    spec = twelve_cells("feedforward")
    with pytest.raises(
        ExperimentError, match=r"rows of the design are one network(.|\n)*found:  surround changes nothing"
    ):
        prepare(plan, spec=spec, data=few_faces, out=tmp_path)
    for factors in ([idle[0], noise], [idle[1], noise]):
        assert len(prepare(plan | {"factor": factors}, spec=spec, data=few_faces, out=tmp_path).tasks) == 8


def test_finished_work_is_never_repeated(
    whole: Path, few_faces: Dataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def never(*arguments: object, **options: object) -> None:
        raise AssertionError("this was done already")

    monkeypatch.setattr(work, "train", never)
    monkeypatch.setattr(work, "evaluate", never)
    before = contents(whole)
    small(few_faces, whole)
    small(few_faces, whole, plan=PLAN | {"variant": PLAN["variant"][:2], "seeds": [1, 0]})
    small(few_faces, whole)
    assert contents(whole) == before
    assert {run["status"] for run in record_of(whole)["runs"]} == {"finished"}


def test_another_spec_in_the_same_folder_is_what_its_runs_are_made_of(few_faces: Dataset, tmp_path: Path) -> None:
    """In one process, as in a notebook."""
    plan = PLAN | {"seeds": 1, "variant": PLAN["variant"][:1]}
    spec = twelve_cells("feedforward")
    for base in (spec, make_spec(spec.document, cells=spec.cells, edges=spec.edges.slice(1))):
        folder = run_experiment(plan, spec=base, data=few_faces, out=tmp_path / "x", jobs=1)
        record = record_of(folder)
        made = json.loads((folder / record["runs"][0]["folder"] / "run.json").read_text())
        assert made["spec_sha256"] == record["spec"]["digest"] == digest_document(base.document)


def test_other_images_in_the_same_file_are_what_its_runs_learn_from(tmp_path: Path) -> None:
    plan = PLAN | {"seeds": 1, "variant": PLAN["variant"][:1]}
    data = tmp_path / "fer2013.csv"
    keys = set()
    for seed in (0, 1):
        write_images(data, seed=seed)
        folder = run_experiment(plan, spec=twelve_cells("feedforward"), data=data, out=tmp_path / "x", jobs=1)
        record = record_of(folder)
        made = json.loads((folder / record["runs"][0]["folder"] / "run.json").read_text())
        assert made["dataset"]["digest"] == record["data"]["digest"] == open_dataset(data, size=12).digest
        keys.add(record["runs"][0]["key"])
    assert len(keys) == 2


def test_a_run_that_fails_is_shown_and_tried_again(
    whole: Path, few_faces: Dataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    train = work.train

    def fail(*arguments: Any, **options: Any) -> Path:
        config = options["config"]
        if config.epochs == 2:
            raise TrainError("the loss is not finite", where="here") if config.seed else ZeroDivisionError("a bug")
        return train(*arguments, **options)

    monkeypatch.setattr(work, "train", fail)
    folder = small(few_faces, tmp_path / "x")
    runs = {(run["variant"], run["seed"]): run for run in record_of(folder)["runs"]}
    assert {key for key, run in runs.items() if run["status"] == "failed"} == {("quiet", 0), ("quiet", 1)}
    assert {run["status"] for key, run in runs.items() if key[0] != "quiet"} == {"finished"}
    assert runs["quiet", 0]["error"] == "ZeroDivisionError: a bug"
    assert runs["quiet", 1]["error"] == "the loss is not finite\n  where:  here"
    trace = (folder / runs["quiet", 0]["folder"] / "failure.txt").read_text()
    assert "Traceback (most recent call last)" in trace
    assert "in fail" in trace
    monkeypatch.undo()
    small(few_faces, folder)
    assert {run["status"] for run in record_of(folder)["runs"]} == {"finished"}
    assert contents(folder) == contents(whole)


def test_where_no_terminal_watches_each_run_that_ends_is_a_line(
    few_faces: Dataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    train = work.train

    def fail(*arguments: Any, **options: Any) -> Path:
        if options["config"].epochs == 2:
            raise TrainError("the loss is not finite", where="here")
        return train(*arguments, **options)

    monkeypatch.setattr(work, "train", fail)
    folder = small(few_faces, tmp_path / "x", plan=PLAN | {"seeds": [0]})
    shown = capsys.readouterr()
    record = {run["variant"]: folder / run["folder"] for run in record_of(folder)["runs"]}
    validation = {
        name: json.loads((record[name] / "run.json").read_text())["validation_accuracy"] for name in ("real", "degree")
    }
    best = max(validation, key=lambda name: validation[name])
    begin, *ends = shown.err.splitlines()
    assert shown.out == ""
    assert begin == "0/3 runs, 0/8 epochs"
    assert [line.partition(";")[0] for line in ends] == [
        f"real, seed 0: finished, validation {validation['real']:.1%}",
        f"degree, seed 0: finished, validation {validation['degree']:.1%}",
        "quiet, seed 0: failed: the loss is not finite",
    ]
    words = f"2/3 runs, 1 failed, 8/8 epochs, best {validation[best]:.1%} {best}, seed 0, 0:00:00 left"
    assert ends[-1].partition("; ")[2] == words
    assert not list(folder.glob("runs/*/notes.txt"))


def test_where_no_run_ends_for_minutes_a_line_tells_how_far_all_are(
    few_faces: Dataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    tasks = prepare(PLAN, spec=twelve_cells("feedforward"), data=few_faces, out=tmp_path).tasks
    now = [1000.0]
    monkeypatch.setattr("time.monotonic", lambda: now[0])
    watch = Watch(tasks)
    record = {"validation_accuracy": 0.25, "seconds": 150.0}
    tasks[0].run.mkdir(parents=True)
    (tasks[0].run / "run.json").write_text('{"status": "running"}')
    (tasks[0].run / "metrics.jsonl").write_text(f"{json.dumps(record)}\n" * 2)
    now[0] += 100
    watch.show()
    assert capsys.readouterr().err == ""
    now[0] += 100
    watch.show()
    watch.show()
    assert capsys.readouterr().err == "0/6 runs, 2/16 epochs, best 25.0% real, seed 0, 0:23:20 left\n"


@pytest.mark.parametrize("stop_at", [2, 7])
def test_ctrl_c_says_how_to_go_on(
    stop_at: int, whole: Path, few_faces: Dataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    left, keep = stop_at, Training.keep

    def interrupt(*arguments: Any) -> None:
        nonlocal left
        keep(*arguments)
        left -= 1
        if not left:
            raise KeyboardInterrupt

    monkeypatch.setattr(Training, "keep", interrupt)
    with pytest.raises(KeyboardInterrupt) as stop:
        small(few_faces, tmp_path / "x")
    assert "give the same command again" in stop.value.__notes__[-1]
    status = [run["status"] for run in record_of(tmp_path / "x")["runs"]]
    assert status.count("running") == 1
    assert "waiting" in status
    monkeypatch.undo()
    assert contents(small(few_faces, tmp_path / "x")) == contents(whole)


CHILD = """
import sys
sys.path[:0] = sys.argv[2:4]
from columns import twelve_cells
from small_experiment import PLAN
from connectome2net.experiment.run import run_experiment
from connectome2net.tasks.faces import faces
if __name__ == "__main__":
    data = faces(train=84, validation=28, test=42, size=12)
    jobs, epochs = (int(word) or None for word in sys.argv[4:])
    run_experiment(PLAN, spec=twelve_cells("feedforward"), data=data, out=sys.argv[1], jobs=jobs, epochs=epochs)
"""


def start(folder: Path, script: Path, *, jobs: int, epochs: int = 0) -> subprocess.Popen[bytes]:
    script.write_text(CHILD)
    here = Path(__file__).parent
    command = [sys.executable, str(script), str(folder), str(here), str(here.parent), str(jobs), str(epochs)]
    environment = os.environ | {"OMP_NUM_THREADS": "1"}
    return subprocess.Popen(command, env=environment, start_new_session=True, stderr=subprocess.DEVNULL)


def wait_for_lines(child: subprocess.Popen[bytes], folder: Path, count: int) -> None:
    """Wait until runs have finished some epochs."""
    for _ in range(6000):
        lines = [line for path in folder.glob("runs/*/metrics.jsonl") for line in path.read_text().splitlines()]
        if len(lines) >= count or child.poll() is not None:
            return
        time.sleep(0.01)
    raise AssertionError("nothing has begun")


def test_a_killed_experiment_goes_on_with_the_same_bits(whole: Path, few_faces: Dataset, tmp_path: Path) -> None:
    folder = tmp_path / "x"
    child = start(folder, tmp_path / "child.py", jobs=1)
    wait_for_lines(child, folder, 5)
    os.killpg(child.pid, signal.SIGKILL)
    assert child.wait() == -signal.SIGKILL
    finished = {path: path.stat().st_mtime_ns for path in folder.glob("runs/*/evaluation.json")}
    assert len(finished) < 6
    assert contents(small(few_faces, folder)) == contents(whole)
    assert {path: path.stat().st_mtime_ns for path in finished} == finished


def test_processes_of_a_killed_experiment_end(tmp_path: Path) -> None:
    """Their runs would take hours."""
    child = start(tmp_path / "x", tmp_path / "child.py", jobs=2, epochs=100_000)
    try:
        wait_for_lines(child, tmp_path / "x", 4)
        assert len(living(child.pid)) >= 3
        child.kill()
        child.wait()
        end = time.monotonic() + 20
        while left := living(child.pid):
            assert time.monotonic() < end, left
            time.sleep(0.1)
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(child.pid, signal.SIGKILL)


def living(group: int) -> list[int]:
    """The processes of a group that live."""
    found = subprocess.run(["ps", "-eo", "pid=,pgid=,stat="], capture_output=True, text=True, check=True).stdout
    rows = [line.split() for line in found.splitlines()]
    return [int(pid) for pid, of, state in rows if int(of) == group and not state.startswith("Z")]


@pytest.mark.slow
@pytest.mark.parametrize("stop", [signal.SIGKILL, signal.SIGINT])
def test_processes_that_are_left_behind_do_no_harm(
    stop: signal.Signals, whole: Path, few_faces: Dataset, tmp_path: Path
) -> None:
    folder = tmp_path / "x"
    child = start(folder, tmp_path / "child.py", jobs=2)
    wait_for_lines(child, folder, 3)
    os.kill(child.pid, stop)  # the parent alone
    assert child.wait() != 0
    assert contents(small(few_faces, folder)) == contents(whole)


@pytest.mark.slow
def test_runs_in_several_processes_are_the_same(whole: Path, few_faces: Dataset, tmp_path: Path) -> None:
    plan = PLAN | {"seeds": [0]}
    folder = run_experiment(plan, spec=twelve_cells("feedforward"), data=few_faces, out=tmp_path / "x", jobs=2)
    found = contents(folder)
    assert found
    assert found.items() <= contents(whole).items()


def test_a_dask_cluster_makes_the_same_runs(whole: Path, few_faces: Dataset, tmp_path: Path) -> None:
    plan = PLAN | {"seeds": [1]}
    spec, out = twelve_cells("feedforward"), tmp_path / "x"
    found = contents(run_experiment(plan, spec=spec, data=few_faces, out=out, jobs=2, dask="local"))
    assert len([name for name in found if name.endswith("evaluation.json")]) == 3
    assert found.items() <= contents(whole).items()


def test_there_is_no_cluster(few_faces: Dataset, tmp_path: Path) -> None:
    with pytest.raises(ExperimentError, match=r"no Dask cluster(.|\n)*tcp://"):
        small(few_faces, tmp_path / "x", dask="nonsense://")


def test_what_follows_is_of_the_plan_at_any_moment(
    few_faces: Dataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A page that is made while runs go on, or after a kill, must not show validation numbers as those of test."""
    folder = small(few_faces, tmp_path / "x", plan=PLAN | {"part": "validation", "seeds": 1})
    found: list[dict[str, Any]] = []

    def look(*_: Any, **__: Any) -> Iterator[str]:
        found.append(json.loads((folder / "results.json").read_text()))
        yield from ()

    monkeypatch.setattr(run_module, "_in_parallel", look)
    small(few_faces, folder, plan=PLAN | {"part": "test", "seeds": 1})
    assert found[0]["part"] == "test"
    assert [item["n"] for item in found[0]["comparisons"]] == [0, 0]
    assert found[0]["conclusion"][0] == "This experiment is not finished: 3 runs to come."


@pytest.mark.parametrize(
    "other", [{"status": "interrupted"}, {"best_epoch": 99}, {"trained_on_these_data": False}], ids=str
)
def test_an_evaluation_of_something_else_counts_for_nothing(other: dict[str, Any], whole: Path, tmp_path: Path) -> None:
    """Somebody looked at a run before its end, or with other images."""
    run = tmp_path / "run"
    shutil.copytree(whole / record_of(whole)["runs"][0]["folder"], run)
    assert is_evaluated(run, part="test")
    path = run / "evaluation.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | other))
    assert not is_evaluated(run, part="test")
    assert state_of(run, part="test").status == "running"


def test_a_damaged_run_keeps_no_other_from_being_made(whole: Path, few_faces: Dataset, tmp_path: Path) -> None:
    folder = tmp_path / "x"
    shutil.copytree(whole, folder)
    (folder / record_of(whole)["runs"][0]["folder"] / "predictions.parquet").unlink()
    with pytest.raises(ExperimentError, match="predictions cannot be read"):
        small(few_faces, folder, plan=PLAN | {"seeds": 3})
    assert [run["status"] for run in record_of(folder)["runs"]] == ["finished"] * 9


def test_an_optional_variant_is_left_out_and_told(few_faces: Dataset, tmp_path: Path) -> None:
    real, *_ = PLAN["variant"]
    signs = {"name": "signs", "null": "signs", "optional": True}
    ridge = {"name": "ridge", "set": {"learning.ridge": [1.0]}, "optional": True}
    plan = PLAN | {"seeds": 1, "variant": [real, signs, ridge]}
    folder = small(few_faces, tmp_path / "x", plan=plan)  # a network with free signs
    assert record_of(folder)["left_out"] == {
        "ridge": "there is no such place in the network",
        "signs": "there are no signs to permute",
    }
    assert [item["name"] for item in record_of(folder)["variants"]] == ["real"]
    with pytest.raises(ExperimentError, match=r"'signs' cannot be made(.|\n)*no signs to permute"):
        prepare(plan | {"reference": "signs"}, spec=twelve_cells("feedforward"), data=few_faces)


def test_one_process_in_a_folder(few_faces: Dataset, tmp_path: Path) -> None:
    (tmp_path / ".locks").mkdir()
    with FileLock(tmp_path / ".locks" / "experiment"), pytest.raises(ExperimentError, match="another process works"):
        small(few_faces, tmp_path)


def test_a_folder_of_something_else_is_left_alone(few_faces: Dataset, tmp_path: Path) -> None:
    (tmp_path / "letter.txt").write_text("dear")
    with pytest.raises(ExperimentError, match=r"something else lies here(.|\n)*--out"):
        small(few_faces, tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["letter.txt"]


def test_tuning_touches_no_test_image(few_faces: Dataset, tmp_path: Path) -> None:
    class Forbidden:
        def __len__(self) -> int:
            return 42

    hidden = replace(few_faces, test=Forbidden())
    plan = PLAN | {"part": "validation", "seeds": 1}
    folder = small(hidden, tmp_path / "x", plan=plan)
    assert [run["error"] for run in record_of(folder)["runs"]] == [None] * 3
    run = record_of(folder)["runs"][0]["folder"]
    found = json.loads((folder / run / "validation.json").read_text())
    assert found["validation"]["accuracy"] == json.loads((folder / run / "run.json").read_text())["validation_accuracy"]


def test_a_bad_variant_fails_before_anything_is_written(few_faces: Dataset, tmp_path: Path) -> None:
    plan = PLAN | {"variant": [*PLAN["variant"], {"name": "odd", "without": ["nose"]}]}
    with pytest.raises(ExperimentError, match=r"variant 'odd': nose(.|\n)*did you mean noise"):
        small(few_faces, tmp_path / "x", plan=plan)
    assert not (tmp_path / "x").exists()


def test_several_specs_multiply_the_variants(few_faces: Dataset, tmp_path: Path) -> None:
    write_spec(twelve_cells("feedforward"), tmp_path / "spec")
    specs = [tmp_path / "spec", twelve_cells("pairs", front_end={"height": 12, "width": 12, "blocks": []})]
    first, second, third = PLAN["variant"]
    plan = PLAN | {"variant": [first, second, third | {"gap_to": second["name"]}]}
    found = [item.change for item in prepare(plan, spec=specs, data=few_faces, out=tmp_path / "x").variants]
    assert [change.name for change in found if change.reference == change.name] == [
        "twelve_cells_feedforward: real",
        "twelve_cells_pairs: real",
    ]
    assert [change.gap_to for change in found if change.gap_to] == [
        f"twelve_cells_{name}: {second['name']}" for name in ("feedforward", "pairs")
    ]
    assert len({change.name for change in found}) == 6
    mixed = PLAN | {"variant": [first, second | {"factors": {"mask": False}}, third]}
    with pytest.raises(ExperimentError, match=r"effects of factors are those in one spec(.|\n)*2 specs"):
        prepare(mixed, spec=specs, data=few_faces)


def test_a_spec_that_does_not_fit_the_plan(few_faces: Dataset, tmp_path: Path) -> None:
    with pytest.raises(ExperimentError, match=r"about another network(.|\n)*feedforward(.|\n)*--network bionic"):
        small(few_faces, tmp_path / "x", plan=PLAN | {"needs": "bionic"})
    with pytest.raises(ExperimentError, match=r"no spec here(.|\n)*c2n extract --column v1 --network column"):
        prepare(PLAN, spec=tmp_path / "spec.json", data=few_faces)
    with pytest.raises(ExperimentError, match=r"no spec here(.|\n)*extract\(open_source\('synthetic'\)\)"):
        prepare(PLAN, spec="synthetic", data=few_faces)


def test_the_time_that_is_left(whole: Path, few_faces: Dataset, tmp_path: Path) -> None:
    spec = twelve_cells("feedforward")
    assert estimate(prepare(PLAN, spec=spec, data=few_faces, out=whole)) == "nothing is left to train"
    fresh = estimate(prepare(PLAN, spec=spec, data=few_faces, out=tmp_path), jobs=1)
    assert fresh.startswith("about 1 minute with --jobs 1: 16 epochs of ")
    assert "6 steps of the reference" in fresh
    more = estimate(prepare(PLAN | {"seeds": 3}, spec=spec, data=few_faces, out=whole), jobs=1)
    assert ": 8 epochs of " in more
    assert "as in the epochs that are finished" in more


def test_the_time_is_that_of_training_itself(
    few_faces: Dataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With its augmentation, its precision and its optimiser; the first steps, which are slower, do not count."""
    said: list[Any] = []
    augment = Augmentation.__call__
    monkeypatch.setattr(
        Augmentation, "__call__", lambda self, images: said.append(len(images)) or augment(self, images)
    )
    monkeypatch.setattr(training_module, "set_precision", lambda _, precision: said.append(precision))
    plan = PLAN | {"train": PLAN["train"] | {"precision": "bf16"}}
    estimate(prepare(plan, spec=twelve_cells("feedforward"), data=few_faces, out=tmp_path), jobs=1)
    assert said == ["bf16"] + [PLAN["train"]["batch"]] * 9


def test_the_labels_of_the_plan_reach_the_images(tmp_path: Path) -> None:
    """Drawn faces have no votes of FER+: whoever opens the images with the plan's labels says so."""
    plan = PLAN | {"train": PLAN["train"] | {"labels": "ferplus"}}
    with pytest.raises(DataError, match=r"FER\+ has opinions of FER-2013 alone"):
        prepare(plan, spec=twelve_cells("feedforward"), data="synthetic", out=tmp_path / "out")
    task = prepare(PLAN, spec=twelve_cells("feedforward"), data="synthetic", out=tmp_path / "out").tasks[0]
    config = task.config.model_copy(update={"labels": "ferplus"})
    with pytest.raises(DataError, match=r"FER\+ has opinions of FER-2013 alone"):
        work._images(replace(task, config=config))
