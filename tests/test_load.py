"""Loading: what is drawn from a seed, what is refused, and that no foreign code ever runs."""

from __future__ import annotations

import contextlib
import inspect
import json
import pickle
import shutil
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from columns import twelve_cells
from safetensors.torch import load_file, save_file

import connectome2net as c2n
from connectome2net.compile.emit import emit
from connectome2net.compile.lower import lower
from connectome2net.compile.package import program_text
from connectome2net.compile.program import Program
from connectome2net.errors import C2NError, LoadError
from connectome2net.spec.digest import digest_bytes


@pytest.fixture(scope="module")
def pristine(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return c2n.compile_spec(twelve_cells("pairs"), out=tmp_path_factory.mktemp("pristine") / "compiled")


@pytest.fixture
def folder(pristine: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(pristine, tmp_path / "compiled"))


def parameters(model: torch.nn.Module) -> dict[str, torch.Tensor]:
    return {name: value.detach().clone() for name, value in model.named_parameters()}


def same(first: dict[str, torch.Tensor], second: dict[str, torch.Tensor]) -> bool:
    return first.keys() == second.keys() and all(first[name].equal(second[name]) for name in first)


def image(count: int = 3) -> torch.Tensor:
    return torch.rand(count, 1, 12, 16, generator=torch.Generator().manual_seed(0))


# What is drawn


def test_a_seed_gives_everything_that_is_learned(folder: Path) -> None:
    assert same(parameters(c2n.load(folder, seed=7)), parameters(c2n.load(folder, seed=7)))
    assert not same(parameters(c2n.load(folder, seed=7)), parameters(c2n.load(folder, seed=8)))


def test_anatomy_does_not_depend_on_the_seed(folder: Path) -> None:
    assert same(dict(c2n.load(folder, seed=7).named_buffers()), dict(c2n.load(folder, seed=8).named_buffers()))


def test_the_random_state_of_others_is_left_alone(folder: Path) -> None:
    torch.manual_seed(5)
    np.random.seed(5)
    before, numpy_before = torch.get_rng_state(), np.random.get_state()[1].copy()
    c2n.load(folder, seed=1)
    assert torch.get_rng_state().equal(before)
    assert (np.random.get_state()[1] == numpy_before).all()


def test_fresh_networks_train_and_carry_their_program(folder: Path) -> None:
    model = c2n.load(folder)
    assert model.training
    assert model.program == Program.model_validate_json((folder / "program.json").read_bytes())
    assert model(image()).shape == (3, 3)


@pytest.mark.parametrize("classes", [1, 5])
def test_any_number_of_classes(folder: Path, classes: int) -> None:
    model = c2n.load(folder, classes=classes)
    assert model(image()).shape == (3, classes)


@pytest.mark.parametrize("classes", [0, -1])
def test_no_classes_are_refused(folder: Path, classes: int) -> None:
    with pytest.raises(LoadError, match=r"(?s)a network needs classes.*found:  (0|-1)"):
        c2n.load(folder, classes=classes)


def test_state_moves_between_types(folder: Path) -> None:
    single, double = c2n.load(folder, seed=1).eval(), c2n.load(folder, seed=2).double().eval()
    double.load_state_dict(single.state_dict())
    torch.testing.assert_close(double(image().double()).float(), single(image()), rtol=1e-5, atol=1e-5)
    single.load_state_dict(double.state_dict())
    assert {value.dtype for value in single.state_dict().values()} == {torch.float32}


def test_state_holds_what_is_learned_and_no_anatomy(folder: Path) -> None:
    model = c2n.load(folder)
    assert model.state_dict().keys() == dict(model.named_parameters()).keys()


def test_parameters_are_not_the_file(folder: Path) -> None:
    """A parameter over a mapped file would rewrite it."""
    before = digest_bytes((folder / "weights.safetensors").read_bytes())
    model = c2n.load(folder)
    with torch.no_grad():
        for tensor in (*model.parameters(), *model.buffers()):
            tensor.zero_()
    assert digest_bytes((folder / "weights.safetensors").read_bytes()) == before
    assert c2n.load(folder).W_E_E.anatomy_E.abs().sum() > 0


def test_modules_are_known_to_python(folder: Path) -> None:
    kind = type(c2n.load(folder))
    assert sys.modules[kind.__module__].PairsNetwork is kind
    assert "drive <- x + W rate" in inspect.getdoc(kind.forward)


# What is missing or damaged


def rewrite(folder: Path, change: Callable[[Any], Any]) -> None:
    path = folder / "program.json"
    program = json.loads(path.read_text())
    change(program)
    path.write_text(json.dumps(program))


def with_arrays(folder: Path, change: Callable[[dict[str, torch.Tensor]], Any]) -> None:
    """Change arrays and write the digest of the changed file into program.json: the work of an attacker."""
    path = folder / "weights.safetensors"
    arrays = load_file(path)
    change(arrays)
    save_file(arrays, path)
    rewrite(folder, lambda program: program.update(weights_sha256=digest_bytes(path.read_bytes())))


@pytest.mark.parametrize("name", ["model.py", "program.json", "weights.safetensors"])
def test_a_missing_file(folder: Path, name: str) -> None:
    (folder / name).unlink()
    with pytest.raises(LoadError, match=rf"(?s)no compiled network here.*no {name}.*c2n compile"):
        c2n.load(folder)


def test_no_folder(tmp_path: Path) -> None:
    with pytest.raises(LoadError, match="no compiled network here"):
        c2n.load(tmp_path / "nothing")


@pytest.mark.parametrize(
    "content",
    [b"", b"{", b"[]", b"null", b"\xff\xfe", b"[" * 100_000, b'{"format": NaN}', b'{"a": 1e999}', b"1" * 9_999],
)
def test_damaged_json(folder: Path, content: bytes) -> None:
    (folder / "program.json").write_bytes(content)
    with pytest.raises(LoadError, match=r"(?s)program.json is damaged.*compile again"):
        c2n.load(folder)


@pytest.mark.parametrize("key", ["format_version", "template"])
@pytest.mark.parametrize("version", [2, 99, 0])
def test_another_release(folder: Path, key: str, version: int) -> None:
    rewrite(folder, lambda program: program.update({key: version}))
    with pytest.raises(LoadError, match=rf"(?s)written by another release.*/{key}.*update connectome2net"):
        c2n.load(folder)


def test_weights_with_another_digest(folder: Path) -> None:
    path = folder / "weights.safetensors"
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    path.write_bytes(content)
    with pytest.raises(LoadError, match=r"(?s)weights.safetensors was changed.*found:  [0-9a-f]{64}.*compile again"):
        c2n.load(folder)


@pytest.mark.parametrize("content", [b"", b"12345678", b"\xff" * 64, b"\x80\x04K\x01."])
def test_weights_that_are_no_safetensors(folder: Path, content: bytes) -> None:
    path = folder / "weights.safetensors"
    path.write_bytes(content)
    rewrite(folder, lambda program: program.update(weights_sha256=digest_bytes(path.read_bytes())))
    with pytest.raises(LoadError, match=r"weights.safetensors is damaged"):
        c2n.load(folder)


@pytest.mark.parametrize("value", [torch.nan, torch.inf, -torch.inf])
def test_an_array_that_is_not_finite(folder: Path, value: float) -> None:
    with_arrays(folder, lambda arrays: arrays["E_E.anatomy"][2].fill_(value))
    with pytest.raises(LoadError, match=r"(?s)an array is not finite.*E_E.anatomy"):
        c2n.load(folder)


WRAPS = torch.tensor([2**31 - 1, -(2**31), -1], dtype=torch.int32)
"""Every difference of these, from 0 to the number of edges, is positive in 32 bits; they stand for 16 GB of rows."""


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda arrays: arrays.pop("E_E.anatomy"), r"an array does not fit.*E_E.anatomy.*nothing"),
        (lambda arrays: arrays.update({"E_E.anatomy": torch.ones(3)}), r"an array does not fit.*torch.float32 \(3,\)"),
        (lambda arrays: arrays.update({"E_E.anatomy": torch.ones(12).double()}), r"does not fit.*torch.float64"),
        (lambda arrays: arrays.update({"spare": torch.ones(3)}), r"an array that program.json does not name.*spare"),
        (lambda arrays: arrays["E_E.pre_index"][0].fill_(9), r"does not fit its arrays.*ends outside 9 cells"),
        (lambda arrays: arrays["E_E.order"][0].fill_(-5), r"does not fit its arrays.*no permutation"),
        (lambda arrays: arrays["E_E.sign"].fill_(0), r"does not fit its arrays.*no sign"),
        (lambda arrays: arrays["E_E.post_start"][1:4].copy_(WRAPS), r"does not fit its arrays.*do not hold 12 edges"),
        (lambda arrays: arrays["readout.unit"][0].fill_(9), r"points outside.*readout.unit.*from 0 to 8"),
        (lambda arrays: arrays["readout.unit"][0].fill_(-1), r"points outside.*readout.unit.*from 0 to 8"),
        (lambda arrays: arrays["input.place"][0].fill_(48), r"points outside.*input.place.*from 0 to 47"),
    ],
)
def test_arrays_that_do_not_fit(folder: Path, change: Callable[[Any], Any], message: str) -> None:
    with_arrays(folder, change)
    with pytest.raises(LoadError, match=f"(?s){message}"):
        c2n.load(folder)


