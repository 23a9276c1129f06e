"""Seven expressions on drawn faces: data for whoever has none.

Enters: how many, and a seed. Leaves: a ``Dataset`` of grey cartoon faces, marked synthetic.

Pose, shape, tones, light, background, contrast and noise vary from face to face, the expression in its strength, so
that no single pixel tells much. Measured on 1,400 test faces after 4,320 to learn from (seed 0, chance 14 %): best
multinomial logistic regression on pixels 46 %; three convolutions (16, 32, 64 filters) 78 % after two epochs, 94 %
after six, in 37 s on one core of a busy machine (``pytest -m slow tests/tasks/test_faces.py -s``). 6,200 faces are
drawn in 2 s.
What a face does: Ekman and Friesen, Unmasking the Face (1975), chapters 4 to 9, in the coarsest strokes.

Axes: N images, B images of one batch, H rows, W columns.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from connectome2net.tasks.dataset import FER_CLASSES, Dataset, Records
from connectome2net.tasks.drawing import Array, Face, draw
from connectome2net.tasks.split import arrange

POOL = 4800
"""Faces to learn from and be chosen on, together, when nothing else is asked for."""

TEST = 1400
BATCH = 128

REST = {"eye": 1.0, "mouth_width": 0.33}
"""A neutral face, in the numbers of ``drawing.Face``; what is not named is 0."""

EXPRESSIONS: dict[str, dict[str, float]] = {
    "angry": {"brow_inner": -0.13, "brow_outer": 0.05, "eye": -0.25, "mouth_curve": -0.06, "mouth_width": -0.05},
    "disgust": {
        **{"brow_inner": -0.07, "brow_outer": -0.03, "eye": -0.4, "mouth_curve": -0.12, "mouth_tilt": 0.07},
        **{"mouth_open": 0.03, "wrinkle": 0.9, "fold": 0.5},
    },
    "fear": {
        **{"brow_inner": 0.11, "brow_outer": 0.02, "eye": 0.5, "mouth_curve": -0.05, "mouth_open": 0.08},
        **{"mouth_width": 0.05, "teeth": 0.8},
    },
    "happy": {"eye": -0.2, "mouth_curve": 0.2, "mouth_open": 0.05, "mouth_width": 0.07, "teeth": 0.8, "fold": 0.6},
    "sad": {"brow_inner": 0.11, "brow_outer": -0.08, "eye": -0.3, "mouth_curve": -0.18, "mouth_width": -0.03},
    "surprise": {"brow_inner": 0.13, "brow_outer": 0.13, "eye": 0.55, "mouth_open": 0.18, "mouth_width": -0.12},
    "neutral": {},
}
"""By how much each expression, at full strength, departs from rest."""

SPREAD = {
    **{"brow_inner": 0.03, "brow_outer": 0.03, "eye": 0.12, "mouth_curve": 0.03, "mouth_open": 0.012},
    **{"mouth_width": 0.03, "mouth_tilt": 0.015, "teeth": 0.1, "wrinkle": 0.1, "fold": 0.12},
}
"""Standard deviation between faces of one expression and strength."""

LIMITS = {"eye": (0.25, 2.0), "mouth_open": (0.0, 0.4), "teeth": (0.0, 1.0), "wrinkle": (0.0, 1.0), "fold": (0.0, 1.0)}

LOOKS = {
    **{"shift_x": (-0.15, 0.15), "shift_y": (-0.15, 0.15), "turn": (-0.25, 0.25), "zoom": (0.72, 0.98)},
    **{"yaw": (-0.08, 0.08), "width": (0.68, 0.85), "jaw": (0.0, 0.25), "hairline": (-0.8, -0.55)},
    **{"gaze": (-0.06, 0.06), "skin": (0.4, 0.85), "hair": (0.02, 0.95), "ground": (0.1, 0.9)},
    **{"ground_wave": (0.0, 0.25), "wave_x": (-9.0, 9.0), "wave_y": (-9.0, 9.0)},
    **{"light_x": (-0.3, 0.3), "light_y": (-0.3, 0.3)},
}
"""Range of everything that says nothing about the expression; uniform."""

BROW, LIP = (0.15, 0.6), (0.45, 0.8)
"""Tone as a part of the skin's."""

