import time

import numpy as np
import pytest
import torch
from scipy import ndimage

from connectome2net.errors import DataError
from connectome2net.tasks.augmentation import ERASED_AREA, Augmentation

NOTHING = {"flip": 0.0, "rotation_deg": 0.0, "shift": 0.0, "scale": 0.0, "erase": 0.0}
Y, X = np.mgrid[:48, :48].astype(np.float64)


def augment(image_BCHW: torch.Tensor, *, seed: int = 0, **change: float) -> torch.Tensor:
    torch.manual_seed(seed)
    return Augmentation(**NOTHING | change)(image_BCHW)


def make_noise(count: int = 8, channels: int = 1) -> torch.Tensor:
    return torch.rand(count, channels, 48, 48, generator=torch.Generator().manual_seed(9))


def make_blob(x: float, y: float) -> np.ndarray:
    return np.exp(-((X - x) ** 2 + (Y - y) ** 2) / 8)


def find_blob(image: np.ndarray) -> complex:
    """Locate a blob by its centre of mass, as x + iy from the middle of the image."""
    return complex((image * X).sum() / image.sum() - 23.5, (image * Y).sum() / image.sum() - 23.5)


def test_nothing_configured_is_the_identity_and_draws_no_random_number():
    image = make_noise()
    torch.manual_seed(3)
    before = torch.get_rng_state()
    assert torch.equal(Augmentation(**NOTHING)(image), image)
    assert torch.equal(torch.get_rng_state(), before)


def test_a_flip_is_left_to_right_and_twice_is_nothing():
    image = make_noise(channels=3)
    once = augment(image, flip=1.0)
    np.testing.assert_array_equal(once.numpy(), image.numpy()[..., ::-1])
    assert torch.equal(augment(once, flip=1.0), image)


def test_a_flip_takes_its_share_of_the_images():
    image = make_noise(400)
    out = augment(image, flip=0.3)
    flipped = [torch.equal(o, i.flip(-1)) for o, i in zip(out, image, strict=True)]
    kept = [torch.equal(o, i) for o, i in zip(out, image, strict=True)]
    assert sum(flipped) + sum(kept) == 400
    assert sum(flipped) == pytest.approx(120, abs=4 * (400 * 0.3 * 0.7) ** 0.5)


def test_a_shift_is_the_one_that_scipy_makes():
    blob = np.clip(make_blob(20, 25) + 0.3 * make_blob(27, 20), 0, 1)
    image = torch.from_numpy(blob).float().expand(64, 1, 48, 48)
    moved = []
    for out in augment(image, shift=0.1)[:, 0].double().numpy():
        shift = find_blob(out) - find_blob(blob)
        np.testing.assert_allclose(out, ndimage.shift(blob, (shift.imag, shift.real), order=1), atol=2e-4)
        moved.append([shift.real, shift.imag])
    largest = np.abs(moved).max(axis=0)
    assert (largest < 4.8 + 1e-3).all()
    assert (largest > 4).all()


def test_rotation_and_zoom_are_a_similarity_about_the_middle():
    blobs = [make_blob(16, 20), make_blob(31, 26)]
    smooth = ndimage.gaussian_filter(np.random.default_rng(0).random((48, 48)), 2)
    turns, zooms = [], []
    for seed in range(40):
        first, second, out = (
            augment(torch.from_numpy(i)[None, None].float(), seed=seed, rotation_deg=15, scale=0.2)[0, 0]
            .double()
            .numpy()
            for i in (*blobs, smooth)
        )
        similarity = (find_blob(second) - find_blob(first)) / (find_blob(blobs[1]) - find_blob(blobs[0]))
        assert abs(similarity * find_blob(blobs[0]) - find_blob(first)) < 0.02
        back = 1 / similarity
        matrix = np.array([[back.real, back.imag], [-back.imag, back.real]])
        offset = np.full(2, 23.5) - matrix @ np.full(2, 23.5)
        wanted = ndimage.affine_transform(smooth, matrix, offset, order=1)
        inside = (X - 23.5) ** 2 + (Y - 23.5) ** 2 < 16**2
        np.testing.assert_allclose(out[inside], wanted[inside], atol=3e-3)
        turns.append(np.degrees(np.angle(similarity)))
        zooms.append(abs(similarity))
    assert 11 < max(np.abs(turns)) < 15.1
    assert min(turns) < 0 < max(turns)
    assert 0.798 < min(zooms) < 0.86
    assert 1.14 < max(zooms) < 1.202


def test_what_moves_in_is_the_reflected_image():
    ramp = torch.from_numpy(X).float().expand(16, 1, 48, 48) / 47
    for out in augment(ramp, shift=0.1)[:, 0, 24] * 47:
        shift = float(24 - out[24])
        positions = np.arange(48) - shift
        reflected = np.abs(positions + 0.5) - 0.5
        reflected = 47 - (np.abs(47.5 - reflected) - 0.5)
        np.testing.assert_allclose(out, np.clip(reflected, 0, 47), atol=2e-3)


def test_erasing_sets_one_rectangle_of_the_configured_area_to_grey():
    image = make_noise(200)
    out = augment(image, erase=0.5)
    changed = (out != image)[:, 0].numpy()
    count = 0
    for mask, one in zip(changed, out[:, 0].numpy(), strict=True):
        if mask.any():
            rows, columns = np.flatnonzero(mask.any(1)), np.flatnonzero(mask.any(0))
            assert mask.sum() == (rows[-1] - rows[0] + 1) * (columns[-1] - columns[0] + 1)
            assert (one[mask] == 0.5).all()
            assert ERASED_AREA[0] * 0.7 < mask.mean() < ERASED_AREA[1] * 1.1
            count += 1
    assert count == pytest.approx(100, abs=4 * 50**0.5)


def test_the_seed_decides_and_images_differ():
    image = make_noise(1).expand(8, 1, 48, 48)
    settings = {"flip": 0.5, "rotation_deg": 10, "shift": 0.1, "scale": 0.1, "erase": 0.5}
    one, again, two = (augment(image, seed=seed, **settings) for seed in (1, 1, 2))
    assert torch.equal(one, again)
    assert not torch.equal(one, two)
    assert len({o.numpy().tobytes() for o in one}) == 8


def test_images_stay_in_range_and_are_not_changed_in_place():
    image = make_noise(64)
    copy = image.clone()
    out = Augmentation(erase=0.5)(image)
    assert out.shape == image.shape
    assert out.dtype == image.dtype
    assert out.min() >= 0
    assert out.max() <= 1 + 1e-6
    assert torch.equal(image, copy)


@pytest.mark.parametrize(
    ("name", "value", "limit"),
    [("flip", 1.2, "1"), ("rotation_deg", -5, "180"), ("shift", 2, "1"), ("scale", 1, "0.99"), ("erase", -0.1, "1")],
)
def test_a_value_out_of_range_is_an_error(name, value, limit):
    with pytest.raises(
        DataError, match=rf"augmentation is out of range\n  where:  augmentation.{name}\n.*{value}\n.*0 to {limit}$"
    ):
        Augmentation(**{name: value})


@pytest.mark.slow
@pytest.mark.usefixtures("one_thread")
def test_measured_cost():
    image = make_noise(64)
    for settings in (Augmentation(), Augmentation(erase=0.5)):
        seconds = []
        for _ in range(60):
            started = time.perf_counter()
            settings(image)
            seconds.append(time.perf_counter() - started)
        print(f"\n{settings}: {1e3 * np.median(seconds):.1f} ms, at best {1e3 * min(seconds):.1f}")
        assert min(seconds) < 0.015
