"""Conventional networks beside that of a spec: what do the front end, and as many parameters without a column, reach?

Enters: a valid ``Spec``. Leaves: a compiled folder that trains, loads and is evaluated as that of the spec.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable, Iterable, Iterator, Sequence
from math import prod
from pathlib import Path
from typing import Final, get_args

import numpy as np

from connectome2net.compile.conventional import Conventional, Dense, Kind, LinearReadout
from connectome2net.compile.front_end import Convolution, Layer, feature_map
from connectome2net.compile.lower import lower, lower_front_end, origin_of
from connectome2net.compile.package import free_folder, write_compiled
from connectome2net.compile.parameters import count_parameters
from connectome2net.errors import CompileError
from connectome2net.spec import Spec, read_spec

MOST: Final = 4096
"""The largest layer, as in a spec."""
NEAR: Final = 0.01
"""A size in round numbers is taken where it is so near to the number of parameters that is wanted."""
FAR: Final = 0.02
"""A size that is further from it than this is none."""
GROUP: Final = 8
"""Channels of a group of the norm; see ``runtime.encode.Convolution``."""

Make = Callable[[int, int], Conventional]


def compile_reference(
    spec: Spec | str | Path,
    kind: Kind,
    *,
    out: str | Path = "compiled",
    parameters: int | None = None,
    force: bool = False,
) -> Path:
    """Compile a conventional network with the front end of a spec into a folder.

    ``linear``: the readout sees the feature map. ``mlp``: two hidden layers with LayerNorm and ReLU. ``cnn``: two
    further convolutions, with the norm of the front end's last one, ReLU and pooling; the readout sees every place of
    the last map. Dropout is that of the spec's front end and readout. It learns by backpropagation, whatever the
    spec's network does.

    Args:
        spec: a valid spec, or the path of spec.json.
        kind: ``linear``, ``mlp`` or ``cnn``.
        out: the folder to write, or the model.py to be; a compiled folder that lies there is replaced.
        parameters: how many trainable parameters a mlp or a cnn has, to 2 %; by default those of the spec's network.
        force: replace it although its model.py is not what the compiler writes.

    Returns:
        The folder.

    Raises:
        SpecError: the spec is not valid.
        CompileError: there is no such network of that size, or ``out`` holds something else, or a model.py that the
            compiler has not written.
    """
    spec = spec if isinstance(spec, Spec) else read_spec(spec)
    out = free_folder(out, force=force)
    return write_compiled(
        lower_reference(spec, kind, parameters=parameters), {"cell_index": np.zeros(0, np.int32)}, out
    )


def lower_reference(spec: Spec, kind: Kind, *, parameters: int | None = None) -> Conventional:
    """Return the conventional network of a spec; see ``compile_reference``.

    Raises:
        CompileError: there is no such kind, or no such network of that size.
    """
    if kind not in get_args(Kind):
        raise CompileError("there is no such reference", found=kind, wanted=", ".join(get_args(Kind)))
    if kind == "linear" and parameters is not None:
        fix = "leave --parameters out, or choose mlp or cnn"
        raise CompileError("the size of a linear readout cannot be chosen", found=parameters, fix=fix)
    wanted = sum(count_parameters(lower(spec)[0]).values()) if parameters is None else parameters
    linear = _network(spec, "linear", wanted=wanted)
    if kind == "linear":
        return linear
    least = _size(linear)
    if wanted < least:
        raise CompileError(
            f"the front end alone is larger than that: a {kind} has no room",
            found=f"{wanted:,} parameters" + " of the spec's network" * (parameters is None),
            wanted=f"{least:,} or more, those of the front end with a linear readout",
            fix="give a number with --parameters, or compare with --reference linear",
        )
    return _nearest(spec, kind, wanted)


def _network(
    spec: Spec,
    kind: Kind,
    *,
    convolutions: Sequence[Convolution] = (),
    widths: Sequence[int] = (),
    wanted: int | None = None,
) -> Conventional:
    front_end, readout = spec.network.front_end, spec.network.readout
    layers = lower_front_end(front_end)[0]
    features = prod(feature_map((*layers, *convolutions), height=front_end.height, width=front_end.width))
    given = [features, *widths]
    return Conventional(
        name=f"{spec.network.name}_{kind}",
        reference=kind,
        origin=origin_of(spec),
        height=front_end.height,
        width=front_end.width,
        front_end=layers,
        convolutions=tuple(convolutions),
        dense=tuple(Dense(features=before, units=units) for before, units in zip(given, widths, strict=False)),
        readout=LinearReadout(features=given[-1], classes=readout.classes, dropout=readout.dropout),
        wanted=wanted,
    )


def _size(network: Conventional) -> int:
    return sum(count_parameters(network).values())


def _nearest(spec: Spec, kind: Kind, wanted: int) -> Conventional:
    """Return the network of a kind whose number of parameters is nearest to what is wanted.

    Sizes in round numbers come first: equal widths, channels in whole groups of the norm. Where none is near enough,
    the second layer is up to twice as large as the first.

    Raises:
        CompileError: none is within 2 %.
    """

    def make(first: int, second: int) -> Conventional:
        if kind == "mlp":
            return _network(spec, kind, widths=(first, second), wanted=wanted)
        return _network(spec, kind, convolutions=_convolutions(spec, (first, second)), wanted=wanted)

    def distance(sizes: tuple[int, int]) -> tuple[int, int]:
        return abs(_size(make(*sizes)) - wanted), sizes[0]

    for sizes in (_equal(make, wanted) if kind == "mlp" else _pairs(make, wanted, GROUP), _pairs(make, wanted, 1)):
        found = make(*min(sizes, key=distance))
        if abs(_size(found) - wanted) <= NEAR * wanted:
            return found
    if abs(_size(found) - wanted) <= FAR * wanted:
        return found
    raise CompileError(
        f"no {kind} has about so many parameters",
        found=f"{_size(found):,}, the nearest",
        wanted=f"{wanted:,}, to {FAR:.0%}",
        fix="give another number with --parameters",
    )


def _equal(make: Make, wanted: int) -> Iterable[tuple[int, int]]:
    widths = range(1, MOST + 1)
    at = bisect_left(widths, wanted, key=lambda width: _size(make(width, width)))
    return [(width, width) for width in widths[max(0, at - 1) : at + 1]]


def _pairs(make: Make, wanted: int, step: int) -> Iterator[tuple[int, int]]:
    """Yield for each first size the second ones, as large to twice as large, that come nearest to what is wanted."""
    firsts = range(step, MOST // 2 + 1, step)
    at = bisect_left(firsts, wanted, key=lambda first: _size(make(first, 2 * first)))
    for first in firsts[max(0, at - 1) :]:
        seconds = range(first, 2 * first + 1, step)
        at = bisect_left(seconds, wanted, key=lambda second: _size(make(first, second)))
        yield from ((first, second) for second in seconds[max(0, at - 1) : at + 1])
        if at == 0:
            return


def _convolutions(spec: Spec, channels: Sequence[int]) -> list[Convolution]:
    """Return 3x3 convolutions behind a front end; each pools where its map has at least four rows and columns."""
    front_end = spec.network.front_end
    layers: list[Layer] = list(lower_front_end(front_end)[0])
    norm = front_end.blocks[-1].norm if front_end.blocks else "group"
    found = []
    for count in channels:
        before, height, width = feature_map(layers, height=front_end.height, width=front_end.width)
        pool = 2 if min(height, width) >= 4 else 1
        found.append(Convolution(in_channels=before, out_channels=count, kernel=3, pool=pool, norm=norm))
        layers.append(found[-1])
    return found
