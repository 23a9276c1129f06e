"""Feedback alignment: errors return through other weights than those that rates came through.

Enters: the weights of a pass, and weights of feedback on the same edges. Leaves: the same product, another gradient.
"""

# Axes: N postsynaptic cells, M presynaptic cells, B batch.

from __future__ import annotations

import torch
from torch import Tensor

from connectome2net.runtime.matrix import Matrix


class Feedback(Matrix):
    """Weights whose product has the gradient of the weights as always, and of the rates through the feedback B.

        drive = W rate,   dL/dW = dL/ddrive rate^T on the edges,   dL/drate = B^T dL/ddrive

    Lillicrap et al. 2016, doi 10.1038/ncomms13276.

    Args:
        weights: W of a pass.
        feedback: B, on the same edges.
    """

    def __init__(self, weights: Matrix, feedback: Matrix) -> None:
        self.weights = weights
        self.feedback = feedback

    def drive(self, rate_MB: Tensor) -> Tensor:
        """Return the drive (N, B) that presynaptic rates (M, B) cause."""
        drive_NB = self.weights @ rate_MB.detach()
        if not torch.is_grad_enabled():
            return drive_NB
        echo_NB = self.feedback @ rate_MB
        return drive_NB + (echo_NB - echo_NB.detach())  # adds 0, and its gradient
