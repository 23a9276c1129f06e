"""torch.compile and torch.export take a loaded network as one graph, with the numbers of eager torch."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Any

import pytest
import torch
from columns import network_data, twelve_cells
from torch import Tensor, nn

import connectome2net as c2n
from connectome2net.spec import load_preset

SMALL = {"height": 12, "width": 12, "blocks": [{"channels": 4, "pool": 2, "norm": "group"}]}
SETTLING = [{"populations": ["*"], "steps": 6, "tolerance": 1e-9, "checkpoint": 2}]


def bionic() -> dict[str, Any]:
    """The preset's parts on the populations of the twelve cells."""
    preset = load_preset("bionic").model_dump(mode="json")
    return {name: preset[name] for name in ("front_end", "dynamics", "inhibition", "noise")}


NETWORKS: dict[str, tuple[str, dict[str, Any]]] = {
    "column": ("column", {"front_end": SMALL}),
    "pairs": ("pairs", {}),
    "bionic": ("feedforward", bionic()),
    "delays": ("pairs", {"projections": [row | {"delay_steps": 1} for row in network_data("pairs")["projections"]]}),
    "settling": ("column", {"front_end": SMALL, "schedule": SETTLING}),
    "spiking": ("spiking", {}),
    "izhikevich": ("spiking", {"dynamics": {"model": "izhikevich"}}),
    "graded": ("graded", {}),
    "elm": ("pairs", {"dynamics": {"model": "elm", "memory_units": 3, "hidden": 4}}),
    "alignment": ("column", {"front_end": SMALL, "learning": {"kind": "feedback_alignment"}}),
}
FAST = [("pairs", "aot_eager", "native"), ("spiking", "eager", "gather")]
EVERY = [
    (network, way, product)
    for network in NETWORKS
    for way in ("aot_eager", "inductor")
    for product in ("native", "gather")
]


@pytest.fixture(autouse=True)
def fresh_compiler() -> None:
    torch._dynamo.reset()


def two(tmp_path: Path, network: str, backend: str) -> tuple[Any, Any, Tensor]:
    """Two equal networks without randomness, and images."""
    name, changes = NETWORKS[network]
    folder = c2n.compile_spec(twelve_cells(name, **changes), out=tmp_path / "compiled")
    models = [c2n.load(folder, backend=backend), c2n.load(folder, backend=backend)]
    for module in (module for model in models for module in model.modules()):
        if isinstance(module, nn.Dropout):
            module.p = 0.0
        if hasattr(module, "noise"):
            module.noise = 0.0
    program: Any = models[0].program
    image = torch.rand(5, 1, program.height, program.width, generator=torch.Generator().manual_seed(0))
    return *models, image


def close(found: Tensor, wanted: Tensor) -> None:
    torch.testing.assert_close(found, wanted, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize(
    ("network", "way", "backend"), [*FAST, *(pytest.param(*case, marks=pytest.mark.slow) for case in EVERY)]
)
@pytest.mark.filterwarnings("ignore:.*torch.jit:DeprecationWarning")  # inductor's own
@pytest.mark.filterwarnings("ignore:.*should not be instantiated:DeprecationWarning")  # dynamo's own
def test_a_compiled_graph_trains_as_eager_torch_does(tmp_path: Path, network: str, way: str, backend: str) -> None:
    model, eager, image = two(tmp_path, network, backend)
    traced = torch.compile(model, backend=way, fullgraph=True)
    answer, wanted = traced(image), eager(image)
    close(answer, wanted)
    answer.square().sum().backward()
    wanted.square().sum().backward()
    for found, right in zip(model.parameters(), eager.parameters(), strict=True):
        close(found.grad, right.grad)
    for group in getattr(eager, "activity", {}):
        close(model.activity[group].read_NB, eager.activity[group].read_NB)
    if hasattr(eager, "activity"):
        model.plasticity_step()
        eager.plasticity_step()
    for found, right in zip(model.parameters(), eager.parameters(), strict=True):
        close(found, right)
    with torch.no_grad():
        close(torch.compile(model.eval(), backend=way, fullgraph=True)(image), eager.eval()(image))


@pytest.mark.parametrize("network", ["column", *(pytest.param(name, marks=pytest.mark.slow) for name in NETWORKS)])
@pytest.mark.parametrize("strict", [False, pytest.param(True, marks=pytest.mark.slow)])
def test_an_exported_graph_takes_any_number_of_images(tmp_path: Path, network: str, strict: bool) -> None:
    model, _, image = two(tmp_path, network, "gather")
    batch = ({0: torch.export.Dim("batch")},)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # torch's own
        program = torch.export.export(model.eval(), (image,), dynamic_shapes=batch, strict=strict)
    for count in (1, 7):
        images = torch.rand(count, *image.shape[1:])
        close(program.module()(images), model(images))


def test_a_network_that_traces_forgets_sparse_tensors(tmp_path: Path) -> None:
    """The way that was asked for cannot be traced; the next best is taken, with the same numbers."""
    model, eager, image = two(tmp_path, "column", "csr")
    close(torch.compile(model, backend="eager", fullgraph=True)(image), eager(image))


def test_rates_stand_to_the_right_of_weights(tmp_path: Path) -> None:
    model, _, _ = two(tmp_path, "column", "native")
    weights, rate = model.W_recurrent.weights(), torch.rand(12, 3)
    close(torch.matmul(weights, rate), weights @ rate)
    with pytest.raises(TypeError, match="unsupported operand"):
        rate.T @ weights
