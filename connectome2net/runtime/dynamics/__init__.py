"""Cells: a state and drives -> the state one step later.

Enters: the cells of a group. Leaves: a module for each model. Its ``rest(like)`` is the state before the first step,
``forward(state, *drives)`` the next one. Every state is a named tuple of tensors (N, B) with ``rate_NB``, which is
what the cells send in this step, and ``read_NB``, which is what the readout and the rules of rates see.
"""

from connectome2net.runtime.dynamics.drive import sent, total
from connectome2net.runtime.dynamics.rate import RateCells, Rates

__all__ = ["RateCells", "Rates", "sent", "total"]
