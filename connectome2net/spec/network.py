"""The ``network`` section of spec.json: everything that is assumed.

Enters: parsed JSON. Leaves: frozen models of populations, projections, input, dynamics, readout and rules.
Every optional part can be switched off by ``null``.
"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import AfterValidator, Field

from connectome2net.spec.dynamics import Dynamics
from connectome2net.spec.learning import Learning
from connectome2net.spec.part import InOrder, Name, NonNegative, Part, Positive
from connectome2net.spec.plasticity import Rule


def _odd(side: int) -> int:
    if side % 2 == 0:
        raise ValueError("an odd number, so that there is a centre")
    return side


Names = tuple[Annotated[str, Field(pattern=r"^(\*|[A-Za-z][A-Za-z0-9_]{0,23})$")], ...]
Fraction = Annotated[float, Field(ge=0, le=1)]
Dropout = Annotated[float, Field(ge=0, lt=1)]
MOST_POPULATIONS = 1024
MOST_PROJECTIONS = 4096
MOST_PHASES = 256
Small = Annotated[int, Field(ge=1, le=4096)]
Odd = Annotated[Small, AfterValidator(_odd), Field(json_schema_extra={"not": {"multipleOf": 2}})]


class Selector(Part):
    """A set of cells: those that fit every condition that is given."""

    cell_type: tuple[str, ...] | None = None
    lamina: tuple[str, ...] | None = None
    ei_class: tuple[str, ...] | None = None


class Population(Part):
    """A set of cells that the model treats alike.

    Attributes:
        plasticity: names of rules of cells in ``network.plasticity``.
    """

    name: Name
    select: Selector
    plasticity: tuple[Name, ...] = ()


class Projection(Part):
    """All edges from some populations to others.

    A weight is ``sign * anatomy * strength``. Sign and anatomy are fixed, the strength is learned.

    Attributes:
        pre: presynaptic populations; ``["*"]`` means all.
        post: postsynaptic populations; ``["*"]`` means all.
        sign: ``dale``: the presynaptic cell's class gives the sign and the strength is positive, it starts at 1;
            ``free``: the strength has any sign, it starts as a standard normal number.
        anatomy: what of an edge is used: its synapse count, its total cleft size, the mean size of its clefts, only
            that it exists, or the column ``weight`` of the edges table, which a control has (see ``transform``).
        normalise: the anatomy of all edges of the projection onto one cell is divided by its sum, by its Euclidean norm
            (this keeps the variance of the drive), or not at all; ``all_inputs`` divides by everything that the cell
            receives, from all cells of the column and from outside, so that a cell with few inputs inside has less
            drive.
        scale: every weight is multiplied by it before learning.
        delay_steps: steps that a rate takes from the presynaptic to the postsynaptic cell, beside the one of every
            update.
        plasticity: names of rules of edges in ``network.plasticity``.
        synapse: ``chemical``, or ``electrical``: gap junctions with a current ``g (v_pre - v_post)`` and a conductance
            g that is never negative, between cells that have a voltage. A gap junction conducts both ways (Galarreta
            and Hestrin 1999, doi 10.1038/47029; Gibson, Beierlein and Connors 1999, doi 10.1038/47035): it is two
            edges of the table, (post, pre) and (pre, post), and each learns a conductance of its own.
            ``normalise: none`` keeps what was measured symmetric.
    """

    name: Name
    pre: Names = ("*",)
    post: Names = ("*",)
    sign: Literal["dale", "free"] = "dale"
    anatomy: Literal["synapse_count", "total_size", "mean_size", "binary", "weight"] = "synapse_count"
    normalise: Literal["sum", "norm", "none", "all_inputs"] = "sum"
    scale: Positive = 1.0
    delay_steps: Annotated[int, Field(ge=0, le=4096)] = 0
    plasticity: tuple[Name, ...] = ()
    synapse: Literal["chemical", "electrical"] = "chemical"


class LateralInhibition(Part):
    """Each feature is lowered by the mean of its surround: ``x - strength * mean(x around)``, then rectified."""

    surround: Odd = 5
    strength: NonNegative = 1.0


class ConvBlock(Part):
    """Convolution, optional normalisation, ReLU, optional lateral inhibition, max pooling.

    Attributes:
        norm: ``group`` is a GroupNorm, which does not depend on the batch.
    """

    channels: Small
    kernel: Odd = 3
    pool: Small = 1
    norm: Literal["none", "group"] = "none"
    lateral_inhibition: LateralInhibition | None = None


class Attention(Part):
    """Channel and spatial attention (CBAM, Woo et al. 2018, arXiv 1807.06521)."""

    reduction: Small = 4
    kernel: Odd = 7


class FrontEnd(Part):
    """What stands between the image and the column: grey image -> feature map.

    Attributes:
        adaptation: every image gets mean 0 and deviation 1 first, as the retina adapts to luminance and contrast
            (Carandini and Heeger 2012, doi 10.1038/nrn3136).
    """

    height: Small = 48
    width: Small = 48
    adaptation: bool = True
    blocks: tuple[ConvBlock, ...] = ()
    attention: Attention | None = None
    dropout: Dropout = 0.0


def feature_map(front_end: FrontEnd) -> tuple[int, int]:
    """Return rows and columns of the feature map that leaves a front end; 0 where pooling leaves nothing."""
    height, width = front_end.height, front_end.width
    for block in front_end.blocks:
        height, width = height // block.pool, width // block.pool
    return height, width


class RetinotopicInput(Part):
    """Each cell sees its own neighbourhood of the feature map, placed by its soma's x and z.

    Attributes:
        population: the cells that are driven.
        neighbourhood: side of the square neighbourhood in feature-map positions.
        place: ``rank``: ranks of x and z are spread evenly over the map; ``position``: x and z themselves are.
    """

    kind: Literal["retinotopic"]
    population: Name
    neighbourhood: Odd = 3
    place: Literal["rank", "position"] = "rank"


class DenseInput(Part):
    """Each cell sees the whole feature map."""

    kind: Literal["dense"]
    population: Name


class Phase(Part):
    """Some populations updated together, a number of steps; the others hold their rates.

    Attributes:
        steps: how many; the most, where there is a tolerance.
        tolerance: the phase ends before its last step where, on no image of the batch, the state of a cell changes by
            more than this in a step; null takes all steps. A traced network (torch.compile, torch.export) takes all.
        checkpoint: of every so many states of training only one is kept, and the backward pass computes the others
            again (Chen et al. 2016, arXiv 1604.06174): longer unrolls fit into memory, for one more forward pass.
    """

    populations: Names
    steps: Small
    tolerance: NonNegative | None = None
    checkpoint: Small | None = None


class GradedInhibition(Part):
    """A cell's rate is multiplied by ``1 - strength * n / max(n)``.

    n is its number of incoming connections from the selected cells, which are not units themselves.
    """

    presynaptic: Selector
    strength: Fraction
    count: Literal["edges", "synapses"] = "edges"


class Noise(Part):
    """Gaussian noise added to each cell's drive at each step of training, after the norm: sigma in its deviations."""

    sigma: NonNegative


class Readout(Part):
    """Linear readout of the rates of some populations after the last phase.

    Attributes:
        bypass: the readout may see cells that the image drives directly.
    """

    populations: Names
    classes: Annotated[int, Field(ge=2, le=65536)] = 7
    dropout: Dropout = 0.0
    bypass: bool = False


Input = Annotated[RetinotopicInput | DenseInput, Field(discriminator="kind")]


class Network(Part):
    """What is assumed, from the image to the classes.

    Attributes:
        learning: how strengths are learned; null is backpropagation through all steps.
    """

    name: Name
    populations: Annotated[tuple[Population, ...], Field(min_length=1, max_length=MOST_POPULATIONS)]
    projections: Annotated[tuple[Projection, ...], Field(max_length=MOST_PROJECTIONS)]
    front_end: FrontEnd
    input: Input
    dynamics: Dynamics
    schedule: Annotated[tuple[Phase, ...], Field(min_length=1, max_length=MOST_PHASES)]
    readout: Readout
    inhibition: GradedInhibition | None = None
    noise: Noise | None = None
    plasticity: Annotated[dict[Name, Rule | None], InOrder] = {}
    learning: Learning | None = None
