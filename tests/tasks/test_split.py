import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from connectome2net.errors import DataError
from connectome2net.tasks.dataset import ImageSet, Records, hash_pixels
from connectome2net.tasks.split import arrange, cut


def make_records(count: int, *, parts=("Training", "PublicTest"), kinds: int = 40, seed: int = 0) -> Records:
    """Draw tiny images of few kinds, so that many are identical, with labels that may disagree."""
    rng = np.random.default_rng(seed)
    return Records(
        image_NHW=rng.integers(0, 256, (kinds, 2, 2), dtype=np.uint8)[rng.integers(0, kinds, count)],
        label_N=rng.integers(0, 3, count),
        part_N=np.array(parts)[rng.integers(0, len(parts), count)],
        classes=("a", "b", "c"),
    )


def pixels(images: ImageSet) -> set[bytes]:
    return {image.tobytes() for image in images.image_NHW}


@settings(deadline=None, max_examples=30)
@given(seed=st.integers(0, 10_000), order=st.randoms())
def test_row_order_of_the_source_does_not_matter(seed, order):
    records = make_records(200, seed=seed)
    shuffled = list(range(200))
    order.shuffle(shuffled)
    other = Records(records.image_NHW[shuffled], records.label_N[shuffled], records.part_N[shuffled], records.classes)
    first, second = (arrange(r, name="x", seed=seed, validation_fraction=0.2) for r in (records, other))
    assert first.digest == second.digest
    np.testing.assert_array_equal(first.validation.image_NHW, second.validation.image_NHW)


@settings(deadline=None, max_examples=30)
@given(seed=st.integers(0, 10_000), fraction=st.floats(0.1, 0.5))
def test_no_image_is_on_both_sides_and_none_is_lost(seed, fraction):
    records = make_records(300, seed=seed)
    data = arrange(records, name="x", seed=seed, validation_fraction=fraction)
    assert not pixels(data.train) & pixels(data.validation)
    assert len(data.train) + len(data.validation) == (records.part_N == "Training").sum()
    assert len(data.test) == (records.part_N == "PublicTest").sum()
    learned = pixels(data.train) | pixels(data.validation)
    np.testing.assert_array_equal(data.test.leaked_N, [i.tobytes() in learned for i in data.test.image_NHW])
    assert not data.train.leaked_N.any()
    assert not data.validation.leaked_N.any()


@given(seed=st.integers(0, 10_000), fraction=st.floats(0.05, 0.95))
def test_a_cut_takes_the_fraction_of_each_class(seed, fraction):
    label_N = np.repeat([0, 1, 2], [10, 100, 1000])
    chosen = cut(np.arange(1110, dtype=np.uint64), label_N, fraction=fraction, seed=seed)
    assert [int(chosen[label_N == k].sum()) for k in range(3)] == [round(fraction * n) for n in (10, 100, 1000)]


def test_the_seed_draws_the_validation_part_and_leaves_the_test_alone():
    records = make_records(400, kinds=10_000)
    one, again, two = (arrange(records, name="x", seed=seed, validation_fraction=0.2) for seed in (1, 1, 2))
    assert one.digest == again.digest != two.digest
    assert pixels(one.validation) != pixels(two.validation)
    np.testing.assert_array_equal(one.test.image_NHW, two.test.image_NHW)


def test_a_test_part_that_had_to_be_drawn_is_the_same_for_every_seed():
    records = make_records(400, parts=("",), kinds=300)
    one, two = (arrange(records, name="x", seed=seed, validation_fraction=0.2) for seed in (1, 2))
    np.testing.assert_array_equal(one.test.image_NHW, two.test.image_NHW)
    assert not pixels(one.test) & (pixels(one.train) | pixels(one.validation))
    assert len(one.test) == pytest.approx(80, abs=8)
    assert "The source names no parts: 20% of each class were drawn as test, seed 0." in one.findings


def test_a_validation_part_of_the_source_is_kept_and_its_leaks_are_marked():
    records = make_records(300, parts=("train", "Val", "test"))
    data = arrange(records, name="x", seed=0, validation_fraction=0.5)
    assert len(data.validation) == (records.part_N == "Val").sum()
    count = sum(image.tobytes() in pixels(data.train) for image in data.validation.image_NHW)
    assert int(data.validation.leaked_N.sum()) == count > 0
    assert f"{count} of {len(data.validation)} validation images occur pixel for pixel in train." in data.findings