# Foreign code


class Marker:
    """A file that foreign code would write."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.code = f"__import__('pathlib').Path({str(path)!r}).touch()"

    @property
    def written(self) -> bool:
        return self.path.exists()


@pytest.fixture
def marker(tmp_path: Path) -> Marker:
    return Marker(tmp_path / "marker")


@pytest.mark.parametrize("where", ["first", "last"])
def test_changed_model_py_is_refused_and_not_run(folder: Path, marker: Marker, where: str) -> None:
    path = folder / "model.py"
    lines = path.read_text().splitlines()
    path.write_text("\n".join([marker.code, *lines] if where == "first" else [*lines, marker.code, ""]))
    with pytest.raises(
        LoadError, match=r"(?s)model.py is not what the compiler writes.*--trust \(in Python: trust=True\)"
    ):
        c2n.load(folder)
    assert not marker.written
    c2n.load(folder, trust=True)
    assert marker.written


def test_bytes_that_python_would_read_otherwise(folder: Path, marker: Marker) -> None:
    """What is compared is what is run: a coding line in another encoding hides nothing."""
    path = folder / "model.py"
    path.write_bytes(b"# coding: utf-7\n" + f"+AAo-{marker.code}\n".encode() + path.read_bytes())
    with pytest.raises(LoadError, match="not what the compiler writes"):
        c2n.load(folder)
    assert not marker.written


def test_trusted_code_that_fails_says_where(folder: Path) -> None:
    (folder / "model.py").write_text("import torch\nraise OSError('broken')\n")
    with pytest.raises(LoadError, match=r"(?s)model.py cannot be run.*broken"):
        c2n.load(folder, trust=True)
    (folder / "model.py").write_text("import torch\n")
    with pytest.raises(LoadError, match=r"(?s)model.py has no single network.*0 classes"):
        c2n.load(folder, trust=True)


ENDS = [
    '"""',
    "'''",
    "\n",
    "\r",
    "\u2028",
    "\u2029",
    "\x85",
    "\x0c",
    "\x00",
    "\\",
    '\\"""',
    "{{ 7 * 7 }}",
    "{% raw %}",
    "\ud800",
]
PLACES = [
    "name",
    "origin/spec",
    "origin/spec_sha256",
    "origin/dataset",
    "origin/materialization",
    "origin/citation/0",
    "populations/0/name",
    "populations/0/selected",
    "groups/0/name",
    "groups/0/populations/0",
    "blocks/0/name",
    "blocks/0/projection",
    "blocks/0/pre",
    "blocks/0/post",
    "blocks/0/sign",
    "blocks/0/rules/0",
    "front_end/1/kind",
    "front_end/1/norm",
    "input/kind",
    "input/group",
    "phases/0/drives/0/group",
    "phases/0/drives/0/constant/0",
    "dynamics/arguments/norm",
    "readout/groups/0",
    "readout/populations/0",
    "rules/0/name",
    "rules/0/kind",
    "arrays/cell_index/dtype",
    "weights_sha256",
    "format",
]


