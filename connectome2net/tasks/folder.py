"""Folders of images, one folder for each class.

Enters: ``train/ test/`` (and perhaps ``validation/``) with class folders in each, or class folders alone.
Leaves: ``Records``; where the classes are the seven of FER-2013, under any of their usual names, in its order.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from connectome2net.errors import DataError
from connectome2net.tasks.dataset import FER_CLASSES, Records
from connectome2net.tasks.images import decode
from connectome2net.tasks.split import SPLIT_OF

SUFFIXES = frozenset({".png", ".jpg", ".jpeg", ".bmp", ".gif", ".tif", ".tiff", ".webp", ".pgm"})

SYNONYMS = {
    "anger": "angry",
    "disgusted": "disgust",
    "fearful": "fear",
    "happiness": "happy",
    "sadness": "sad",
    "surprised": "surprise",
}


def read_folder(folder: Path, *, size: int) -> Records:
    """Read a folder of class folders; the folder's name is the label, images may lie deeper in it.

    Args:
        folder: with ``train/`` and ``test/`` or, without them, with the class folders themselves.
        size: side of the images in pixels.

    Raises:
        DataError: if there are not at least two classes with images.
    """
    split_folders = [child for child in _folders(folder) if child.name.lower() in SPLIT_OF]
    parts = {child.name: child for child in split_folders} or {"": folder}
    class_folders = [(part, child) for part, root in parts.items() for child in _folders(root)]
    classes, label_of = order_classes({child.name for _, child in class_folders})
    files = [
        (path, label_of[child.name], part)
        for part, child in class_folders
        for path in sorted(child.rglob("*"))
        if path.suffix.lower() in SUFFIXES and path.is_file() and not path.name.startswith(".")
    ]
    if len({label for _, label, _ in files}) < 2:
        names = sorted(child.name for child in folder.iterdir())
        raise DataError(
            "there are no class folders with images here",
            where=folder,
            found=f"{', '.join(names[:5])}{', ...' if len(names) > 5 else ''}" if names else "an empty folder",
            wanted="train/CLASS/*.png and test/CLASS/*.png, or CLASS/*.png, with two classes or more",
        )
    decoded = decode(((str(path), path) for path, _, _ in files), size=size)
    return Records(
        image_NHW=decoded.image_NHW,
        label_N=np.array([label for _, label, _ in files], np.int64)[decoded.readable_M],
        part_N=np.array([part for _, _, part in files], np.str_)[decoded.readable_M],
        classes=classes,
        findings=decoded.findings,
        broken=decoded.broken,
    )


def order_classes(names: set[str]) -> tuple[tuple[str, ...], dict[str, int]]:
    """Order class names: as in FER-2013 if they are its seven expressions, else by the alphabet.

    Returns:
        The classes, and the label of each name that entered.
    """
    fer = {name: SYNONYMS.get(name.lower(), name.lower()) for name in names}
    if set(fer.values()) == set(FER_CLASSES):
        return FER_CLASSES, {name: FER_CLASSES.index(word) for name, word in fer.items()}
    classes = tuple(sorted(names))
    return classes, {name: label for label, name in enumerate(classes)}


def _folders(parent: Path) -> list[Path]:
    """List the visible folders in a folder."""
    return sorted(child for child in parent.iterdir() if child.is_dir() and not child.name.startswith("."))
