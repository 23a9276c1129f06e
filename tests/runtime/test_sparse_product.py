"""The sparse step equals a masked dense product, in value and gradient, for any pattern, in O(edges) memory."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from patterns import arrays_of, pattern_of
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from connectome2net.runtime import pattern as patterns
from connectome2net.runtime.backends import BACKENDS, find_backend, native
from connectome2net.runtime.pattern import Pattern
from connectome2net.runtime.sparse import Projection, Weights

CPU = torch.device("cpu")
LEAN = ("native", "csr", "gather")
"""Backends that never make a full matrix."""


@st.composite
def masks(draw: st.DrawFn) -> np.ndarray:
    """Which edges exist, (N, M): none to all of them, empty rows and columns, square or not."""
    shape = draw(st.integers(1, 7)), draw(st.integers(1, 7))
    kind = draw(st.sampled_from(["any", "all", "one", "row", "column"]))
    mask = np.zeros(shape, dtype=bool)
    row, column = draw(st.integers(0, shape[0] - 1)), draw(st.integers(0, shape[1] - 1))
    if kind == "any":
        flat = draw(st.lists(st.booleans(), min_size=mask.size, max_size=mask.size))
        mask = np.array(flat).reshape(shape)
    mask[:] |= kind == "all"
    mask[row, :] |= kind == "row"
    mask[:, column] |= kind == "column"
    mask[row, column] = True
    return mask


def dense_of(weight_E: torch.Tensor, mask: np.ndarray) -> torch.Tensor:
    at = torch.from_numpy(np.argwhere(mask)).T
    return torch.zeros(mask.shape, dtype=weight_E.dtype).index_put(tuple(at), weight_E)


def operands(mask: np.ndarray, *, batch: int, dtype: torch.dtype, seed: int = 0) -> list[torch.Tensor]:
    generator = torch.Generator().manual_seed(seed)
    weight = torch.randn(int(mask.sum()), generator=generator, dtype=torch.float64).to(dtype)
    rate = torch.randn(mask.shape[1], batch, generator=generator, dtype=torch.float64).to(dtype)
    return [weight.requires_grad_(), rate.requires_grad_()]


def value_and_gradients(product: Any, inputs: list[torch.Tensor]) -> list[torch.Tensor]:
    drive = product(*inputs)
    towards = torch.linspace(-1, 2, drive.numel(), dtype=drive.dtype).view(drive.shape)
    return [drive, *torch.autograd.grad((drive * towards).sum(), inputs)]


def works(backend: str, dtype: torch.dtype = torch.float64) -> bool:
    return not BACKENDS[backend].problem(pattern_of(np.eye(1, dtype=bool)), CPU, dtype)


def product(weight: torch.Tensor, rate: torch.Tensor, pattern: Pattern, backend: str) -> torch.Tensor:
    assert find_backend(backend, pattern, CPU, weight.dtype).name == backend
    return Weights(weight, pattern, backend=backend) @ rate


@pytest.fixture(params=[*BACKENDS])
def way(request: pytest.FixtureRequest) -> str:
    """Every backend that works on this machine."""
    if not works(request.param):
        pytest.skip(BACKENDS[request.param].problem(pattern_of(np.eye(1, dtype=bool)), CPU, torch.float64))
    return request.param


@settings(max_examples=120, deadline=None)
@given(mask=masks(), batch=st.integers(1, 4), backend=st.sampled_from([name for name in BACKENDS if works(name)]))
def test_product_equals_masked_dense(mask: np.ndarray, batch: int, backend: str) -> None:
    inputs = operands(mask, batch=batch, dtype=torch.float64)
    pattern = pattern_of(mask)
    found = value_and_gradients(lambda weight, rate: product(weight, rate, pattern, backend), inputs)
    expected = value_and_gradients(lambda weight, rate: dense_of(weight, mask) @ rate, inputs)
    for at, wanted in zip(found, expected, strict=True):
        torch.testing.assert_close(at, wanted, rtol=1e-12, atol=1e-12)


@settings(max_examples=60, deadline=None)
@given(mask=masks())
def test_both_orders_hold_the_same_edges(mask: np.ndarray) -> None:
    pattern = pattern_of(mask)
    value = torch.arange(1.0, mask.sum() + 1)
    assert pattern.rows(value).to_dense().equal(dense_of(value, mask))
    assert pattern.columns(value).to_dense().equal(dense_of(value, mask).T)
    assert pattern.row_of_edge().tolist() == np.nonzero(mask)[0].tolist()
    pattern.check()


def test_float32_is_as_exact_as_a_dense_product(way: str) -> None:
    mask = np.random.default_rng(0).random((300, 200)) < 0.1
    pattern = pattern_of(mask)
    found = value_and_gradients(
        lambda weight, rate: product(weight, rate, pattern, way), operands(mask, batch=32, dtype=torch.float32)
    )
    expected = value_and_gradients(
        lambda weight, rate: dense_of(weight, mask) @ rate, operands(mask, batch=32, dtype=torch.float64)
    )
    for at, wanted in zip(found, expected, strict=True):
        assert at.dtype == torch.float32
        assert (at - wanted).abs().max() < 3e-6 * wanted.abs().max()


def test_gradcheck(way: str) -> None:
    mask = np.random.default_rng(1).random((6, 5)) < 0.5
    pattern = pattern_of(mask)
    inputs = operands(mask, batch=3, dtype=torch.float64)
    assert torch.autograd.gradcheck(lambda weight, rate: product(weight, rate, pattern, way), inputs)


@pytest.mark.parametrize("transposed", ["rate", "gradient", "both"])
def test_operands_in_any_memory_order(transposed: str, way: str) -> None:
    mask = np.random.default_rng(2).random((6, 5)) < 0.5
    weight, rate = operands(mask, batch=3, dtype=torch.float64)
    rate = rate.detach().T.contiguous().T.requires_grad_() if transposed != "gradient" else rate

    def loss(drive: torch.Tensor) -> torch.Tensor:
        towards = torch.linspace(0, 1, drive.numel(), dtype=drive.dtype)
        return (drive.T.reshape(-1) if transposed != "rate" else drive.reshape(-1)) @ towards

    pattern = pattern_of(mask)
    found = torch.autograd.grad(loss(product(weight, rate, pattern, way)), [weight, rate])
    expected = torch.autograd.grad(loss(dense_of(weight, mask) @ rate), [weight, rate])
    for at, wanted in zip(found, expected, strict=True):
        torch.testing.assert_close(at, wanted, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize(("weights", "rates"), [(True, False), (False, True)])
def test_gradient_of_one_operand_alone(weights: bool, rates: bool, way: str) -> None:
    mask = np.random.default_rng(3).random((6, 5)) < 0.5
    pattern = pattern_of(mask)
    weight, rate = operands(mask, batch=3, dtype=torch.float64)
    wanted = value_and_gradients(lambda *inputs: product(*inputs, pattern, way), [weight, rate])
    inputs = [weight.detach().requires_grad_(weights), rate.detach().requires_grad_(rates)]
    alone = [wanted[1 + at] for at, is_learned in enumerate((weights, rates)) if is_learned]
    drive = product(*inputs, pattern, way)
    towards = torch.linspace(-1, 2, drive.numel(), dtype=drive.dtype).view(drive.shape)
    (drive * towards).sum().backward()
    for learned, gradient in zip([item for item in inputs if item.requires_grad], alone, strict=True):
        torch.testing.assert_close(learned.grad, gradient, rtol=0, atol=0)


class Largest(TorchDispatchMode):
    """Records the size of the largest tensor that is made."""

    numbers = 0

    def __torch_dispatch__(self, function: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        made = function(*args, **(kwargs or {}))
        for tensor in tree_leaves(made):
            if isinstance(tensor, torch.Tensor):
                size = tensor.values().numel() if tensor.layout == torch.sparse_csr else tensor.numel()
                self.numbers = max(self.numbers, size)
        return made


@pytest.mark.parametrize("way", LEAN)
def test_no_dense_matrix_is_ever_made(way: str) -> None:
    """3,000 cells, 9,000 edges: a dense gradient would have 9,000,000 numbers."""
    if not works(way, torch.float32):
        pytest.skip(f"{way} does not work here")
    cells, edges, batch = 3000, 9000, 8
    generator = np.random.default_rng(4)
    mask = np.zeros(cells * cells, dtype=bool)
    mask[generator.choice(cells * cells, edges, replace=False)] = True
    projection = Projection(arrays_of(mask.reshape(cells, cells), sign=True), "W", sign="dale")
    projection.backend = way
    rate = torch.randn(cells, batch, requires_grad=True)
    with Largest() as largest:
        projection(projection(rate).relu()).square().sum().backward()
        torch.optim.Adam(projection.parameters()).step()
    assert projection.theta_E.grad.abs().sum() > 0
    assert rate.grad.abs().sum() > 0
    assert 0 < largest.numbers <= max(edges, cells) * batch


def test_a_dense_gradient_would_be_seen() -> None:
    """The recorder itself: a masked dense product makes what ours must not, in the backward pass."""
    weight = torch.ones(300, requires_grad=True)
    with Largest() as largest:
        (torch.diag(weight) @ torch.ones(300, 4)).sum().backward()
    assert largest.numbers == 300 * 300


def test_indices_are_narrow() -> None:
    pattern = pattern_of(np.ones((3, 4), dtype=bool))
    projection = Projection(arrays_of(np.ones((3, 4), dtype=bool)), "W", sign="free")
    for name in ("post_start", "pre_index", "pre_start", "post_index", "order"):
        assert getattr(projection.pattern, name).dtype == getattr(pattern, name).dtype == torch.int32


@pytest.mark.parametrize(
    ("name", "place", "value", "message"),
    [
        ("pre_index", 0, 4, "an edge ends outside 4 cells"),
        ("pre_index", 0, -1, "an edge ends outside 4 cells"),
        ("post_index", 1, 3, "an edge ends outside 3 cells"),
        ("post_start", 1, 7, "the rows do not hold 6 edges"),
        ("pre_start", 0, 1, "the rows do not hold 6 edges"),
        ("post_start", 3, 5, "the rows do not hold 6 edges"),
        ("order", 0, 1, "the transposed edges are no permutation"),
        ("order", 0, 6, "the transposed edges are no permutation"),
        ("order", 0, -1, "the transposed edges are no permutation"),
    ],
)
def test_a_pattern_that_would_read_outside_is_refused(name: str, place: int, value: int, message: str) -> None:
    mask = np.array([[1, 1, 0, 0], [0, 1, 1, 0], [1, 0, 0, 1]], dtype=bool)
    arrays = arrays_of(mask)
    arrays[f"W.{name}"][place] = value
    with pytest.raises(ValueError, match=message):
        Projection(arrays, "W", sign="free")


def test_transposed_edges_must_be_the_same_edges() -> None:
    arrays = arrays_of(np.array([[1, 1], [0, 1]], dtype=bool))
    arrays["W.order"] = arrays["W.order"].flip(0)
    with pytest.raises(ValueError, match="the transposed edges are others"):
        Projection(arrays, "W", sign="free")


def test_one_pass_of_many_steps_equals_masked_dense(way: str) -> None:
    """Weights are prepared once and used in every step; their gradients add up."""
    mask = np.random.default_rng(5).random((6, 6)) < 0.5
    pattern = pattern_of(mask)

    def steps(weights: Any, rate: torch.Tensor) -> torch.Tensor:
        for _ in range(4):
            rate = torch.tanh(weights @ rate)
        return rate

    inputs = operands(mask, batch=3, dtype=torch.float64)
    found = value_and_gradients(lambda weight, rate: steps(Weights(weight, pattern, backend=way), rate), inputs)
    expected = value_and_gradients(lambda weight, rate: steps(dense_of(weight, mask), rate), inputs)
    for at, wanted in zip(found, expected, strict=True):
        torch.testing.assert_close(at, wanted, rtol=1e-12, atol=1e-12)


def test_rates_of_another_type_are_converted(way: str) -> None:
    """Under autocast the front end hands over bfloat16."""
    mask = np.random.default_rng(6).random((6, 5)) < 0.5
    weight, rate = (item.detach() for item in operands(mask, batch=3, dtype=torch.float32))
    drive = Weights(weight, pattern_of(mask), backend=way) @ rate.bfloat16()
    assert drive.dtype == torch.float32
    torch.testing.assert_close(drive, dense_of(weight, mask) @ rate.bfloat16().float())


def test_sample_equals_a_dense_outer_product(monkeypatch: pytest.MonkeyPatch) -> None:
    mask = np.random.default_rng(7).random((6, 5)) < 0.5
    pattern = pattern_of(mask)
    post, pre = torch.randn(6, 8, dtype=torch.float64), torch.randn(5, 8, dtype=torch.float64)
    wanted = (post @ pre.T)[torch.from_numpy(mask)]
    torch.testing.assert_close(pattern.sample(post, pre), wanted)
    monkeypatch.setattr(patterns, "find_kernel", lambda: None)
    torch.testing.assert_close(pattern.sample(post, pre), wanted)
    monkeypatch.setattr(torch.backends.mkl, "is_available", lambda: False)
    torch.testing.assert_close(pattern.sample(post, pre), wanted)


def test_without_kernel_and_mkl_no_sparse_tensor_is_made(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.backends.mkl, "is_available", lambda: False)
    monkeypatch.setattr(native, "kernel_problem", lambda: "no compiler")
    monkeypatch.setattr(patterns, "find_kernel", lambda: None)
    monkeypatch.setattr(patterns, "_csr", lambda *_: pytest.fail("a sparse tensor"))
    mask = np.random.default_rng(8).random((5, 5)) < 0.5
    pattern = pattern_of(mask)
    assert find_backend("native", pattern, CPU, torch.float64).name == "gather"
    inputs = operands(mask, batch=2, dtype=torch.float64)
    found = value_and_gradients(lambda weight, rate: Weights(weight, pattern) @ rate, inputs)
    expected = value_and_gradients(lambda weight, rate: dense_of(weight, mask) @ rate, inputs)
    for at, wanted in zip(found, expected, strict=True):
        torch.testing.assert_close(at, wanted, rtol=1e-12, atol=1e-12)
    pattern.sample(inputs[1], inputs[1])


def test_the_next_best_is_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    pattern = pattern_of(np.eye(3, dtype=bool))
    monkeypatch.setattr(native, "kernel_problem", lambda: "no compiler")
    best = "csr" if torch.backends.mkl.is_available() else "gather"
    assert find_backend("native", pattern, CPU, torch.float32).name == best
    assert find_backend("dense", pattern, CPU, torch.float32).name == "dense"
    assert find_backend("csr", pattern, CPU, torch.bfloat16).name == "gather"


def test_a_large_matrix_is_never_made_full() -> None:
    empty = torch.zeros(0, dtype=torch.int32)
    pattern = Pattern(
        torch.zeros(10_001, dtype=torch.int32), empty, torch.zeros(10_001, dtype=torch.int32), empty, empty
    )
    problem = BACKENDS["dense"].problem(pattern, CPU, torch.float32)
    assert problem == "a full matrix of 10,000 x 10,000 cells needs 0.4 GB"
    assert find_backend("dense", pattern, CPU, torch.float32).name != "dense"


def test_pattern_shape() -> None:
    assert pattern_of(np.zeros((2, 5), dtype=bool)).shape == (2, 5)
    assert isinstance(pattern_of(np.zeros((2, 5), dtype=bool)), Pattern)
