"""A projection: measured edges whose strengths are learned.

Enters: compressed rows, the same transposed, signs and anatomy. Leaves: the weights of one pass, and their drive.
"""

# Axes: E edges, N postsynaptic cells, M presynaptic cells, B batch.

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from connectome2net.runtime.backends import find_backend
from connectome2net.runtime.feedback import Feedback
from connectome2net.runtime.gradients import are_exact
from connectome2net.runtime.matrix import Matrix
from connectome2net.runtime.pattern import Pattern

STRENGTH_AT_REST = 0.5413248546129181
"""The theta at which softplus is 1."""

SMALLEST_STRENGTH = 1e-6
"""Rules keep a strength at least this large where Dale's law holds, so that softplus can be inverted."""


class Weights(Matrix):
    """The weights of one pass: prepared once, used in every step.

    Args:
        weight: (E,) the weight of each edge, row after row.
        pattern: the edges.
        backend: how products are computed, where that is possible; see ``backends``.
    """

    def __init__(self, weight: Tensor, pattern: Pattern, *, backend: str = "native") -> None:
        self._product = find_backend(backend, pattern, weight.device, weight.dtype).hold(weight, pattern)
        self._dtype = weight.dtype

    def drive(self, rate_MB: Tensor) -> Tensor:
        """Return the drive (N, B) that presynaptic rates (M, B) cause."""
        return self._product(rate_MB.to(self._dtype))


class Conductances(Matrix):
    """The conductances of one pass: those of edges with a positive weight excite, those with a negative one inhibit.

    Args:
        weight: (E,) the weight of each edge; a conductance is its absolute value.
        pattern: the edges.
        backend: see ``Weights``.
    """

    def __init__(self, weight: Tensor, pattern: Pattern, *, backend: str = "native") -> None:
        self._parts = [Weights(part_E.relu(), pattern, backend=backend) for part_E in (weight, -weight)]

    def drive(self, rate_MB: Tensor) -> Tensor:
        """Return the excitatory and the inhibitory conductance, (2, N, B), that presynaptic rates (M, B) open."""
        return torch.stack([part @ rate_MB for part in self._parts])


class Junctions(Matrix):
    """The gap junctions of one pass.

    A cell has the current ``sum of g (v_pre - v)``. It is given in two parts, so that the cell can take it in a step
    that is stable however large g is. The currents of all cells add up to 0 where g is symmetric, as that of a gap
    junction is (Galarreta and Hestrin 1999, doi 10.1038/47029).

    Args:
        weight: (E,) the conductance g of each edge, not negative.
        pattern: the edges.
        backend: see ``Weights``.
    """

    def __init__(self, weight: Tensor, pattern: Pattern, *, backend: str = "native") -> None:
        self._weights = Weights(weight, pattern, backend=backend)
        self._total_N1 = self._weights @ weight.new_ones(pattern.shape[1], 1)

    def drive(self, v_MB: Tensor) -> Tensor:
        """Return the sum of g and the sum of ``g v_pre``, (2, N, B), for voltages (M, B) on the other side."""
        towards_NB = self._weights @ v_MB
        return torch.stack([self._total_N1.expand_as(towards_NB), towards_NB])


