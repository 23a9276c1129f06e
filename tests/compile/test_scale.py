"""100,000 cells and 10 million edges: time and memory of compile, load and one training step.

Measured on one core of a shared machine, processor time: compile 2.8 s, load 1.4 s; memory 7 and 4 times the 160 MB
of arrays.
"""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from connectome2net import Spec, extract, open_source, write_spec
from connectome2net.spec import make_spec
from connectome2net.spec.tables import EDGES_SCHEMA

STEPS = {
    "compile": "from connectome2net.compile.package import compile_spec",
    "load": "from connectome2net.load import load",
    "train": "import torch; from connectome2net.load import load; model = load(folder / 'compiled')",
}
WORK = {
    "compile": "compile_spec(folder, out=folder / 'compiled')",
    "load": "load(folder / 'compiled')",
    "train": "model(torch.rand(4, 1, 48, 48)).square().sum().backward(); torch.optim.Adam(model.parameters()).step()",
}
MEASURE = """
import json, sys, time
from pathlib import Path
folder = Path(sys.argv[1])
def peak():  # getrusage would tell the peak of the parent, too
    lines = dict(line.split(":", 1) for line in Path("/proc/self/status").read_text().splitlines())
    return int(lines["VmHWM"].split()[0]) / 1e6
{first}
start, before = time.process_time(), peak()
{work}
print(json.dumps(dict(seconds=time.process_time() - start, before=before, peak_gb=peak())))
"""


def measured(step: str, folder: Path) -> dict[str, float]:
    """Do one step in a process of its own, so that its peak of memory is its own."""
    code = MEASURE.format(first=STEPS[step], work=WORK[step])
    done = subprocess.run([sys.executable, "-c", code, str(folder)], capture_output=True, text=True, check=True)
    return json.loads(done.stdout)


def ten_million(network: str) -> Spec:
    """A synthetic column whose cells are connected at random, without regard to distance."""
    spec = extract(open_source("synthetic", cells=100_000), network=network)
    random = np.random.default_rng(0)
    post, pre = np.divmod(np.unique(random.integers(0, 10**10, 10_005_000)), 10**5)
    count, size = random.poisson(1, len(pre)) + 1, random.integers(100, 5_000, len(pre))
    edges = pa.table([post.astype(np.int32), pre.astype(np.int32), count.astype(np.int32), size], schema=EDGES_SCHEMA)
    assert edges.num_rows >= 10**7
    return make_spec(spec.document, cells=spec.cells, edges=edges)


@pytest.mark.slow
@pytest.mark.parametrize("network", ["column", "bionic"])
def test_a_hundred_thousand_cells(network: str, tmp_path: Path) -> None:
    """30 s and 5 s are what a user should wait at most, and memory is a small multiple of the arrays."""
    if not Path("/proc/self/status").is_file():
        pytest.skip("the peak of memory is read from /proc")
    write_spec(ten_million(network), tmp_path)
    found = {step: measured(step, tmp_path) for step in STEPS}
    arrays_gb = (tmp_path / "compiled" / "weights.safetensors").stat().st_size / 1e9
    print(f"{network}: {arrays_gb:.3f} GB of arrays; {found}")
    assert found["compile"]["seconds"] < 15
    assert found["load"]["seconds"] < 4
    assert found["compile"]["peak_gb"] - found["compile"]["before"] < 0.7 + 5 * arrays_gb
    assert found["load"]["peak_gb"] - found["load"]["before"] < 0.3 + 5 * arrays_gb
    assert found["train"]["peak_gb"] < 8
