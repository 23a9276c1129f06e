"""The command line as a user types it: the bare commands chain in one folder, and errors say the way out."""

import contextlib
import io
import json
import os
import re
import shutil
import subprocess
import sys
import warnings
from pathlib import Path

import click
import pytest
from click.testing import CliRunner
from columns import twelve_cells
from PIL import Image

from connectome2net.cli import c2n, main
from connectome2net.spec import write_spec
from connectome2net.tasks.faces import faces


def run(*words: str, folder: Path, process: bool = False, **environment: str) -> subprocess.CompletedProcess[str]:
    """What ``c2n`` answers in a folder: in a process of its own, or, much quicker, as that process would."""
    clean = {key: value for key, value in os.environ.items() if not key.startswith(("C2N_", "CAVE_"))}
    variables = clean | {"OMP_NUM_THREADS": "1", "COLUMNS": "200"} | environment
    if process:
        command = [sys.executable, "-c", "from connectome2net.cli import main; main()", *words]
        return subprocess.run(command, cwd=folder, env=variables, capture_output=True, text=True, timeout=300)
    out, err, code = io.StringIO(), io.StringIO(), 0
    with pytest.MonkeyPatch.context() as patch, warnings.catch_warnings():
        warnings.simplefilter("default")
        patch.setattr(warnings, "formatwarning", warnings.formatwarning)
        patch.setattr(os, "environ", variables)
        patch.setattr(sys, "argv", ["c2n", *words])
        patch.chdir(folder)
        with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
            try:
                main()
            except SystemExit as leave:
                code = leave.code
    return subprocess.CompletedProcess(words, code, out.getvalue(), err.getvalue())


