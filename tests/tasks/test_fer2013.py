import subprocess
import sys
import time

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from connectome2net.errors import DataError
from connectome2net.tasks import fer2013, open_dataset

GOOD = " ".join(["7"] * 2304)


def sets(data):
    return data.train, data.validation, data.test


def test_four_forms_give_one_data_set(four_forms):
    opened = {form: open_dataset(path, seed=4) for form, path in four_forms.items()}
    first = opened["challenge"]
    for data in opened.values():
        assert data.digest == first.digest
        assert data.classes == ("angry", "disgust", "fear", "happy", "sad", "surprise", "neutral")
        for mine, other in zip(sets(data), sets(first), strict=True):
            np.testing.assert_array_equal(mine.image_NHW, other.image_NHW)
            np.testing.assert_array_equal(mine.label_N, other.label_N)
            np.testing.assert_array_equal(mine.leaked_N, other.leaked_N)


@pytest.mark.parametrize("form", ["challenge", "kaggle", "parquet"])
def test_every_image_keeps_its_pixels_label_and_part(four_forms, fer_rows, form):
    data = open_dataset(four_forms[form])
    image, labels, parts = fer_rows
    wanted = sorted((i.tobytes(), label, part) for i, label, part in zip(image, labels, parts, strict=True))
    got = sorted(
        (i.tobytes(), int(label), str(part))
        for s in sets(data)
        for i, label, part in zip(s.image_NHW, s.label_N, s.part_N, strict=True)
    )
    assert got == wanted
    assert data.test_name == "PublicTest+PrivateTest"
    assert set(data.test.part_N) == {"PublicTest", "PrivateTest"}
    assert set(data.train.part_N) == set(data.validation.part_N) == {"Training"}


def test_leaked_and_blank_images_are_marked_and_told(four_forms, fer_rows):
    data = open_dataset(four_forms["challenge"])
    image = fer_rows[0]
    assert {i.tobytes() for i in data.test.image_NHW[data.test.leaked_N]} == {i.tobytes() for i in image[10:15]}
    assert data.test.image_NHW[data.test.blank_N].tobytes() == image[90].tobytes()
    assert sum(s.blank_N.sum() for s in sets(data)) == 2
    assert "5 of 35 test images occur pixel for pixel in the training part." in data.findings
    assert "2 images are blank, 1 of them in the test." in data.findings


def test_windows_line_ends_and_a_byte_order_mark_change_nothing(four_forms, tmp_path):
    path = tmp_path / "windows.csv"
    path.write_bytes(b"\xef\xbb\xbf" + four_forms["challenge"].read_bytes().replace(b"\n", b"\r\n"))
    assert open_dataset(path).digest == open_dataset(four_forms["challenge"]).digest


BROKEN = [
    (("0", "7 " * 2303, "Training"), "2,303 pixels, wanted 2,304"),
    (("0", GOOD[:-1] + "256", "Training"), "pixel '256', wanted a whole number from 0 to 255"),
    (("0", GOOD[:-1] + "-1", "Training"), "pixel '-1', wanted a whole number from 0 to 255"),
    (("0", GOOD[:-1] + "x", "Training"), "pixel 'x', wanted a whole number from 0 to 255"),
    (("0", "", "Training"), "0 pixels, wanted 2,304"),
    (("7", GOOD, "Training"), "label '7', wanted 0 to 6"),
    (("happy", GOOD, "Training"), "label 'happy', wanted 0 to 6"),
    (("", GOOD, "Training"), "no label"),
    (("0", GOOD, ""), "empty Usage"),
    (("0", GOOD, "Trainig"), "Usage 'Trainig', wanted Training, PublicTest or PrivateTest"),
    (("0", GOOD, "Training", "more"), "4 fields, wanted 3"),
    (("0", GOOD), "2 fields, wanted 3"),
    (("8", "1 2", ""), "2 pixels, wanted 2,304; label '8', wanted 0 to 6; empty Usage"),
]


@pytest.mark.parametrize(("row", "reason"), BROKEN, ids=[reason[:24] for _, reason in BROKEN])
def test_a_broken_row_is_reported_with_its_line(write_csv, row, reason):
    path = write_csv([("0", GOOD, "Training"), row, ("0", GOOD, "PublicTest")])
    with pytest.raises(DataError) as error:
        open_dataset(path)
    assert str(error.value).splitlines() == [
        "1 broken row in the data",
        f"  where:  {path}",
        f"  found:  {path}:3: {reason}",
        "  fix:    mend or remove them, or leave them out with --skip-broken",
    ]


