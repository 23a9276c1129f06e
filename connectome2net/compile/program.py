"""The intermediate representation: what the network computes, in the order in which it computes it.

Enters: fields. Leaves: frozen data that can be written as program.json and cannot be run.

A *group* is a run of populations that every phase treats together; its rates are one tensor. A *block* is the part
of a projection from one group to another; it is one sparse matrix ``W[post, pre]``. A *phase* updates some groups
for a number of steps: what comes from other groups is constant meanwhile, what comes from the updated groups recurs.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Annotated, Final, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

FORMAT: Final = "connectome2net.program"
FORMAT_VERSION: Final = 1
TEMPLATE_VERSION: Final = 1

Identifier = Annotated[str, Field(pattern=r"^[A-Za-z][A-Za-z0-9_]{0,99}$")]
Arguments = Mapping[Identifier, int | float | Identifier]
Count = Annotated[int, Field(ge=0)]
Positive = Annotated[float, Field(gt=0)]
Sha256 = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]


class Node(BaseModel):
    """The base of every part of a program: frozen, no unknown keys."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


class Origin(Node):
    """The spec that a program was lowered from."""

    spec: str
    spec_sha256: Sha256
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
    """One matrix ``W[post, pre]``.

    Attributes:
        storage: ``sparse``, or ``dense`` where a full matrix is expected to be quicker; see ``storage``.
    """

    name: Identifier
    projection: Identifier
    pre: Identifier
    post: Identifier
    sign: Literal["dale", "free"]
    edges: Count
    synapses: Count
    storage: Literal["sparse", "dense"] = "sparse"
    delay_steps: Count = 0
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
    """Groups updated together for a number of steps.

    Attributes:
        tolerance: the phase ends earlier where no state changes by more than this; see ``runtime.unroll``.
        checkpoint: of every so many states one is kept for the backward pass.
    """

    steps: Annotated[int, Field(ge=1)]
    drives: tuple[Drive, ...]
    tolerance: Annotated[float, Field(ge=0)] | None = None
    checkpoint: Annotated[int, Field(ge=1)] | None = None


class Dynamics(Node):
    """The cells of every group: a class of ``runtime.dynamics``.

    Attributes:
        arguments: the same for each group.
        arrays: argument -> the array ``GROUP.name`` that is given for it.
        learned_per_cell: how many numbers each cell learns.
    """

    kind: Literal["RateCells"]
    arguments: Arguments = {}
    arrays: Mapping[Identifier, Identifier] = {}
    learned_per_cell: Count


class Rule(Node):
    """A plasticity rule: a class of ``runtime.plasticity`` and its arguments.

    Attributes:
        needs_steps: it looks at every step of the last batch, not only at its end.
    """

    name: Identifier
    kind: Literal[
        "Hebbian",
        "Oja",
        "Covariance",
        "BCM",
        "Homeostatic",
        "Inhibitory",
        "InhibitorySTDP",
        "STDP",
        "TripletSTDP",
        "DifferentialHebbian",
        "ThreeFactor",
    ]
    arguments: Arguments
    needs_steps: bool = False


class Equilibrium(Node):
    """Equilibrium propagation: arguments of ``runtime.equilibrium.settle``."""

    kind: Literal["equilibrium"]
    nudge: Positive
    nudging: Literal["symmetric", "one_sided"]


class FeedbackAlignment(Node):
    """Feedback alignment: the signs of the feedback of every ``runtime.sparse.Projection``."""

    kind: Literal["feedback_alignment"]
    signs: Literal["random", "concordant"]


class Reservoir(Node):
    """Only the readout learns, with one of these penalties; see ``train.ridge``."""

    kind: Literal["reservoir"]
    ridge: Annotated[tuple[Positive, ...], Field(min_length=1)]


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
    learning: Annotated[Equilibrium | FeedbackAlignment | Reservoir, Field(discriminator="kind")] | None = None
    arrays: dict[str, Array]
    weights_sha256: Sha256 | Literal[""] = ""

    @model_validator(mode="after")
    def _names_stand_for_something(self) -> Self:
        """Refuse a name that is given twice, or that stands for nothing."""
        known = {
            "population": [population.name for population in self.populations],
            "group": [group.name for group in self.groups],
            "block": [block.name for block in self.blocks],
            "rule": [rule.name for rule in self.rules],
        }
        for kind, names in known.items():
            if twice := sorted({name for name in names if names.count(name) > 1}):
                raise ValueError(f"{kind} {twice[0]} twice")
        for kind, name in self._uses():
            if name not in known[kind]:
                raise ValueError(f"no {kind} {name}")
        return self

    @model_validator(mode="after")
    def _numbers_fit(self) -> Self:
        """Refuse counts that are not those of the arrays."""
        of_population = {population.name: population.cells for population in self.populations}
        of_group = {group.name: group.cells for group in self.groups}
        for group in self.groups:
            if group.cells != sum(of_population[name] for name in group.populations):
                raise ValueError(f"group {group.name} has not the cells of its populations")
        sizes = {"cell_index": sum(of_group.values()), "readout.unit": self.readout.cells}
        for block in self.blocks:
            sizes |= {f"{block.name}.post_start": of_group[block.post] + 1, f"{block.name}.anatomy": block.edges}
            sizes |= {f"{block.name}.pre_start": of_group[block.pre] + 1}
        for name, size in sizes.items():
            if name not in self.arrays or self.arrays[name].shape != (size,):
                raise ValueError(f"no array {name} of {size} numbers")
        return self

    def _uses(self) -> Iterator[tuple[str, str]]:
        """Yield the kind and the name of everything that is referred to."""
        for group in self.groups:
            yield from (("population", name) for name in group.populations)
        for block in self.blocks:
            yield from (("group", block.pre), ("group", block.post))
            yield from (("rule", name) for name in block.rules)
        for drive in (drive for phase in self.phases for drive in phase.drives):
            yield "group", drive.group
            yield from (("block", name) for name in (*drive.constant, *drive.recurrent))
        yield "group", self.input.group
        yield from (("group", name) for name in self.readout.groups)
        yield from (("population", name) for name in self.readout.populations)