class Projection(nn.Module):
    """A sparse matrix ``W[post, pre] = sign[pre] * anatomy * strength``.

    Under ``dale`` the strength is ``softplus(theta)`` and starts at 1: no optimiser and no rule can change the sign
    of a weight. Under ``positive`` it is the same and every sign is 1: the conductance of a gap junction. Under
    ``free`` the strength is theta itself and starts as a standard normal number.

    Args:
        arrays: arrays of the compiled folder; this module copies those that start with ``name``.
        name: the block of the program.
        sign: ``dale``, ``positive`` or ``free``.
        feedback: None, or other weights through which errors return; they are drawn once, normal and as large as the
            anatomy: ``random``, or ``concordant``: with the signs of the weights.

    Raises:
        ValueError: the arrays are no sparse matrix, or an edge under Dale's law has no sign.
    """

    post_start: Tensor
    pre_index: Tensor
    pre_start: Tensor
    post_index: Tensor
    order: Tensor
    anatomy_E: Tensor
    sign_E: Tensor | None
    feedback_E: Tensor | None
    active_E: Tensor | None

    def __init__(self, arrays: dict[str, Tensor], name: str, *, sign: str, feedback: str | None = None) -> None:
        super().__init__()
        for key in ("post_start", "pre_index", "pre_start", "post_index", "order"):
            self.register_buffer(key, arrays[f"{name}.{key}"].clone(), persistent=False)
        self.register_buffer("anatomy_E", arrays[f"{name}.anatomy"].clone(), persistent=False)
        self.pattern.check()
        self.backend, self.reason = "native", "the default"
        self.sign = sign
        sign_E = arrays[f"{name}.sign"][self.pre_index.long()].to(self.anatomy_E) if sign == "dale" else None
        if sign_E is not None and not bool((sign_E.abs() == 1).all()):
            raise ValueError("an edge under Dale's law has no sign")
        self.register_buffer("sign_E", sign_E, persistent=False)
        self.theta_E = nn.Parameter(self._start(self.anatomy_E))
        self.register_buffer("active_E", None)
        self.feedback = feedback
        self.register_buffer("feedback_E", self.anatomy_E * torch.randn_like(self.anatomy_E) if feedback else None)

    @property
    def pattern(self) -> Pattern:
        """The edges, on the device of the module."""
        return Pattern(self.post_start, self.pre_index, self.pre_start, self.post_index, self.order)

    def strength_E(self) -> Tensor:
        """Return the learned factor of each edge, (E,)."""
        return self.theta_E if self.sign == "free" else F.softplus(self.theta_E)

    def weight_E(self) -> Tensor:
        """Return the weight of each edge, (E,)."""
        fixed_E = self.anatomy_E if self.sign_E is None else self.sign_E * self.anatomy_E
        return self._of_active(fixed_E * self.strength_E())

    def weights(self) -> Matrix:
        """Return the weights of a pass; later changes of strengths do not reach them."""
        return self._held(Weights)

    def conductances(self) -> Matrix:
        """Return the same weights as conductances, for cells that have reversal potentials."""
        return self._held(Conductances)

    def junctions(self) -> Junctions:
        """Return the same weights as gap junctions; errors return through them as they are."""
        return Junctions(self.weight_E(), self.pattern, backend=self.backend)

    def _held(self, kind: type[Weights] | type[Conductances]) -> Matrix:
        weight_E = self.weight_E()
        weights = kind(weight_E, self.pattern, backend=self.backend)
        if self.feedback_E is None or are_exact():
            return weights
        concordant = self.feedback == "concordant"
        feedback_E = self.feedback_E.abs() * weight_E.detach().sign() if concordant else self.feedback_E
        return Feedback(weights, kind(self._of_active(feedback_E), self.pattern, backend=self.backend))

    @torch.no_grad()
    def set_strength(self, strength_E: Tensor) -> None:
        """Set the learned factor of each active edge; under Dale's law it stays positive.

        Where it already has that value, theta keeps its bits: an inverse is never exact.
        """
        theta_E = strength_E
        if self.sign != "free":
            theta_E = strength_E.clamp_min(SMALLEST_STRENGTH)
            theta_E = theta_E + torch.log(-torch.expm1(-theta_E))  # the inverse of softplus
        stays_E = strength_E == self.strength_E()
        if self.active_E is not None:
            stays_E |= ~self.active_E
        self.theta_E.copy_(torch.where(stays_E, self.theta_E, theta_E))

    def activate(self, part: float) -> None:
        """Let a part of the edges be active, drawn at random; the others weigh exactly 0, and so do their gradients."""
        edges = len(self.theta_E)
        self.active_E = torch.zeros_like(self.theta_E, dtype=torch.bool)
        self.active_E[torch.randperm(edges, device=self.active_E.device)[: max(1, round(part * edges))]] = True

    @torch.no_grad()
    def exchange(self, pruned: Tensor, grown: Tensor) -> None:
        """Make some edges inactive and others active, which start as in a fresh network.

        Args:
            pruned: numbers of active edges.
            grown: numbers of inactive edges.
        """
        assert self.active_E is not None
        self.active_E[pruned] = False
        self.active_E[grown] = True
        self.theta_E[grown] = self._start(self.theta_E[grown])

    def _start(self, like: Tensor) -> Tensor:
        return torch.randn_like(like) if self.sign == "free" else torch.full_like(like, STRENGTH_AT_REST)

    def _of_active(self, value_E: Tensor) -> Tensor:
        return value_E if self.active_E is None else torch.where(self.active_E, value_E, 0.0)

    def forward(self, rate_MB: Tensor) -> Tensor:
        """Return the drive (N, B) that presynaptic rates (M, B) cause."""
        return self.weights() @ rate_MB

    def extra_repr(self) -> str:
        """Return the size for ``print(model)``."""
        post, pre = self.pattern.shape
        return f"{pre:,} -> {post:,} cells, {len(self.theta_E):,} edges, {self.sign}"
