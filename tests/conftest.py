"""What all tests share."""

import os
from pathlib import Path

import pytest

if "PYTEST_XDIST_WORKER" in os.environ:  # pytest -n: threads of several workers on the same cores wait for each other
    os.environ.setdefault("OMP_NUM_THREADS", "1")


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """The folder of real research data; tests that need it skip where it is absent."""
    folder = Path(os.environ.get("C2N_TEST_DATA") or Path(__file__).parents[2] / "shared" / "data")
    if not folder.is_dir():
        pytest.skip(f"no real data at {folder}; set C2N_TEST_DATA to the folder that has microns/ and fer2013/")
    return folder
