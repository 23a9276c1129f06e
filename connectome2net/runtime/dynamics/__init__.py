"""Cells: a state and drives -> the state one step later.

Enters: the cells of a group. Leaves: a module for each model. Its ``rest(like)`` is the state before the first step,
``forward(state, *drives)`` the next one. Every state is a named tuple of tensors (N, B) with ``rate_NB``, which is
what the cells send in this step, and ``read_NB``, which is what the readout and the rules of rates see; where gap
junctions can be, it has the voltage ``v_NB``. A drive is a current (N, B), or an excitatory and an inhibitory
conductance (2, N, B).
"""

from connectome2net.runtime.dynamics.conductance import ConductanceCells, Voltages
from connectome2net.runtime.dynamics.drive import conductance, sent, total
from connectome2net.runtime.dynamics.elm import ElmCells, Memories
from connectome2net.runtime.dynamics.izhikevich import IzhikevichCells, IzhikevichState
from connectome2net.runtime.dynamics.lif import LifCells, LifState
from connectome2net.runtime.dynamics.rate import RateCells, Rates

__all__ = [
    "ConductanceCells",
    "ElmCells",
    "IzhikevichCells",
    "IzhikevichState",
    "LifCells",
    "LifState",
    "Memories",
    "RateCells",
    "Rates",
    "Voltages",
    "conductance",
    "sent",
    "total",
]
