"""The intermediate representation: what the network computes, in the order in which it computes it.

Enters: fields. Leaves: frozen data that can be written as program.json and cannot be run.

A *group* is a run of populations that every phase treats together; its rates are one tensor. A *block* is the part
of a projection from one group to another; it is one sparse matrix ``W[post, pre]``. A *phase* updates some groups
for a number of steps: what comes from other groups is constant meanwhile, what comes from the updated groups recurs.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Final, Literal

from pydantic import BaseModel, ConfigDict, Field

FORMAT: Final = "connectome2net.program"
FORMAT_VERSION: Final = 1
TEMPLATE_VERSION: Final = 1

Identifier = Annotated[str, Field(pattern=r"^[A-Za-z][A-Za-z0-9_]{0,99}$")]
Arguments = Mapping[Identifier, int | float | Identifier]
Count = Annotated[int, Field(ge=0)]


class Node(BaseModel):
    """The base of every part of a program: frozen, no unknown keys."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


class Origin(Node):
    """The spec that a program was lowered from."""

    spec: str
    spec_sha256: str
    dataset: str
    materialization: str
    synthetic: bool
    citation: tuple[str, ...] = ()


class Population(Node):
    """Cells that the model treats alike, in words for a reader."""

    name: Identifier
    cells: Count
    selected: str


class Group(Node):
    """Populations with one tensor of rates."""

    name: Identifier
    populations: tuple[Identifier, ...]
    cells: Count


class Block(Node):
    """One sparse matrix ``W[post, pre]``."""

    name: Identifier
    projection: Identifier
    pre: Identifier
    post: Identifier
    sign: Literal["dale", "free"]
    edges: Count
    synapses: Count
    rules: tuple[Identifier, ...] = ()


class Layer(Node):
    """A layer of the front end: a class of ``runtime.encode`` and its arguments."""

    name: Identifier
    kind: Literal["Adaptation", "Convolution", "Attention", "Dropout"]
    arguments: Arguments = {}


class Input(Node):
    """How the feature map drives cells of one group, a run of its rows."""

    kind: Literal["RetinotopicInput", "DenseInput"]
    group: Identifier
    arguments: Arguments


class Drive(Node):
    """What drives one group during a phase."""

    group: Identifier
    input: bool
    constant: tuple[Identifier, ...] = ()
    recurrent: tuple[Identifier, ...] = ()


class Phase(Node):
    """Groups updated together for a number of steps."""

    steps: Annotated[int, Field(ge=1)]
    drives: tuple[Drive, ...]


class Dynamics(Node):
    """The update of rates; see ``runtime.dynamics``."""

    leak: float
    norm: Literal["layer", "none"]
    noise: float
    graded_inhibition: bool


class Rule(Node):
    """A plasticity rule: a class of ``runtime.plasticity`` and its arguments."""

    name: Identifier
    kind: Literal["Hebbian", "Oja", "Homeostatic"]
    arguments: Arguments


class Readout(Node):
    """Linear readout of some rows of the concatenated rates of some groups."""

    groups: tuple[Identifier, ...]
    populations: tuple[Identifier, ...]
    cells: Count
    classes: Count
    dropout: float


class Array(Node):
    """An array of weights.safetensors."""

    dtype: str
    shape: tuple[int, ...]


class Program(Node):
    """A network, ready to be written as source text."""

    format: Literal["connectome2net.program"] = FORMAT
    format_version: Literal[1] = FORMAT_VERSION
    template: Literal[1] = TEMPLATE_VERSION
    name: Identifier
    origin: Origin
    height: Count
    width: Count
    populations: tuple[Population, ...]
    groups: tuple[Group, ...]
    blocks: tuple[Block, ...]
    front_end: tuple[Layer, ...]
    input: Input
    phases: tuple[Phase, ...]
    dynamics: Dynamics
    readout: Readout
    rules: tuple[Rule, ...] = ()
    arrays: dict[str, Array] = {}
    weights_sha256: str = ""
