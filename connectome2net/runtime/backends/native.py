"""The compiled kernel as an operation of torch.

Enters: weights of edges. Leaves: their product. Registered with torch, so that ``torch.compile`` sees one node.
"""

# Axes: E edges, N postsynaptic cells, M presynaptic cells, B batch.

from __future__ import annotations

from functools import cache
from typing import Any

import torch
from torch import Tensor

from connectome2net.runtime.backends.backend import Product
from connectome2net.runtime.kernel import TYPES, Kernel, find_kernel, kernel_problem
from connectome2net.runtime.pattern import Pattern

EDGES = "Tensor post_start, Tensor pre_index, Tensor pre_start, Tensor post_index, Tensor order"


class Native:
    """Needs a C compiler, once; see ``kernel``."""

    name = "native"

    def problem(self, pattern: Pattern, device: torch.device, dtype: torch.dtype) -> str:
        """Return why it cannot be used here; empty if it can."""
        if device.type != "cpu" or dtype not in TYPES:
            return "the compiled kernel computes on a CPU in float32 or float64"
        return kernel_problem()

    def hold(self, weight_E: Tensor, pattern: Pattern) -> Product:
        """Return the product; nothing has to be prepared."""
        _prepare()
        edges = (pattern.post_start, pattern.pre_index, pattern.pre_start, pattern.post_index, pattern.order)
        return lambda rate_MB: torch.ops.connectome2net.product(*edges, weight_E, rate_MB)


def _kernel() -> Kernel:
    kernel = find_kernel()
    assert kernel is not None
    return kernel


def _product(start: Tensor, index: Tensor, _1: Tensor, _2: Tensor, _3: Tensor, weight: Tensor, rate: Tensor) -> Tensor:
    return _kernel().product(start, index, weight.contiguous(), rate.contiguous())


def _gradient(
    start: Tensor, index: Tensor, order: Tensor, weight: Tensor, grad: Tensor, rate: Tensor, wanted: list[bool]
) -> tuple[Tensor, Tensor]:
    operands = weight.contiguous(), grad.contiguous(), rate.contiguous()
    of_rate, of_weight = _kernel().gradient(start, index, order, *operands, of_rate=wanted[0], of_weight=wanted[1])
    return (rate.new_empty(0) if of_rate is None else of_rate), (
        weight.new_empty(0) if of_weight is None else of_weight
    )


def _remember(ctx: Any, inputs: tuple[Tensor, ...], output: Tensor) -> None:
    ctx.save_for_backward(*inputs[2:])


def _backward(ctx: Any, grad_NB: Tensor) -> tuple[Tensor | None, ...]:
    start, index, order, weight_E, rate_MB = ctx.saved_tensors
    wanted = [ctx.needs_input_grad[6], ctx.needs_input_grad[5]]
    operation = torch.ops.connectome2net.gradient
    of_rate, of_weight = operation(start, index, order, weight_E, grad_NB, rate_MB, wanted)
    return (*[None] * 5, of_weight if wanted[1] else None, of_rate if wanted[0] else None)


@torch.compiler.assume_constant_result  # type: ignore[untyped-decorator]
def _prepare() -> bool:
    """Define the operations when they are first used; torch.compile calls this itself, and does not look into it."""
    return _register()


@cache
def _register() -> bool:
    """Define the operations: importing has no side effect."""
    library: Any = torch.library.Library("connectome2net", "DEF")  # type: ignore[no-untyped-call]
    _register.library = library  # type: ignore[attr-defined]  # or it would be undefined with the last reference
    library.define(f"product({EDGES}, Tensor weight, Tensor rate) -> Tensor")
    library.define(
        "gradient(Tensor pre_start, Tensor post_index, Tensor order, Tensor weight, Tensor grad, Tensor rate, "
        "bool[] wanted) -> (Tensor, Tensor)"
    )
    library.impl("product", _product, "CPU")
    library.impl("gradient", _gradient, "CPU")
    torch.library.register_fake(
        "connectome2net::product",
        lambda *inputs: inputs[6].new_empty(len(inputs[0]) - 1, inputs[6].shape[1]),
        lib=library,
    )
    torch.library.register_fake("connectome2net::gradient", _fake_gradient, lib=library)
    torch.library.register_autograd("connectome2net::product", _backward, setup_context=_remember, lib=library)
    return True


def _fake_gradient(*inputs: Any) -> tuple[Tensor, Tensor]:
    weight_E, rate_MB, wanted = inputs[3], inputs[5], inputs[6]
    none = rate_MB.new_empty(0)
    return (torch.empty_like(rate_MB) if wanted[0] else none), (torch.empty_like(weight_E) if wanted[1] else none)
