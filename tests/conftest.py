"""What all tests share."""

import os
from pathlib import Path

import pytest


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """The folder of real research data; tests that need it skip where it is absent."""
    folder = Path(os.environ.get("C2N_TEST_DATA") or Path(__file__).parents[2] / "shared" / "data")
    if not folder.is_dir():
        pytest.skip(f"no real data at {folder}; set C2N_TEST_DATA to the folder that has microns/ and fer2013/")
    return folder
