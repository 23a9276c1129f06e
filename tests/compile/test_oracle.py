"""A compiled model equals the slow dense network of ``oracle``, in value and in gradient."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import oracle
import pytest
import torch
from columns import network_data, twelve_cells
from torch.nn import functional as F

from connectome2net import compile_spec, load
from connectome2net.spec import Spec

SMALL = {"height": 12, "width": 12, "blocks": [{"channels": 4, "norm": "group", "pool": 2}]}
DENSE = {"kind": "dense", "population": "L4E"}
BLIND = {"height": 6, "width": 5, "adaptation": False, "blocks": []}
"""No front end: cells see pixels."""


def delayed(steps: dict[str, int], network: str = "pairs") -> list[dict[str, Any]]:
    """The projections of a network, some of them slower."""
    return [item | {"delay_steps": steps.get(item["name"], 0)} for item in network_data(network)["projections"]]


def phases(*populations: tuple[str, ...], **how: Any) -> dict[str, Any]:
    """A schedule of phases that are taken in the same way."""
    return {"schedule": [{"populations": list(names)} | how for names in populations]}


MIXED = {"L4E": "chattering", "I": {"a": 0.08, "b": 0.22, "c": -60.0, "d": 3.0}}
"""How populations fire; the others by their class."""

STEPS = [{"populations": ["L4E"], "steps": 2}, {"populations": ["*"], "steps": 16}]

CELLS: dict[str, Any] = {
    "rate, leaks": lambda: twelve_cells("pairs", dynamics={"leak": {"*": 0.7, "I": 0.2}, "norm": "layer"}),
    "rate, learned leaks": lambda: twelve_cells(
        "pairs", dynamics={"leak": {"*": 0.7, "I": 0.2}, "learn_leak": True, "norm": "none"}
    ),
    "lif": lambda: twelve_cells("spiking"),
    "lif, phases and delays": lambda: twelve_cells(
        "pairs", dynamics={"model": "lif"}, schedule=STEPS, projections=delayed({"L4E_E": 1, "from_I": 3})
    ),
    "lif, graded inhibition": lambda: twelve_cells(
        "feedforward", dynamics={"model": "lif", "tau_ms": 5.0}, **phases(("A",), ("A", "B"), ("*",), steps=12)
    ),
    "izhikevich": lambda: twelve_cells("spiking", dynamics={"model": "izhikevich", "firing": MIXED}, schedule=STEPS),
    "izhikevich, by class": lambda: twelve_cells("pairs", dynamics={"model": "izhikevich"}, schedule=STEPS),
    "conductance": lambda: twelve_cells("graded"),
    "conductance, settling": lambda: twelve_cells(
        "graded",
        dynamics={"model": "conductance", "tau_ms": {"*": 20.0, "I": 8.0}},
        **phases(("L4E",), ("*",), steps=40, tolerance=1e-2, checkpoint=4),
    ),
    "elm": lambda: twelve_cells("pairs", dynamics={"model": "elm", "memory_units": 3, "hidden": 4}),
    "elm, learned times": lambda: twelve_cells(
        "feedforward", dynamics={"model": "elm", "memory_units": 2, "hidden": 5, "learn_tau": True, "norm": "none"}
    ),
}

SPECS: dict[str, Any] = CELLS | {
    "column": lambda: twelve_cells("column", front_end=SMALL),
    "column, dense input": lambda: twelve_cells("column", front_end=SMALL, input=DENSE),
    "column, pixels": lambda: twelve_cells("column", front_end=BLIND),
    "column, uneven map": lambda: twelve_cells(
        "column", front_end={"height": 11, "width": 14, "blocks": [{"channels": 20, "norm": "group", "pool": 3}]}
    ),
    "column, leak 0.3": lambda: twelve_cells("column", front_end=SMALL, dynamics={"leak": 0.3, "norm": "none"}),
    "feedforward": lambda: twelve_cells("feedforward"),
    "feedforward, synapses inhibit": lambda: twelve_cells(
        "feedforward",
        inhibition={"presynaptic": {"cell_type": ["NGC", "MC"]}, "strength": 0.9, "count": "synapses"},
    ),
    "pairs": lambda: twelve_cells("pairs"),
    "pairs, delays": lambda: twelve_cells(
        "pairs", projections=delayed({"L4E_E": 1, "from_I": 2, "I_I": 9}), schedule=[{"populations": ["*"], "steps": 6}]
    ),
    "feedforward, delays": lambda: twelve_cells(
        "feedforward", projections=delayed({"A_B": 1, "B_B": 1}, "feedforward")
    ),
    "column, settling": lambda: twelve_cells("column", front_end=SMALL, **phases(("*",), steps=50, tolerance=1e-2)),
    "pairs, settling with checkpoints": lambda: twelve_cells(
        "pairs", **phases(("L4E",), ("L4E", "E"), ("I", "E"), steps=30, tolerance=1e-2, checkpoint=3)
    ),
    "pairs, delays with checkpoints": lambda: twelve_cells(
        "pairs",
        projections=delayed({"L4E_E": 1, "from_I": 2, "I_I": 3}),
        **phases(("L4E",), ("L4E", "E"), ("I", "E"), steps=5, checkpoint=2),
    ),
    "pairs, many phases": lambda: twelve_cells(
        "pairs",
        schedule=[
            {"populations": ["L4E", "I"], "steps": 2},
            {"populations": ["E", "I"], "steps": 3},
            {"populations": ["E"], "steps": 1},
        ],
    ),
}


def compiled(spec: Spec, folder: Path) -> Any:
    """The compiled model in float64 and evaluation mode, every parameter moved off its start; spiking cells spike."""
    model = load(compile_spec(spec, out=folder / "compiled"), seed=1).double().eval()
    generator = torch.Generator().manual_seed(2)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter += 0.3 * torch.randn(parameter.shape, generator=generator, dtype=torch.float64)
        for name, parameter in model.named_parameters():
            if name.endswith("threshold_N") and spec.network.dynamics.model == "lif":
                parameter -= 1
    return model


def images(spec: Spec, count: int) -> torch.Tensor:
    size = (count, 1, spec.network.front_end.height, spec.network.front_end.width)
    return torch.rand(size, generator=torch.Generator().manual_seed(3), dtype=torch.float64)


OTHER_GRADIENT: dict[str, Any] = {
    "column, equilibrium": lambda: twelve_cells(
        "column",
        front_end=SMALL,
        dynamics={"leak": 0.5, "norm": "none"},
        learning={"kind": "equilibrium"},
        **phases(("*",), steps=50, tolerance=1e-3),
    ),
    "pairs, feedback alignment": lambda: twelve_cells("pairs", learning={"kind": "feedback_alignment"}),
}
"""Ways of learning whose gradient is not that of the network: see tests/runtime."""


@pytest.mark.parametrize("name", [*SPECS, *OTHER_GRADIENT])
def test_values_equal_the_dense_network(name: str, tmp_path: Path) -> None:
    spec = (SPECS | OTHER_GRADIENT)[name]()
    model, image = compiled(spec, tmp_path), images(spec, 5)
    expected = oracle.forward(spec, oracle.learned_by(model, spec), image.numpy())
    assert np.ptp(expected, axis=0).max() > 1e-2, "logits that do not depend on the image prove nothing"
    np.testing.assert_allclose(model(image).detach().numpy(), expected, rtol=0, atol=1e-10)


SMOOTH = [name for name in SPECS if not name.startswith(("lif", "izhikevich"))]
"""Where there are no spikes, whose gradient is a surrogate."""


@pytest.mark.parametrize("name", [name for name in CELLS if name not in SMOOTH])
def test_cells_of_the_oracle_spike(name: str, tmp_path: Path) -> None:
    """Equality of silent cells would prove nothing."""
    spec = SPECS[name]()
    model, image = compiled(spec, tmp_path), images(spec, 5)
    counts: list[float] = []
    for child_name, child in model.named_children():
        if child_name.startswith("cells_"):
            child.register_forward_hook(
                lambda _cells, _given, state: counts.append(float(state.rate_NB.detach().mean()))
            )
    model(image)
    assert 0.01 < np.mean(counts) < 0.5


@pytest.mark.parametrize("name", SMOOTH)
def test_gradients_equal_finite_differences_of_the_dense_network(name: str, tmp_path: Path) -> None:
    spec = SPECS[name]()
    model, image = compiled(spec, tmp_path), images(spec, 3)
    label = torch.arange(3) % spec.network.readout.classes
    F.cross_entropy(model(image), label).backward()

    def loss() -> float:
        logits = oracle.forward(spec, oracle.learned_by(model, spec), image.numpy())
        shifted = logits - logits.max(1, keepdims=True)
        return float(np.mean(np.log(np.exp(shifted).sum(1)) - shifted[np.arange(3), label.numpy()]))

    generator = torch.Generator().manual_seed(4)
    for parameter_name, parameter in model.named_parameters():
        before = parameter.data.clone()
        for _ in range(2):  # along two directions, which no wrong number of the gradient is orthogonal to
            direction = F.normalize(
                torch.randn(before.shape, generator=generator, dtype=torch.float64).flatten(), dim=0
            )
            direction, values = direction.view(before.shape), []
            for change in (1e-6, -1e-6):
                parameter.data = before + change * direction
                values.append(loss())
            expected = (values[0] - values[1]) / 2e-6
            assert float((parameter.grad * direction).sum()) == pytest.approx(expected, abs=2e-8, rel=1e-5), (
                parameter_name
            )
        parameter.data = before


def test_each_part_of_the_network_has_a_gradient(tmp_path: Path) -> None:
    spec = SPECS["pairs"]()
    model, image = compiled(spec, tmp_path), images(spec, 16)
    for name, parameter in model.named_parameters():
        if name.endswith("threshold_N") or name.startswith("W_from_I"):
            parameter.data.fill_(-5.0)  # nothing silences a cell
    F.cross_entropy(model(image), torch.arange(16) % 3).backward()
    still = [name for name, parameter in model.named_parameters() if not parameter.grad.abs().sum() > 0]
    assert still == []


@pytest.mark.parametrize("network", ["column", "bionic"])
def test_the_real_column_equals_the_dense_network(network: str, shared_data: Path, tmp_path: Path) -> None:
    from connectome2net import extract, open_source

    spec = extract(open_source(shared_data / "microns" / "v1_column"), network=network)
    model, image = compiled(spec, tmp_path), images(spec, 2)
    expected = oracle.forward(spec, oracle.learned_by(model, spec), image.numpy())
    np.testing.assert_allclose(model(image).detach().numpy(), expected, rtol=0, atol=1e-9)


@pytest.mark.parametrize("network", ["graded", "spiking"])
def test_checkpoints_change_nothing_where_voltages_cross_from_cells_that_wait(network: str, tmp_path: Path) -> None:
    """Gap junctions between two groups, each updated while the other waits, and updated again afterwards."""
    electrical = {"name": "gap", "synapse": "electrical", "pre": ["E", "I"], "post": ["E", "I"], "normalise": "none"}
    crossing = [item for item in network_data(network)["projections"] if item["name"] in ("L4E_E", "from_I")]
    crossing[1] |= {"post": ["L4E"]}
    found = []
    for checkpoint in ({}, {"checkpoint": 2}):
        how: dict[str, Any] = {"steps": 5} | checkpoint
        spec = twelve_cells(
            network,
            projections=[*crossing, electrical],
            noise=None,
            **phases(("L4E", "E"), ("I",), ("E",), ("I",), **how),
        )
        model = compiled(spec, tmp_path / str(checkpoint))
        F.cross_entropy(model(images(spec, 3)), torch.arange(3)).backward()
        gradients = [parameter.grad.flatten() for parameter in model.parameters() if parameter.grad is not None]
        found.append(torch.cat(gradients))
    assert found[0].abs().max() > 1e-3
    torch.testing.assert_close(found[1], found[0], rtol=1e-12, atol=1e-15)
