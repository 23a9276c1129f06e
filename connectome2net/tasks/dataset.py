"""Labelled images, before and after they are split.

Enters: ``Records``, the images of one source in the order in which it holds them.
Leaves: ``Dataset``, three ``ImageSet`` (train, validation, test) that know which of their images leak or are blank.

Axes: N images, H rows, W columns, K classes.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from connectome2net.errors import DataError

FER_CLASSES = ("angry", "disgust", "fear", "happy", "sad", "surprise", "neutral")


@dataclass(frozen=True, eq=False)
class Records:
    """The images of one source, as it holds them.

    Attributes:
        image_NHW: grey, uint8.
        label_N: index into ``classes``.
        part_N: the source's own word for the part (``Training``, ``test``); empty where it knows no parts.
        classes: what the labels mean.
        findings: what a person should know about the reading.
        broken: what could not be read, each with its place; not among the images.
        row_N: the row of the source that each image comes from, where it has rows.
        target_NK: what the network learns instead of the label, where opinions differ: a distribution over classes.
    """

    image_NHW: NDArray[np.uint8]
    label_N: NDArray[np.int64]
    part_N: NDArray[np.str_]
    classes: tuple[str, ...]
    findings: tuple[str, ...] = ()
    broken: tuple[str, ...] = ()
    row_N: NDArray[np.int64] | None = None
    target_NK: NDArray[np.float32] | None = None


@dataclass(frozen=True, eq=False)
class ImageSet:
    """Images of one split.

    Attributes:
        image_NHW: grey, uint8.
        label_N: int64, index into ``Dataset.classes``.
        part_N: the source's word for the part that each image comes from (``PublicTest``).
        leaked_N: the same pixels occur in what the model learns from or is chosen on.
        blank_N: all pixels are equal.
        target_NK: float32, what is learned instead of the label, where opinions differ: a distribution over classes.
    """

    image_NHW: NDArray[np.uint8]
    label_N: NDArray[np.int64]
    part_N: NDArray[np.str_]
    leaked_N: NDArray[np.bool_]
    blank_N: NDArray[np.bool_]
    target_NK: NDArray[np.float32] | None = None

    def __post_init__(self) -> None:
        kinds: dict[str, tuple[NDArray[Any], Any, int]] = {
            "image_NHW": (self.image_NHW, np.uint8, 3),
            "label_N": (self.label_N, np.int64, 1),
            "part_N": (self.part_N, np.str_, 1),
            "leaked_N": (self.leaked_N, np.bool_, 1),
            "blank_N": (self.blank_N, np.bool_, 1),
        }
        if self.target_NK is not None:
            kinds["target_NK"] = (self.target_NK, np.float32, 2)
        for name, (array, kind, axes) in kinds.items():
            if not np.issubdtype(array.dtype, kind) or array.ndim != axes or len(array) != len(self.image_NHW):
                raise DataError(
                    "an image set does not fit together",
                    where=name,
                    found=f"{array.dtype} {array.shape}",
                    wanted=f"{np.dtype(kind).name}, {axes} axes, {len(self.image_NHW)} images",
                )

    def __len__(self) -> int:
        return len(self.image_NHW)


@dataclass(frozen=True, eq=False)
class Dataset:
    """What the network learns, is chosen on and is tested on.

    Attributes:
        name: the source in one word or two, without its path.
        classes: what the labels mean.
        train: what the weights learn from.
        validation: what chooses the epoch and the settings.
        test: what is reported; never chooses anything.
        test_name: the parts of the source that make the test (``PublicTest+PrivateTest``).
        digest: sha256 of pixels, labels, distributions and splits; the form of the source does not change it.
        findings: what a person should know, one sentence each.
        synthetic: drawn, not photographed.
    """

    name: str
    classes: tuple[str, ...]
    train: ImageSet
    validation: ImageSet
    test: ImageSet
    test_name: str
    digest: str
    findings: tuple[str, ...]
    synthetic: bool

    def facts(self) -> dict[str, Any]:
        """Return what a record says of it: all but classes and pixels, with the number of images of each split."""
        return {
            "name": self.name,
            "digest": self.digest,
            "synthetic": self.synthetic,
            "train": len(self.train),
            "validation": len(self.validation),
            "test": len(self.test),
            "test_name": self.test_name,
            "findings": list(self.findings),
        }


def hash_pixels(image_NHW: NDArray[np.uint8]) -> NDArray[np.uint64]:
    """Give equal images equal numbers, and different images different ones.

    Returns:
        64 bits of BLAKE2b for each image; 32,298 different images collide with a chance of 3e-11.
    """
    digests = [hashlib.blake2b(image.tobytes(), digest_size=8).digest() for image in image_NHW]
    return np.frombuffer(b"".join(digests), dtype="<u8").astype(np.uint64)


def digest_splits(classes: tuple[str, ...], splits: tuple[ImageSet, ImageSet, ImageSet]) -> str:
    """Compute the sha256 of what is learned: classes, and pixels and labels of train, validation and test."""
    digest = hashlib.sha256("\n".join(classes).encode())
    for split in splits:
        digest.update(repr(split.image_NHW.shape).encode())
        digest.update(np.ascontiguousarray(split.image_NHW).tobytes())
        digest.update(split.label_N.astype("<i8").tobytes())
        if split.target_NK is not None:
            digest.update(split.target_NK.astype("<f4").tobytes())
    return digest.hexdigest()
