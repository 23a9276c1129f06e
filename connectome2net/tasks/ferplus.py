"""FER+: ten people's opinions of each image of FER-2013, as distributions over eight expressions.

Enters: the images of FER-2013 with their places in the file, and the votes: the column ``ferplus_votes`` of the parquet
table, or ``fer2013new.csv`` beside the csv file. Leaves: ``Records`` with a distribution per image.

Barsoum, Zhang, Canton Ferrer and Zhang, arXiv 1608.01041; the loss is their "cross-entropy" mode, without its removal
of single votes.
"""

# Axes: N images, R rows of the file, V votes (eight expressions, unknown, no face), K expressions.

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import NoReturn

import numpy as np
import pyarrow as pa
import pyarrow.csv as csv
import pyarrow.parquet as pq
from numpy.typing import NDArray

from connectome2net.errors import DataError
from connectome2net.tasks.dataset import Records

FERPLUS_CLASSES = ("neutral", "happiness", "surprise", "sadness", "anger", "disgust", "fear", "contempt")
VOTES = (*FERPLUS_CLASSES, "unknown", "NF")
BESIDE = "fer2013new.csv"


def apply_votes(records: Records, path: Path) -> Records:
    """Replace the labels of FER-2013 by the votes of FER+.

    An image is left out where half of its votes or more are ``unknown`` or ``NF`` (no face); of the others these votes
    are dropped, and the rest is normalised. The label is the expression with most votes, the first of equal ones.

    Args:
        records: what ``read_fer2013`` read from ``path``.
        path: the file; votes are in it or beside it.

    Returns:
        Records with eight classes and ``target_NK``.

    Raises:
        DataError: there are no votes, or they are not those of these rows.
    """
    assert records.row_N is not None
    votes_RV, part_R = _read_votes(path)
    if len(records.row_N) and records.row_N.max() >= len(votes_RV):
        _refuse(path, f"votes for {len(votes_RV):,} rows", f"for {int(records.row_N.max()) + 1:,} or more")
    votes_NV = votes_RV[records.row_N]
    if part_R is not None:
        _check_parts(part_R[records.row_N], records, path)
    classes = len(FERPLUS_CLASSES)
    kept_N = 2 * votes_NV[:, classes:].sum(1) < votes_NV.sum(1)
    seen_NK = votes_NV[kept_N, :classes]
    ties = int(((seen_NK == seen_NK.max(1, keepdims=True)).sum(1) > 1).sum())
    said = (
        f"FER+: {int((~kept_N).sum()):,} of {len(kept_N):,} images left out, half of their votes or more being unknown "
        f"or no face; in {ties:,} of the others two expressions have most votes, and the label is the first of them.",
    )
    return replace(
        records,
        image_NHW=records.image_NHW[kept_N],
        label_N=seen_NK.argmax(1).astype(np.int64),
        part_N=records.part_N[kept_N],
        row_N=records.row_N[kept_N],
        target_NK=(seen_NK / seen_NK.sum(1, keepdims=True)).astype(np.float32),
        classes=FERPLUS_CLASSES,
        findings=(*records.findings, *said),
    )


def _check_parts(part_N: NDArray[np.str_], records: Records, path: Path) -> None:
    """Refuse votes whose rows are in another order than the images.

    Raises:
        DataError: a row belongs to another part of FER-2013 than the image.
    """
    assert records.row_N is not None
    wrong_N = (records.part_N != "") & (part_N != records.part_N)
    if wrong_N.any():
        at = int(np.flatnonzero(wrong_N)[0])
        wanted = f"{records.part_N[at]}: the rows of {BESIDE} in the order of those of the images"
        _refuse(path, f"{part_N[at]} in row {int(records.row_N[at])} of {BESIDE}", wanted)


def _read_votes(path: Path) -> tuple[NDArray[np.int64], NDArray[np.str_] | None]:
    """Return the votes of each row of a file, and the part that each row belongs to, where the votes say it."""
    with path.open("rb") as file:
        is_parquet = file.read(4) == b"PAR1"
    if is_parquet:
        if "ferplus_votes" not in pq.read_schema(path).names:
            _refuse(path, "no column ferplus_votes", "ten votes per row")
        rows = pq.read_table(path, columns=["ferplus_votes"])["ferplus_votes"].to_pylist()
        if wrong := [
            row for row, votes in enumerate(rows) if votes is None or len(votes) != len(VOTES) or None in votes
        ]:
            _refuse(path, f"no ten votes in row {wrong[0]}", ", ".join(VOTES))
        return np.array(rows, np.int64).reshape(-1, len(VOTES)), None
    beside = path.with_name(BESIDE)
    if not beside.is_file():
        _refuse(path, f"no {BESIDE} beside it", f"{BESIDE} of github.com/microsoft/FERPlus")
    try:
        options = csv.ConvertOptions(include_columns=["Usage", *VOTES], column_types=dict.fromkeys(VOTES, pa.int64()))
        table = csv.read_csv(beside, convert_options=options)
    except (pa.ArrowException, KeyError) as error:
        raise DataError("the votes of FER+ cannot be read", where=beside, found=error) from None
    return np.column_stack([table[name].to_numpy() for name in VOTES]), np.array(table["Usage"].to_pylist(), np.str_)


def _refuse(path: Path, found: str, wanted: str) -> NoReturn:
    fix = "leave out --labels ferplus, or get the votes"
    raise DataError("there are no FER+ votes for these images", where=path, found=found, wanted=wanted, fix=fix)
