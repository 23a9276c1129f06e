"""A soft rasteriser for cartoon faces.

Enters: the numbers of each face (``Face``: pose, shape, tones, expression). Leaves: grey images in [0, 1].

Every shape is a distance d in face units (the head is about 2 high), painted with coverage 1/2 - d/pixel, cut to
[0, 1]: edges are antialiased and all faces of a batch are drawn at once. u points right, v down, from the middle of
the head; features are symmetric in u.

Axes: B batch, H rows, W columns. All numbers of a face have the shape B11.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.floating[Any]]


@dataclass(frozen=True, eq=False, kw_only=True)
class Face:
    """The numbers of a batch of faces, float32, shape B11; lengths in face units, tones from 0 (black) to 1.

    Attributes:
        shift_x: of the head's middle, in half image sides; ``shift_y`` likewise, downwards.
        turn: rotation in the image plane, radians, clockwise.
        zoom: half a head's height in half image sides.
        yaw: sideways shift of the features on the head.
        width: half the width of the head at the eyes.
        jaw: by how much the chin is narrower.
        hairline: height of the hair's border in the middle of the forehead.
        gaze: sideways shift of the irises.
        skin: tone; likewise ``hair``, ``brow``, ``lip``, ``ground`` (the background), ``ground_wave`` (its contrast).
        wave_x: phase and direction of the background's pattern, radians per half side; ``wave_y`` likewise.
        light_x: part by which the light grows to the right; ``light_y`` likewise, downwards.
        brow_inner: how far the brow's inner end is raised; likewise ``brow_outer``.
        eye: height of the open eye, 1 is at rest.
        mouth_curve: how far the corners are raised above the middle.
        mouth_open: half the height of the opening.
        mouth_width: half the width.
        mouth_tilt: rise of the right corner.
        teeth: from 0 (hidden) to 1.
        wrinkle: depth of the lines beside the nose's root.
        fold: depth of the lines from nose to mouth.
    """

    shift_x: Array
    shift_y: Array
    turn: Array
    zoom: Array
    yaw: Array
    width: Array
    jaw: Array
    hairline: Array
    gaze: Array
    skin: Array
    hair: Array
    brow: Array
    lip: Array
    ground: Array
    ground_wave: Array
    wave_x: Array
    wave_y: Array
    light_x: Array
    light_y: Array
    brow_inner: Array
    brow_outer: Array
    eye: Array
    mouth_curve: Array
    mouth_open: Array
    mouth_width: Array
    mouth_tilt: Array
    teeth: Array
    wrinkle: Array
    fold: Array


def draw(face: Face, *, size: int) -> Array:
    """Draw faces.

    Args:
        face: the numbers of B faces.
        size: side of the images in pixels.

    Returns:
        Grey images (B, size, size), float32, not cut to [0, 1].
    """
    axis = ((np.arange(size, dtype=np.float32) + 0.5) * 2 / size - 1).astype(np.float32)
    x, y = axis[None, None, :], axis[None, :, None]
    cosine, sine = np.cos(face.turn), np.sin(face.turn)
    u = ((x - face.shift_x) * cosine + (y - face.shift_y) * sine) / face.zoom
    v = ((y - face.shift_y) * cosine - (x - face.shift_x) * sine) / face.zoom
    canvas = Canvas(face.ground + face.ground_wave * np.sin(face.wave_x * x + face.wave_y * y), 2 / size / face.zoom)
    _head(canvas, face, u, v)
    u = u - face.yaw
    _eyes(canvas, face, u, v)
    _nose(canvas, face, u, v)
    _mouth(canvas, face, u, v)
    return canvas.image_BHW * (1 + face.light_x * x + face.light_y * y)


class Canvas:
    """Images under the brush.

    Args:
        image_BHW: what is there already.
        pixel_B11: side of a pixel in face units.
    """

    def __init__(self, image_BHW: Array, pixel_B11: Array) -> None:
        self.image_BHW = image_BHW
        self.pixel_B11 = pixel_B11

    def cover(self, distance_BHW: Array) -> Array:
        """Turn a signed distance (inside is negative) into the covered part of each pixel."""
        return np.clip(np.float32(0.5) - distance_BHW / self.pixel_B11, 0, 1)

    def paint(self, cover_BHW: Array, tone: Array | float) -> None:
        """Lay a tone over the image where it covers."""
        self.image_BHW = self.image_BHW + cover_BHW * (np.float32(tone) - self.image_BHW)


def _ellipse(u: Array, v: Array, half_width: Array | float, half_height: Array | float) -> Array:
    """Approximate the distance to an ellipse; exact for a circle."""
    radius = np.sqrt((u / half_width) ** 2 + (v / half_height) ** 2)
    return (radius - 1) * np.float32(np.minimum(half_width, half_height))


def _stroke(u: Array, v: Array, start: tuple[float, Array | float], end: tuple[float, Array | float]) -> Array:
    """Compute the distance to a straight stroke of no thickness."""
    du, dv = end[0] - start[0], end[1] - start[1]
    along = np.clip(((u - start[0]) * du + (v - start[1]) * dv) / (du * du + dv * dv), 0, 1)
    return np.hypot(u - start[0] - along * du, v - start[1] - along * dv)


def _head(canvas: Canvas, face: Face, u: Array, v: Array) -> None:
    canvas.paint(canvas.cover(_ellipse(u, v + 0.15, face.width * 1.2, 1.02)), face.hair)
    head = _ellipse(u / (1 - face.jaw * np.clip(v, 0, 1)), v, face.width, 1.0)
    canvas.paint(canvas.cover(head), face.skin)
    canvas.paint(canvas.cover(np.maximum(head - 0.05, v - face.hairline - 0.35 * u**2)), face.hair)


def _eyes(canvas: Canvas, face: Face, u: Array, v: Array) -> None:
    side = np.abs(u)
    eye = _ellipse(side - 0.33, v + 0.14, 0.17, 0.095 * face.eye)
    white = canvas.cover(eye)
    canvas.paint(canvas.cover(np.abs(eye) - 0.02), face.skin * 0.45)
    canvas.paint(white, np.minimum(face.skin * 1.3 + 0.1, 0.95))
    canvas.paint(white * canvas.cover(np.hypot(side - 0.33 - np.sign(u) * face.gaze, v + 0.14) - 0.085), 0.1)
    brow = _stroke(side, v, (0.13, -0.36 - face.brow_inner), (0.54, -0.36 - face.brow_outer))
    canvas.paint(canvas.cover(brow - 0.045), face.brow)


def _nose(canvas: Canvas, face: Face, u: Array, v: Array) -> None:
    side = np.abs(u)
    canvas.paint(canvas.cover(_ellipse(side - 0.09, v - 0.24, 0.055, 0.035)), face.skin * 0.5)
    upper, lower = _stroke(side, v, (0.05, -0.1), (0.15, 0.02)), _stroke(side, v, (0.06, 0.02), (0.17, 0.13))
    root = canvas.cover(np.minimum(upper, lower) - 0.02)
    canvas.paint(root * face.wrinkle, face.skin * 0.4)
    fold = canvas.cover(_stroke(side, v, (0.2, 0.2), (0.42, 0.47)) - 0.02)
    canvas.paint(fold * face.fold, face.skin * 0.5)


def _mouth(canvas: Canvas, face: Face, u: Array, v: Array) -> None:
    s = u / face.mouth_width
    bow = 1 - s**2
    middle = 0.55 + face.mouth_curve * (bow - 0.5) - face.mouth_tilt * s
    off = v - middle
    gap = face.mouth_open * bow
    ends = (np.abs(s) - 1) * face.mouth_width
    canvas.paint(canvas.cover(np.maximum(np.abs(off) - gap - 0.05, ends)), face.lip)
    inside = canvas.cover(np.maximum(np.abs(off) - gap + 0.015, ends))
    canvas.paint(inside, 0.08)
    canvas.paint(inside * canvas.cover(off) * face.teeth, 0.9)