def test_lines_are_right_after_skipped_and_empty_lines_and_across_blocks(write_csv, monkeypatch):
    monkeypatch.setattr(fer2013, "BLOCK", 20_000)
    rows = [(str(i % 7), GOOD, "Training") for i in range(60)]
    wrong_fields, wrong_label = {4, 5, 31, 58}, {0, 6, 30, 32, 59}
    for i in wrong_fields:
        rows[i] = ("0", GOOD)
    for i in wrong_label:
        rows[i] = ("9", GOOD, "Training")
    path = write_csv(rows)
    lines = path.read_text().splitlines()
    path.write_text("\n".join([*lines[:21], "", *lines[21:], ""]))
    wanted = sorted(i + 2 + (i >= 20) for i in wrong_fields | wrong_label)
    broken = fer2013.read_fer2013(path).broken
    assert [int(place.removeprefix(f"{path}:").split(":")[0]) for place in broken] == wanted


def test_many_broken_rows_are_counted_and_the_first_ten_listed(write_csv):
    path = write_csv([("7", GOOD, "Training")] * 1234)
    with pytest.raises(
        DataError, match=r"1,234 broken rows in the data(.|\n)*fer.csv:11: label(.|\n)*and 1,224 more"
    ) as e:
        open_dataset(path)
    assert ":12:" not in str(e.value)


def test_broken_rows_can_be_left_out_and_are_told(four_forms, fer_rows):
    path = four_forms["challenge"]
    whole = open_dataset(path)
    path.write_text(path.read_text() + f"7,{GOOD},Training\n")
    data = open_dataset(path, skip_broken=True)
    assert data.digest == whole.digest
    assert data.findings[0] == f"1 broken row left out: {path}:107: label '7', wanted 0 to 6"


def test_broken_parquet_rows(fer_rows, write_parquet, png):
    image, labels, parts = fer_rows
    pngs = [png(one) for one in image]
    pngs[1], pngs[2] = None, pngs[2][:100]
    labels[3], labels[4], parts[5] = 7, None, ""
    path = write_parquet(pngs, labels, parts)
    with pytest.raises(DataError) as error:
        open_dataset(path)
    text = str(error.value)
    assert text.startswith("5 broken rows in the data")
    for row, reason in enumerate(["not a readable image (cannot identify image file)", "not a readable image"], 1):
        assert f"{path}:row {row}: {reason}" in text
    assert f"{path}:row 3: label '7', wanted 0 to 6" in text
    assert f"{path}:row 4: no label" in text
    assert f"{path}:row 5: empty Usage" in text
    data = open_dataset(path, skip_broken=True)
    kept = sorted(image[i].tobytes() for i in range(105) if i not in range(1, 6))
    assert sorted(i.tobytes() for s in sets(data) for i in s.image_NHW) == kept


def test_a_csv_of_something_else_is_refused(write_csv):
    with pytest.raises(DataError, match=r"this file is not FER-2013(.|\n)*'cell,x'(.|\n)*emotion, pixels and Usage"):
        open_dataset(write_csv([], header=("cell", "x")))


def test_an_empty_file_is_refused(tmp_path):
    (tmp_path / "empty.csv").touch()
    with pytest.raises(DataError, match="this file is not FER-2013"):
        open_dataset(tmp_path / "empty.csv")


def test_a_csv_that_is_not_text_is_refused(write_csv):
    path = write_csv([])
    path.write_bytes(path.read_bytes() + b"0,\xff\xfe,Training\n")
    with pytest.raises(DataError, match="this csv file cannot be parsed"):
        open_dataset(path)


def test_a_header_alone_has_no_images(write_csv):
    path = write_csv([])
    message = rf"there are no training images\n  where:  {path}\n(.|\n)*parts none with 0 images"
    with pytest.raises(DataError, match=message):
        open_dataset(path)


@pytest.mark.parametrize("kind", [pa.struct({"bytes": pa.binary(), "path": pa.string()}), pa.string()])
def test_a_column_of_something_else_than_images_is_refused(kind, write_parquet, tmp_path):
    """A string would be taken for a path; other libraries write a struct of bytes and path."""
    table = pq.read_table(write_parquet([], [], []))
    at = table.schema.get_field_index("image_png")
    pq.write_table(table.set_column(at, "image_png", pa.array([], kind)), tmp_path / "other.parquet")
    with pytest.raises(DataError, match=r"no images\n  where:  .*other.parquet: image_png\n(.|\n)*wanted: binary"):
        open_dataset(tmp_path / "other.parquet")


