"""The cells of a program: a class of ``runtime.dynamics`` and what it is given.

Enters: fields. Leaves: frozen data; how many numbers the cells learn.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Final, Literal, Self

from pydantic import AfterValidator, Field, model_validator

from connectome2net.compile.node import Identifier, Node, Number

WORDS: Final = {"norm": ("layer", "none"), "regrow": ("random", "coactivity")}
"""Arguments that are words; all others are numbers."""


def _words_and_numbers(arguments: Mapping[str, Any]) -> Mapping[str, Any]:
    """Refuse a word where a number is due, and a number or an unknown word where a word is."""
    for name, value in arguments.items():
        if value not in WORDS[name] if name in WORDS else isinstance(value, str):
            raise ValueError(f"{name} is no {' or '.join(WORDS.get(name, ['number']))}")
    return arguments


Whole = Annotated[int, Field(ge=-(2**31), lt=2**31)]
Arguments = Annotated[Mapping[Identifier, Whole | Number | Identifier], AfterValidator(_words_and_numbers)]

MOST_UNITS = 1024
"""As in a spec."""


class Dynamics(Node):
    """The cells of every group: a class of ``runtime.dynamics``.

    Attributes:
        arguments: the same for each group.
        of_population: argument -> population -> its number.
        arrays: argument -> the array ``GROUP.name`` that is given for it.
    """

    kind: Literal["RateCells", "LifCells", "IzhikevichCells", "ConductanceCells", "ElmCells"]
    arguments: Arguments = {}
    of_population: Mapping[Identifier, Mapping[Identifier, Number]] = {}
    arrays: Mapping[Identifier, Identifier] = {}

    @property
    def driven_by(self) -> Literal["current", "conductance"]:
        """A current, the sum over all edges; or an excitatory and an inhibitory conductance."""
        return "conductance" if self.kind in ("ConductanceCells", "ElmCells") else "current"

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
