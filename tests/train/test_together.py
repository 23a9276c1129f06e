"""Two processes that share each batch end with what one process ends with, within rounding."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any, get_args

import pytest
import torch
from columns import network_data, twelve_cells
from hypothesis import given
from hypothesis import strategies as st
from safetensors.torch import load_file

from connectome2net.compile.package import compile_spec
from connectome2net.errors import TrainError
from connectome2net.spec.dynamics import Dynamics
from connectome2net.spec.plasticity import Rule
from connectome2net.tasks import Dataset
from connectome2net.train import TrainConfig, train
from connectome2net.train.processes import Processes

CHILD = Path(__file__).with_name("together_child.py")
SETTINGS: dict[str, Any] = {
    **{"epochs": 2, "batch": 17, "learning_rate": 1e-3, "average": 0.9},
    "augmentation": {"erase": 0.5},
}
"""84 images: the batches split into 8 and 9 images."""

OF_RATES: dict[str, dict[str, Any]] = {
    "hebbian": {"rate": 0.01},
    "oja": {"rate": 0.01},
    "covariance": {"rate": 0.01, "memory_batches": 5},
    "bcm": {"rate": 0.01, "target": 0.5, "memory_batches": 5},
    "homeostatic": {"rate": 0.01, "target": 0.5},
    "inhibitory": {"rate": 0.01, "target": 0.5},
    "differential_hebbian": {"rate": 0.01, "tau_steps": 2.0},
    "three_factor": {"rate": 0.01, "tau_steps": 2.0, "memory_batches": 5},
}
OF_SPIKES: dict[str, dict[str, Any]] = {
    "inhibitory_stdp": {"rate": 0.01, "target_hz": 5.0},
    "stdp": {"rate": 0.01},
    "triplet_stdp": {},
}
REWIRING = {"structural": {"active": 0.5, "every": 2}}
COACTIVE = {"structural": {"active": 0.5, "every": 3, "regrow": "coactivity"}}
INTRINSIC = {"intrinsic": {"rate": 0.01, "target": 0.3, "memory_batches": 4}}


def network(base: str, rules: dict[str, dict[str, Any]], **changes: Any) -> dict[str, Any]:
    """A network of twelve cells for small images, with noise, dropout, and some rules of its chemical projections."""
    data = network_data(base) | {"noise": {"sigma": 0.1}}
    data["front_end"] |= {"height": 12, "width": 12, "dropout": 0.2}
    data["readout"] |= {"classes": 7, "dropout": 0.3}
    of_edges = [name for name in rules if name != "intrinsic"]
    for item in data["projections"]:
        item["plasticity"] = [] if item.get("synapse") == "electrical" else of_edges
    if "intrinsic" in rules:
        data["populations"] = [item | {"plasticity": ["intrinsic"]} for item in data["populations"]]
    data["plasticity"] = {name: {"rule": name} | values for name, values in rules.items()}
    return data | changes


NETWORKS: dict[str, dict[str, Any]] = {
    "rates": network("pairs", OF_RATES | REWIRING | INTRINSIC),
    "free_signs": network("feedforward", COACTIVE),
    "spikes": network("spiking", OF_SPIKES),
    "conductances": network("graded", OF_RATES | INTRINSIC),
    "memories": network("pairs", OF_RATES, dynamics={"model": "elm"}),
    "izhikevich": network("spiking", OF_SPIKES, dynamics={"model": "izhikevich"}),
    "settling": network(
        "pairs",
        OF_RATES,
        noise=None,
        dynamics={"leak": 0.5, "norm": "none"},
        schedule=[{"populations": ["*"], "steps": 60, "tolerance": 1e-3}],
    ),
    "equilibrium": network(
        "pairs",
        {},
        noise=None,
        dynamics={"leak": 0.5, "norm": "none"},
        schedule=[{"populations": ["*"], "steps": 60, "tolerance": 1e-3}],
        learning={"kind": "equilibrium"},
    ),
    "feedback": network("pairs", OF_RATES, learning={"kind": "feedback_alignment"}),
    "checkpoints": network("pairs", REWIRING, schedule=[{"populations": ["*"], "steps": 4, "checkpoint": 2}]),
}


ROUNDING = {"free_signs": 1e-4}
"""1e-5 for the others. Adam makes steps of full size of gradients that are nearly 0, their rounding included."""


def compare(names: list[str], folder: Path, **changes: Any) -> None:
    """Train networks both ways, in one child that imports torch once, and compare losses and weights."""
    settings = json.dumps(SETTINGS | changes)
    specs = {name: twelve_cells("pairs", **NETWORKS[name]) for name in names}
    compiled = [str(compile_spec(spec, out=folder / "compiled" / name)) for name, spec in specs.items()]
    command = [sys.executable, str(CHILD), settings, str(folder / "runs"), *compiled]
    done = subprocess.run(command, env=os.environ | {"OMP_NUM_THREADS": "1"}, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    for name in names:
        one, two = folder / "runs" / name / "one", folder / "runs" / name / "two"
        rounding = ROUNDING.get(name, 1e-5)
        for mine, theirs in zip(records(one), records(two), strict=True):
            assert mine == pytest.approx(theirs, rel=rounding), name
        for file in ("last", "best"):
            weights, others = load_file(one / f"{file}.safetensors"), load_file(two / f"{file}.safetensors")
            far = [
                key
                for key in weights
                if not torch.allclose(weights[key].double(), others[key].double(), rtol=rounding, atol=rounding)
            ]
            assert not far, (name, far)


def records(run: Path) -> list[dict[str, Any]]:
    lines = [json.loads(line) for line in (run / "metrics.jsonl").read_text().splitlines()]
    return [{key: value for key, value in line.items() if "second" not in key} for line in lines]


def test_two_processes_end_as_one(tmp_path: Path) -> None:
    """Rates under Dale's law with every rule that they have, noise and dropout; free signs that are rewired."""
    compare(["rates", "free_signs"], tmp_path)


