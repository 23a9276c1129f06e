"""Memory that was freed is used again, rather than taken from the system page by page."""

import os
import platform
import subprocess
import sys

import pytest

from connectome2net.runtime import allocator

FAULTS = """
import resource, sys, torch
from connectome2net.runtime.allocator import keep_freed_memory
assert sys.argv[1] == "0" or keep_freed_memory()
def faults(times):
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    for _ in range(times):
        [torch.zeros(20_000_000, dtype=torch.uint8) for _ in range(6)]
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before
faults(10)
print(faults(5))
"""


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="the C library is another")
def test_a_large_array_takes_the_pages_of_the_one_before() -> None:
    def count(kept: str) -> int:
        # What glibc does by itself depends on what else lies in memory; this makes it take large arrays anew, always.
        anew = os.environ | {"MALLOC_MMAP_THRESHOLD_": "65536"}
        command = [sys.executable, "-c", FAULTS, kept]
        return int(subprocess.run(command, capture_output=True, text=True, check=True, env=anew).stdout)

    assert count("1") < 1000
    assert count("0") > 10_000


def test_other_c_libraries_are_left_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(platform, "libc_ver", lambda: ("", ""))
    monkeypatch.setattr(allocator.ctypes, "CDLL", None)
    assert not allocator.keep_freed_memory()
