"""A small compiled network and a few faces, shared by the tests of training and evaluation."""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Any

import pytest
from columns import network_data, twelve_cells

from connectome2net.compile.package import compile_spec
from connectome2net.tasks import Dataset
from connectome2net.tasks.faces import faces
from connectome2net.train.training import Training


@pytest.fixture(scope="session")
def few_faces() -> Dataset:
    return faces(train=84, validation=28, test=42, size=12)


@pytest.fixture
def feedforward(tmp_path: Path) -> Path:
    """A compiled network with noise, plasticity and free signs, for images of 12 x 12."""
    return compile_spec(twelve_cells("feedforward"), out=tmp_path / "compiled")


@pytest.fixture
def plastic(tmp_path: Path) -> Path:
    """A compiled network whose rules remember: running means, thresholds, a baseline of reward, a mask."""
    network = network_data("feedforward")
    rules = {
        "bcm": {"rule": "bcm", "rate": 0.01, "memory_batches": 4},
        "covariance": {"rule": "covariance", "rate": 0.01, "memory_batches": 4},
        "three_factor": {"rule": "three_factor", "rate": 0.01, "tau_steps": 1.0, "memory_batches": 4},
        "structural": {"rule": "structural", "active": 0.5, "every": 4},
    }
    network["projections"] = [item | {"plasticity": [*rules]} for item in network["projections"]]
    network["populations"] = [item | {"plasticity": ["intrinsic"]} for item in network["populations"]]
    rules["intrinsic"] = {"rule": "intrinsic", "rate": 0.01, "target": 0.3, "memory_batches": 4}
    spec = twelve_cells("feedforward", **network | {"plasticity": rules})
    return compile_spec(spec, out=tmp_path / "plastic")


@pytest.fixture
def dale(tmp_path: Path) -> Path:
    """A compiled network under Dale's law, for images of 12 x 12."""
    front_end = {"height": 12, "width": 12, "blocks": [{"channels": 4, "pool": 2}]}
    return compile_spec(twelve_cells("column", front_end=front_end), out=tmp_path / "dale")


@pytest.fixture
def stopped() -> Callable[[int], AbstractContextManager[None]]:
    """What stops a training by Ctrl-C when an epoch is done and not yet kept."""

    @contextmanager
    def stop_in(epoch: int) -> Iterator[None]:
        keep = Training.keep

        def keep_or_stop(training: Training, record: dict[str, Any]) -> None:
            if record["epoch"] == epoch:
                raise KeyboardInterrupt
            keep(training, record)

        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(Training, "keep", keep_or_stop)
            with pytest.raises(KeyboardInterrupt):
                yield

    return stop_in