def put(program: Any, place: str, value: Any) -> None:
    *way, last = place.split("/")
    for step in way:
        program = program[int(step) if isinstance(program, list) else step]
    program[int(last) if isinstance(program, list) else last] = value


def attack(folder: Path, marker: Marker, change: Callable[[Any], Any]) -> None:
    """Change program.json, write the model.py that it stands for if it stands for one, and load the folder."""
    rewrite(folder, change)
    with contextlib.suppress(ValueError):
        text = emit(Program.model_validate_json((folder / "program.json").read_bytes()))
        (folder / "model.py").write_text(text)
    with contextlib.suppress(C2NError):  # anything else is a traceback that a user would see
        c2n.load(folder)
    assert not marker.written


@pytest.mark.parametrize("place", PLACES)
def test_no_word_of_a_program_is_ever_run(pristine: Path, tmp_path: Path, marker: Marker, place: str) -> None:
    """The digest of the spec once stood in the docstring of model.py as it was: three quotes ended it."""
    for at, end in enumerate(ENDS):
        for payload in (
            f"x{end}\n{marker.code}\n{end}",
            f"x{end};{marker.code};{end}",
            f"{end}{marker.code}{end}",
            f"x{end};{marker.code}#",
            f"x(\n{marker.code})",
            f'"+{marker.code}+"',
        ):
            folder = Path(shutil.copytree(pristine, tmp_path / f"{at}", dirs_exist_ok=True))
            attack(folder, marker, lambda program, payload=payload: put(program, place, payload))


