"""How fast one step through a connectome is, forward and backward, beside what people use today.

Enters: sizes. Leaves: one table per size on stdout: every line in a process of its own, all in this run, in turns.

    python benchmarks/sparse_step.py --source DIR        # the V1 column of a folder of tables, and three larger graphs
    python benchmarks/sparse_step.py --sizes column      # without DIR: the synthetic column, of the same size
"""

# Axes: E edges, N cells, B batch.

from __future__ import annotations

import argparse
import json
import resource
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from scipy import sparse
from torch import Tensor, nn

SIZES = {
    "column": (1_351, 75_251),
    "10k": (10_000, 1_000_000),
    "50k": (50_000, 2_500_000),
    "200k": (200_000, 10_000_000),
}
BATCH = 128
SECONDS = 1.0
"""How long each line is measured in a turn."""
LONGEST = 150.0
"""Seconds after which a line is given up."""
OURS = ("native", "csr", "gather", "dense")

Product = Callable[[Tensor], Tensor]


@dataclass(frozen=True)
class Graph:
    """A random or measured connectome, its weights and one batch."""

    post_E: Tensor
    pre_E: Tensor
    weight_E: Tensor
    rate_NB: Tensor
    toward_NB: Tensor

    @property
    def cells(self) -> int:
        """How many cells there are."""
        return len(self.rate_NB)


