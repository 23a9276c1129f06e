"""A small compiled network and a few faces, shared by the tests of training and evaluation."""

from pathlib import Path

import pytest
from columns import twelve_cells

from connectome2net.compile.package import compile_spec
from connectome2net.tasks import Dataset
from connectome2net.tasks.faces import faces


@pytest.fixture(scope="session")
def few_faces() -> Dataset:
    return faces(train=84, validation=28, test=42, size=12)


@pytest.fixture
def feedforward(tmp_path: Path) -> Path:
    """A compiled network with noise, plasticity and free signs, for images of 12 x 12."""
    return compile_spec(twelve_cells("feedforward"), out=tmp_path / "compiled")


@pytest.fixture
def dale(tmp_path: Path) -> Path:
    """A compiled network under Dale's law, for images of 12 x 12."""
    front_end = {"height": 12, "width": 12, "blocks": [{"channels": 4, "pool": 2}]}
    return compile_spec(twelve_cells("column", front_end=front_end), out=tmp_path / "compiled")
