"""Which image is learned from, which chooses, which is reported.

Enters: ``Records`` of any source.
Leaves: a ``Dataset``. Images are put into an order of their own (by pixels, then label), so that the same images
give the same data set, bit for bit, in whichever form and order they came.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from connectome2net.errors import DataError
from connectome2net.tasks.dataset import Dataset, ImageSet, Records, digest_splits, hash_pixels

SPLIT_OF = {
    "training": "train",
    "train": "train",
    "validation": "validation",
    "valid": "validation",
    "val": "validation",
    "publictest": "test",
    "privatetest": "test",
    "testing": "test",
    "test": "test",
}
"""The words by which sources call their parts, in the order in which the parts of a test are named."""

TEST_FRACTION = 0.2
"""Of a source without a test part. Cut with a fixed seed: runs of different seeds are compared on the same images."""


def arrange(
    records: Records,
    *,
    name: str,
    seed: int,
    validation_fraction: float,
    synthetic: bool = False,
    where: str | Path = "",
) -> Dataset:
    """Split the images of a source, mark leaked and blank ones, and digest the result.

    Args:
        records: images with the source's own words for their parts.
        name: of the data set.
        seed: draws the validation part where the source has none.
        validation_fraction: of the training images, between 0 and 1.
        synthetic: whether the images are drawn.
        where: the source, for messages.

    Raises:
        DataError: if train, validation or test would be empty, or the fraction is not between 0 and 1.
    """
    if not 0 < validation_fraction < 1:
        raise DataError(
            "the validation fraction is out of range",
            found=validation_fraction,
            wanted="more than 0 and less than 1: validation images choose the epoch, test images never do",
        )
    key_N = hash_pixels(records.image_NHW)
    opinions = () if records.target_NK is None else tuple(records.target_NK.T)
    order_N = np.lexsort((*opinions, records.part_N, records.label_N, key_N))
    key_N, label_N, part_N = key_N[order_N], records.label_N[order_N], records.part_N[order_N]
    split_N, said = _assign(key_N, label_N, part_N, seed=seed, validation_fraction=validation_fraction)
    image_NHW = records.image_NHW[order_N]
    blank_N = (image_NHW == image_NHW[:, :1, :1]).all(axis=(1, 2))

    def select(split: str, *learned: str) -> ImageSet:
        mask_N = split_N == split
        leaked_N = np.isin(key_N[mask_N], key_N[np.isin(split_N, learned)])
        target_NK = None if records.target_NK is None else records.target_NK[order_N[mask_N]]
        return ImageSet(image_NHW[mask_N], label_N[mask_N], part_N[mask_N], leaked_N, blank_N[mask_N], target_NK)

    sets = (select("train"), select("validation", "train"), select("test", "train", "validation"))
    for split, images in zip(("training", "validation", "test"), sets, strict=True):
        if not len(images):
            raise DataError(
                f"there are no {split} images",
                where=where or name,
                found=f"parts {', '.join(sorted(set(part_N))) or 'none'} with {len(part_N):,} images",
                wanted="images to train on and to test on, and enough of them for a validation part",
            )
    return Dataset(
        name=name,
        classes=records.classes,
        train=sets[0],
        validation=sets[1],
        test=sets[2],
        test_name=_name_test(sets[2]),
        digest=digest_splits(records.classes, sets),
        findings=(*records.findings, *said, *_describe(sets, records.classes)),
        synthetic=synthetic,
    )


def cut(key_N: NDArray[np.uint64], label_N: NDArray[np.int64], *, fraction: float, seed: int) -> NDArray[np.bool_]:
    """Choose a fraction of each class at random, identical images all or none.

    Args:
        key_N: equal for images with equal pixels.
        label_N: an image that occurs with several labels counts with the first.
        fraction: of the images of each class; never exceeded.
        seed: of the choice.

    Returns:
        True for the chosen images.
    """
    _, first_G, group_N, count_G = np.unique(key_N, return_index=True, return_inverse=True, return_counts=True)
    label_G = label_N[first_G]
    chosen_G = np.zeros(len(first_G), dtype=bool)
    rng = np.random.default_rng(seed)
    for label in np.unique(label_G):
        shuffled = rng.permutation(np.flatnonzero(label_G == label))
        total = np.cumsum(count_G[shuffled])
        chosen_G[shuffled[total <= round(fraction * int(total[-1]))]] = True
    return chosen_G[group_N]


def _assign(
    key_N: NDArray[np.uint64],
    label_N: NDArray[np.int64],
    part_N: NDArray[np.str_],
    *,
    seed: int,
    validation_fraction: float,
) -> tuple[NDArray[np.str_], list[str]]:
    """Say train, validation or test for each image, and what was decided here rather than by the source."""
    split_N = np.array([SPLIT_OF.get(part.lower(), "") for part in part_N], dtype="<U10")
    said = []
    if not split_N.astype(bool).any():
        split_N[:] = np.where(cut(key_N, label_N, fraction=TEST_FRACTION, seed=0), "test", "train")
        said.append(f"The source names no parts: {TEST_FRACTION:.0%} of each class were drawn as test, seed 0.")
    if "validation" in split_N and "test" not in split_N:
        split_N[split_N == "validation"] = "test"
        said.append("The source has no test part: its validation part is the test and chooses nothing.")
    if "validation" not in split_N:
        train_N = np.flatnonzero(split_N == "train")
        chosen = cut(key_N[train_N], label_N[train_N], fraction=validation_fraction, seed=seed)
        split_N[train_N[chosen]] = "validation"
        said.append(
            f"Validation: {validation_fraction:.3g} of each class of the training images, seed {seed}, "
            "identical images kept together."
        )
    return split_N, said


def _name_test(test: ImageSet) -> str:
    """Join the names of the parts that make the test, PublicTest first."""
    words = list(SPLIT_OF)
    parts = sorted(set(test.part_N.tolist()) - {""}, key=lambda part: words.index(part.lower()))
    return "+".join(parts) or "test"


def _describe(sets: tuple[ImageSet, ImageSet, ImageSet], classes: tuple[str, ...]) -> list[str]:
    """List what is odd about the splits."""
    train, validation, test = sets
    said = []
    if count := int(test.leaked_N.sum()):
        said.append(f"{count:,} of {len(test):,} test images occur pixel for pixel in the training part.")
    if count := int(validation.leaked_N.sum()):
        said.append(f"{count:,} of {len(validation):,} validation images occur pixel for pixel in train.")
    if count := sum(int(split.blank_N.sum()) for split in sets):
        said.append(f"{count:,} images are blank, {int(test.blank_N.sum()):,} of them in the test.")
    missing = [name for label, name in enumerate(classes) if label not in train.label_N]
    said.extend(f"Class {name} has no training image." for name in missing)
    return said
