from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from connectome2net.errors import DataError
from connectome2net.tasks import open_dataset
from connectome2net.tasks.folder import order_classes, read_folder
from connectome2net.tasks.images import decode

FER = ("angry", "disgust", "fear", "happy", "sad", "surprise", "neutral")


def write(path: Path, image: Image.Image | np.ndarray, **options) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    image = image if isinstance(image, Image.Image) else Image.fromarray(image)
    image.save(path, **options)
    return path


def noise(seed: int, shape=(48, 48)) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, shape, dtype=np.uint8)


def fill(root: Path, classes=("cat", "dog"), count: int = 10) -> Path:
    for k, name in enumerate(classes):
        for i in range(count):
            write(root / name / f"{i}.png", noise(1000 * k + i))
    return root


def test_class_folders_alone_are_split_and_it_is_said(tmp_path):
    data = open_dataset(fill(tmp_path / "pets", count=20), validation_fraction=0.25)
    assert data.name == "pets"
    assert data.classes == ("cat", "dog")
    assert [len(s) for s in (data.train, data.validation, data.test)] == [24, 8, 8]
    for split in (data.train, data.validation, data.test):
        assert np.bincount(split.label_N).tolist() == [len(split) // 2] * 2
        for image, label in zip(split.image_NHW, split.label_N, strict=True):
            assert any((image == noise(1000 * label + i)).all() for i in range(20))
    assert data.findings[0].startswith("The source names no parts: 20% of each class")


def test_train_validation_and_test_folders_are_kept(tmp_path):
    for part, seeds in {"Train": (0, 1, 2), "VAL": (3,), "test": (4, 5)}.items():
        for seed in seeds:
            write(tmp_path / part / "x" / "deep" / f"{seed}.png", noise(seed))
            write(tmp_path / part / "y" / f"{seed}.jpeg", noise(100 + seed), quality=95)
    data = open_dataset(tmp_path)
    assert [len(s) for s in (data.train, data.validation, data.test)] == [6, 2, 4]
    assert data.test_name == "test"
    assert {i.tobytes() for i in data.test.image_NHW[data.test.label_N == 0]} == {noise(s).tobytes() for s in (4, 5)}


def test_what_is_not_an_image_or_is_hidden_is_passed_over(tmp_path):
    fill(tmp_path)
    (tmp_path / "cat" / "notes.txt").write_text("x")
    (tmp_path / "cat" / ".hidden.png").write_text("x")
    (tmp_path / ".git").mkdir()
    (tmp_path / "cat" / "folder.png").mkdir()
    assert len(read_folder(tmp_path, size=48).label_N) == 20


@pytest.mark.parametrize("names", [FER, ("Anger", "Disgust", "Fear", "Happiness", "Sadness", "Surprise", "Neutral")])
def test_the_seven_expressions_keep_the_order_of_fer(names):
    classes, label_of = order_classes(set(names))
    assert classes == FER
    assert label_of == {name: k for k, name in enumerate(names)}


@pytest.mark.parametrize(
    "names", [(*FER, "contempt"), FER[:6], ("anger", "angry", "disgust", "fear", "happy", "sad", "surprise")]
)
def test_other_classes_are_sorted(names):
    classes, label_of = order_classes(set(names))
    assert classes == tuple(sorted(names))
    assert [label_of[name] for name in classes] == list(range(len(names)))


def test_two_spellings_of_one_expression_share_a_label(tmp_path):
    for part, classes in {"train": FER, "test": [name.upper() for name in FER]}.items():
        for k, name in enumerate(classes):
            for i in range(3):
                write(tmp_path / part / name / f"{i}.png", noise(hash((part == "test", k, i)) % 10**6))
    data = open_dataset(tmp_path, validation_fraction=0.34)
    assert data.classes == FER
    assert np.bincount(data.test.label_N).tolist() == [3] * 7


def test_unreadable_images_are_reported_with_their_path(tmp_path):
    fill(tmp_path)
    (tmp_path / "cat" / "a.png").write_bytes(b"no image")
    (tmp_path / "dog" / "b.png").write_bytes((tmp_path / "dog" / "0.png").read_bytes()[:500])
    with pytest.raises(DataError) as error:
        open_dataset(tmp_path)
    text = str(error.value)
    assert text.startswith("2 broken rows in the data")
    assert f"{tmp_path / 'cat' / 'a.png'}: not a readable image (cannot identify image file" in text
    assert f"{tmp_path / 'dog' / 'b.png'}: not a readable image (" in text
    data = open_dataset(tmp_path, skip_broken=True)
    assert len(data.train) + len(data.validation) + len(data.test) == 20
    assert data.findings[0].startswith("2 broken rows left out: ")


@pytest.mark.parametrize(
    ("files", "found"),
    [
        ([], "an empty folder"),
        (["readme.txt"], "readme.txt"),
        (["cat/1.png"], "cat"),
        (list("abcdefg"), "a, b, c, d, e, ..."),
    ],
)
def test_a_folder_without_two_classes_is_an_error(tmp_path, files, found):
    for name in files:
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes(b"")
    with pytest.raises(
        DataError, match=r"no class folders with images here(.|\n)*found:  " + found + r"\n.*train/CLASS"
    ):
        open_dataset(tmp_path)


def test_other_sizes_and_colours_are_turned_into_grey_squares_and_told(tmp_path):
    fill(tmp_path)
    grey_as_rgb = np.repeat(noise(7)[..., None], 3, axis=2)
    write(tmp_path / "cat" / "rgb.png", noise(6, (48, 48, 3)))
    write(tmp_path / "cat" / "grey.png", grey_as_rgb)
    write(tmp_path / "dog" / "large.png", np.full((96, 120), 130, np.uint8))
    data = read_folder(tmp_path, size=48)
    assert data.findings == (
        "1 of 23 images were resized to 48x48.",
        "1 of 23 images had colour and were turned grey.",
    )
    assert noise(7).tobytes() in {image.tobytes() for image in data.image_NHW}
    np.testing.assert_array_equal(data.image_NHW[[i.std() == 0 for i in data.image_NHW]], np.full((1, 48, 48), 130))


def test_grey_is_the_luma_of_itu_r_601(tmp_path):
    rgb = noise(1, (48, 48, 3))
    decoded = decode([("x", write(tmp_path / "x.png", rgb))], size=48)
    np.testing.assert_allclose(decoded.image_NHW[0], rgb @ [0.299, 0.587, 0.114], atol=0.51)


def test_halving_averages_and_keeps_what_is_flat(tmp_path):
    row = np.repeat([40, 40, 200, 200], 24).astype(np.uint8)
    path = write(tmp_path / "x.png", np.tile(row, (96, 1)))
    image = decode([("x", path)], size=48).image_NHW[0]
    assert (image[:, :22] == 40).all()
    assert (image[:, 26:] == 200).all()


def test_sixteen_bits_keep_the_upper_eight(tmp_path):
    image = np.random.default_rng(0).integers(0, 2**16, (48, 48)).astype(np.uint16)
    decoded = decode([("x", write(tmp_path / "x.png", image))], size=48)
    np.testing.assert_array_equal(decoded.image_NHW[0], image // 256)


def test_a_photograph_on_its_side_is_turned_up(tmp_path):
    exif = Image.Exif()
    exif[0x0112] = 6
    path = write(tmp_path / "x.png", noise(3), exif=exif)
    np.testing.assert_array_equal(decode([("x", path)], size=48).image_NHW[0], np.rot90(noise(3), -1))
