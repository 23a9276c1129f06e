"""The cells of a program: a class of ``runtime.dynamics`` and what it is given.

Enters: fields. Leaves: frozen data; how many numbers the cells learn.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal, Self

from pydantic import model_validator

from connectome2net.compile.node import Identifier, Node

Arguments = Mapping[Identifier, int | float | Identifier]

MOST_UNITS = 1024
"""As in a spec."""


class Dynamics(Node):
    """The cells of every group: a class of ``runtime.dynamics``.

    Attributes:
        driven_by: a current, the sum over all edges; or an excitatory and an inhibitory conductance.
        arguments: the same for each group.
        of_population: argument -> population -> its number.
        arrays: argument -> the array ``GROUP.name`` that is given for it.
    """

    kind: Literal["RateCells", "LifCells", "IzhikevichCells", "ConductanceCells", "ElmCells"]
    driven_by: Literal["current", "conductance"] = "current"
    arguments: Arguments = {}
    of_population: Mapping[Identifier, Mapping[Identifier, float]] = {}
    arrays: Mapping[Identifier, Identifier] = {}

    @model_validator(mode="after")
    def _sizes_are_bounded(self) -> Self:
        """Refuse networks within cells that a spec could not ask for."""
        for name in ("memory_units", "hidden") if self.kind == "ElmCells" else ():
            size = self.arguments.get(name)
            if not isinstance(size, int) or not 1 <= size <= MOST_UNITS:
                raise ValueError(f"{name} is no number from 1 to {MOST_UNITS}")
        return self

    def learned(self, *, cells: int, populations: int) -> int:
        """Return how many numbers the cells of a group learn."""
        given: Any = self.arguments
        if self.kind == "ElmCells":
            units, hidden = given["memory_units"], given["hidden"]
            network = hidden * (2 + units + 1) + units * (hidden + 1)
            return cells * (network + units + 1 + units * bool(given.get("learn_tau")))
        if self.kind == "ConductanceCells":
            return 2 * cells
        scales = cells if given.get("norm") == "layer" else 0
        return cells + scales + populations * bool(given.get("learn_leak"))
