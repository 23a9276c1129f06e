"""The benchmark of the rules runs, and measures each of them."""

import subprocess
import sys
from pathlib import Path

import pytest

from connectome2net.compile.rules import KINDS

RULES = Path(__file__).parents[2] / "benchmarks" / "rules.py"


@pytest.mark.slow
def test_every_rule_is_measured():
    command = [sys.executable, str(RULES), "--cells", "200", "--batch", "4", "--repeat", "1"]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr[-2000:]
    lines = [line for line in done.stdout.splitlines() if line.endswith("% |")]
    assert {line.split(" | ")[0].removeprefix("| ") for line in lines} == {"training step", *KINDS.values()}