@pytest.fixture(scope="module")
def images(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with train/ and test/ of seven class folders, four and two drawn faces in each."""
    folder = tmp_path_factory.mktemp("images")
    data = faces(train=56, validation=7, test=14)
    for part, content in (("train", data.train), ("test", data.test)):
        for at, (image, label) in enumerate(zip(content.image_NHW, content.label_N, strict=True)):
            target = folder / part / data.classes[label]
            target.mkdir(parents=True, exist_ok=True)
            Image.fromarray(image).save(target / f"{at}.png")
    return folder


@pytest.fixture(scope="module")
def chain(tmp_path_factory: pytest.TempPathFactory, images: Path) -> dict[str, subprocess.CompletedProcess[str]]:
    """What each command of the chain answers, in one folder, each found by the next without a path."""
    folder = tmp_path_factory.mktemp("chain")
    answers = {"folder": folder}
    for name, *words in (
        ("extract", "extract", "--column", "v1", "--cells", "300"),
        ("again", "extract", "--column", "v1", "--cells", "300"),
        ("other", "extract", "--column", "v1", "--cells", "300", "--network", "bionic"),
        ("inspect", "inspect", "--json"),
        ("look", "inspect"),
        ("validate", "validate"),
        ("compile", "compile"),
        ("train", "train", "--data", str(images), "--epochs", "1"),
        ("evaluate", "evaluate", "--json"),
        ("report", "evaluate", "runs/001"),
    ):
        process = name in ("extract", "evaluate")
        answers[name] = run(*words, folder=folder, process=process, C2N_SOURCE="synthetic")
    return answers


def test_extract_writes_three_files_and_says_synthetic(chain: dict) -> None:
    assert chain["extract"].returncode == 0, chain["extract"].stderr
    assert {path.name for path in chain["folder"].iterdir()} >= {"spec.json", "cells.parquet", "edges.parquet"}
    assert "SYNTHETIC" in chain["extract"].stdout
    assert "300 cells" in chain["extract"].stdout


def test_extract_does_not_write_over_another_spec(chain: dict) -> None:
    assert chain["again"].returncode == 0
    assert chain["other"].returncode == 1
    assert re.search(r"another spec lies here(.|\n)*--force", chain["other"].stderr)


def test_inspect_counts(chain: dict) -> None:
    found = json.loads(chain["inspect"].stdout)
    assert found["cells"] == 300 == found["excitatory"] + found["inhibitory"]
    assert sum(found["laminae"].values()) == sum(found["cell_types"].values()) == 300
    assert sum(found["populations"].values()) == 300
    assert found["outside"] == {}
    assert sum(row["edges"] for row in found["projections"]) == found["edges"] == found["edges_used"]
    assert sum(row["synapses"] for row in found["projections"]) == found["synapses"]
    assert {row["sign"] for row in found["projections"]} == {"excitatory", "inhibitory"}
    assert found["parameters"]["W_recurrent"] == found["edges"]
    assert found["synthetic"] is True
    assert "SYNTHETIC" in chain["look"].stdout
    assert f"{found['edges']:,} edges" in chain["look"].stdout


def test_validate_compile_train_evaluate(chain: dict) -> None:
    assert (chain["validate"].returncode, chain["validate"].stdout.strip()) == (0, "spec.json is valid")
    assert chain["compile"].stdout.split() == ["compiled/model.py", "weights.safetensors", "program.json"]
    assert chain["train"].returncode == 0, chain["train"].stderr
    assert "runs/001: validation accuracy" in chain["train"].stdout
    assert "0 violations in" in chain["train"].stdout
    title, epoch = chain["train"].stderr.splitlines()  # plain lines where no terminal watches
    assert title.startswith("runs/001: column on images")
    assert re.fullmatch(
        r"epoch 1/1: loss \d\.\d{3}, accuracy [\d.]+%, validation [\d.]+%, [\d,]+ images/s, 0:00:00 left", epoch
    )
    result = json.loads(chain["evaluate"].stdout)
    assert result["test"]["images"] == 14
    assert len(result["test"]["confusion"]) == 7
    assert result["audit"]["dale"]["violations"] == 0
    assert f"{result['test']['accuracy']:.2%}" in chain["report"].stdout
    assert "Dale's law: 0 violations" in chain["report"].stdout


def test_resume_of_a_finished_run_does_nothing_and_options_that_would_be_ignored_are_refused(chain: dict) -> None:
    folder = chain["folder"]
    before = (folder / "runs/001/metrics.jsonl").read_text()
    again = run("train", "--resume", "runs/001", folder=folder)
    assert again.returncode == 0
    assert "note: runs/001 was finished already; nothing is left to train\n" in again.stderr
    assert (folder / "runs/001/metrics.jsonl").read_text() == before
    refused = run("train", "--data", "synthetic", "--backend", "fast", folder=folder)
    assert refused.returncode == 1
    assert "wanted: program, auto, native, csr, gather, dense" in refused.stderr
    assert not (folder / "runs" / "002").exists()
    refused = run("train", "--resume", "runs/001", "--backend", "csr", folder=folder)
    assert refused.returncode == 2
    refused = run("train", "--resume", "runs/001", "--epochs", "3", folder=folder)
    assert refused.returncode == 2
    assert "leave out --epochs" in refused.stderr


def test_errors_of_the_data_end_with_1_and_say_the_way_out(tmp_path: Path) -> None:
    for words, message in (
        (("extract",), r"(?i)no source is named(.|\n)*--source synthetic"),
        (("extract", "--source", "synthetic", "--column", "v2"), "v1"),
        (("extract", "--source", "synthetic", "--network", "x"), "bionic, column, column_deep, laminae, types"),
        (("inspect",), "there is no spec here(.|\n)*c2n extract"),
        (("validate",), "there is no spec here"),
        (("compile",), "there is no spec here"),
        (("train", "--data", "synthetic"), "no compiled network here"),
        (("evaluate",), "there is no run here(.|\n)*c2n train"),
    ):
        answer = run(*words, folder=tmp_path, process=words == ("compile",))
        assert answer.returncode == 1, words
        assert re.search(message, answer.stderr), answer.stderr
        assert "Traceback" not in answer.stderr
        assert not any(tmp_path.iterdir()), words


def test_wrong_usage_ends_with_2(tmp_path: Path) -> None:
    assert run("train", "--epochs", "0", folder=tmp_path).returncode == 2
    assert run("nonsense", folder=tmp_path).returncode == 2


def test_validate_lists_every_issue_and_ends_with_1(chain: dict, tmp_path: Path) -> None:
    for name in ("spec.json", "cells.parquet", "edges.parquet"):
        (tmp_path / name).write_bytes((chain["folder"] / name).read_bytes())
    document = json.loads((tmp_path / "spec.json").read_text())
    document["network"]["input"]["population"] = "L9"
    document["network"]["readout"]["populations"] = ["nobody"]
    (tmp_path / "spec.json").write_text(json.dumps(document))
    answer = run("validate", "--json", folder=tmp_path)
    assert answer.returncode == 1
    found = json.loads(answer.stdout)
    assert not found["valid"]
    assert [item["path"] for item in found["issues"]] == [
        "/network/input/population",
        "/network/readout/populations",
    ]
    assert "2 issues" in run("validate", folder=tmp_path).stdout


def test_a_compiled_network_beside_another_spec_is_not_trained(chain: dict, images: Path, tmp_path: Path) -> None:
    for name in ("spec.json", "cells.parquet", "edges.parquet"):
        (tmp_path / name).write_bytes((chain["folder"] / name).read_bytes())
    text = (tmp_path / "spec.json").read_text()
    assert run("compile", folder=tmp_path).returncode == 0
    (tmp_path / "spec.json").write_text(text.replace('"leak": 0.5', '"leak": 0.6'))
    answer = run("train", "--data", str(images), "--epochs", "1", folder=tmp_path)
    assert answer.returncode == 1
    assert re.search(r"made from another spec(.|\n)*c2n compile", answer.stderr)
    assert not (tmp_path / "runs").exists()


def test_compile_says_what_became_of_a_network_that_lay_there(tmp_path: Path) -> None:
    for name, network in (("one", "column"), ("other", "pairs")):
        write_spec(twelve_cells(network), tmp_path / name)
    answers = [run("compile", name, folder=tmp_path).stderr.splitlines() for name in ("one", "one", "other")]
    assert answers == [
        [],
        ["note: the same compiled network lay there already; nothing has changed: compiled/program.json"],
        ["note: another compiled network was written over: compiled/program.json"],
    ]
    with (tmp_path / "compiled" / "model.py").open("a") as file:
        file.write("# mine")
    assert "--force" in run("compile", "other", folder=tmp_path).stderr
    forced = run("compile", "other", "--force", folder=tmp_path).stderr
    assert forced == "note: another compiled network was written over: compiled/program.json\n"


def test_the_model_to_be_stands_for_its_folder(tmp_path: Path) -> None:
    write_spec(twelve_cells(), tmp_path)
    for reference in ((), ("--reference", "linear")):
        answer = run("compile", "--out", "x/model.py", *reference, folder=tmp_path)
        assert answer.stdout == "x/model.py  weights.safetensors  program.json\n"
        assert (tmp_path / "x" / "model.py").is_file()
    assert answer.stderr == "note: another compiled network was written over: x/program.json\n"


def test_the_demo_does_not_write_over_a_spec(chain: dict) -> None:
    before = (chain["folder"] / "spec.json").read_bytes()
    answer = run("demo", "--out", ".", folder=chain["folder"])
    assert answer.returncode == 1
    assert "another spec lies here" in answer.stderr
    assert (chain["folder"] / "spec.json").read_bytes() == before


def test_a_place_that_cannot_be_written_is_an_error_and_no_traceback(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    answer = run("extract", "--source", "synthetic", "--cells", "200", "--out", "file/in", folder=tmp_path)
    assert answer.returncode == 1
    assert "Error: " in answer.stderr
    assert "Traceback" not in answer.stderr


@pytest.mark.parametrize("name", sorted(c2n.commands))
def test_every_command_and_option_has_words(name: str) -> None:
    command = c2n.commands[name]
    assert command.help
    for option in command.params:
        if isinstance(option, click.Option):
            assert option.help, option.name
    answer = CliRunner().invoke(c2n, [name, "--help"])
    assert answer.exit_code == 0


@pytest.mark.slow
def test_demo_reaches_its_goal(tmp_path: Path) -> None:
    answer = run("demo", folder=tmp_path, process=True, OMP_NUM_THREADS="2")
    assert answer.returncode == 0, answer.stderr
    result = json.loads((tmp_path / "c2n-demo/runs/001/evaluation.json").read_text())
    assert result["test"]["accuracy"] >= 0.6
    assert f"{result['test']['accuracy']:.1%} of 1,400 new faces" in answer.stdout


def test_a_rule_that_nothing_names_is_told(tmp_path: Path) -> None:
    rules = {"spare": {"rule": "oja", "rate": 0.1}, "off": None}
    write_spec(twelve_cells("column", plasticity=rules), tmp_path)
    done = run("compile", folder=tmp_path)
    assert done.returncode == 0
    assert done.stderr.splitlines() == [
        "note: rule spare changes nothing: name it under plasticity of a projection or a population"
    ]


def test_what_would_be_ignored_or_is_something_else_is_said(chain: dict) -> None:
    folder = chain["folder"]
    for words, message in (
        (("train", "compiled", "--resume", "runs/001"), "leave out compiled"),
        (("train", "runs/001"), "this is a run(.|\n)*c2n train --resume runs/001"),
        (("inspect", "spec.json", "--trust"), "--trust is for compiled networks and runs"),
        (("report", "runs/001", "-o", "page"), r"a page is HTML(.|\n)*name it page.html"),
    ):
        answer = run(*words, folder=folder)
        assert answer.returncode in (1, 2)
        assert re.search(message, answer.stderr), answer.stderr
    assert not (folder / "page").exists()


def test_a_broken_spec_beside_a_compiled_network_is_told_as_such(chain: dict, images: Path, tmp_path: Path) -> None:
    shutil.copytree(chain["folder"] / "compiled", tmp_path / "compiled")
    (tmp_path / "spec.json").write_text("{")
    answer = run("train", "--data", str(images), folder=tmp_path)
    assert answer.returncode == 1
    assert "another spec" not in answer.stderr
    assert "spec.json" in answer.stderr


def test_an_export_lies_beside_its_source_whatever_that_is_called(chain: dict, tmp_path: Path) -> None:
    shutil.copytree(chain["folder"], tmp_path / "lr0.01", ignore=shutil.ignore_patterns("runs", "compiled"))
    for source, name in (("lr0.01/spec.json", "lr0.01/spec.graphml"), ("lr0.01", "lr0.01.graphml")):
        answer = run("export", source, "--to", "graphml", folder=tmp_path)
        assert answer.returncode == 0, answer.stderr
        assert (tmp_path / name).is_file()
