"""The axis of cortex, from pia to white matter: how deep a place is, and how far to the side of a column.

Enters: positions in nm, and a source that says which axis its volume has. Leaves: depth and lateral place in um.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import numpy.typing as npt
import standard_transform

from connectome2net.sources.source import Source, StraightAxis

FloatArray = npt.NDArray[np.float64]


class Axis(Protocol):
    """Where depth runs."""

    @property
    def name(self) -> str:
        """What the spec says of it."""
        ...

    def depth_um(self, position_nm: FloatArray) -> FloatArray:
        """Return (N,) depths below the pia, um, of (N, 3) positions in nm."""
        ...

    def lateral_um(self, position_nm: FloatArray, centre_nm: tuple[float, float, float]) -> FloatArray:
        """Return (N, 2) distances, um, from the axis through a point, along two directions across it."""
        ...


@dataclass(frozen=True)
class Streamline:
    """The slanted axis of a MICrONS volume.

    Depth is y of the oriented frame; the axis through a point follows the apical dendrites and axons, which slant
    below layer 4. The streamline drawn by hand (1.4) holds 1,136 of the 1,331 cells of the census in the 100 x 100 um
    square about the column's centre, the fitted field (2.0) 1,106; so the former is used for minnie65.

    Reference:
        standard-transform, github.com/CAVEconnectome/standard_transform
    """

    frame: standard_transform.Dataset
    version: str

    @property
    def name(self) -> str:
        """What the spec says of it."""
        return f"{self.frame.name} streamline {self.version} of standard-transform"

    def depth_um(self, position_nm: FloatArray) -> FloatArray:
        """Return depths below the pia."""
        return np.asarray(self.frame.transform("nm").apply(position_nm)[:, 1])

    def lateral_um(self, position_nm: FloatArray, centre_nm: tuple[float, float, float]) -> FloatArray:
        """Return places beside the streamline through a point."""
        streamline = self.frame.streamline("nm", version=self.version)
        beside = streamline.radial_points(np.array(centre_nm), position_nm, depth_along_streamline=False)
        return np.asarray(beside[:, [0, 2]])


@dataclass(frozen=True)
class Straight:
    """A straight axis: a direction into the tissue and a point on the pia."""

    given: StraightAxis

    @property
    def name(self) -> str:
        """What the spec says of it."""
        return f"straight along {', '.join(f'{value:g}' for value in self.given.direction)}"

    def _direction(self) -> FloatArray:
        direction = np.array(self.given.direction, dtype=np.float64)
        return direction / np.linalg.norm(direction)

    def depth_um(self, position_nm: FloatArray) -> FloatArray:
        """Return depths below the pia."""
        return (position_nm - np.array(self.given.pia_nm)) @ self._direction() / 1000

    def lateral_um(self, position_nm: FloatArray, centre_nm: tuple[float, float, float]) -> FloatArray:
        """Return places beside the straight line through a point.

        The first direction across the axis is x without its part along the axis (z, if the axis runs along x), the
        second is across both; so a square stands parallel to the axes of the volume.
        """
        along = self._direction()
        start = np.eye(3)[0 if abs(along[0]) < 0.9 else 2]
        first = start - (start @ along) * along
        first /= np.linalg.norm(first)
        across = np.stack([first, np.cross(along, first)])
        return (position_nm - np.array(centre_nm)) @ across.T / 1000


FRAMES: Mapping[str, Streamline] = {
    "minnie65": Streamline(standard_transform.minnie_ds, "1.4"),
    "v1dd": Streamline(standard_transform.v1dd_ds, "2.0"),
}
"""Beginning of a data set's name -> its axis."""


def find_axis(source: Source) -> Axis | None:
    """Return the axis of a source's volume; None where nobody has measured it."""
    if source.axis is not None:
        return Straight(source.axis)
    return next((axis for name, axis in FRAMES.items() if source.dataset.startswith(name)), None)
