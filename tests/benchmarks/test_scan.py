"""The benchmark of the scan runs, and all its ways give one answer (it refuses to print otherwise)."""

import subprocess
import sys
from pathlib import Path

import pytest

SCAN = Path(__file__).parents[2] / "benchmarks" / "scan.py"


@pytest.mark.slow
def test_the_scan_is_measured_in_all_ways(tmp_path):
    command = [sys.executable, str(SCAN), "--rows", "300_000", "--folder", str(tmp_path), "--repeat", "1"]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr[-2000:]
    lines = [line for line in done.stdout.splitlines() if line.startswith("| ")]
    assert len(lines) == 14
    assert "| DuckDB by hand, the same answer | " in done.stdout
    assert " 1.00 | " in next(line for line in lines if "the same answer |" in line)