def test_a_validation_part_without_a_test_becomes_the_test():
    records = make_records(300, parts=("train", "validation"), kinds=1000)
    data = arrange(records, name="x", seed=0, validation_fraction=0.2)
    assert len(data.test) == (records.part_N == "validation").sum()
    assert data.test_name == "validation"
    assert "The source has no test part: its validation part is the test and chooses nothing." in data.findings


@pytest.mark.parametrize(("parts", "missing"), [(("Training",), "test"), (("PublicTest",), "training")])
def test_a_part_without_images_is_an_error(parts, missing):
    with pytest.raises(DataError, match=rf"there are no {missing} images(.|\n)*parts {parts[0]} with 50 images"):
        arrange(make_records(50, parts=parts), name="x", seed=0, validation_fraction=0.2)


def test_too_few_images_for_a_validation_part_are_an_error():
    with pytest.raises(DataError, match="there are no validation images"):
        arrange(make_records(20, kinds=1000), name="x", seed=0, validation_fraction=0.01)


@pytest.mark.parametrize("fraction", [0, 1, -0.1, float("nan")])
def test_a_fraction_out_of_range_is_an_error(fraction):
    with pytest.raises(DataError, match=r"validation fraction is out of range(.|\n)*more than 0 and less than 1"):
        arrange(make_records(20), name="x", seed=0, validation_fraction=fraction)


def test_a_class_without_training_images_is_told():
    records = make_records(200, kinds=1000)
    records.part_N[records.label_N == 1] = "PublicTest"
    data = arrange(records, name="x", seed=0, validation_fraction=0.2)
    assert "Class b has no training image." in data.findings


def test_the_digest_sees_pixels_labels_and_class_names():
    records = make_records(100, kinds=1000)

    def digest(**change):
        fields = {
            name: change.get(name, getattr(records, name)) for name in ("image_NHW", "label_N", "part_N", "classes")
        }
        return arrange(Records(**fields), name="x", seed=0, validation_fraction=0.2).digest

    image_NHW, label_N = records.image_NHW.copy(), records.label_N.copy()
    image_NHW[7, 1, 1] ^= 1
    label_N[7] = (label_N[7] + 1) % 3
    digests = {digest(), digest(image_NHW=image_NHW), digest(label_N=label_N), digest(classes=("a", "c", "b"))}
    assert len(digests) == 4
    assert digest() == digest()


def test_hash_pixels_agrees_with_the_bytes():
    image_NHW = make_records(500, kinds=100).image_NHW
    _, by_hash = np.unique(hash_pixels(image_NHW), return_inverse=True)
    same = by_hash[:, None] == by_hash
    bytes_N = [image.tobytes() for image in image_NHW]
    np.testing.assert_array_equal(same, [[a == b for b in bytes_N] for a in bytes_N])


@pytest.mark.parametrize(
    ("change", "text"),
    [
        ({"image_NHW": np.zeros((3, 2, 2))}, r"image_NHW\n  found:  float64 \(3, 2, 2\)\n  wanted: uint8, 3 axes"),
        ({"label_N": np.zeros(3, np.int32)}, r"label_N\n  found:  int32 \(3,\)\n  wanted: int64, 1 axes"),
        ({"leaked_N": np.zeros(2, bool)}, r"leaked_N\n  found:  bool \(2,\)\n  wanted: bool, 1 axes, 3 images"),
        ({"blank_N": np.zeros((3, 1), bool)}, r"blank_N\n  found:  bool \(3, 1\)"),
    ],
)
def test_an_image_set_checks_itself(change, text):
    fields = {
        "image_NHW": np.zeros((3, 2, 2), np.uint8),
        "label_N": np.zeros(3, np.int64),
        "part_N": np.array(["test"] * 3),
        "leaked_N": np.zeros(3, bool),
        "blank_N": np.zeros(3, bool),
    }
    assert len(ImageSet(**fields)) == 3
    with pytest.raises(DataError, match=r"an image set does not fit together\n  where:  " + text):
        ImageSet(**fields | change)
