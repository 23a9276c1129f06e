"""Writers of the forms in which people have FER-2013, independent of the readers."""

import csv
import io
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import torch
from PIL import Image

NAMES = ("angry", "disgust", "fear", "happy", "sad", "surprise", "neutral")
Rows = Sequence[tuple[str, str, str]]


def make_images(count: int, *, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, (count, 48, 48), dtype=np.uint8)


@pytest.fixture
def one_thread() -> Iterator[None]:
    """Compute with one thread: where cores are shared, two wait for each other more than they work."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


@pytest.fixture
def fer_rows() -> tuple[np.ndarray, list[int], list[str]]:
    """70 Training, 21 PublicTest and 14 PrivateTest images; five test images leak, one of each side is blank."""
    image = make_images(105)
    image[3] = 0
    image[70:75] = image[10:15]
    image[90] = 77
    return image, [i % 7 for i in range(105)], ["Training"] * 70 + ["PublicTest"] * 21 + ["PrivateTest"] * 14


@pytest.fixture
def write_csv(tmp_path: Path) -> Callable[..., Path]:
    def write(rows: Rows, *, header: Sequence[str] = ("emotion", "pixels", "Usage"), name: str = "fer.csv") -> Path:
        path = tmp_path / name
        with path.open("w", newline="") as file:
            writer = csv.writer(file, lineterminator="\n")
            writer.writerow(header)
            writer.writerows(rows)
        return path

    return write


@pytest.fixture
def write_parquet(tmp_path: Path) -> Callable[..., Path]:
    def write(pngs: Sequence[bytes | None], labels: Sequence[int | None], parts: Sequence[str | None]) -> Path:
        path = tmp_path / "fer.parquet"
        table = {"row": list(range(len(pngs))), "usage": list(parts), "label": list(labels), "image_png": list(pngs)}
        pq.write_table(pa.table(table), path)
        return path

    return write


def to_png(image: np.ndarray) -> bytes:
    file = io.BytesIO()
    Image.fromarray(image).save(file, "PNG")
    return file.getvalue()


@pytest.fixture
def png() -> Callable[[np.ndarray], bytes]:
    return to_png


@pytest.fixture
def four_forms(fer_rows, write_csv, write_parquet, tmp_path) -> dict[str, Path]:
    """The same images as two csv files, a parquet table and a folder."""
    image, labels, parts = fer_rows
    text = [" ".join(map(str, one.ravel())) for one in image]
    pngs = [to_png(one) for one in image]
    folder = tmp_path / "folder"
    for i, (label, part) in enumerate(zip(labels, parts, strict=True)):
        place = folder / ("train" if part == "Training" else "test") / NAMES[label]
        place.mkdir(parents=True, exist_ok=True)
        (place / f"{i}.png").write_bytes(pngs[i])
    return {
        "challenge": write_csv(list(zip(map(str, labels), text, parts, strict=True))),
        "kaggle": write_csv(
            list(zip(map(str, labels), parts, text, strict=True)), header=("emotion", " Usage", " pixels"), name="k.csv"
        ),
        "parquet": write_parquet(pngs, labels, parts),
        "folder": folder,
    }