def test_another_parquet_table_is_refused(write_parquet, tmp_path):
    pq.write_table(pq.read_table(write_parquet([], [], [])).drop_columns(["label"]), tmp_path / "other.parquet")
    with pytest.raises(DataError, match=r"this parquet table is not FER-2013(.|\n)*no column label among row, usage"):
        open_dataset(tmp_path / "other.parquet")


def test_a_cut_parquet_file_is_refused(write_parquet, tmp_path):
    (tmp_path / "cut.parquet").write_bytes(write_parquet([], [], []).read_bytes()[:60])
    with pytest.raises(DataError, match="this parquet file cannot be read"):
        open_dataset(tmp_path / "cut.parquet")


def test_without_usage_the_parts_are_drawn_and_it_is_said(four_forms, write_csv, fer_rows):
    rows = [line.split(",")[:2] for line in four_forms["challenge"].read_text().splitlines()[1:]]
    data = open_dataset(write_csv(rows, header=("emotion", "pixels"), name="train.csv"))
    assert sum(map(len, sets(data))) == 105
    assert data.findings[:2] == (
        "train.csv has no Usage column.",
        "The source names no parts: 20% of each class were drawn as test, seed 0.",
    )
    assert data.test_name == "test"


def test_another_size_is_resized_and_told(four_forms):
    data = open_dataset(four_forms["challenge"], size=24)
    assert data.train.image_NHW.shape[1:] == (24, 24)
    assert "All 105 images were resized from 48x48 to 24x24." in data.findings
    assert data.digest == open_dataset(four_forms["folder"], size=24).digest


def test_the_published_numbers_of_the_real_data(shared_data):
    path = shared_data / "fer2013" / "fer2013_training_publictest.parquet"
    data = open_dataset(path, seed=1)
    learned = len(data.train) + len(data.validation)
    assert (learned, len(data.test), data.test_name) == (28_709, 3_589, "PublicTest")
    assert int(data.test.leaked_N.sum()) == 280
    assert sum(int(s.blank_N.sum()) for s in sets(data)) == 12
    assert len(data.validation) == pytest.approx(2_871, abs=7)
    always_happy = np.mean(data.test.label_N == data.classes.index("happy"))
    assert always_happy == pytest.approx(0.249, abs=5e-4)
    # dup_group was made by somebody else: as many different images as we find, none on both sides
    groups = len(set(pq.read_table(path, columns=["dup_group"])["dup_group"].to_pylist()))
    pixels = [{image.tobytes() for image in s.image_NHW} for s in sets(data)]
    assert not pixels[0] & pixels[1]
    assert len(set.union(*pixels)) == groups == 30_766


def test_real_rows_are_the_same_in_all_forms(shared_data, tmp_path):
    tool = shared_data.parent / "tools" / "fer2013_forms.py"
    if not tool.exists():
        pytest.skip(f"no {tool.name} beside the real data")
    subprocess.run([sys.executable, str(tool), str(tmp_path), "--rows", "150"], check=True)
    table = pq.read_table(shared_data / "fer2013" / "fer2013_training_publictest.parquet")
    usage = np.array(table["usage"].to_pylist())
    rows = np.concatenate([np.flatnonzero(usage == part)[:150] for part in ("Training", "PublicTest")])
    pq.write_table(table.take(rows), tmp_path / "rows.parquet")
    forms = ("fer2013.csv", "icml_face_data.csv", "images", "rows.parquet")
    assert len({open_dataset(tmp_path / form).digest for form in forms}) == 1


@pytest.mark.slow
def test_all_real_rows_are_the_same_in_all_forms(shared_data, tmp_path):
    tool = shared_data.parent / "tools" / "fer2013_forms.py"
    if not tool.exists():
        pytest.skip(f"no {tool.name} beside the real data")
    subprocess.run([sys.executable, str(tool), str(tmp_path)], check=True)
    parquet = shared_data / "fer2013" / "fer2013_training_publictest.parquet"
    digests = set()
    for path in (parquet, *(tmp_path / form for form in ("fer2013.csv", "icml_face_data.csv", "images"))):
        started = time.perf_counter()
        digests.add(open_dataset(path).digest)
        print(f"\n{path.name}: {time.perf_counter() - started:.1f} s")
    assert len(digests) == 1
