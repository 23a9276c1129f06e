"""From the image to the cells that see it: the part of a program before the first step.

Enters: fields. Leaves: frozen layers and inputs, each a class of ``runtime.encode`` with its arguments; the shape of
the feature map between the two.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Annotated, Any, Literal

from pydantic import Field

from connectome2net.compile.node import Count, Dropout, Identifier, Node, Odd, Small


class Adaptation(Node):
    """Every image gets mean 0 and deviation 1."""

    kind: Literal["Adaptation"] = "Adaptation"


class Convolution(Node):
    """Convolution, norm, lateral inhibition, pooling."""

    kind: Literal["Convolution"] = "Convolution"
    in_channels: Small
    out_channels: Small
    kernel: Odd
    pool: Small
    norm: Literal["none", "group"] = "none"
    surround: Odd | Literal[0] = 0
    inhibition: Annotated[float, Field(ge=0)] = 0.0


class Attention(Node):
    """Channel attention, then spatial attention."""

    kind: Literal["Attention"] = "Attention"
    channels: Small
    reduction: Small
    kernel: Odd


class FeatureDropout(Node):
    """Dropout of the feature map."""

    kind: Literal["Dropout"] = "Dropout"
    p: Dropout


class RetinotopicInput(Node):
    """Each driven cell sees its own neighbourhood of the feature map."""

    kind: Literal["RetinotopicInput"] = "RetinotopicInput"
    group: Identifier
    channels: Small
    neighbourhood: Odd
    cells: Count
    rows_before: Count
    rows_after: Count


class DenseInput(Node):
    """Each driven cell sees the whole feature map."""

    kind: Literal["DenseInput"] = "DenseInput"
    group: Identifier
    features: Count
    cells: Count
    rows_before: Count
    rows_after: Count


Layer = Annotated[Adaptation | Convolution | Attention | FeatureDropout, Field(discriminator="kind")]
Input = Annotated[RetinotopicInput | DenseInput, Field(discriminator="kind")]


def arguments(part: Node) -> dict[str, Any]:
    """Return what the class of ``runtime.encode`` is given: every field that has not its default."""
    return part.model_dump(exclude={"kind", "group"}, exclude_defaults=True)


def feature_map(layers: Iterable[Layer], *, height: int, width: int) -> tuple[int, int, int]:
    """Return channels, height and width of what leaves some layers.

    Args:
        layers: from the image on.
        height: rows of the image.
        width: columns of the image.

    Raises:
        ValueError: a layer does not take what the one before it gives, or pooling leaves nothing.
    """
    channels = 1
    for at, layer in enumerate(layers):
        takes = getattr(layer, "in_channels", getattr(layer, "channels", channels))
        if takes != channels:
            raise ValueError(f"layer {at} takes {takes} channels and is given {channels}")
        if isinstance(layer, Convolution):
            channels, height, width = layer.out_channels, height // layer.pool, width // layer.pool
        if min(height, width) < 1:
            raise ValueError(f"layer {at} leaves nothing of the image")
    return channels, height, width
