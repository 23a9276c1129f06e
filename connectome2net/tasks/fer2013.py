"""FER-2013 as people have it: the two csv files and the parquet table.

Enters: ``fer2013.csv`` (``emotion,pixels,Usage``), ``icml_face_data.csv`` (``emotion, Usage, pixels``, spaces in the
header), or a parquet table with ``usage``, ``label`` and ``image_png``. The content decides, not the file's name.
Leaves: ``Records``. Reference: Goodfellow et al., arXiv 1307.0414.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv as csv
import pyarrow.parquet as pq
from numpy.typing import NDArray

from connectome2net.errors import DataError
from connectome2net.tasks.dataset import FER_CLASSES, Records
from connectome2net.tasks.images import decode, resize
from connectome2net.tasks.split import SPLIT_OF

BLOCK = 1 << 24
"""Bytes of text that are parsed at a time."""

SIDE = 48
"""Pixels; each row of the csv holds 48 x 48 of them."""


def read_fer2013(path: Path, *, size: int = SIDE) -> Records:
    """Read FER-2013 from one file.

    Args:
        path: csv or parquet, told apart by content.
        size: side of the images in pixels.

    Raises:
        DataError: if the file is neither, or lacks a column.
    """
    with path.open("rb") as file:
        magic = file.read(4)
    return _read_parquet(path, size=size) if magic == b"PAR1" else _read_csv(path, size=size)


def _read_csv(path: Path, *, size: int) -> Records:
    columns = _csv_columns(path)
    sound: list[tuple[NDArray[np.uint8], list[str], list[str]]] = []
    flaws: list[tuple[int, str]] = []
    unparsed: list[tuple[int, str]] = []
    rows = 0
    try:
        for batch in _csv_batches(path, columns, unparsed):
            kept, found = _parse_batch(batch)
            sound.append(kept)
            flaws += [(rows + row, reason) for row, reason in found]
            rows += len(batch)
    except pa.ArrowInvalid as error:
        raise DataError("this csv file cannot be parsed", where=path, found=error) from error
    line_N = np.setdiff1d(np.arange(2, rows + len(unparsed) + 2), [line for line, _ in unparsed])
    places = sorted([(int(line_N[row]), reason) for row, reason in flaws if reason] + unparsed)
    sound_N = np.setdiff1d(np.arange(rows), [row for row, _ in flaws])
    image_NHW = np.concatenate([np.zeros((0, SIDE**2), np.uint8), *(kept[0] for kept in sound)]).reshape(-1, SIDE, SIDE)
    findings = []
    if size != SIDE:
        image_NHW = np.array([resize(image, size=size) for image in image_NHW], np.uint8).reshape(-1, size, size)
        findings.append(f"All {len(image_NHW):,} images were resized from {SIDE}x{SIDE} to {size}x{size}.")
    if len(columns) < 3:
        findings.append(f"{path.name} has no Usage column.")
    return Records(
        image_NHW=image_NHW,
        label_N=np.array([int(label) for kept in sound for label in kept[1]], np.int64),
        part_N=np.array([part for kept in sound for part in kept[2]], np.str_),
        classes=FER_CLASSES,
        findings=tuple(findings),
        broken=tuple(f"{path}:{line}: {reason}" for line, reason in places),
        row_N=line_N[sound_N] - 2,
    )


def _csv_columns(path: Path) -> list[str]:
    """Find the header's own spelling of emotion, pixels and, where it has one, Usage."""
    with path.open(encoding="utf-8-sig", errors="replace") as file:
        header = file.readline(1000).rstrip("\r\n").split(",")
    spelling = {name.strip(' "').lower(): name.strip('"') for name in header}
    if not {"emotion", "pixels"} <= set(spelling):
        raise DataError(
            "this file is not FER-2013",
            where=path,
            found=f"a first line that starts with {','.join(header)[:60]!r}",
            wanted="a csv file with the columns emotion, pixels and Usage, or a parquet table",
        )
    return [spelling[name] for name in ("emotion", "pixels", "usage") if name in spelling]


def _csv_batches(path: Path, columns: list[str], unparsed: list[tuple[int, str]]) -> Iterator[pa.RecordBatch]:
    """Stream the file as text; lines with a wrong number of fields go to ``unparsed``."""

    def note(row: csv.InvalidRow) -> str:
        unparsed.append((row.number, f"{row.actual_columns} fields, wanted {row.expected_columns}"))
        return "skip"

    # One thread, and empty lines counted: only then does pyarrow tell the line of a bad row.
    yield from csv.open_csv(
        path,
        read_options=csv.ReadOptions(block_size=BLOCK, use_threads=False),
        parse_options=csv.ParseOptions(ignore_empty_lines=False, invalid_row_handler=note),
        convert_options=csv.ConvertOptions(
            include_columns=columns, column_types={name: pa.string() for name in columns}
        ),
    )