@pytest.mark.parametrize("place", ["front_end/1", "input", "rules/0/arguments"])
def test_no_key_or_value_of_arguments_is_ever_run(pristine: Path, tmp_path: Path, marker: Marker, place: str) -> None:
    code = marker.code
    attacks: list[dict[str, Any]] = [{f"a=1, b={code}, c": 1}, {f"**{{{code}: 1}}": 1}, {"lambda": 1}, {"x\n": 1}]
    attacks += [{"rate": value} for value in (code, f'"+{code}+"', [code], {code: 1}, None, True, "é", "__import__")]
    attacks += [{"self": 1}, {"__class__": 1}, {"": 1}, {"items": 1}, {"keys": "values"}]
    for at, arguments in enumerate(attacks):
        folder = Path(shutil.copytree(pristine, tmp_path / f"{at}"))
        attack(folder, marker, lambda program, arguments=arguments: put(program, place, arguments))


@pytest.mark.parametrize(
    "place", ["dynamics/arguments/leak", "dynamics/arguments/noise", "readout/dropout", "rules/0/arguments/rate"]
)
@pytest.mark.parametrize("value", ["NaN", "Infinity", "-Infinity", "1e999"])
def test_numbers_that_are_none(folder: Path, place: str, value: str) -> None:
    rewrite(folder, lambda program: put(program, place, "HERE"))
    path = folder / "program.json"
    path.write_text(path.read_text().replace('"HERE"', value))
    with pytest.raises(LoadError, match=r"program.json is damaged"):
        c2n.load(folder)


@pytest.mark.parametrize("template", ["../../../etc/passwd", "1", 1.5, -1, None, [1]])
def test_templates_are_ours(folder: Path, template: Any) -> None:
    rewrite(folder, lambda program: program.update(template=template))
    with pytest.raises(LoadError, match=r"program.json (is damaged|was written by another release)"):
        c2n.load(folder)


