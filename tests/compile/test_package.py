"""The compiled folder: equal specs give equal bytes, nothing of the machine is in it, nothing else is overwritten."""

from __future__ import annotations

import getpass
import json
import os
import socket
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from columns import twelve_cells
from safetensors.numpy import load_file

from connectome2net import compile_spec, write_spec
from connectome2net.compile.lower import lower
from connectome2net.compile.reference import compile_reference
from connectome2net.errors import CompileError, SpecError
from connectome2net.spec.digest import digest_bytes

PARTS = ["model.py", "program.json", "weights.safetensors"]


def contents(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in sorted(folder.iterdir())}


def reordered(data: Any) -> Any:
    """The same JSON with the keys of every object the other way round."""
    if isinstance(data, dict):
        return {key: reordered(data[key]) for key in reversed(data)}
    return [reordered(item) for item in data] if isinstance(data, list) else data


def test_equal_specs_give_equal_bytes(tmp_path: Path) -> None:
    """In processes that order sets differently, and from a spec.json whose keys stand in another order."""
    networks = ["column", "feedforward", "pairs"]
    for network in networks:
        path = write_spec(twelve_cells(network), tmp_path / "first" / network)
        other = tmp_path / "other" / network
        other.mkdir(parents=True)
        for name in ("cells.parquet", "edges.parquet"):
            (other / name).write_bytes((path.parent / name).read_bytes())
        (other / "spec.json").write_text(json.dumps(reordered(json.loads(path.read_text()))))
    code = (
        "import sys, connectome2net\n"
        "for name in sys.argv[3:]:\n"
        "    connectome2net.compile_spec(f'{sys.argv[1]}/{name}/spec.json', out=f'{sys.argv[2]}/{name}')"
    )
    for seed, source in (("0", "first"), ("1", "first"), ("2", "other")):
        environment = os.environ | {"PYTHONHASHSEED": seed}
        (tmp_path / f"out{seed}").mkdir()
        command = [sys.executable, "-c", code, str(tmp_path / source), str(tmp_path / f"out{seed}"), *networks]
        subprocess.run(command, check=True, env=environment)
    for network in networks:
        first = contents(tmp_path / "out0" / network)
        assert list(first) == PARTS
        assert contents(tmp_path / "out1" / network) == first
        assert contents(tmp_path / "out2" / network) == first
        assert contents(compile_spec(twelve_cells(network), out=tmp_path / "here" / network)) == first


def test_nothing_of_the_machine_is_in_the_folder(tmp_path: Path) -> None:
    folder = compile_spec(twelve_cells("pairs"), out=tmp_path / "compiled")
    text = b"".join(contents(folder).values()).decode("utf-8", "replace")
    machine = {str(tmp_path), str(Path.home()), str(Path.cwd()), socket.gethostname(), getpass.getuser()}
    for word in {item for item in machine if len(item) > 4}:
        assert word not in text


def test_weights_hold_the_arrays_of_the_program(tmp_path: Path) -> None:
    program, arrays = lower(twelve_cells("pairs"))
    folder = compile_spec(twelve_cells("pairs"), out=tmp_path / "compiled")
    stored = load_file(folder / "weights.safetensors")
    assert stored.keys() == arrays.keys() == program.arrays.keys()
    for name, array in arrays.items():
        assert (stored[name] == array).all()
        assert (str(array.dtype), array.shape) == (program.arrays[name].dtype, program.arrays[name].shape)
    written = json.loads((folder / "program.json").read_text())
    assert written["weights_sha256"] == digest_bytes((folder / "weights.safetensors").read_bytes())
    assert written | {"weights_sha256": ""} == program.model_dump(mode="json")


def test_compiling_again_replaces_the_folder(tmp_path: Path) -> None:
    folder = compile_spec(twelve_cells("column"), out=tmp_path / "compiled")
    compile_spec(twelve_cells("pairs"), out=folder)
    assert contents(folder) == contents(compile_spec(twelve_cells("pairs"), out=tmp_path / "other"))


@pytest.mark.parametrize("kind", ["file", "folder"])
def test_something_else_is_not_overwritten(kind: str, tmp_path: Path) -> None:
    out = tmp_path / "thesis"
    if kind == "file":
        out.write_text("ten years of work")
    else:
        out.mkdir()
        (out / "model.py").write_text("ten years of work")
    with pytest.raises(CompileError, match=r"(?s)something else lies here.*thesis.*choose another folder with --out"):
        compile_spec(twelve_cells(), out=out)
    assert (out if kind == "file" else out / "model.py").read_text() == "ten years of work"


def test_an_invalid_spec_leaves_nothing(tmp_path: Path) -> None:
    path = write_spec(twelve_cells(), tmp_path)
    path.write_text(path.read_text().replace('"L4E"', '"nobody"', 1))
    with pytest.raises(SpecError, match="is not valid"):
        compile_spec(path, out=tmp_path / "compiled")
    assert not (tmp_path / "compiled").exists()


@pytest.mark.parametrize("reference", [None, "linear"])
def test_a_model_that_was_changed_by_hand_is_not_written_over(reference: str | None, tmp_path: Path) -> None:
    def build(**how: bool) -> None:
        if reference is None:
            compile_spec(twelve_cells(), out=tmp_path, **how)
        else:
            compile_reference(twelve_cells(), reference, out=tmp_path, **how)

    build()
    build()
    model = tmp_path / "model.py"
    text = model.read_text()
    model.write_text(f"{text}# mine\n")
    with pytest.raises(CompileError, match=r"not what the compiler writes\n  where:  .*model.py\n(.|\n)*--force"):
        build()
    assert model.read_text() == f"{text}# mine\n"
    build(force=True)
    assert model.read_text() == text


def test_a_compilation_that_was_stopped_is_no_obstacle(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = compile_spec(twelve_cells(), out=tmp_path / "whole")
    write, out = Path.write_bytes, tmp_path / "out"

    def full(path: Path, content: bytes) -> int:
        if "weights" in path.name:
            raise OSError("no space left on device")
        return write(path, content)

    monkeypatch.setattr(Path, "write_bytes", full)
    with pytest.raises(OSError, match="no space"):
        compile_spec(twelve_cells(), out=out)
    monkeypatch.undo()
    assert not list(out.iterdir())
    (out / ".model.py.part").write_text("half")  # kill -9, before the renames
    assert contents(compile_spec(twelve_cells(), out=out)) == contents(whole)
    (out / "program.json").rename(out / ".program.json.part")  # between them, in a new folder
    assert contents(compile_spec(twelve_cells(), out=out)) == contents(whole)
    (out / ".program.json.part").write_text("{")  # between them, in an old one: model.py is new, program.json is not
    (out / "model.py").write_text("new")
    assert contents(compile_spec(twelve_cells(), out=out)) == contents(whole)


def test_a_model_beside_a_damaged_program_may_be_somebodys(tmp_path: Path) -> None:
    compile_spec(twelve_cells(), out=tmp_path)
    (tmp_path / "program.json").write_text("{")
    with pytest.raises(CompileError, match="not what the compiler writes"):
        compile_spec(twelve_cells(), out=tmp_path)
