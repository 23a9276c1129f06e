"""The intermediate representation of a conventional network: the front end of a spec, and no connectome behind it.

Enters: fields. Leaves: frozen data that is written as program.json, as a ``Program`` is, and cannot be run.
"""

from __future__ import annotations

import re
from math import prod
from typing import Annotated, ClassVar, Final, Literal, Self

from pydantic import Field, model_validator

from connectome2net.compile.front_end import Convolution, Layer, feature_map
from connectome2net.compile.node import Dropout, Identifier, Node, Small
from connectome2net.compile.program import Array, Origin, Program, Sha256

FORMAT: Final = "connectome2net.reference"
CELLS: Final = {"cell_index": Array(dtype="int32", shape=(0,))}
"""The arrays of a network without cells: the one that says which cells of the spec they are."""

Kind = Literal["linear", "mlp", "cnn"]


class Dense(Node):
    """Linear layer, LayerNorm, ReLU."""

    kind: Literal["Dense"] = "Dense"
    features: Annotated[int, Field(ge=1, lt=2**31)]
    units: Small


class LinearReadout(Node):
    """Linear readout of every feature."""

    features: Annotated[int, Field(ge=1, lt=2**31)]
    classes: Annotated[int, Field(ge=1, le=65536)]
    dropout: Dropout


class Conventional(Node):
    """A conventional network beside that of a spec.

    Attributes:
        name: of the spec's network, and the kind of reference.
        reference: ``linear``: the readout sees the feature map itself; ``mlp``: dense layers stand where the column
            was; ``cnn``: further convolutions do.
        wanted: how many trainable parameters it should have, or, of ``linear``, the network of the spec has; null where
            an older release did not say it.
    """

    format: Literal["connectome2net.reference"] = FORMAT
    format_version: Literal[1] = 1
    template: Literal[1] = 1
    name: Identifier
    reference: Kind
    origin: Origin
    height: Small
    width: Small
    front_end: tuple[Layer, ...]
    convolutions: tuple[Convolution, ...] = ()
    dense: tuple[Dense, ...] = ()
    readout: LinearReadout
    wanted: Annotated[int, Field(ge=1)] | None = None
    arrays: dict[str, Array] = CELLS
    weights_sha256: Sha256 | Literal[""] = ""

    populations: ClassVar[tuple[()]] = ()
    groups: ClassVar[tuple[()]] = ()
    blocks: ClassVar[tuple[()]] = ()
    phases: ClassVar[tuple[()]] = ()
    rules: ClassVar[tuple[()]] = ()
    learning: ClassVar[None] = None

    @model_validator(mode="after")
    def _layers_fit(self) -> Self:
        """Refuse layers that do not take what the ones before them give, and arrays of cells."""
        of_kind = {"linear": (0, 0), "mlp": (0, len(self.dense)), "cnn": (len(self.convolutions), 0)}
        if (len(self.convolutions), len(self.dense)) != of_kind[self.reference]:
            raise ValueError(f"these are not the layers of a reference of kind {self.reference}")
        features = prod(feature_map((*self.front_end, *self.convolutions), height=self.height, width=self.width))
        for layer in self.dense:
            if layer.features != features:
                raise ValueError(f"a dense layer takes {layer.features} features and is given {features}")
            features = layer.units
        if self.readout.features != features:
            raise ValueError(f"the readout takes {self.readout.features} features and is given {features}")
        if self.arrays != CELLS:
            raise ValueError("a reference has no cells")
        return self

    def places(self) -> dict[str, int]:
        """Return for each array of places how many places there are: it has none."""
        return {}


def form_of(content: bytes) -> type[Program] | type[Conventional]:
    """Return what a program.json holds by its first words; a conventional network is known by its format."""
    return Conventional if re.match(rb'\{\s*"format":\s*"connectome2net.reference"', content) else Program