@pytest.mark.parametrize(
    ("place", "value", "message"),
    [
        ("blocks/0/pre", "nobody", "no group nobody"),
        ("blocks/0/rules/0", "nobody", "no rule nobody"),
        ("phases/0/drives/0/constant/0", "nobody", "no block nobody"),
        ("phases/0/drives/0/group", "nobody", "no group nobody"),
        ("readout/groups/0", "nobody", "no group nobody"),
        ("readout/populations/0", "nobody", "no population nobody"),
        ("input/group", "nobody", "no group nobody"),
        ("groups/0/populations/0", "nobody", "no population nobody"),
        ("groups/1/name", "L4E", "group L4E twice"),
        ("blocks/1/name", "L4E_E", "block L4E_E twice"),
        ("populations/1/name", "I", "population I twice"),
        ("groups/0/cells", 4, "group L4E has not the cells of its populations"),
        ("blocks/0/edges", 5, "no array L4E_E.anatomy of 5 numbers"),
        ("readout/cells", 10**9, "no array readout.unit of 1000000000 numbers"),
        ("readout/cells", 10**12, "/readout/cells: Input should be less than 2147483648"),
        ("readout/classes", 10**6, "/readout/classes: Input should be less than or equal to 65536"),
        ("readout/groups", [], "/readout/groups: Tuple should have at least 1 item"),
        ("height", 5000, "/height: Input should be less than or equal to 4096"),
        ("phases/0/steps", 10**9, "/phases/0/steps: Input should be less than or equal to 4096"),
        ("blocks/0/delay_steps", 10**9, "/blocks/0/delay_steps: Input should be less than or equal to 4096"),
        ("front_end/1/kernel", 4, "/front_end/1/Convolution/kernel: Value error, not an odd number"),
        ("dynamics/arguments/norm", 1, "/dynamics/arguments: Value error, norm is no layer or none"),
        ("dynamics/arguments/norm", "batch", "/dynamics/arguments: Value error, norm is no layer or none"),
        ("dynamics/arguments/noise", "layer", "/dynamics/arguments: Value error, noise is no number"),
        ("dynamics/arguments/noise", 1e31, "/dynamics/arguments/noise"),
        ("rules/0/arguments/rate", "layer", "/rules/0/arguments: Value error, rate is no number"),
        ("front_end/1/in_channels", 2, "layer 1 takes 2 channels and is given 1"),
        ("front_end/1/pool", 13, "layer 1 leaves nothing of the image"),
        ("input/channels", 5, "the input takes 5 channels and is given 4"),
        ("input/rows_after", 1, "the input has not the 3 rows of group L4E"),
        ("input/cells", 2, "the input has not the 3 rows of group L4E"),
        ("phases/1/drives/1/input", True, "the input drives group L4E, not E_I"),
        ("phases/0/drives/0/constant/0", "E_E", "block E_E ends in group E_I, not L4E"),
        ("surprise", 1, "Extra inputs are not permitted"),
    ],
)
def test_a_program_that_contradicts_itself(folder: Path, place: str, value: Any, message: str) -> None:
    rewrite(folder, lambda program: put(program, place, value))
    with pytest.raises(LoadError, match=rf"(?s)program.json is damaged.*{message}"):
        c2n.load(folder)


def test_large_numbers_are_refused_without_a_traceback(folder: Path, marker: Marker) -> None:
    for place in ("input/channels", "front_end/1/out_channels", "height"):
        for value in (2**31, 2**63, 10**30, -(2**31)):
            attack(folder, marker, lambda program, place=place, value=value: put(program, place, value))


@pytest.mark.parametrize("name", ["program.json", "model.py"])
def test_a_hundred_megabytes(folder: Path, name: str) -> None:
    with (folder / name).open("r+b") as file:
        file.truncate(100 * 1024**2)
    with pytest.raises(LoadError, match=rf"(?s){name} is longer than any network needs.*104,857,600 bytes.*33,554,432"):
        c2n.load(folder)


