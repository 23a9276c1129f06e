"""Conventional references: their size, their numbers, their text, and that every stage takes them."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import oracle
import pytest
import torch
from click.testing import CliRunner
from columns import network_data, twelve_cells
from hypothesis import given, settings
from hypothesis import strategies as st
from regenerate import GOLDEN, REFERENCES
from safetensors.torch import load_file

import connectome2net as c2n
from connectome2net.cli import c2n as command
from connectome2net.compile.emit import emit
from connectome2net.compile.lower import lower
from connectome2net.compile.parameters import count_parameters
from connectome2net.compile.reference import compile_reference, lower_reference
from connectome2net.errors import CompileError, DataError, InsideError, LoadError, TrainError
from connectome2net.evaluate import evaluate
from connectome2net.inside import examine, inspect_network, spectral_report, weight_matrix
from connectome2net.load import parameter_counts
from connectome2net.spec import Spec, load_preset, write_spec
from connectome2net.tasks import Dataset
from connectome2net.tasks.faces import faces
from connectome2net.train import TrainConfig, loop, train, training

SHORT = TrainConfig(epochs=3, batch=16, augmentation=None)


def size(network: Any) -> int:
    return sum(count_parameters(network).values())


@pytest.fixture(scope="module")
def spec() -> Spec:
    return twelve_cells("feedforward")


@pytest.fixture(scope="module")
def data() -> Dataset:
    return faces(train=56, validation=14, test=21, size=12)


@pytest.fixture(scope="module")
def cnn(spec: Spec, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return compile_reference(spec, "cnn", parameters=3000, out=tmp_path_factory.mktemp("cnn") / "compiled")


@pytest.fixture(scope="module")
def run(cnn: Path, data: Dataset, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return train(cnn, data=data, config=SHORT, out=tmp_path_factory.mktemp("runs") / "whole")


# Size


@pytest.mark.parametrize("preset", ["bionic", "column", "column_deep"])
@pytest.mark.parametrize("kind", ["mlp", "cnn"])
def test_the_presets_have_references_in_round_numbers_within_a_percent(preset: str, kind: Any) -> None:
    front_end = load_preset(preset).front_end.model_dump(mode="json")
    network = lower_reference(twelve_cells("column", front_end=front_end), kind, parameters=500_000)
    assert abs(size(network) / 500_000 - 1) < 0.01
    if kind == "mlp":
        first, second = (layer.units for layer in network.dense)
        assert first == second
    else:
        assert all(layer.out_channels % 8 == 0 and layer.kernel == 3 for layer in network.convolutions)
        assert {layer.norm for layer in network.convolutions} == {front_end["blocks"][-1]["norm"]}


def test_an_mlp_has_the_width_that_is_nearest_by_hand(spec: Spec) -> None:
    """Of F features, h units twice and K classes: weights and biases of three layers, and two norms."""
    features, classes = 6 * 3 * 3, 7
    front_end = (5 * 5 * 4 + 4) + (3 * 3 * 4 * 6 + 6) + (6 * 3 + 3 + 3 * 6 + 6) + (2 * 3 * 3 + 1)
    sizes = {h: front_end + h * (features + 3) + h * (h + 3) + (h + 1) * classes for h in range(1, 500)}
    nearest = min(sizes, key=lambda h: abs(sizes[h] - 90_000))
    network = lower_reference(spec, "mlp", parameters=90_000)
    assert [layer.units for layer in network.dense] == [nearest, nearest]
    assert size(network) == sizes[nearest]


@settings(max_examples=25, deadline=None)
@given(kind=st.sampled_from(["mlp", "cnn"]), wanted=st.integers(2_500, 2_000_000))
def test_every_size_is_hit_to_two_percent(kind: Any, wanted: int) -> None:
    """Below, the steps of a cnn on nine places are wider than that: it is an error then, see below."""
    network = lower_reference(twelve_cells("feedforward"), kind, parameters=wanted)
    assert abs(size(network) - wanted) <= 0.02 * wanted
    layers = [layer.units for layer in network.dense] or [layer.out_channels for layer in network.convolutions]
    assert layers[0] <= layers[1] <= 2 * layers[0]


def test_the_size_is_that_of_the_spec_where_none_is_given() -> None:
    spec = twelve_cells("feedforward", readout={"populations": ["D"], "classes": 2})
    network, wanted = lower_reference(spec, "mlp"), size(lower(spec)[0])
    assert network.wanted == wanted
    assert abs(size(network) - wanted) <= 0.02 * wanted
    with pytest.raises(CompileError, match=r"(?s)a mlp has no room.*of the spec's network.*--reference linear"):
        lower_reference(twelve_cells("feedforward"), "mlp")


@pytest.mark.parametrize("kind", ["mlp", "cnn"])
def test_less_than_a_linear_readout_is_refused(spec: Spec, kind: Any) -> None:
    least = size(lower_reference(spec, "linear"))
    with pytest.raises(
        CompileError, match=rf"(?s)no room.*{least - 1:,} parameters\n.*{least:,} or more.*--parameters"
    ):
        lower_reference(spec, kind, parameters=least - 1)
    assert size(lower_reference(spec, "mlp", parameters=least)) == pytest.approx(least, rel=0.02)


def test_a_size_that_no_layers_have(spec: Spec) -> None:
    with pytest.raises(CompileError, match=r"(?s)no cnn has about so many.*1,435, the nearest.*1,465, to 2%"):
        lower_reference(spec, "cnn", parameters=1465)
    with pytest.raises(
        CompileError, match=r"(?s)no mlp has about so many.*nearest.*1,000,000,000, to 2%.*--parameters"
    ):
        lower_reference(spec, "mlp", parameters=10**9)


def test_a_linear_readout_has_no_size_and_other_kinds_are_unknown(spec: Spec) -> None:
    with pytest.raises(CompileError, match=r"(?s)cannot be chosen.*3000.*choose mlp or cnn"):
        lower_reference(spec, "linear", parameters=3000)
    with pytest.raises(CompileError, match=r"(?s)no such reference.*rnn.*linear, mlp, cnn"):
        lower_reference(spec, "rnn")  # type: ignore[arg-type]


# Text


@pytest.mark.parametrize("kind", REFERENCES)
def test_text_is_the_golden_text(spec: Spec, kind: Any) -> None:
    """To change the golden texts on purpose, see regenerate.py."""
    network = lower_reference(spec, kind, parameters=REFERENCES[kind])
    text = emit(network)
    assert text == (GOLDEN / f"{kind}_reference.py").read_text()
    assert "No connectome is in it" in text.splitlines()[0]
    assert f" {size(network):,}\n" in text


def test_a_linear_readout_says_that_it_has_nothing_to_spend_parameters_on(spec: Spec) -> None:
    network = lower_reference(spec, "linear")
    of_spec = size(lower(spec)[0])
    line = f"    the spec's network has {of_spec:,}; a readout alone has no layers to spend them on\n"
    assert network.wanted == of_spec
    assert emit(network).count(line) == 1
    before = network.model_copy(update={"wanted": None})  # as it was compiled when nothing was said of it
    assert emit(before) == emit(network).replace(line, "")


def test_golden_texts_are_formatted() -> None:
    files = [str(GOLDEN / f"{kind}_reference.py") for kind in REFERENCES]
    ruff = [sys.executable, "-m", "ruff", "format", "--check", "--isolated", "--line-length", "120", *files]
    assert subprocess.run(ruff, capture_output=True).returncode == 0


def test_equal_specs_give_equal_bytes(cnn: Path, tmp_path: Path) -> None:
    path = write_spec(twelve_cells("feedforward"), tmp_path / "spec")
    again = c2n.compile_reference(path, "cnn", parameters=3000, out=tmp_path / "again")
    assert {file.name for file in cnn.glob("*.*")} == {"model.py", "program.json", "weights.safetensors"}
    for file in cnn.glob("*.*"):
        assert file.read_bytes() == (again / file.name).read_bytes()


def test_a_folder_with_something_else_is_left_alone(spec: Spec, tmp_path: Path) -> None:
    (tmp_path / "mine.txt").write_text("mine")
    with pytest.raises(CompileError, match=r"something else lies here"):
        compile_reference(spec, "linear", out=tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["mine.txt"]


# Numbers


def learned_front_end(model: Any) -> oracle.Learned:
    """What the front end of ``feedforward``, or one with a norm, has learned."""
    learned = oracle.Learned()
    for layer in model.front_end:
        if hasattr(layer, "convolution"):
            learned.blocks.append(filters(layer))
        if hasattr(layer, "channel"):
            (first, _, last), spatial = layer.channel, layer.spatial
            names = {"in": first, "out": last, "filter": spatial}
            learned.attention = {name: numbers(part.weight) for name, part in names.items()}
            learned.attention |= {f"{name}_bias": numbers(part.bias) for name, part in names.items()}
    return learned


def numbers(tensor: torch.Tensor) -> Any:
    return tensor.detach().double().numpy()


def filters(layer: Any) -> dict[str, Any]:
    found = {"filter": numbers(layer.convolution.weight)}
    if layer.convolution.bias is None:
        return found | {"scale": numbers(layer.norm.weight), "shift": numbers(layer.norm.bias)}
    return found | {"bias": numbers(layer.convolution.bias)}


def convolve(feature: Any, weights: dict[str, Any], pool: int) -> Any:
    feature = np.einsum("bchwij,ocij->bohw", oracle.patches(feature, 3), weights["filter"])
    if "scale" in weights:
        feature = oracle.group_norm(feature, weights["scale"], weights["shift"])
    else:
        feature = feature + weights["bias"][:, None, None]
    return oracle.pool(np.maximum(feature, 0), pool)


def dense(x: Any, linear: Any, norm: Any) -> Any:
    x = x @ numbers(linear.weight).T + numbers(linear.bias)
    x = (x - x.mean(1, keepdims=True)) / np.sqrt(x.var(1, keepdims=True) + 1e-5)
    return np.maximum(x * numbers(norm.weight) + numbers(norm.bias), 0)


NORMED = {"height": 20, "width": 16, "blocks": [{"channels": 16, "norm": "group", "pool": 2}], "attention": None}


@pytest.mark.parametrize(
    ("kind", "changes", "pools"),
    [
        ("linear", {}, []),
        ("mlp", {}, []),
        ("cnn", {}, [1, 1]),
        ("cnn", {"front_end": NORMED}, [2, 2]),
        ("cnn", {"front_end": NORMED | {"height": 12, "blocks": []}}, [2, 2]),
    ],
    ids=["linear", "mlp", "cnn", "cnn, norm and pools", "cnn, on pixels"],
)
def test_answers_are_those_of_a_slow_loop(kind: Any, changes: Any, pools: list[int], tmp_path: Path) -> None:
    """Also that the parameters are as many as were counted."""
    spec = twelve_cells("feedforward", **changes)
    parameters = None if kind == "linear" else 15_000
    model: Any = c2n.load(compile_reference(spec, kind, out=tmp_path / "compiled", parameters=parameters)).eval()
    assert parameter_counts(model) == count_parameters(model.program)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter += 0.1 * torch.randn_like(parameter)  # no bias is 0, no scale 1
    form = spec.network.front_end
    image = torch.rand(3, 1, form.height, form.width)
    feature = oracle.front_end(spec, learned_front_end(model), numbers(image))
    for layer, pool in zip(model.core, pools, strict=False):
        feature = convolve(feature, filters(layer), pool)
    x = feature.reshape(3, -1)
    if kind == "mlp":
        for at in (1, 4):
            x = dense(x, model.core[at], model.core[at + 1])
    answer = x @ numbers(model.readout.weight).T + numbers(model.readout.bias)
    np.testing.assert_allclose(numbers(model(image)), answer, rtol=2e-4, atol=2e-5)


def test_dropout_is_that_of_the_spec(tmp_path: Path) -> None:
    data = network_data("feedforward")
    front_end, readout = data["front_end"] | {"dropout": 0.2}, data["readout"] | {"dropout": 0.4}
    spec = twelve_cells("feedforward", front_end=front_end, readout=readout)
    model: Any = c2n.load(compile_reference(spec, "mlp", out=tmp_path / "compiled", parameters=3000))
    assert [part.p for part in model.modules() if isinstance(part, torch.nn.Dropout)] == [0.2, 0.4]


def test_the_way_of_learning_of_the_spec_is_not_taken_over(tmp_path: Path) -> None:
    spec = twelve_cells("column", learning={"kind": "reservoir"}, front_end={"height": 12, "width": 12})
    model: Any = c2n.load(compile_reference(spec, "mlp", out=tmp_path / "compiled", parameters=3000))
    assert model.program.learning is None
    assert all(parameter.requires_grad for parameter in model.parameters())


# Trust


def test_changed_text_is_refused(cnn: Path, tmp_path: Path) -> None:
    folder = tmp_path / "compiled"
    folder.mkdir()
    for file in cnn.glob("*.*"):
        (folder / file.name).write_bytes(file.read_bytes())
    (folder / "model.py").write_text((cnn / "model.py").read_text().replace("nn.Flatten()", "nn.Flatten(1)"))
    with pytest.raises(LoadError, match=r"(?s)not what the compiler writes.*--trust"):
        c2n.load(folder)
    assert len(c2n.load(folder, trust=True).cell_index) == 0


@pytest.mark.parametrize(
    ("place", "value", "message"),
    [
        ("readout/features", 5, "the readout takes 5 features and is given"),
        ("dense/0/features", 5, "a dense layer takes 5 features and is given 54"),
        ("reference", "cnn", "not the layers of a reference of kind cnn"),
        ("convolutions", [{"in_channels": 1, "out_channels": 1, "kernel": 3, "pool": 1}], "not the layers of"),
        ("front_end/1/in_channels", 3, "layer 1 takes 3 channels and is given 1"),
        ("arrays/cell_index/shape", [3], "a reference has no cells"),
        ("format_version", 2, "written by another release"),
    ],
)
def test_a_program_that_contradicts_itself(spec: Spec, tmp_path: Path, place: str, value: Any, message: str) -> None:
    folder = compile_reference(spec, "mlp", out=tmp_path / "compiled", parameters=3000)
    program = json.loads((folder / "program.json").read_text())
    *above, key = (int(word) if word.isdigit() else word for word in place.split("/"))
    holder = program
    for word in above:
        holder = holder[word]
    holder[key] = value
    (folder / "program.json").write_text(json.dumps(program))
    with pytest.raises(LoadError, match=message):
        c2n.load(folder)


# Every stage


def test_a_run_that_was_stopped_ends_as_if_it_never_was(
    cnn: Path, run: Path, data: Dataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    left = 5

    def interrupt(*_: object, **__: object) -> None:
        nonlocal left
        left -= 1
        if left < 0:
            raise KeyboardInterrupt

    monkeypatch.setattr(loop.Progress, "step", interrupt)
    with pytest.raises(KeyboardInterrupt):
        train(cnn, data=data, config=SHORT, out=tmp_path / "run")
    monkeypatch.undo()
    resumed = train(resume=tmp_path / "run", data=data)
    one, two = load_file(run / "last.safetensors"), load_file(resumed / "last.safetensors")
    assert one.keys() == two.keys()
    assert all(one[name].equal(two[name]) for name in one if not name.startswith("memory"))


def test_a_run_is_recorded_inspected_and_evaluated(run: Path, data: Dataset) -> None:
    record = json.loads((run / "run.json").read_text())
    assert (record["network"], record["reference"]) == ("feedforward_cnn", "cnn")
    note = "nothing to audit: a conventional reference has no cells and no edges"
    nothing = {"dale": {"edges": 0, "violations": 0, "free": 0}, "note": note}
    assert record["audit"] == {"before": nothing, "after": nothing}
    found = inspect_network(run)
    assert found["reference"] == "cnn"
    assert found["populations"] == found["projections"] == []
    assert abs(found["trainable_parameters"] / 3000 - 1) < 0.02
    result = evaluate(run, data=data)
    right = c2n.load(run)(torch.from_numpy(data.test.image_NHW)[:, None] / 255).argmax(1).numpy() == data.test.label_N
    assert result["test"]["accuracy"] == pytest.approx(right.mean())
    assert result["audit"] == nothing


def test_the_command_line(spec: Spec, run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    write_spec(spec, tmp_path)
    invoke = CliRunner().invoke
    answer = invoke(command, ["compile", "--reference", "mlp", "--parameters", "3000", "--out", "mlp"])
    assert answer.output.split() == ["mlp/model.py", "weights.safetensors", "program.json"]
    assert abs(size(c2n.load("mlp").program) / 3000 - 1) < 0.02
    nowhere = ["train", "mlp", "--data", "nowhere.csv"]
    assert isinstance(invoke(command, nowhere).exception, DataError)  # past the question whose network this is
    document = (tmp_path / "spec.json").read_text()
    (tmp_path / "spec.json").write_text(document.replace('"sigma": 0.05', '"sigma": 0.06'))
    with pytest.raises(LoadError, match="made from another spec"):
        invoke(command, nowhere, catch_exceptions=False)
    assert invoke(command, ["compile", "--parameters", "3000"]).exit_code == 2
    shown = invoke(command, ["inspect", str(run)])
    assert shown.exit_code == 0, shown.output
    assert "a conventional reference (cnn): the front end of the spec, and no connectome" in shown.output
    assert shown.output.count("nothing to audit") == 2
    assert "spectrum" not in shown.output


def test_what_has_no_cells_cannot_be_asked_for_cells(cnn: Path) -> None:
    model = c2n.load(cnn)
    for ask in (spectral_report, weight_matrix, lambda model: c2n.lesion(model, [0]).__enter__()):
        with pytest.raises(InsideError, match=r"(?s)no cells in this network.*a conventional reference"):
            ask(model)
    assert "note" in examine(model)


def test_numbers_that_are_none_name_the_layer(
    cnn: Path, data: Dataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    step, load, models = loop.Progress.step, training.load, []

    def spoil(self: Any, **given: Any) -> None:
        step(self, **given)
        models[0].core[1].convolution.weight.data[2, 0, 0, 0] = float("nan")

    monkeypatch.setattr(training, "load", lambda *given, **named: models.append(load(*given, **named)) or models[-1])
    monkeypatch.setattr(loop.Progress, "step", spoil)
    with pytest.raises(
        TrainError,
        match=r"(?s)the activity is not finite.*epoch 1, step 2.*layer core.1.convolution "
        r"\(Conv2d\).*an output nan in 1 of .* channels; the largest before was .*"
        r"not finite: core.1.convolution.weight \(1 of",
    ):
        train(cnn, data=data, config=SHORT, out=tmp_path / "run")


def test_activity_that_explodes_says_what_calms_it(
    cnn: Path, data: Dataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    load = training.load

    def huge(*given: Any, **named: Any) -> Any:
        model: Any = load(*given, **named)
        model.core[0].convolution.weight.data.mul_(1e25)
        return model

    monkeypatch.setattr(training, "load", huge)
    with pytest.raises(TrainError, match=r"(?s)activity explodes.*layer core.0.convolution.*lower learning_rate, or"):
        train(cnn, data=data, config=SHORT, out=tmp_path / "run")
