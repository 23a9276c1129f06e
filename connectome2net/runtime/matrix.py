"""What stands to the left of ``@`` in a compiled model.

Enters: presynaptic rates. Leaves: drives.
"""

# Axes: N postsynaptic cells, M presynaptic cells, B batch.

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor


class Matrix:
    """The base of what is multiplied by rates: ``W @ rate`` is ``W.drive(rate)``, in traced networks too."""

    def drive(self, rate_MB: Tensor) -> Tensor:
        """Return the drive (N, B) that presynaptic rates (M, B) cause; what a matrix is."""
        raise NotImplementedError

    def __matmul__(self, rate_MB: Tensor) -> Tensor:
        """Return the drive (N, B) that presynaptic rates (M, B) cause."""
        return self.drive(rate_MB)

    @classmethod
    def __torch_function__(cls, function: Any, types: Any, operands: Any = (), options: Any = None) -> Any:
        """Tell torch.compile and torch.export what ``W @ rate`` is: of ``@`` they know that of tensors only."""
        matrix, rate_MB = operands if isinstance(operands[0], Matrix) else operands[::-1]
        traced = torch.compiler.is_compiling()  # it gives ``W @ rate`` to the right operand, ``rate.__rmatmul__(W)``
        if function.__name__ not in ("matmul", "__rmatmul__") or not (traced or matrix is operands[0]):
            return NotImplemented
        return matrix.drive(rate_MB)