def test_millions_of_values(folder: Path) -> None:
    (folder / "program.json").write_text("[" + "1," * 600_000 + "1]")
    with pytest.raises(LoadError, match=r"(?s)program.json is longer.*600,000 commas.*at most 500,000"):
        c2n.load(folder)


def test_more_numbers_than_are_justified(folder: Path) -> None:
    """Nothing is allocated: 69 billion numbers would not fit."""

    def change(program: Any) -> None:
        program["front_end"][1] |= {"out_channels": 4096, "kernel": 4095}
        program["input"]["channels"] = 4096

    rewrite(folder, change)
    with pytest.raises(LoadError, match=r"(?s)this network is too large.*68,686,045,259 numbers.*536,870,912.*--trust"):
        c2n.load(folder)


def test_trusted_networks_may_be_large(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys.modules["connectome2net.load"], "MOST_DRAWN", 10)
    with pytest.raises(LoadError, match=r"this network is too large"):
        c2n.load(folder)
    assert c2n.load(folder, trust=True)(image()).shape == (3, 3)


def test_long_texts_are_cut(folder: Path) -> None:
    rewrite(folder, lambda program: program.update({"x" * 100_000: 1}))
    with pytest.raises(LoadError, match=r"\.\.\.\n  fix") as error:
        c2n.load(folder)
    assert len(str(error.value)) < 2_000


# Runs


@pytest.fixture
def run(folder: Path, tmp_path: Path) -> Path:
    path = tmp_path / "run"
    path.mkdir()
    shutil.move(folder, path / "compiled")
    (path / "run.json").write_text(json.dumps({"format": "connectome2net.run", "classes": ["a", "b", "c", "d"]}))
    model = c2n.load(path / "compiled", seed=3, classes=4)
    save_file({name: value.contiguous() for name, value in model.state_dict().items()}, path / "best.safetensors")
    return path


def test_a_run_is_the_trained_network(run: Path) -> None:
    model = c2n.load(run)
    assert not model.training
    torch.testing.assert_close(model(image()), c2n.load(run / "compiled", seed=3, classes=4).eval()(image()))


def test_a_run_without_weights(run: Path) -> None:
    (run / "best.safetensors").unlink()
    with pytest.raises(LoadError, match=r"(?s)no trained weights yet.*c2n train --resume"):
        c2n.load(run)


@pytest.mark.parametrize("content", ["", "{", "[]", "{}", '{"classes": 3}', "null"])
def test_a_damaged_run(run: Path, content: str) -> None:
    (run / "run.json").write_text(content)
    with pytest.raises(LoadError, match=r"(?s)run.json is damaged"):
        c2n.load(run)


def test_trained_weights_that_do_not_fit(run: Path) -> None:
    path = run / "best.safetensors"
    weights = load_file(path)
    save_file({name: value for name, value in weights.items() if name != "W_E_E.theta_E"}, path)
    with pytest.raises(LoadError, match=r"(?s)trained weights do not fit the network.*W_E_E.theta_E"):
        c2n.load(run)
    save_file(weights | {"W_E_E.theta_E": torch.ones(3)}, path)
    with pytest.raises(LoadError, match="trained weights do not fit the network"):
        c2n.load(run)
    save_file(weights | {"W_E_E.theta_E": torch.full_like(weights["W_E_E.theta_E"], torch.nan)}, path)
    with pytest.raises(LoadError, match=r"(?s)a weight is not finite.*W_E_E.theta_E"):
        c2n.load(run)


def test_pickles_are_never_read(run: Path, marker: Marker) -> None:
    class Bomb:
        def __reduce__(self) -> tuple[Any, tuple[str]]:
            return exec, (marker.code,)

    for path in (run / "best.safetensors", run / "compiled" / "weights.safetensors"):
        path.write_bytes(pickle.dumps(Bomb()))
        with pytest.raises(LoadError):
            c2n.load(run)
    assert not marker.written


def test_program_text_is_read_back() -> None:
    program = lower(twelve_cells("feedforward"))[0]
    assert Program.model_validate_json(program_text(program)) == program
