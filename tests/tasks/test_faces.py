import time

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional

from connectome2net.errors import DataError
from connectome2net.tasks import open_dataset
from connectome2net.tasks.dataset import ImageSet
from connectome2net.tasks.faces import faces

TINY = {"train": 140, "validation": 35, "test": 70}


def to_tensors(images: ImageSet) -> tuple[torch.Tensor, torch.Tensor]:
    return torch.from_numpy(images.image_NHW).float()[:, None] / 255, torch.from_numpy(images.label_N)


def fit_linear(train: ImageSet, test: ImageSet, *, decay: float, steps: int) -> float:
    """Fit a multinomial logistic regression on standardised pixels by L-BFGS; give its accuracy on the test."""
    (x, label), (x_test, label_test) = to_tensors(train), to_tensors(test)
    mean, spread = x.mean(0), x.std(0) + 1e-3
    x, x_test = (((v - mean) / spread).flatten(1) for v in (x, x_test))
    layer = nn.Linear(x.shape[1], 7)
    nn.init.zeros_(layer.weight)
    optimiser = torch.optim.LBFGS(layer.parameters(), max_iter=steps, line_search_fn="strong_wolfe")

    def loss() -> torch.Tensor:
        optimiser.zero_grad()
        value = functional.cross_entropy(layer(x), label) + decay * layer.weight.square().sum()
        value.backward()
        return value

    optimiser.step(loss)
    return (layer(x_test).argmax(1) == label_test).float().mean().item()


def test_the_same_seed_draws_the_same_faces():
    one, again, two = faces(**TINY, seed=1), faces(**TINY, seed=1), faces(**TINY, seed=2)
    assert one.digest == again.digest != two.digest
    np.testing.assert_array_equal(one.train.image_NHW, again.train.image_NHW)


def test_test_faces_are_the_same_for_every_seed_and_others_are_not():
    one, two = faces(**TINY, seed=1), faces(**TINY, seed=2)
    np.testing.assert_array_equal(one.test.image_NHW, two.test.image_NHW)
    np.testing.assert_array_equal(one.test.label_N, two.test.label_N)
    drawn = [{image.tobytes() for image in s.image_NHW} for d in (one, two) for s in (d.train, d.validation)]
    assert len(set.union(*drawn, {image.tobytes() for image in one.test.image_NHW})) == 2 * 175 + 70


def test_expressions_come_in_equal_numbers_and_nothing_leaks_or_is_blank():
    data = faces(**TINY)
    assert data.synthetic
    assert data.classes == ("angry", "disgust", "fear", "happy", "sad", "surprise", "neutral")
    for images, each in ((data.train, 20), (data.validation, 5), (data.test, 10)):
        assert np.bincount(images.label_N).tolist() == [each] * 7
        assert not images.leaked_N.any()
        assert not images.blank_N.any()
    assert data.findings == ("The faces are drawn, not photographed; the test faces are the same for every seed.",)


def test_the_expression_is_in_the_mouth_of_the_mean_face():
    data = faces(train=1400, validation=7, test=7)
    mouth = [data.train.image_NHW[data.train.label_N == k][:, 32:42, 20:28].mean() for k in range(7)]
    assert np.argmin(mouth) == data.classes.index("surprise")


def test_an_empty_part_is_an_error():
    with pytest.raises(DataError, match="there are no validation images"):
        faces(train=7, validation=0, test=7)


def test_open_dataset_draws_the_standard_faces_in_any_size():
    data = open_dataset("synthetic", seed=3, validation_fraction=0.25, size=16)
    assert [len(s) for s in (data.train, data.validation, data.test)] == [3600, 1200, 1400]
    assert data.train.image_NHW.shape[1:] == (16, 16)
    assert data.name == "synthetic faces"


@pytest.mark.usefixtures("one_thread")
def test_a_linear_classifier_on_pixels_stays_well_below_sixty_percent():
    data = faces(train=1400, validation=7, test=700)
    accuracy = fit_linear(data.train, data.test, decay=0.03, steps=40)
    assert 0.25 < accuracy < 0.5


@pytest.mark.slow
@pytest.mark.usefixtures("one_thread")
def test_measured_linear_and_convolutional_accuracy():
    data = open_dataset("synthetic")
    linear = {decay: fit_linear(data.train, data.test, decay=decay, steps=150) for decay in (0.003, 0.01, 0.03, 0.1)}
    print("\nlinear", {decay: round(accuracy, 3) for decay, accuracy in linear.items()})
    assert 0.3 < max(linear.values()) < 0.55
    started = time.perf_counter()
    accuracy_E = fit_convolutions(data.train, data.test, epochs=6)
    print("convolutions", [round(a, 3) for a in accuracy_E], f"{time.perf_counter() - started:.0f} s")
    assert accuracy_E[-1] > 0.88


def fit_convolutions(train: ImageSet, test: ImageSet, *, epochs: int) -> list[float]:
    torch.manual_seed(0)
    layers: list[nn.Module] = []
    for before, after in ((1, 16), (16, 32), (32, 64)):
        layers += [nn.Conv2d(before, after, 3, padding=1), nn.BatchNorm2d(after), nn.ReLU(), nn.MaxPool2d(2)]
    model = nn.Sequential(*layers, nn.Flatten(), nn.Linear(64 * 36, 7))
    (x, label), (x_test, label_test) = to_tensors(train), to_tensors(test)
    steps = len(x) // 64
    optimiser = torch.optim.AdamW(model.parameters())
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, 3e-3, total_steps=epochs * steps)
    accuracy_E = []
    for _ in range(epochs):
        model.train()
        for batch in torch.randperm(len(x))[: steps * 64].reshape(steps, 64):
            optimiser.zero_grad()
            functional.cross_entropy(model(x[batch] - 0.5), label[batch]).backward()
            optimiser.step()
            schedule.step()
        model.eval()
        with torch.no_grad():
            accuracy_E.append((model(x_test - 0.5).argmax(1) == label_test).float().mean().item())
    return accuracy_E