def _parse_batch(
    batch: pa.RecordBatch,
) -> tuple[tuple[NDArray[np.uint8], list[str], list[str]], list[tuple[int, str]]]:
    """Parse rows of text into pixels, labels and parts of the sound rows, and the flaws of the others.

    An empty line is a row of empty fields here, and a flaw without words.
    """
    pixels_NP, pixel_flaws = _parse_pixels(batch.column(1))
    labels = [label.strip() for label in batch.column(0).to_pylist()]
    parts = [part.strip() for part in batch.column(2).to_pylist()] if batch.num_columns > 2 else None
    flaws = []
    for row, label in enumerate(labels):
        part = parts[row] if parts is not None else None
        if reason := _join(pixel_flaws.get(row), _label_flaw(label), _part_flaw(part)):
            filled = label or part or batch.column(1)[row].as_py()
            flaws.append((row, reason if filled else ""))
    sound = np.setdiff1d(np.arange(len(batch)), [row for row, _ in flaws])
    return (pixels_NP[sound], [labels[i] for i in sound], [parts[i] if parts else "" for i in sound]), flaws


def _parse_pixels(column: pa.StringArray) -> tuple[NDArray[np.uint8], dict[int, str]]:
    """Parse texts of numbers: all at once if all are sound (three times as fast), else one by one."""
    numbers = pc.split_pattern(pc.utf8_trim_whitespace(column), " ")
    if pc.all(pc.equal(pc.list_value_length(numbers), SIDE**2)).as_py():
        try:
            return numbers.flatten().cast(pa.uint8()).to_numpy(zero_copy_only=False).reshape(-1, SIDE**2), {}
        except pa.ArrowInvalid:
            pass
    pixels_NP = np.zeros((len(column), SIDE**2), dtype=np.uint8)
    flaws = {}
    for row, text in enumerate(column.to_pylist()):
        words = text.split()
        if len(words) != SIDE**2:
            flaws[row] = f"{len(words):,} pixels, wanted {SIDE**2:,}"
        elif odd := [word for word in words if not (word.isdecimal() and int(word) < 256)]:
            flaws[row] = f"pixel {odd[0]!r}, wanted a whole number from 0 to 255"
        else:
            pixels_NP[row] = [int(word) for word in words]
    return pixels_NP, flaws


def _label_flaw(label: str) -> str | None:
    """Say what is wrong with a label."""
    if not label:
        return "no label"
    known = {str(number) for number in range(len(FER_CLASSES))}
    return None if label in known else f"label {label!r}, wanted 0 to {len(FER_CLASSES) - 1}"


def _part_flaw(part: str | None) -> str | None:
    """Say what is wrong with a Usage; None is a source without the column."""
    if part == "":
        return "empty Usage"
    return (
        None
        if part is None or part.lower() in SPLIT_OF
        else f"Usage {part!r}, wanted Training, PublicTest or PrivateTest"
    )


def _read_parquet(path: Path, *, size: int) -> Records:
    try:
        file = pq.ParquetFile(path)
    except pa.ArrowInvalid as error:
        raise DataError("this parquet file cannot be read", where=path, found=error) from error
    columns = ("usage", "label", "image_png")
    if missing := [name for name in columns if name not in file.schema_arrow.names]:
        raise DataError(
            "this parquet table is not FER-2013",
            where=path,
            found=f"no column {', '.join(missing)} among {', '.join(file.schema_arrow.names)}",
            wanted="usage, label and image_png",
        )
    if not (pa.types.is_binary(kind := file.schema_arrow.field("image_png").type) or pa.types.is_large_binary(kind)):
        fix = "write the bytes of each image into the column, as pyarrow.binary()"
        raise DataError("this column holds no images", where=f"{path}: image_png", found=kind, wanted="binary", fix=fix)
    table = file.read(columns=list(columns))
    parts = ["" if part is None else str(part).strip() for part in table["usage"].to_pylist()]
    labels = ["" if label is None else str(label) for label in table["label"].to_pylist()]
    places = [f"{path}:row {row}" for row in range(len(labels))]
    decoded = decode(zip(places, table["image_png"].to_pylist(), strict=True), size=size)
    flaw_N = [_join(_label_flaw(label), _part_flaw(part)) for label, part in zip(labels, parts, strict=True)]
    sound_N = np.array([not flaw for flaw in flaw_N], bool)
    kept = np.flatnonzero(sound_N & decoded.readable_M)
    return Records(
        image_NHW=decoded.image_NHW[sound_N[decoded.readable_M]],
        label_N=np.array([int(labels[row]) for row in kept], np.int64),
        part_N=np.array([parts[row] for row in kept], np.str_),
        classes=FER_CLASSES,
        findings=decoded.findings,
        broken=(*decoded.broken, *(f"{place}: {flaw}" for place, flaw in zip(places, flaw_N, strict=True) if flaw)),
        row_N=kept,
    )


def _join(*flaws: str | None) -> str:
    """Join what is wrong with one row."""
    return "; ".join(filter(None, flaws))
