"""One small experiment and its page, shared by the tests of the page."""

from pathlib import Path

import numpy as np
import pytest

from connectome2net.report import write_report
from connectome2net.tasks.dataset import FER_CLASSES
from tests.report.experiments import make_experiment


@pytest.fixture(scope="session")
def experiment(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_experiment(tmp_path_factory.mktemp("experiments") / "control-ladder")


@pytest.fixture(scope="session")
def drawn() -> dict[str, np.ndarray]:
    """Stand-ins for drawn faces: one grey square of a class."""
    return {name: np.full((1, 4, 4), 30 * at, dtype=np.uint8) for at, name in enumerate(FER_CLASSES)}


@pytest.fixture(scope="session")
def page(experiment: Path, drawn: dict[str, np.ndarray], tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_report([experiment], out=tmp_path_factory.mktemp("page") / "report.html", faces=drawn)
