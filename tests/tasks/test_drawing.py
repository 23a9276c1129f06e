from dataclasses import fields, replace

import numpy as np
import pytest

from connectome2net.tasks.drawing import Canvas, Face, _ellipse, _stroke, draw
from connectome2net.tasks.faces import LOOKS

MIRRORED = ("shift_x", "turn", "yaw", "gaze", "wave_x", "light_x", "mouth_tilt")


def make_face(**change: float) -> Face:
    values = {name: (low + high) / 2 for name, (low, high) in LOOKS.items()}
    values |= {"brow": 0.2, "lip": 0.3, "brow_inner": 0.05, "brow_outer": 0.0, "eye": 1.1, "mouth_curve": 0.1}
    values |= {"mouth_open": 0.05, "mouth_width": 0.3, "mouth_tilt": 0.05, "teeth": 0.5, "wrinkle": 0.4, "fold": 0.3}
    return Face(**{name: np.full((1, 1, 1), value, np.float32) for name, value in (values | change).items()})


def test_a_mirrored_face_is_the_mirrored_image():
    rng = np.random.default_rng(0)
    face = make_face(**{name: float(rng.uniform(-0.1, 0.1)) for name in MIRRORED}, ground_wave=0.2)
    mirrored = replace(face, **{name: -getattr(face, name) for name in MIRRORED})
    np.testing.assert_allclose(draw(mirrored, size=48), draw(face, size=48)[:, :, ::-1], atol=2e-5)
    assert np.abs(draw(mirrored, size=48) - draw(face, size=48)).max() > 0.1


def test_a_quarter_turn_is_clockwise():
    face = make_face(turn=0, yaw=0.05, gaze=0.04)
    turned = replace(face, turn=np.full((1, 1, 1), np.pi / 2, np.float32))
    np.testing.assert_allclose(draw(turned, size=48)[0], np.rot90(draw(face, size=48)[0], -1), atol=2e-5)


def test_a_shift_by_whole_pixels_moves_the_image():
    face = make_face(zoom=0.5)
    moved = replace(face, shift_x=np.float32([[[6 / 24]]]), shift_y=np.float32([[[-4 / 24]]]))
    np.testing.assert_allclose(draw(moved, size=48)[0, :40, 10:], draw(face, size=48)[0, 4:44, 4:42], atol=2e-5)


def test_light_multiplies_and_grows_along_its_axis():
    plain, lit = draw(make_face(), size=48), draw(make_face(light_x=0.2, light_y=-0.1), size=48)
    middle = (np.arange(48) + 0.5) / 24 - 1
    np.testing.assert_allclose(lit[0] / plain[0], 1 + 0.2 * middle - 0.1 * middle[:, None], atol=1e-5)


@pytest.mark.parametrize(("half_width", "half_height"), [(0.5, 0.5), (0.7, 0.4)])
def test_cover_measures_area(half_width, half_height):
    axis = ((np.arange(96) + 0.5) / 48 - 1).astype(np.float32)
    canvas = Canvas(np.zeros((1, 96, 96), np.float32), np.full((1, 1, 1), 1 / 48, np.float32))
    canvas.paint(canvas.cover(_ellipse(axis[None, None], axis[None, :, None], half_width, half_height)), 0.8)
    area = canvas.image_BHW.sum() / 0.8 / 48**2
    assert area == pytest.approx(np.pi * half_width * half_height, rel=0.01)


def test_a_stroke_is_a_distance_to_a_segment():
    points = np.array([[0.0, 1.0], [3.0, 0.0], [-3.0, 4.0]])
    got = _stroke(points[:, 0], points[:, 1], (0.0, 0.0), (2.0, 0.0))
    np.testing.assert_allclose(got, [1, 1, 5])


@pytest.mark.parametrize("name", sorted({f.name for f in fields(Face)} - {"wave_x", "wave_y"}))
def test_every_number_of_a_face_is_seen(name):
    face = make_face(ground_wave=0.1, wave_x=3, wave_y=2)
    changed = replace(face, **{name: getattr(face, name) + np.float32(0.05)})
    assert np.abs(draw(changed, size=48) - draw(face, size=48)).max() > 0.003
