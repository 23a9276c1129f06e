"""Image files to grey squares.

Enters: encoded images (png, jpg and what else Pillow reads), each with its place.
Leaves: one uint8 array, what was changed on the way, and what could not be read.
"""

from __future__ import annotations

import io
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps


@dataclass(frozen=True, eq=False)
class Decoded:
    """What came out of ``decode``.

    Attributes:
        image_NHW: the readable images, uint8.
        readable_M: one flag for each image that entered.
        findings: how many were resized or had colour.
        broken: ``place: reason`` of each unreadable image.
    """

    image_NHW: NDArray[np.uint8]
    readable_M: NDArray[np.bool_]
    findings: tuple[str, ...]
    broken: tuple[str, ...]


def decode(images: Iterable[tuple[str, bytes | Path | None]], *, size: int) -> Decoded:
    """Read images as grey squares of ``size`` pixels.

    Args:
        images: pairs of a place, for messages, and an encoded image or its path.
        size: side in pixels; images of another size are resized, without keeping their aspect.
    """
    grey, readable, broken = [], [], []
    resized = coloured = 0
    for place, encoded in images:
        try:
            with Image.open(io.BytesIO(encoded) if isinstance(encoded, bytes) else encoded or io.BytesIO()) as opened:
                image = ImageOps.exif_transpose(opened)
                coloured += _has_colour(image)
                resized += image.size != (size, size)
                grey.append(resize(to_grey(image), size=size))
            readable.append(True)
        except (OSError, ValueError, SyntaxError, Image.DecompressionBombError) as error:
            readable.append(False)
            broken.append(f"{place}: not a readable image ({_first_line(error)})")
    findings = []
    if resized:
        findings.append(f"{resized:,} of {len(readable):,} images were resized to {size}x{size}.")
    if coloured:
        findings.append(f"{coloured:,} of {len(readable):,} images had colour and were turned grey.")
    stack = np.stack(grey) if grey else np.zeros((0, size, size), dtype=np.uint8)
    return Decoded(stack, np.array(readable, dtype=bool), tuple(findings), tuple(broken))


def to_grey(image: Image.Image) -> NDArray[np.uint8]:
    """Turn an image of any mode into 8-bit grey (ITU-R 601 luma); 16-bit grey keeps its upper eight bits."""
    if image.mode.startswith("I;16"):
        return (np.asarray(image) >> 8).astype(np.uint8)
    return np.asarray(image.convert("L"))


def resize(image_HW: NDArray[np.uint8], *, size: int) -> NDArray[np.uint8]:
    """Resample to a square (bicubic, antialiased); the identity if the size is right already."""
    if image_HW.shape == (size, size):
        return image_HW
    return np.asarray(Image.fromarray(image_HW).resize((size, size), Image.Resampling.BICUBIC))


def _has_colour(image: Image.Image) -> bool:
    """Say whether turning an image grey loses something: grey saved as RGB does not count."""
    if image.mode in ("1", "L", "LA") or image.mode.startswith("I;16"):
        return False
    channel = np.asarray(image.convert("RGB")).astype(np.int16)
    return bool((channel != channel[..., :1]).any())


def _first_line(error: Exception) -> str:
    """Shorten the decoder's complaint, without the address of a buffer, which differs in every run."""
    text = str(error).splitlines()[0] if str(error) else type(error).__name__
    return text.split(" <_io")[0]
