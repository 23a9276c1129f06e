"""Every optional part can be switched off: the network compiles, loads, runs and learns, and is counted right."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from columns import network_data, twelve_cells
from torch.nn import functional as F

from connectome2net import compile_spec, load
from connectome2net.compile.lower import lower
from connectome2net.compile.parameters import count_parameters
from connectome2net.load import parameter_counts
from connectome2net.spec import Spec
from connectome2net.spec.validate import validate


def changed(network: str, path: str, value: Any) -> Spec:
    data = network_data(network)
    *way, last = path.split("/")
    part: Any = data
    for name in way:
        part = part[int(name) if isinstance(part, list) else name]
    part[last] = value
    return twelve_cells(network, **data)


OFF: list[tuple[str, str, Any]] = [
    ("feedforward", "front_end/blocks/0/lateral_inhibition", None),
    ("feedforward", "front_end/attention", None),
    ("feedforward", "front_end/adaptation", False),
    ("feedforward", "front_end/blocks", []),
    ("feedforward", "inhibition", None),
    ("feedforward", "noise", None),
    ("feedforward", "plasticity/hebbian", None),
    ("feedforward", "plasticity/homeostatic", None),
    ("feedforward", "dynamics/norm", "none"),
    ("feedforward", "dynamics/leak", 0.5),
    ("pairs", "front_end/blocks/0/norm", "none"),
    ("pairs", "front_end/dropout", 0.0),
    ("pairs", "readout/dropout", 0.0),
    ("pairs", "dynamics/norm", "layer"),
    ("pairs", "input", {"kind": "dense", "population": "L4E"}),
    ("pairs", "input/neighbourhood", 1),
    ("column", "front_end/blocks", []),
    ("column", "schedule/0/steps", 7),
    ("column", "schedule/0/checkpoint", 2),
    ("column", "learning", {"kind": "reservoir"}),
    ("pairs", "learning", {"kind": "feedback_alignment"}),
]


@pytest.mark.parametrize(("network", "path", "value"), OFF, ids=lambda value: str(value)[:40])
def test_a_part_is_switched_off(network: str, path: str, value: Any, tmp_path: Path) -> None:
    spec = changed(network, path, value)
    assert validate(spec) == []
    program = lower(spec)[0]
    model = load(compile_spec(spec, out=tmp_path / "compiled"))
    assert count_parameters(program) == parameter_counts(model)
    form = spec.network.front_end
    torch.manual_seed(0)
    image, label = torch.rand(12, 1, form.height, form.width), torch.arange(12) % spec.network.readout.classes
    optimiser, losses = torch.optim.Adam(model.parameters(), lr=0.02), []
    for _ in range(25):
        loss = F.cross_entropy(model(image), label)
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        model.plasticity_step()
        losses.append(loss.item())
    assert min(losses) < losses[0] - 0.005


@pytest.mark.parametrize("network", ["column", "column_deep", "bionic"])
def test_parameters_of_the_presets_are_counted(network: str, shared_data: Path, tmp_path: Path) -> None:
    from connectome2net import extract, open_source

    spec = extract(open_source(shared_data / "microns" / "v1_column"), network=network)
    counts = count_parameters(lower(spec)[0])
    assert counts == parameter_counts(load(compile_spec(spec, out=tmp_path / "compiled")))
    if network != "bionic":
        assert counts["W_recurrent"] == 75_251
    else:
        assert {name: count for name, count in counts.items() if name.startswith("W_")} == {
            **{"W_A_A": 3_233, "W_B_B": 5_750, "W_C_C": 1_479, "W_D_D": 2_855},
            **{"W_A_B": 2_689, "W_B_C": 2_289, "W_C_D": 1_429},
        }
