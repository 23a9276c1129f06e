"""Every kind of cell learns on drawn faces, with its defaults and those of training."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any

import pytest

import connectome2net as c2n
from connectome2net.compile.lower import lower
from connectome2net.compile.parameters import count_parameters
from connectome2net.load import parameter_counts
from connectome2net.spec import Spec
from connectome2net.spec.network import Network
from connectome2net.spec.validate import validate
from connectome2net.tasks.faces import faces
from connectome2net.train import TrainConfig

FRONT_END = {
    "height": 24,
    "width": 24,
    "blocks": [{"channels": 16, "norm": "group", "pool": 2}, {"channels": 32, "norm": "group", "pool": 2}],
}
STEPS = {"rate": 4, "lif": 12, "izhikevich": 15, "conductance": 5, "elm": 4}
"""Enough for activity to cross the column: 24 ms of spikes with steps of 2 ms, 15 ms with Izhikevich's of 1 ms."""

EPOCHS = {"conductance": 20}
"""12 for others: conductances differ less between images at first, and learn more slowly."""


@pytest.fixture(scope="module")
def small_column() -> Spec:
    return c2n.extract(c2n.open_source("synthetic", cells=200))


def with_cells(spec: Spec, **changes: Any) -> Spec:
    data = spec.network.model_dump(mode="json") | {"front_end": FRONT_END} | changes
    network = Network.model_validate_json(json.dumps(data), strict=True)
    spec = Spec(spec.document.model_copy(update={"network": network}), spec.cells, spec.edges)
    assert validate(spec) == []
    return spec


def accuracy_of(spec: Spec, folder: Path, *, images: int, epochs: int) -> float:
    """Accuracy on faces that chose nothing; chance is 14 %."""
    data = faces(train=images, validation=210, test=700, size=24)
    config = TrainConfig(epochs=epochs, batch=32, augmentation=None)
    run = c2n.train(c2n.compile_spec(spec, out=folder / "compiled"), data=data, config=config, out=folder / "run")
    found = c2n.evaluate(run, data=data)
    assert found["audit"]["dale"]["violations"] == 0
    return float(found["test"]["accuracy"])


@pytest.mark.slow
@pytest.mark.parametrize("model", STEPS)
def test_cells_learn_faces_in_a_minute(model: str, small_column: Spec, tmp_path: Path) -> None:
    """Processor seconds, which other work on the machine does not change much."""
    schedule = [{"populations": ["*"], "steps": STEPS[model]}]
    spec = with_cells(small_column, dynamics={"model": model}, schedule=schedule)
    started = time.process_time()
    accuracy = accuracy_of(spec, tmp_path, images=2100, epochs=EPOCHS.get(model, 12))
    seconds = time.process_time() - started
    print(f"{model}: {accuracy:.1%} after {seconds:.0f} processor seconds")
    assert accuracy >= 0.5
    assert seconds < 120, "a minute of two cores"


def test_lif_cells_learn_faces_a_little(small_column: Spec, tmp_path: Path) -> None:
    spec = with_cells(small_column, dynamics={"model": "lif"}, schedule=[{"populations": ["*"], "steps": 8}])
    assert accuracy_of(spec, tmp_path, images=700, epochs=3) > 0.17


FORMS: list[dict[str, Any]] = [
    {"model": "rate", "leak": {"*": 0.5, "I": 0.9}, "learn_leak": True},
    {"model": "rate", "leak": 0.5, "learn_leak": True, "norm": "none"},
    {"model": "lif", "tau_ms": {"*": 20.0, "I": 10.0}},
    {"model": "izhikevich", "firing": {"L5E": "intrinsically_bursting"}},
    {"model": "conductance"},
    {"model": "elm"},
    {"model": "elm", "memory_units": 2, "hidden": 3, "learn_tau": True, "norm": "none"},
]


@pytest.mark.parametrize("form", FORMS, ids=str)
def test_learned_numbers_are_counted(form: dict[str, Any], small_column: Spec, tmp_path: Path) -> None:
    spec = with_cells(small_column, dynamics=form)
    counts = count_parameters(lower(spec)[0])
    assert counts == parameter_counts(c2n.load(c2n.compile_spec(spec, out=tmp_path / "compiled")))
