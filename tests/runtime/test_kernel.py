"""The compiled kernel equals a dense product under a mask, in value and gradients; without a compiler it says why."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from patterns import pattern_of

from connectome2net.runtime import kernel as module
from connectome2net.runtime.kernel import Kernel, find_kernel, kernel_problem

BATCHES = [*range(1, 41), 127, 128, 129, 300]
KINDS = ["any", "sparse", "all", "one", "none", "row", "column"]


@pytest.fixture(scope="module")
def kernel() -> Kernel:
    found = find_kernel()
    if found is None:
        pytest.skip(f"no kernel: {kernel_problem()}")
    return found


@pytest.fixture
def forget() -> Iterator[None]:
    """What was found before is not remembered, nor is what the test finds."""
    module._found.cache_clear()
    yield
    module._found.cache_clear()


def mask_of(kind: str, shape: tuple[int, int], seed: int = 0) -> np.ndarray:
    generator = np.random.default_rng(seed)
    mask = generator.random(shape) < {"any": 0.4, "sparse": 0.05, "all": 1.0}.get(kind, 0.0)
    row, column = generator.integers(shape[0]), generator.integers(shape[1])
    mask[row, :] |= kind == "row"
    mask[:, column] |= kind == "column"
    mask[row, column] |= kind == "one"
    return mask


def operands(mask: np.ndarray, batch: int, dtype: torch.dtype) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """weight_E, rate_MB and grad_NB."""
    generator = torch.Generator().manual_seed(batch)
    sizes = [(int(mask.sum()),), (mask.shape[1], batch), (mask.shape[0], batch)]
    weight, rate, grad = (torch.randn(size, generator=generator, dtype=torch.float64).to(dtype) for size in sizes)
    return weight, rate, grad


def found(
    kernel: Kernel, mask: np.ndarray, inputs: tuple[torch.Tensor, ...]
) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """drive_NB, of_rate_MB and of_weight_E."""
    edges = pattern_of(mask)
    weight, rate, grad = inputs
    drive = kernel.product(edges.post_start, edges.pre_index, weight, rate)
    of_rate, of_weight = kernel.gradient(
        edges.pre_start, edges.post_index, edges.order, weight, grad, rate, of_rate=True, of_weight=True
    )
    assert of_rate is not None
    assert of_weight is not None
    return drive, of_rate, of_weight


def wanted(mask: np.ndarray, inputs: tuple[torch.Tensor, ...]) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    weight, rate, grad = (tensor.double() for tensor in inputs)
    dense = torch.zeros(mask.shape, dtype=torch.float64)
    dense[torch.from_numpy(mask)] = weight
    return dense @ rate, dense.T @ grad, (grad @ rate.T)[torch.from_numpy(mask)]


def check(kernel: Kernel, mask: np.ndarray, batch: int, dtype: torch.dtype) -> None:
    inputs = operands(mask, batch, dtype)
    tolerance = {torch.float64: 1e-12, torch.float32: 3e-5}[dtype]
    for made, right in zip(found(kernel, mask, inputs), wanted(mask, inputs), strict=True):
        assert made.dtype == dtype
        torch.testing.assert_close(made.double(), right, rtol=tolerance, atol=tolerance)


@settings(max_examples=150, deadline=None)
@given(
    kind=st.sampled_from(KINDS),
    shape=st.tuples(st.integers(1, 40), st.integers(1, 40)),
    batch=st.one_of(st.integers(1, 40), st.sampled_from(BATCHES)),
    dtype=st.sampled_from([torch.float32, torch.float64]),
    seed=st.integers(0, 99),
)
def test_equals_a_masked_dense_product(
    kernel: Kernel, kind: str, shape: tuple[int, int], batch: int, dtype: torch.dtype, seed: int
) -> None:
    check(kernel, mask_of(kind, shape, seed), batch, dtype)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("batch", BATCHES)
def test_any_batch(kernel: Kernel, batch: int, dtype: torch.dtype) -> None:
    check(kernel, mask_of("any", (37, 53)), batch, dtype)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize(("shape", "batch"), [((700, 900), 128), ((300, 9000), 72), ((9000, 300), 300)])
def test_networks_larger_than_a_cache(kernel: Kernel, shape: tuple[int, int], batch: int, dtype: torch.dtype) -> None:
    check(kernel, mask_of("sparse", shape), batch, dtype)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("shape", [(140_000, 2), (2, 140_000)])
def test_cells_so_many_that_tiles_are_narrowest(kernel: Kernel, shape: tuple[int, int], dtype: torch.dtype) -> None:
    mask = np.random.default_rng(0).random(shape) < 0.01
    check(kernel, mask, 20, dtype)


@pytest.mark.parametrize("batch", [1, 24, 128])
def test_each_gradient_alone_has_the_same_bits(kernel: Kernel, batch: int) -> None:
    mask = mask_of("any", (80, 90))
    edges, (weight, rate, grad) = pattern_of(mask), operands(mask, batch, torch.float32)
    arrays = edges.pre_start, edges.post_index, edges.order, weight, grad, rate
    both = kernel.gradient(*arrays, of_rate=True, of_weight=True)
    of_rate, nothing = kernel.gradient(*arrays, of_rate=True, of_weight=False)
    assert nothing is None
    assert of_rate.equal(both[0])
    nothing, of_weight = kernel.gradient(*arrays, of_rate=False, of_weight=True)
    assert nothing is None
    assert of_weight.equal(both[1])
    assert kernel.gradient(*arrays, of_rate=False, of_weight=False) == (None, None)


@pytest.mark.parametrize("batch", [100, 128])
def test_any_number_of_threads_gives_the_same_bits(kernel: Kernel, batch: int) -> None:
    mask = mask_of("any", (500, 400))
    inputs = operands(mask, batch, torch.float32)
    before, results = torch.get_num_threads(), []
    try:
        for threads in (1, 2, 3):
            torch.set_num_threads(threads)
            results.append(found(kernel, mask, inputs))
    finally:
        torch.set_num_threads(before)
    for other in results[1:]:
        assert all(first.equal(second) for first, second in zip(results[0], other, strict=True))


def test_what_is_not_a_number_stays_where_it_belongs(kernel: Kernel) -> None:
    mask = np.eye(5, dtype=bool)
    weight, rate, grad = operands(mask, 20, torch.float32)
    rate[2, 19] = float("nan")
    drive, of_rate, of_weight = found(kernel, mask, (weight, rate, grad))
    assert drive.isnan().nonzero().tolist() == [[2, 19]]
    assert not of_rate.isnan().any()
    assert of_weight.isnan().tolist() == [False, False, True, False, False]


@pytest.mark.parametrize("batch", [0, 4])
def test_no_cells_or_no_batch(kernel: Kernel, batch: int) -> None:
    for shape in ((3, 4), (0, 4), (3, 0)):
        mask = np.ones(shape, dtype=bool)
        inputs = operands(mask, batch, torch.float32)
        for made, right in zip(found(kernel, mask, inputs), wanted(mask, inputs), strict=True):
            torch.testing.assert_close(made.double(), right, rtol=1e-6, atol=1e-6)


def test_concurrent_builds_leave_one_usable_file(
    kernel: Kernel, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Two processes, and this one, which begins when they do."""
    script = (
        "from connectome2net.runtime import kernel;"
        "kernel.FLAGS = ('-O0', '-fPIC', '-shared'); print(flush=True); input();"
        "kernel.build_kernel()"
    )
    monkeypatch.setenv("C2N_CACHE", str(tmp_path))
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    command = [sys.executable, "-c", script]
    pipes: dict[str, Any] = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "env": environment, "text": True}
    builders = [subprocess.Popen(command, **pipes) for _ in range(2)]
    for builder in builders:
        builder.stdout.readline()
    for builder in builders:
        builder.stdin.write("\n")
        builder.stdin.flush()
    monkeypatch.setattr(module, "FLAGS", ("-O0", "-fPIC", "-shared"))
    path = module.build_kernel()
    for builder in builders:
        builder.communicate()
    assert [builder.returncode for builder in builders] == [0] * 2
    assert list((tmp_path / "kernels").iterdir()) == [path]
    before = path.stat().st_mtime_ns
    assert module.build_kernel() == path
    assert path.stat().st_mtime_ns == before
    start = torch.tensor([0, 1], dtype=torch.int32)
    assert Kernel(path).product(start, start[:1], torch.tensor([3.0]), torch.tensor([[2.0]])) == 6


