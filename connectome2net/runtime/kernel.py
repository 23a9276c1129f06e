"""The compiled sparse step of a CPU: ``kernel.c``, built once by the machine's own compiler.

Enters: compressed rows, weights and rates in contiguous tensors of the CPU. Leaves: a drive, and gradients.

The shared object lies outside the package, under a name that tells its source, flags, compiler and processor. Nothing
is linked for threads: the kernel is handed the pool that torch has already started, since a second one would spin on
the same cores.
"""

# Axes: E edges, N postsynaptic cells, M presynaptic cells, B batch.

from __future__ import annotations

import ctypes
import functools
import hashlib
import os
import platform
import shlex
import shutil
import subprocess
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from connectome2net.cache import cache_root

SOURCE = Path(__file__).with_name("kernel.c")
FLAGS = ("-std=gnu11", "-O3", "-march=native", "-fPIC", "-shared")
TYPES = (torch.float32, torch.float64)


class Kernel:
    """The products of a sparse matrix whose edges are fixed.

    Args:
        path: the shared object.

    Raises:
        OSError: it cannot be loaded.
    """

    def __init__(self, path: Path) -> None:
        library = ctypes.CDLL(str(path))
        self._parallel = _thread_pool()
        self._sparse: dict[torch.dtype, Any] = {}
        for dtype in TYPES:
            function = getattr(library, f"sparse_{str(dtype).removeprefix('torch.')}")
            function.argtypes = [ctypes.c_void_p, *[ctypes.c_int64] * 4, *[ctypes.c_void_p] * 8]
            function.restype = ctypes.c_int
            self._sparse[dtype] = function

    def product(self, start: Tensor, index: Tensor, weight_E: Tensor, rate_MB: Tensor) -> Tensor:
        """Return ``W rate``, (N, B).

        Args:
            start: (N + 1,) int32, where each row begins.
            index: (E,) int32, the presynaptic cell of each edge.
            weight_E: weights of the edges, row after row.
            rate_MB: presynaptic rates.

        Raises:
            MemoryError: there is no room for a packed copy of the rates.
        """
        drive_NB = rate_MB.new_empty(len(start) - 1, rate_MB.shape[1])
        self._run(start, index, None, weight_E, rate_MB, None, drive_NB, None)
        return drive_NB

    def gradient(
        self,
        start: Tensor,
        index: Tensor,
        order: Tensor,
        weight_E: Tensor,
        grad_NB: Tensor,
        rate_MB: Tensor,
        *,
        of_rate: bool,
        of_weight: bool,
    ) -> tuple[Tensor | None, Tensor | None]:
        """Return the gradients (M, B) of the rates and (E,) of the weights, where asked for.

        Args:
            start: (M + 1,) int32, where each transposed row begins.
            index: (E,) int32, the postsynaptic cell of each transposed edge.
            order: (E,) int32, the place of each transposed edge among the rows.
            weight_E: weights of the edges, row after row.
            grad_NB: gradient of the drive.
            rate_MB: presynaptic rates.
            of_rate: the first is wanted.
            of_weight: the second is wanted.

        Raises:
            MemoryError: there is no room for a packed copy of the gradient.
        """
        of_rate_MB = torch.empty_like(rate_MB) if of_rate else None
        of_weight_E = torch.empty_like(weight_E) if of_weight else None
        self._run(start, index, order, weight_E, grad_NB, rate_MB, of_rate_MB, of_weight_E)
        return of_rate_MB, of_weight_E

    def sample(self, start: Tensor, index: Tensor, order: Tensor, post_NB: Tensor, pre_MB: Tensor) -> Tensor:
        """Return ``sum over B of post * pre`` at each edge, (E,), row after row; arguments as of ``gradient``."""
        at_edge_E = post_NB.new_empty(len(order))
        self._run(start, index, order, None, post_NB, pre_MB, None, at_edge_E)
        return at_edge_E

    def _run(
        self,
        start: Tensor,
        index: Tensor,
        order: Tensor | None,
        weight: Tensor | None,
        source: Tensor,
        *rest: Tensor | None,
    ) -> None:
        sizes = torch.get_num_threads(), len(start) - 1, *source.shape
        arrays = (start, index, order, weight, source, *rest)
        pointers = [None if array is None else array.data_ptr() for array in arrays]
        if self._sparse[source.dtype](self._parallel, *sizes, *pointers):
            raise MemoryError("the sparse step has no room for a packed copy of its operand")


@dataclass(frozen=True)
class _Found:
    kernel: Kernel | None
    problem: str


def find_kernel() -> Kernel | None:
    """Return the kernel of this machine, built if it was not yet; None where it cannot be."""
    return _found().kernel


@torch.compiler.assume_constant_result  # type: ignore[untyped-decorator]
def kernel_problem() -> str:
    """Return why there is no kernel; empty where there is one. A compiled graph does not ask again."""
    return _found().problem


@functools.cache
def _found() -> _Found:
    if os.environ.get("C2N_KERNEL") == "0":
        return _Found(None, "the environment says C2N_KERNEL=0")
    try:
        return _Found(Kernel(build_kernel()), "")
    except (OSError, RuntimeError, subprocess.SubprocessError) as error:
        return _Found(None, " ".join([str(error), str(getattr(error, "stderr", None) or "")[-500:]]).strip())


def build_kernel() -> Path:
    """Compile the kernel unless the cache holds it, and return the shared object.

    Raises:
        OSError: there is no compiler, or the folder cannot be written.
        subprocess.SubprocessError: the compiler fails.
    """
    folder = cache_root() / "kernels"
    compiler = shlex.split(os.environ.get("CC") or "cc")
    if not compiler or shutil.which(compiler[0]) is None:
        raise FileNotFoundError(f"there is no C compiler: `{' '.join(compiler)}` is not found; set CC")
    version = _output([*compiler, "--version"])
    facts = [SOURCE.read_text(), *FLAGS, *compiler, version, platform.machine(), _processor()]
    digest = hashlib.sha256("\0".join(facts).encode()).hexdigest()
    path = folder / f"{digest[:32]}.so"
    if not path.exists():
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=folder) as own:  # another process may build the same: the last one wins
            made = Path(own) / path.name
            _output([*compiler, *FLAGS, str(SOURCE), "-o", str(made)])
            made.replace(path)
    return path


def _output(command: list[str]) -> str:
    return subprocess.run(command, check=True, capture_output=True, text=True, timeout=300).stdout


def _processor() -> str:
    """Return what -march=native reads: the model and its flags, where the system tells them."""
    try:
        lines = Path("/proc/cpuinfo").read_text().split("\n\n")[0].splitlines()
    except OSError:
        return platform.processor()
    told = ("vendor_id", "cpu family", "model", "model name", "flags", "Features", "CPU implementer", "CPU part")
    return "\n".join(line for line in lines if line.split("\t")[0].strip() in told)


def _thread_pool() -> int | None:
    """Return the address of torch's own ``GOMP_parallel``; None where torch has no such pool (one thread then)."""
    libraries = [None, *sorted(str(path) for path in (Path(torch.__file__).parent / "lib").glob("lib*omp*"))]
    for library in libraries:
        try:
            return ctypes.cast(ctypes.CDLL(library).GOMP_parallel, ctypes.c_void_p).value
        except (OSError, AttributeError):
            continue
    return None
