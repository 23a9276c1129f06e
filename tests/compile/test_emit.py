"""The text of model.py: as it was read and approved, as the formatter leaves it, whatever the names are."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import torch
from columns import network_data, twelve_cells
from regenerate import GOLDEN, NETWORKS

from connectome2net import compile_spec, load
from connectome2net.compile.emit import emit
from connectome2net.compile.lower import lower
from connectome2net.spec import Spec

LONG = "a23456789_b23456789_c234"
"""A name as long as a spec allows."""


def text_of(spec: Spec) -> str:
    return emit(lower(spec)[0])


def is_formatted(text: str) -> bool:
    command = [sys.executable, "-m", "ruff", "format", "--check", "--isolated", "--line-length", "120", "-"]
    return subprocess.run(command, input=text, text=True, capture_output=True).returncode == 0


def renamed(data: Any, names: dict[str, str]) -> Any:
    if isinstance(data, dict):
        return {names.get(key, key): renamed(value, names) for key, value in data.items()}
    if isinstance(data, list):
        return [renamed(item, names) for item in data]
    return names.get(data, data) if isinstance(data, str) else data


def with_names(network: str, names: dict[str, str]) -> Spec:
    return twelve_cells(network, **renamed(network_data(network), names))


def long_names(network: str) -> Spec:
    data = network_data(network)
    short = [item["name"] for part in ("populations", "projections") for item in data[part]] + [*data["plasticity"]]
    names = {name: f"{LONG[:-2]}{at:02d}" for at, name in enumerate(dict.fromkeys(short))}
    kept = {rule: rule for rule in ("hebbian", "oja", "homeostatic")}  # also the word for the kind of rule
    return with_names(network, names | kept | {network: LONG})


def runs(spec: Spec, folder: Path) -> torch.Tensor:
    """Compile, load, and train one step; return logits."""
    model = load(compile_spec(spec, out=folder / "compiled"))
    image = torch.rand(4, 1, spec.network.front_end.height, spec.network.front_end.width)
    optimiser = torch.optim.Adam(model.parameters(), lr=0.01)
    model(image).square().sum().backward()
    optimiser.step()
    model.plasticity_step()
    logits = model.eval()(image)
    assert torch.isfinite(logits).all()
    return logits


@pytest.mark.parametrize("network", NETWORKS)
def test_text_is_the_golden_text(network: str) -> None:
    """To change the golden texts on purpose, see regenerate.py."""
    assert text_of(twelve_cells(network)) == (GOLDEN / f"{network}_model.py").read_text()


def hundred_phases() -> Spec:
    steps = [{"populations": [name], "steps": 1} for name in ("L4E", "E", "I") * 34]
    return twelve_cells("pairs", schedule=steps)


def many_populations() -> Spec:
    """Nine cells in nine populations, all updated together: a long list of sizes, many matrices."""
    of_type = {"4P": "L4E", "23P": "L23E", "BC": "B", "NGC": "N", "MC": "M", "5P-IT": "F", "6P-CT": "S", "WM-P": "W"}
    populations = [{"name": name, "select": {"cell_type": [word]}} for word, name in of_type.items()]
    phases = [{"populations": [name], "steps": 1} for name in of_type.values()]
    return twelve_cells(
        "column",
        populations=populations,
        schedule=[*phases, {"populations": ["*"], "steps": 2}],
        readout={"populations": [name for name in of_type.values() if name != "L4E"]},
    )


def phases(network: str, **phase: Any) -> dict[str, Any]:
    """The schedule of a network, each phase with something more."""
    return {"schedule": [item | {"steps": 9} | phase for item in network_data(network)["schedule"]]}


def slow(network: str) -> dict[str, Any]:
    return {"projections": [item | {"delay_steps": 2} for item in network_data(network)["projections"]]}


def settling(spec: Spec, way: dict[str, Any] | None = None) -> Spec:
    """A spec whose only phase settles."""
    data = spec.network.model_dump(mode="json")
    data["schedule"] = [{"populations": ["*"], "steps": 40, "tolerance": 1e-3}]
    data |= {"dynamics": {"leak": 0.5, "norm": "none"}, "noise": None, "learning": way}
    network = type(spec.network).model_validate(data)
    return Spec(spec.document.model_copy(update={"network": network}), spec.cells, spec.edges)


def with_way(spec: Spec) -> Spec:
    way = {"kind": "feedback_alignment", "signs": "concordant"}
    network = type(spec.network).model_validate(spec.network.model_dump(mode="json") | {"learning": way})
    return Spec(spec.document.model_copy(update={"network": network}), spec.cells, spec.edges)


ODD: dict[str, Any] = {
    "long names, column": lambda: long_names("column"),
    "long names, feedforward": lambda: long_names("feedforward"),
    "long names, pairs": lambda: long_names("pairs"),
    "many phases": hundred_phases,
    "many populations": many_populations,
    "no front end": lambda: twelve_cells("column", front_end={"adaptation": False, "height": 6, "width": 6}),
    "no projection": lambda: twelve_cells("column", projections=[]),
    "settling": lambda: twelve_cells("pairs", **phases("pairs", tolerance=1e-3)),
    "checkpoints": lambda: twelve_cells("feedforward", **phases("feedforward", tolerance=1e-3, checkpoint=4)),
    "checkpoints, delays": lambda: twelve_cells("pairs", **phases("pairs", checkpoint=4), **slow("pairs")),
    "checkpoints, no projection": lambda: twelve_cells("pairs", **phases("pairs", checkpoint=4), projections=[]),
    "settling, many populations": lambda: settling(many_populations()),
    "settling, long names": lambda: settling(long_names("pairs")),
    "equilibrium": lambda: settling(twelve_cells("column"), {"kind": "equilibrium"}),
    "equilibrium, long names": lambda: settling(long_names("feedforward"), {"kind": "equilibrium"}),
    "equilibrium, no projection": lambda: settling(twelve_cells("pairs", projections=[]), {"kind": "equilibrium"}),
    "feedback alignment": lambda: twelve_cells("pairs", learning={"kind": "feedback_alignment"}),
    "feedback alignment, long names": lambda: with_way(long_names("feedforward")),
    "reservoir": lambda: twelve_cells("column", learning={"kind": "reservoir"}),
}


@pytest.mark.parametrize("name", ODD)
def test_odd_networks_give_formatted_text_that_runs(name: str, tmp_path: Path) -> None:
    spec = ODD[name]()
    assert is_formatted(text_of(spec))
    runs(spec, tmp_path)


@pytest.mark.parametrize("network", NETWORKS)
def test_golden_text_is_formatted(network: str) -> None:
    assert is_formatted((GOLDEN / f"{network}_model.py").read_text())


@pytest.mark.parametrize("network", ["column", "bionic"])
def test_text_of_the_real_column_is_formatted(network: str, shared_data: Path) -> None:
    from connectome2net import extract, open_source

    text = text_of(extract(open_source(shared_data / "microns" / "v1_column"), network=network))
    assert is_formatted(text)
    assert 80 <= len(text.splitlines()) <= 250


@pytest.mark.parametrize("word", ["tensor", "none", "true", "torch", "nn", "type", "a__b", "x_", "int", "Column"])
def test_any_name_of_a_network_makes_a_class(word: str, tmp_path: Path) -> None:
    """``class None``, and a class that hides the ``Tensor`` that the text imports, were made once."""
    runs(with_names("feedforward", {"feedforward": word}), tmp_path)


@pytest.mark.parametrize(
    ("network", "names"),
    [
        ("pairs", {"L4E": "E_I"}),
        ("pairs", {"L4E": "group_1", "E": LONG}),
        ("pairs", {"I_I": "to_I_1", "to_I": "to_I", "E_E": "to_I_L4E_E_I"}),
        ("column", {"L23E": "all"}),
        ("column", {"L4E": "rest", "L23E": "input", "L5E": "readout", "I": "W", "recurrent": "input"}),
        ("pairs", {"L4E_E": "readout", "E_E": "input", "I_I": "cell_index", "E": "T", "I": "self"}),
    ],
)
def test_composed_names_do_not_meet_given_ones(network: str, names: dict[str, str], tmp_path: Path) -> None:
    """A group that was named ``E_I`` for its populations once replaced the population ``E_I``."""
    spec = with_names(network, names)
    program, plain = lower(spec)[0], lower(twelve_cells(network))[0]
    assert [block.edges for block in program.blocks] == [block.edges for block in plain.blocks]
    assert sum(group.cells for group in program.groups) == 12
    runs(spec, tmp_path)


def test_forward_fits_a_screen_and_names_the_equation() -> None:
    tree = ast.parse(text_of(twelve_cells("column")))
    network = next(item for item in tree.body if isinstance(item, ast.ClassDef))
    forward = next(item for item in network.body if isinstance(item, ast.FunctionDef) and item.name == "forward")
    assert forward.end_lineno - forward.lineno < 40
    assert "rate  <- (1 - leak) rate + leak gain relu(norm(drive) - threshold + noise)" in ast.get_docstring(forward)


def test_a_synthetic_column_says_so_in_its_text() -> None:
    spec = twelve_cells("column")
    anatomy = spec.anatomy.model_copy(update={"synthetic": True})
    document = spec.document.model_copy(update={"anatomy": anatomy})
    assert "SYNTHETIC" in text_of(Spec(document, spec.cells, spec.edges))
    assert "SYNTHETIC" not in text_of(spec)


def test_words_of_a_spec_cannot_end_the_docstring() -> None:
    evil = '"""\nraise SystemExit\n\\\u2028\x0c\x85\x00\r"""'
    spec = twelve_cells("column")
    anatomy = spec.anatomy.model_copy(update={"dataset": evil, "materialization": evil})
    document = spec.document.model_copy(update={"anatomy": anatomy, "name": evil})
    text = text_of(Spec(document, spec.cells, spec.edges))
    assert [type(item).__name__ for item in ast.parse(text).body] == [
        type(item).__name__ for item in ast.parse(text_of(spec)).body
    ]
    assert "raise SystemExit" in ast.get_docstring(ast.parse(text))
    assert len(text.splitlines()) == len(text_of(spec).splitlines())


def test_rules_before_any_batch_say_what_to_do(tmp_path: Path) -> None:
    model = load(compile_spec(twelve_cells("feedforward"), out=tmp_path / "compiled"))
    with pytest.raises(RuntimeError, match="call the model on a batch in training mode first"):
        model.plasticity_step()
    model.eval()(torch.rand(2, 1, 12, 12))
    with pytest.raises(RuntimeError, match="no rates to act on"):
        model.plasticity_step()
