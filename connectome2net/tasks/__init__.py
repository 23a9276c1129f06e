"""What the network learns: seven expressions of FER-2013, drawn faces, or any folder of images.

Enters: ``synthetic``, a csv or parquet file, or a folder; or nothing, and then the usual places are looked at.
Leaves: a ``Dataset`` with train, validation and test, digested and with what a person should know about it.
"""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path
from typing import Literal

from connectome2net.errors import DataError
from connectome2net.tasks.dataset import Dataset, ImageSet, Records

__all__ = ["SYNTHETIC", "Dataset", "ImageSet", "find_images", "locate_images", "open_dataset"]

FORMS = (
    "fer2013.csv (emotion,pixels,Usage), icml_face_data.csv, the parquet table, "
    "a folder with train/CLASS/*.png and test/CLASS/*.png, or any folder of class folders"
)
DEFAULT = Path("fer2013.csv")
SYNTHETIC = "synthetic"
SHOWN = 10


def open_dataset(
    data: str | Path | None,
    *,
    seed: int = 0,
    validation_fraction: float = 0.1,
    size: int = 48,
    skip_broken: bool = False,
    labels: Literal["fer2013", "ferplus"] = "fer2013",
) -> Dataset:
    """Open training, validation and test images.

    Args:
        data: ``synthetic``, a file or a folder; None looks for ``fer2013.csv`` here, then at C2N_DATA.
        seed: draws the validation part, and the synthetic faces. Test images do not depend on it.
        validation_fraction: of each class of the training images, where the source has no validation part.
        size: side of the images in pixels.
        skip_broken: leave broken rows out and say so in the findings.
        labels: those of the source, or of FER-2013 the votes of FER+: distributions over eight expressions; see
            ``ferplus``.

    Raises:
        DataError: if there are no data, or broken rows among them (the first ten are listed), or no votes for them.
    """
    from connectome2net.tasks.split import arrange

    data = find_images(data)
    if labels == "ferplus" and (str(data) == SYNTHETIC or Path(data).is_dir()):
        wanted, fix = "fer2013.csv with fer2013new.csv beside it, or the parquet table", "leave out --labels ferplus"
        raise DataError("FER+ has opinions of FER-2013 alone", where=data, wanted=wanted, fix=fix)
    if str(data) == SYNTHETIC:
        from connectome2net.tasks.faces import open_faces

        return open_faces(seed=seed, validation_fraction=validation_fraction, size=size)
    path = Path(data)
    name, records = _read(path, size=size)
    if records.broken:
        if not skip_broken:
            raise DataError(
                f"{_count(records.broken)} in the data",
                where=path,
                found=_list(records.broken, "\n" + " " * 10),
                fix="mend or remove them, or leave them out with --skip-broken",
            )
        told = f"{_count(records.broken)} left out: {_list(records.broken, '; ')}"
        records = replace(records, findings=(told, *records.findings))
    if labels == "ferplus":
        from connectome2net.tasks.ferplus import apply_votes

        name, records = "fer+", apply_votes(records, path)
    return arrange(records, name=name, seed=seed, validation_fraction=validation_fraction, where=path)


def find_images(data: str | Path | None) -> str | Path:
    """Say where the images are: as told, else in the usual places.

    Raises:
        DataError: nothing was told, and there are none in the usual places.
    """
    if data is not None:
        return data
    if DEFAULT.exists():
        return DEFAULT
    if found := os.environ.get("C2N_DATA"):
        return found
    raise DataError(
        "there are no images to learn from",
        found=f"no --data, no {DEFAULT} here, no C2N_DATA",
        wanted=FORMS,
        fix="give --data PATH, or --data synthetic for built-in drawn faces",
    )


def locate_images(data: str | Path | Dataset | None) -> str | Dataset:
    """Return images as they are, or where they are for whoever looks later, from another folder or with other defaults.

    Raises:
        DataError: as ``find_images``.
    """
    if isinstance(data, Dataset):
        return data
    found = str(find_images(data))
    return found if found == SYNTHETIC else str(Path(found).absolute())


def _read(path: Path, *, size: int) -> tuple[str, Records]:
    """Read a file or a folder, and name it."""
    if path.is_dir():
        from connectome2net.tasks.folder import read_folder

        return path.resolve().name, read_folder(path, size=size)
    if path.is_file():
        from connectome2net.tasks.fer2013 import read_fer2013

        return "fer2013", read_fer2013(path, size=size)
    raise DataError(
        "these data do not exist",
        where=path,
        wanted=FORMS,
        fix="give --data PATH, or --data synthetic for built-in drawn faces",
    )


def _count(broken: tuple[str, ...]) -> str:
    """Count broken rows in words."""
    return f"{len(broken):,} broken {'row' if len(broken) == 1 else 'rows'}"


def _list(broken: tuple[str, ...], between: str) -> str:
    """List the first broken rows."""
    rest = [f"and {len(broken) - SHOWN:,} more"] if len(broken) > SHOWN else []
    return between.join([*broken[:SHOWN], *rest])