STRENGTH, CONTRAST, BRIGHTNESS, NOISE = (0.6, 1.15), (0.5, 1.1), (-0.12, 0.12), (0.01, 0.06)


def faces(*, train: int, validation: int, test: int, seed: int = 0, size: int = 48) -> Dataset:
    """Draw faces with seven expressions in equal numbers.

    Args:
        train: number of faces to learn from; likewise ``validation`` and ``test``.
        validation: see ``train``.
        test: see ``train``.
        seed: draws the training and validation faces. The test faces are the same for every seed, so that runs
            of different seeds are compared on the same images.
        size: side in pixels.

    Raises:
        DataError: if a part is empty.
    """
    streams = {"train": (train, (seed, 0)), "validation": (validation, (seed, 1)), "test": (test, (0, 2))}
    images, labels = [], []
    for count, stream in streams.values():
        rng = np.random.default_rng(stream)
        label_N = rng.permutation(np.arange(count) % len(FER_CLASSES))
        images += [_render(label_N[first : first + BATCH], rng, size=size) for first in range(0, count, BATCH)]
        labels.append(label_N)
    records = Records(
        image_NHW=np.concatenate([np.zeros((0, size, size), np.uint8), *images]),
        label_N=np.concatenate(labels).astype(np.int64),
        part_N=np.repeat(list(streams), [train, validation, test]),
        classes=FER_CLASSES,
        findings=("The faces are drawn, not photographed; the test faces are the same for every seed.",),
    )
    return arrange(records, name="synthetic faces", seed=seed, validation_fraction=0.5, synthetic=True)


def open_faces(*, seed: int, validation_fraction: float, size: int) -> Dataset:
    """Draw the standard number of faces: 4,800 to learn from, of which a fraction is for validation, 1,400 to test."""
    validation = round(POOL * validation_fraction)
    return faces(train=POOL - validation, validation=validation, test=TEST, seed=seed, size=size)


def _render(label_B: NDArray[np.int64], rng: np.random.Generator, *, size: int) -> NDArray[np.uint8]:
    """Draw one face for each label, as a poor camera would see it."""

    def uniform(limits: tuple[float, float]) -> Array:
        return rng.uniform(*limits, (len(label_B), 1, 1)).astype(np.float32)

    looks = {name: uniform(limits) for name, limits in LOOKS.items()}
    expression = _express(label_B, uniform(STRENGTH), rng)
    face = Face(**looks, **expression, brow=looks["skin"] * uniform(BROW), lip=looks["skin"] * uniform(LIP))
    image_BHW = (draw(face, size=size) - 0.5) * uniform(CONTRAST) + 0.5 + uniform(BRIGHTNESS)
    image_BHW += uniform(NOISE) * rng.standard_normal(image_BHW.shape, dtype=np.float32)
    return (np.clip(image_BHW, 0, 1) * 255).round().astype(np.uint8)


def _express(label_B: NDArray[np.int64], strength_B11: Array, rng: np.random.Generator) -> dict[str, Array]:
    """Turn labels into brows, eyes and mouths, each a little off its expression's own."""
    expression = {}
    for name, spread in SPREAD.items():
        change_K = np.array([EXPRESSIONS[label].get(name, 0) for label in FER_CLASSES], np.float32)
        noise_B11 = rng.standard_normal((len(label_B), 1, 1), dtype=np.float32)
        value_B11 = REST.get(name, 0) + strength_B11 * change_K[label_B, None, None] + spread * noise_B11
        expression[name] = np.clip(value_B11, *LIMITS.get(name, (-1.0, 1.0))).astype(np.float32)
    mirrored_B11 = rng.integers(0, 2, (len(label_B), 1, 1)).astype(np.float32) * 2 - 1
    expression["mouth_tilt"] = expression["mouth_tilt"] * mirrored_B11
    return expression