def make_graph(size: str, source: str | None) -> Graph:
    """Return the edges of the column, or drawn ones, with numbers from a fixed seed."""
    cells, edges = SIZES[size]
    if size == "column":
        from connectome2net import extract, open_source
        from connectome2net.spec.tables import edge_index

        spec = extract(open_source(source or "synthetic"))
        pre, post = edge_index(spec.edges)
        cells = spec.cells.num_rows
    else:
        drawn = np.random.default_rng(0).integers(0, cells**2, int(edges * 1.01))
        drawn = np.unique(drawn)[:: max(1, len(np.unique(drawn)) // edges)][:edges]
        post, pre = drawn // cells, drawn % cells
    generator = torch.Generator().manual_seed(0)
    return Graph(
        torch.from_numpy(np.array(post, dtype=np.int64)),
        torch.from_numpy(np.array(pre, dtype=np.int64)),
        torch.randn(len(pre), generator=generator),
        torch.randn(cells, BATCH, generator=generator),
        torch.randn(cells, BATCH, generator=generator),
    )


# ------------------------------------------------------------------------------------------------------ the ways
def compressed(graph: Graph) -> dict[str, Tensor]:
    """Return the arrays of a compiled block, edges in the order of the graph."""
    number = np.arange(len(graph.pre_E), dtype=np.int32)
    shape = (graph.cells, graph.cells)
    rows = sparse.csr_array((number, (graph.post_E.numpy(), graph.pre_E.numpy())), shape=shape)
    rows.sort_indices()
    columns = rows.tocsc()
    arrays = (rows.indptr, rows.indices, columns.indptr, columns.indices, columns.data)
    names = ("post_start", "pre_index", "pre_start", "post_index", "order")
    tensors = {f"W.{name}": torch.from_numpy(array.astype(np.int32)) for name, array in zip(names, arrays, strict=True)}
    return tensors | {"W.anatomy": torch.ones(len(number)), "W.sign": torch.ones(graph.cells, dtype=torch.int8)}


def ours(graph: Graph, values: nn.Parameter, backend: str) -> Product:
    """A backend of this package; the same weights and no more."""
    from connectome2net.runtime.backends import BACKENDS
    from connectome2net.runtime.pattern import Pattern
    from connectome2net.runtime.sparse import Weights

    arrays = compressed(graph)
    names = ("post_start", "pre_index", "pre_start", "post_index", "order")
    pattern = Pattern(*(arrays[f"W.{name}"] for name in names))
    if problem := BACKENDS[backend].problem(pattern, torch.device("cpu"), torch.float32):
        raise SystemExit(problem)  # another backend would be taken in its place
    return lambda rate_NB: Weights(values, pattern, backend=backend) @ rate_NB


def projection(graph: Graph, values: nn.Parameter) -> Product:
    """A whole projection of a compiled model: anatomy, signs, softplus; its theta stands in for the values."""
    from connectome2net.runtime.sparse import Projection

    module = Projection(compressed(graph), "W", sign="dale")
    module.theta_E = values
    return module


def masked_linear(graph: Graph, values: nn.Parameter) -> Product:
    """A full matrix times a mask, as ``nn.Linear`` with a mask does."""
    cells = graph.cells
    full, mask = torch.zeros(cells, cells), torch.zeros(cells, cells)
    mask[graph.post_E, graph.pre_E] = 1.0
    full[graph.post_E, graph.pre_E] = values.detach()
    weight = nn.Parameter(full)
    product: Any = lambda rate_NB: nn.functional.linear(rate_NB.T, weight * mask).T  # noqa: E731
    product.parameters = [weight]
    product.gradient = lambda: weight.grad[graph.post_E, graph.pre_E]
    return product


def native_coo(graph: Graph, values: nn.Parameter) -> Product:
    """``torch.sparse.mm`` and its own autograd."""
    at = torch.stack([graph.post_E, graph.pre_E])
    shape = (graph.cells, graph.cells)
    return lambda rate_NB: torch.sparse.mm(
        torch.sparse_coo_tensor(at, values, shape, is_coalesced=True, check_invariants=False), rate_NB
    )


def native_csr(graph: Graph, values: nn.Parameter) -> Product:
    """A CSR tensor, ``@`` and its own autograd."""
    arrays = compressed(graph)
    start, index, shape = arrays["W.post_start"], arrays["W.pre_index"], (graph.cells, graph.cells)
    return lambda rate_NB: torch.sparse_csr_tensor(start, index, values, shape, check_invariants=False) @ rate_NB


def index_add(graph: Graph, values: nn.Parameter) -> Product:
    """Gather, multiply, ``index_add``."""
    return lambda rate_NB: torch.zeros_like(rate_NB).index_add(0, graph.post_E, values[:, None] * rate_NB[graph.pre_E])


def geometric(graph: Graph, values: nn.Parameter) -> Product:
    """Message passing of torch-geometric, without compiled extras."""
    from torch_geometric.nn import MessagePassing

    class Sum(MessagePassing):
        def forward(self, x: Tensor, edge_index: Tensor, weight: Tensor) -> Tensor:
            return self.propagate(edge_index, x=x, weight=weight)

        def message(self, x_j: Tensor, weight: Tensor) -> Tensor:
            return weight[:, None] * x_j

    layer, at = Sum(aggr="add", node_dim=0), torch.stack([graph.pre_E, graph.post_E])
    return lambda rate_NB: layer(rate_NB, at, values)


def snntorch_step(graph: Graph, values: nn.Parameter) -> Product:
    """A masked linear layer and one step of snntorch's leaky cells."""
    import snntorch

    linear: Any = masked_linear(graph, values)
    leaky = snntorch.Leaky(beta=0.9)

    def product(rate_NB: Tensor) -> Tensor:
        drive_NB = linear(rate_NB)
        return leaky(drive_NB, torch.zeros_like(drive_NB))[1]

    product.parameters, product.gradient = linear.parameters, linear.gradient  # type: ignore[attr-defined]
    return product


def ncps_step(graph: Graph, values: nn.Parameter) -> Product:
    """One unfold of the LTC cell of ncps on this wiring: another equation, the same edges; it computes all N x N."""
    from ncps.torch import LTCCell
    from ncps.wirings import Wiring

    wiring = Wiring(graph.cells)
    wiring.adjacency_matrix = np.zeros((graph.cells, graph.cells), dtype=np.int32)
    wiring.adjacency_matrix[graph.pre_E, graph.post_E] = 1
    wiring.set_output_dim(1)
    wiring.build(1)
    wiring.sensory_adjacency_matrix = np.ones((1, graph.cells), dtype=np.int32)
    cell = LTCCell(wiring, ode_unfolds=1)
    nothing = torch.zeros(BATCH, 1)
    product: Any = lambda rate_NB: cell(nothing, rate_NB.T)[1].T  # noqa: E731
    product.parameters, product.gradient = [*cell.parameters()], None
    return product


def numbers_of(cells: int, edges: int) -> dict[str, float]:
    """Return about how many numbers of 4 bytes each way holds at once, where that may be too many."""
    full, gathered = cells**2, edges * BATCH
    return {
        "masked nn.Linear": 6 * full,
        "snntorch, masked": 6 * full,
        "ours: dense": 5 * full,
        "torch.sparse COO": 1.2 * full,
        "torch.sparse CSR": 1.2 * full,
        "gather, index_add": 3 * gathered,
        "torch-geometric": 4 * gathered,
        "ours: gather": 3 * gathered,
        "ncps LTC, one unfold": 10 * full * BATCH,
    }


WAYS: dict[str, Callable[[Graph, nn.Parameter], Product]] = {
    **{f"ours: {name}": lambda graph, values, name=name: ours(graph, values, name) for name in OURS},
    "ours: projection, Dale": projection,
    "masked nn.Linear": masked_linear,
    "torch.sparse COO": native_coo,
    "torch.sparse CSR": native_csr,
    "gather, index_add": index_add,
    "torch-geometric": geometric,
    "snntorch, masked": snntorch_step,
    "ncps LTC, one unfold": ncps_step,
}
OTHER_EQUATION = ("ours: projection, Dale", "snntorch, masked", "ncps LTC, one unfold")
"""These compute more than ``W rate``; their numbers are not compared."""


# ------------------------------------------------------------------------------------------------------- measure
def timed(action: Callable[[], object]) -> float:
    """Return the median seconds of an action, taken once where that takes long."""
    action()
    times: list[float] = []
    while sum(times) < SECONDS or (len(times) < 3 and sum(times) < 5 * SECONDS):
        started = time.perf_counter()
        action()
        times.append(time.perf_counter() - started)
    return statistics.median(times)


def measure(way: str, size: str, source: str | None) -> dict[str, Any]:
    """Measure one way in this process."""
    graph = make_graph(size, source)
    values = nn.Parameter(graph.weight_E.clone())
    product: Any = WAYS[way](graph, values)
    parameters = getattr(product, "parameters", [values])
    parameters = [values] if callable(parameters) else parameters
    rate = graph.rate_NB.clone().requires_grad_()
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss

    def there_and_back() -> None:
        rate.grad = None
        for parameter in parameters:
            parameter.grad = None
        product(rate).backward(graph.toward_NB)

    optimiser = torch.optim.Adam(parameters, lr=1e-6)

    def train() -> None:
        there_and_back()
        optimiser.step()

    @torch.no_grad()
    def infer() -> None:
        product(rate)

    there_and_back()
    answer = None
    if way not in OTHER_EQUATION:
        of_values = product.gradient() if hasattr(product, "gradient") else values.grad
        answer = [float(of_values.double().norm()), float(rate.grad.double().norm())]
    seconds, training, inference = timed(there_and_back), timed(train), timed(infer)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return {
        "ms": seconds * 1e3,
        "train": BATCH / training,
        "infer": BATCH / inference,
        "gb": peak * 1024 / 1e9,
        "own_gb": (peak - before) * 1024 / 1e9,
        "answer": answer,
    }


def run(way: str, size: str, source: str | None) -> dict[str, Any] | None:
    """Measure one way in a process of its own; None where it ended badly."""
    command = [sys.executable, "-W", "ignore", __file__, "--one", way, "--sizes", size]
    command += ["--source", source] if source else []
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=LONGEST)
    except subprocess.TimeoutExpired:
        return None
    if done.returncode:
        print(done.stderr[-500:], file=sys.stderr)
        return None
    result: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return result


def table(size: str, source: str | None, *, turns: int, memory_gb: float, ways: list[str]) -> None:
    """Measure all ways in turns and print their medians."""
    cells, edges = SIZES[size]
    needs = numbers_of(cells, edges)
    found: dict[str, list[dict[str, Any]]] = {way: [] for way in ways}
    for _ in range(turns):
        for way in ways:
            if needs.get(way, 0) * 4 / 1e9 <= memory_gb and (result := run(way, size, source)):
                found[way].append(result)
    check(found)
    median = {
        way: {key: statistics.median(item[key] for item in items) for key in ("ms", "train", "infer", "gb")}
        for way, items in found.items()
        if items
    }
    peers = [row["ms"] for way, row in median.items() if not way.startswith("ours") and way not in OTHER_EQUATION]
    best = min(peers, default=float("nan"))
    print(f"\n{cells:,} cells, {edges:,} edges, batch {BATCH}, float32, {torch.get_num_threads()} threads, ", end="")
    print(f"torch {torch.__version__}; median of {turns} turns")
    print("\n| way | forward + backward, ms | best peer / this | training, images/s | inference, images/s | peak GB |")
    print("| --- | --- | --- | --- | --- | --- |")
    for way in ways:
        if way in median:
            row = median[way]
            ratio = f"{best / row['ms']:.2f}" if peers else "no peer fits"
            print(f"| {way} | {row['ms']:.2f} | {ratio} | {row['train']:,.0f} | ", end="")
            print(f"{row['infer']:,.0f} | {row['gb']:.2f} |", flush=True)
        else:
            needed = f"about {needs[way] * 4 / 1e9:,.1f} GB" if way in needs else ""
            print(f"| {way} | does not fit, or not in {LONGEST:.0f} s; {needed} | | | | |")
    if "ours: native" in median and shutil.which("cc"):
        ceilings(size, median["ours: native"]["ms"])


def ceilings(size: str, ms: float) -> None:
    """Print what the algorithm of the native backend must do, what this machine can do, and the share reached.

    Forward and backward are three products of 2 E B operations. Each of the two passes over the edges has to read a
    row of sources, 512 bytes, for every edge; weights, indices and results are less than a tenth of that.
    """
    cells, edges = SIZES[size]
    with tempfile.TemporaryDirectory() as folder:
        program = f"{folder}/ceilings"
        source = Path(__file__).with_name("ceilings.c")
        subprocess.run(["cc", "-O3", "-march=native", "-fopenmp", str(source), "-o", program], check=True)
        command = [program, str(torch.get_num_threads()), str(cells * BATCH * 4)]
        done = subprocess.run(command, capture_output=True, text=True, check=True)
    gflops, gbytes = map(float, done.stdout.split())
    arithmetic, reading = 6 * edges * BATCH / gflops / 1e6, 2 * edges * BATCH * 4 / gbytes / 1e6
    print(
        f"\nCeilings: {gflops:.0f} GFLOP/s in registers; {gbytes:.0f} GB/s in random rows of 512 bytes of an array of ",
        end="",
    )
    print(
        f"{cells * BATCH * 4 / 1e6:.1f} MB. `ours: native` must compute for {arithmetic:.2f} ms and read for ", end=""
    )
    print(
        f"{reading:.2f} ms; it takes {ms:.2f} ms: {max(arithmetic, reading) / ms:.0%} of the nearer ceiling.",
        flush=True,
    )


def check(found: dict[str, list[dict[str, Any]]]) -> None:
    """Refuse to print times of ways that computed something else."""
    answers = {way: item["answer"] for way, items in found.items() for item in items if item["answer"]}
    if not answers:
        return
    wanted = answers.get("ours: csr") or next(iter(answers.values()))
    for way, answer in answers.items():
        if not np.allclose(answer, wanted, rtol=1e-4):
            raise SystemExit(f"{way} computed something else: {answer}, wanted {wanted}")


def main() -> None:
    """Parse, measure, print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sizes", nargs="+", default=[*SIZES], choices=[*SIZES])
    parser.add_argument("--ways", nargs="+", default=[*WAYS], choices=[*WAYS])
    parser.add_argument("--source", help="a folder with the tables of the V1 column")
    parser.add_argument("--turns", type=int, default=3)
    parser.add_argument("--memory-gb", type=float, default=18.0, help="what may be held at once")
    parser.add_argument("--one", help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.one:
        print(json.dumps(measure(given.one, given.sizes[0], given.source)))
        return
    for size in given.sizes:
        table(size, given.source, turns=given.turns, memory_gb=given.memory_gb, ways=given.ways)


if __name__ == "__main__":
    main()
