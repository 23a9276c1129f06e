"""The intermediate representation: what the network computes, in the order in which it computes it.

Enters: fields. Leaves: frozen data that can be written as program.json and cannot be run.

A *group* is a run of populations that every phase treats together; its rates are one tensor. A *block* is the part
of a projection from one group to another; it is one sparse matrix ``W[post, pre]``. A *phase* updates some groups
for a number of steps: what comes from other groups is constant meanwhile, what comes from the updated groups recurs.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import Annotated, ClassVar, Final, Literal, Self

from pydantic import Field, model_validator

from connectome2net.compile.dynamics import Arguments, Dynamics
from connectome2net.compile.front_end import Input, Layer, RetinotopicInput, feature_map
from connectome2net.compile.node import Count, Dropout, Identifier, Node, Small

FORMAT: Final = "connectome2net.program"
FORMAT_VERSION: Final = 1
TEMPLATE_VERSION: Final = 1
PARTS: Final = ("model.py", "weights.safetensors", "program.json")
"""The files of a compiled network, in the order in which they are written: with the last one it is whole."""

Positive = Annotated[float, Field(gt=0)]
Sha256 = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]


class Origin(Node):
    """The spec that a program was lowered from.

    Attributes:
        control: what was done to the measured connectome, in words; empty where nothing was.
    """

    spec: str
    spec_sha256: Sha256
    dataset: str
    materialization: str
    synthetic: bool
    citation: tuple[str, ...] = ()
    control: tuple[str, ...] = ()


class Population(Node):
    """Cells that the model treats alike, in words for a reader."""

    name: Identifier
    cells: Count
    selected: str
    rules: tuple[Identifier, ...] = ()


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
    sign: Literal["dale", "positive", "free"]
    edges: Count
    synapses: Count
    storage: Literal["sparse", "dense"] = "sparse"
    delay_steps: Annotated[int, Field(ge=0, le=4096)] = 0
    rules: tuple[Identifier, ...] = ()


class Drive(Node):
    """What drives one group during a phase.

    Attributes:
        constant: chemical blocks from groups that are not updated.
        recurrent: chemical blocks from groups that are.
        junctions: electrical blocks.
    """

    group: Identifier
    input: bool
    constant: tuple[Identifier, ...] = ()
    recurrent: tuple[Identifier, ...] = ()
    junctions: tuple[Identifier, ...] = ()


class Phase(Node):
    """Groups updated together for a number of steps.

    Attributes:
        tolerance: the phase ends earlier where no state changes by more than this; see ``runtime.unroll``.
        checkpoint: of every so many states one is kept for the backward pass.
    """

    steps: Small
    drives: tuple[Drive, ...]
    tolerance: Annotated[float, Field(ge=0)] | None = None
    checkpoint: Small | None = None


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
        "Structural",
        "Intrinsic",
    ]
    arguments: Arguments
    needs_steps: bool = False


class Equilibrium(Node):
    """Equilibrium propagation: arguments of ``runtime.equilibrium.settle``."""

    kind: Literal["equilibrium"]
    nudge: Positive
    nudging: Literal["symmetric", "one_sided"]
    direction: Literal["forward", "backward"]


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

    groups: Annotated[tuple[Identifier, ...], Field(min_length=1)]
    populations: tuple[Identifier, ...]
    cells: Annotated[Count, Field(ge=1)]
    classes: Annotated[int, Field(ge=1, le=65536)]
    dropout: Dropout


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
    height: Small
    width: Small
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

    reference: ClassVar[None] = None

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
            if twice := sorted(name for name, times in Counter(names).items() if times > 1):
                raise ValueError(f"{kind} {twice[0]} twice")
        there = {kind: set(names) for kind, names in known.items()}
        for kind, name in self._uses():
            if name not in there[kind]:
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
        self._input_fits(of_group[self.input.group])
        self._drives_fit()
        sizes = {"cell_index": sum(of_group.values()), "readout.unit": self.readout.cells}
        for block in self.blocks:
            sizes |= {f"{block.name}.post_start": of_group[block.post] + 1, f"{block.name}.anatomy": block.edges}
            sizes |= {f"{block.name}.pre_start": of_group[block.pre] + 1}
        sizes |= {f"{group}.{name}": size for name in self.dynamics.arrays.values() for group, size in of_group.items()}
        if isinstance(self.input, RetinotopicInput):
            sizes["input.place"] = self.input.cells
        for name, numbers in self.dynamics.of_population.items():
            if numbers.keys() != of_population.keys():
                raise ValueError(f"{name} is not given for every population")
        for name, size in sizes.items():
            if name not in self.arrays or self.arrays[name].shape != (size,):
                raise ValueError(f"no array {name} of {size} numbers")
        return self

    def _input_fits(self, cells: int) -> None:
        """Refuse an input that does not take the feature map, or gives not the rows of its group."""
        channels, height, width = feature_map(self.front_end, height=self.height, width=self.width)
        given = self.input
        if isinstance(given, RetinotopicInput):
            takes, there, what = given.channels, channels, "channels"
        else:
            takes, there, what = given.features, channels * height * width, "features"
        if takes != there:
            raise ValueError(f"the input takes {takes} {what} and is given {there}")
        if given.rows_before + given.cells + given.rows_after != cells or not given.cells:
            raise ValueError(f"the input has not the {cells} rows of group {given.group}")

    def _drives_fit(self) -> None:
        """Refuse a drive of a group that is made for another one."""
        post = {block.name: block.post for block in self.blocks}
        for drive in (drive for phase in self.phases for drive in phase.drives):
            if drive.input and drive.group != self.input.group:
                raise ValueError(f"the input drives group {self.input.group}, not {drive.group}")
            for name in (*drive.constant, *drive.recurrent, *drive.junctions):
                if post[name] != drive.group:
                    raise ValueError(f"block {name} ends in group {post[name]}, not {drive.group}")

    def places(self) -> dict[str, int]:
        """Return for each array of places how many places there are."""
        _, height, width = feature_map(self.front_end, height=self.height, width=self.width)
        cells = {group.name: group.cells for group in self.groups}
        return {"readout.unit": sum(cells[name] for name in self.readout.groups), "input.place": height * width}

    def _uses(self) -> Iterator[tuple[str, str]]:
        """Yield the kind and the name of everything that is referred to."""
        for population in self.populations:
            yield from (("rule", name) for name in population.rules)
        for group in self.groups:
            yield from (("population", name) for name in group.populations)
        for block in self.blocks:
            yield from (("group", block.pre), ("group", block.post))
            yield from (("rule", name) for name in block.rules)
        for drive in (drive for phase in self.phases for drive in phase.drives):
            yield "group", drive.group
            yield from (("block", name) for name in (*drive.constant, *drive.recurrent, *drive.junctions))
        for numbers in self.dynamics.of_population.values():
            yield from (("population", name) for name in numbers)
        yield "group", self.input.group
        yield from (("group", name) for name in self.readout.groups)
        yield from (("population", name) for name in self.readout.populations)
