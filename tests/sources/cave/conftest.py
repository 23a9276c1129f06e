"""A server with eight cells, and a world in which CAVE is nowhere else."""

from pathlib import Path

import pytest
from cave_server import TOKEN, CaveServer, cave_tables
from published_tables import CONNECTIONS, eight_cells, synapse_rows


@pytest.fixture(autouse=True)
def empty_world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No token, no home, no browser."""
    for name in ("CAVE_TOKEN", "C2N_CAVE_SERVER", "C2N_CAVE_PIECE_ROWS", "C2N_SOURCE", "XDG_CACHE_HOME"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.setenv("C2N_CACHE", str(tmp_path / "cache"))

    def no_browser(*_: object, **__: object) -> None:
        raise AssertionError("a browser was opened")

    monkeypatch.setattr("webbrowser.open", no_browser)


@pytest.fixture
def eight() -> dict:
    tables = eight_cells()
    return cave_tables(tables, synapse_rows(tables[CONNECTIONS]))


@pytest.fixture
def cave(eight, monkeypatch):
    """A server with the eight cells, named in the environment, with the token that it wants."""
    with CaveServer(eight) as server:
        monkeypatch.setenv("C2N_CAVE_SERVER", server.address)
        monkeypatch.setenv("CAVE_TOKEN", TOKEN)
        yield server
