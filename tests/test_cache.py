"""Where the cache is."""

from pathlib import Path

import pytest

from connectome2net.cache import cache_root


def test_the_cache_is_told_by_the_environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    for name in ("C2N_CACHE", "XDG_CACHE_HOME"):
        monkeypatch.delenv(name, raising=False)
    assert cache_root() == tmp_path / ".cache" / "connectome2net"
    monkeypatch.setenv("XDG_CACHE_HOME", "/caches")
    assert cache_root() == Path("/caches/connectome2net")
    monkeypatch.setenv("C2N_CACHE", "~/mine")
    assert cache_root() == tmp_path / "mine"
