"""What a small experiment leaves, shared by the tests of experiments."""

from pathlib import Path

import pytest
from columns import twelve_cells
from small_experiment import PLAN

from connectome2net.experiment.run import run_experiment
from connectome2net.tasks import Dataset
from connectome2net.tasks.faces import faces


@pytest.fixture(scope="session")
def few_faces() -> Dataset:
    return faces(train=84, validation=28, test=42, size=12)


@pytest.fixture(scope="session")
def whole(few_faces: Dataset, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An experiment that nothing has interrupted."""
    out = tmp_path_factory.mktemp("experiments") / "whole"
    return run_experiment(PLAN, spec=twelve_cells("feedforward"), data=few_faces, out=out, jobs=1)