@pytest.mark.slow
def test_two_processes_end_as_one_with_any_cells_and_any_way_of_learning(tmp_path: Path) -> None:
    compare([name for name in NETWORKS if name not in ("rates", "free_signs")], tmp_path)


@pytest.mark.slow
def test_a_batch_of_fewer_images_than_processes_counts_once(tmp_path: Path) -> None:
    """84 images: the last batch has one."""
    compare(["rates", "settling"], tmp_path, batch=83, epochs=4)


def test_networks_of_these_tests_have_every_rule_and_every_cell() -> None:
    """What the spec gets in future must be added here, too."""
    rules = {name for data in NETWORKS.values() for name in data["plasticity"]}
    assert rules == {get_args(kind.model_fields["rule"].annotation)[0] for kind in get_args(get_args(Rule)[0])}
    models = {data["dynamics"].get("model", "rate") for data in NETWORKS.values()}
    assert models == {get_args(kind.model_fields["model"].annotation)[0] for kind in get_args(get_args(Dynamics)[0])}


@given(batch=st.integers(1, 40), count=st.integers(2, 9))
def test_shares_are_a_batch_and_their_weights_are_one(batch: int, count: int) -> None:
    device = torch.device("cpu")
    shares = [Processes(rank, count, device).share(batch) for rank in range(count)]
    image_B = torch.arange(batch)
    parts = [share.mine(image_B, axis=0) for share in shares if share]
    assert sum(share.weight for share in shares if share) == pytest.approx(1)
    if batch < count:
        assert all(part.equal(image_B) for part in parts)
    else:
        assert torch.cat(parts).equal(image_B)
        assert max(map(len, parts)) - min(map(len, parts)) <= 1
    mean = sum(float(part.double().mean()) * share.weight for part, share in zip(parts, shares, strict=True) if share)
    assert mean == pytest.approx(float(image_B.double().mean()))


def test_settings_that_cannot_be_are_refused(
    feedforward: Path, few_faces: Dataset, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(TrainError, match=r"several nodes need a launcher(.|\n)*torchrun"):
        train(feedforward, data=few_faces, config=TrainConfig(nodes=2, device="cpu"))
    started = {"TORCHELASTIC_RUN_ID": "test", "WORLD_SIZE": "2", "RANK": "0", "LOCAL_RANK": "0"}
    for name, value in started.items():
        monkeypatch.setenv(name, value)
    with pytest.raises(
        TrainError, match=r"torchrun started several processes\n  found:  2\n  wanted: 1\n  fix:    .*--devices"
    ):
        train(feedforward, data=few_faces)
    with pytest.raises(
        TrainError, match=r"the processes cannot be started\n  where:  --devices, --nodes(.|\n)*found:  .*world size"
    ):
        train(feedforward, data=few_faces, config=TrainConfig(devices=3, device="cpu"))
    assert not (feedforward.parent / "runs").exists()
