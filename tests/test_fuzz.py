"""No damage to a spec or to a compiled folder ends in a traceback, a hang or without memory."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

TESTS = Path(__file__).parent


def fuzz(kind: str, *, seed: int, count: int) -> dict[str, int]:
    """Try damaged files in a process of its own; return how many came to each end."""
    paths = os.pathsep.join([str(TESTS.parent), str(TESTS), *filter(None, [os.environ.get("PYTHONPATH")])])
    command = [sys.executable, "-W", "error", str(TESTS / "fuzz_child.py"), kind, str(seed), str(count)]
    done = subprocess.run(
        command, env=os.environ | {"PYTHONPATH": paths}, capture_output=True, text=True, timeout=60 + count
    )
    assert done.returncode == 0, done.stderr[-2000:]
    found = json.loads(done.stdout)
    assert found["wrong"] == []
    assert sum(found["ends"].values()) == count
    assert found["grew_bytes"] < 2**30, found["slowest"]
    return found["ends"]


@pytest.mark.parametrize("kind", ["specs", "programs"])
def test_hundreds_of_damaged_files(kind: str) -> None:
    ends = fuzz(kind, seed=0, count=120)
    answered = sum(times for end, times in ends.items() if "answered" in end)
    assert 0 < answered < 50, "some damage is harmless, most is not"


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["specs", "programs"])
def test_ten_thousand_damaged_files(kind: str) -> None:
    fuzz(kind, seed=1_000_000, count=10_000)
