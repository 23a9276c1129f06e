"""FER+: votes as distributions, joined to the right images, in both forms and with broken rows."""

import csv
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from connectome2net.errors import DataError
from connectome2net.tasks import open_dataset
from connectome2net.tasks.dataset import Dataset

NAMES = ("neutral", "happiness", "surprise", "sadness", "anger", "disgust", "fear", "contempt", "unknown", "NF")


def make_votes(rows: int) -> np.ndarray:
    """Ten votes per row; row 7 is mostly unknown, row 8 half no face, row 9 a tie, row 20 all no face."""
    votes = np.random.default_rng(0).multinomial(10, [0.3, 0.2, 0.1, 0.1, 0.1, 0.05, 0.05, 0.05, 0.04, 0.01], rows)
    votes[7], votes[8] = [2, 0, 0, 0, 0, 0, 0, 0, 7, 1], [5, 0, 0, 0, 0, 0, 0, 0, 0, 5]
    votes[9], votes[20] = [0, 4, 0, 4, 0, 0, 0, 0, 2, 0], [0, 0, 0, 0, 0, 0, 0, 0, 0, 10]
    votes[21] = [0, 6, 0, 0, 0, 0, 0, 0, 4, 0]
    return votes


def write_votes(folder: Path, votes: np.ndarray, parts: list[str]) -> None:
    with (folder / "fer2013new.csv").open("w", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(["Usage", "Image name", *NAMES])
        writer.writerows([part, f"fer{row:07d}.png", *votes[row]] for row, part in enumerate(parts))


@pytest.fixture
def with_votes(four_forms, fer_rows) -> dict[str, Path]:
    _, _, parts = fer_rows
    votes = make_votes(len(parts))
    write_votes(four_forms["challenge"].parent, votes, parts)
    table = pq.read_table(four_forms["parquet"])
    column = pa.array(votes.astype(np.uint8).tolist(), pa.list_(pa.uint8()))
    pq.write_table(table.append_column("ferplus_votes", column), four_forms["parquet"])
    return four_forms


def found_in(data: Dataset) -> dict[bytes, list[tuple[int, tuple[float, ...]]]]:
    found: dict[bytes, list[tuple[int, tuple[float, ...]]]] = {}
    for split in (data.train, data.validation, data.test):
        for image, label, target in zip(split.image_NHW, split.label_N, split.target_NK, strict=True):
            found.setdefault(image.tobytes(), []).append((int(label), tuple(np.round(target.tolist(), 6))))
    return {pixels: sorted(items) for pixels, items in found.items()}


@pytest.mark.parametrize("form", ["challenge", "kaggle", "parquet"])
def test_every_image_has_the_distribution_of_its_votes(with_votes, fer_rows, form) -> None:
    image, _, parts = fer_rows
    votes = make_votes(len(parts))
    wanted: dict[bytes, list[tuple[int, tuple[float, ...]]]] = {}
    for row, pixels in enumerate(image):
        seen = votes[row, :8]
        if seen.sum() > 5:  # of ten
            target = tuple(np.round(seen / seen.sum(), 6))
            wanted.setdefault(pixels.tobytes(), []).append((int(seen.argmax()), target))
    data = open_dataset(with_votes[form], labels="ferplus")
    assert data.classes == NAMES[:8]
    assert data.name == "fer+"
    assert found_in(data) == {pixels: sorted(items) for pixels, items in wanted.items()}
    left = len(image) - sum(map(len, wanted.values()))
    assert left >= 3
    assert any(said.startswith(f"FER+: {left} of 105 images left out, half") for said in data.findings)
    assert found_in(data)[image[9].tobytes()][0][0] == 1  # happiness and sadness: the first
    assert data.classes[found_in(data)[image[21].tobytes()][0][0]] == "happiness"


def test_all_forms_give_one_digest_and_it_depends_on_the_votes(with_votes, fer_rows) -> None:
    digests = {
        form: open_dataset(with_votes[form], labels="ferplus").digest for form in ("challenge", "kaggle", "parquet")
    }
    assert len(set(digests.values())) == 1
    assert open_dataset(with_votes["parquet"]).digest not in digests.values()
    votes = make_votes(105)
    votes[0] = [9, 0, 0, 0, 0, 0, 0, 1, 0, 0]
    before = make_votes(105)[0]
    assert votes[0].argmax() == before[:8].argmax()  # the same label, another distribution
    write_votes(with_votes["challenge"].parent, votes, fer_rows[2])
    assert open_dataset(with_votes["challenge"], labels="ferplus").digest != digests["challenge"]


def test_without_it_nothing_changes(with_votes) -> None:
    data = open_dataset(with_votes["parquet"])
    assert data.train.target_NK is None
    assert len(data.classes) == 7


def test_broken_rows_do_not_shift_the_votes(with_votes, fer_rows) -> None:
    lines = with_votes["challenge"].read_text().splitlines()
    lines[5] = "0,1 2 3,Training"  # too few pixels
    lines[12] = "0,1"  # too few fields
    with_votes["challenge"].write_text("\n".join(lines) + "\n")
    broken = found_in(open_dataset(with_votes["challenge"], labels="ferplus", skip_broken=True))
    whole = found_in(open_dataset(with_votes["parquet"], labels="ferplus"))
    image = fer_rows[0]
    lost = {image[4].tobytes(), image[11].tobytes()}  # image 11 is also in the test
    assert {key: value for key, value in broken.items() if key not in lost} == {
        key: value for key, value in whole.items() if key not in lost
    }
    assert image[4].tobytes() not in broken


def test_a_file_that_names_no_parts_has_its_votes_too(with_votes) -> None:
    rows = [line.rsplit(",", 1)[0] for line in with_votes["challenge"].read_text().splitlines()]
    path = with_votes["challenge"].with_name("no_usage.csv")
    path.write_text("\n".join(rows) + "\n")
    data = open_dataset(path, labels="ferplus")
    assert found_in(data) == found_in(open_dataset(with_votes["parquet"], labels="ferplus"))


def test_errors(with_votes, four_forms, fer_rows, tmp_path) -> None:
    folder = with_votes["challenge"].parent
    parts, votes = fer_rows[2], make_votes(105)
    with pytest.raises(DataError, match=r"opinions of FER-2013 alone\n  where:  synthetic"):
        open_dataset("synthetic", labels="ferplus")
    with pytest.raises(DataError, match=r"opinions of FER-2013 alone(.|\n)*fix:    leave out --labels ferplus"):
        open_dataset(four_forms["folder"], labels="ferplus")
    write_votes(folder, votes, parts[::-1])
    with pytest.raises(DataError, match=r"found:  PrivateTest in row 0 of fer2013new.csv\n  wanted: Training"):
        open_dataset(with_votes["challenge"], labels="ferplus")
    write_votes(folder, votes, parts[:50])
    with pytest.raises(DataError, match=r"found:  votes for 50 rows\n  wanted: for 105 or more"):
        open_dataset(with_votes["challenge"], labels="ferplus")
    (folder / "fer2013new.csv").write_text("Usage,neutral\nTraining,1\n")
    with pytest.raises(DataError, match=r"votes of FER\+ cannot be read\n  where:  .*fer2013new.csv"):
        open_dataset(with_votes["challenge"], labels="ferplus")
    (folder / "fer2013new.csv").unlink()
    with pytest.raises(DataError, match=r"no fer2013new.csv beside it"):
        open_dataset(with_votes["challenge"], labels="ferplus")
    table = pq.read_table(with_votes["parquet"])
    for votes in ([1, 2], [None] * 10):
        short = pa.array([votes] * 105, pa.list_(pa.uint8()))
        pq.write_table(table.set_column(4, "ferplus_votes", short), with_votes["parquet"])
        with pytest.raises(DataError, match="found:  no ten votes in row 0"):
            open_dataset(with_votes["parquet"], labels="ferplus")
    pq.write_table(table.drop_columns(["ferplus_votes"]), with_votes["parquet"])
    with pytest.raises(DataError, match="found:  no column ferplus_votes"):
        open_dataset(with_votes["parquet"], labels="ferplus")


@pytest.mark.slow
def test_real_votes(shared_data: Path) -> None:
    path = shared_data / "fer2013" / "fer2013_training_publictest.parquet"
    data = open_dataset(path, labels="ferplus")
    votes = np.array(pq.read_table(path, columns=["ferplus_votes"])["ferplus_votes"].to_pylist())
    kept = 2 * votes[:, 8:].sum(1) < votes.sum(1)
    assert len(data.train) + len(data.validation) + len(data.test) == kept.sum()
    counts = np.bincount(np.concatenate([data.train.label_N, data.validation.label_N, data.test.label_N]), minlength=8)
    np.testing.assert_array_equal(counts, np.bincount(votes[kept, :8].argmax(1), minlength=8))
    # Neutral and happiness are the most frequent, contempt and disgust the least (Barsoum et al.).
    assert set(np.argsort(counts)[-2:]) == {0, 1}
    assert set(np.argsort(counts)[:2]) == {5, 7}