def test_a_kernel_can_be_refused(monkeypatch: pytest.MonkeyPatch, forget: None) -> None:
    monkeypatch.setenv("C2N_KERNEL", "0")
    assert find_kernel() is None
    assert kernel_problem() == "the environment says C2N_KERNEL=0"


def test_without_a_compiler_there_is_none(monkeypatch: pytest.MonkeyPatch, forget: None) -> None:
    monkeypatch.setenv("CC", "no-such-compiler -m64")
    assert find_kernel() is None
    assert kernel_problem() == "there is no C compiler: `no-such-compiler -m64` is not found; set CC"


def test_a_failing_compiler_is_quoted(
    kernel: Kernel, monkeypatch: pytest.MonkeyPatch, forget: None, tmp_path: Path
) -> None:
    source = tmp_path / "kernel.c"
    source.write_text("#error this processor is too old\n")
    monkeypatch.setattr(module, "SOURCE", source)
    monkeypatch.setenv("C2N_CACHE", str(tmp_path / "cache"))
    assert find_kernel() is None
    assert "this processor is too old" in kernel_problem()


def test_the_pool_of_threads_is_the_one_torch_has(kernel: Kernel) -> None:
    maps = Path("/proc/self/maps")
    if not maps.exists():
        pytest.skip("this system does not list what a process has loaded")
    pools = {line.split()[-1] for line in maps.read_text().splitlines() if "libgomp" in line or "libiomp" in line}
    assert len(pools) <= 1
