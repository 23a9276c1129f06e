"""Spoilt images and lost cells: what is done to them, and that it is the same for every run."""

import numpy as np
import pytest
import torch
from columns import twelve_cells
from scipy.ndimage import gaussian_filter

from connectome2net.compile.package import compile_spec
from connectome2net.evaluate.predict import predict
from connectome2net.evaluate.robustness import LEVELS, add_noise, blur, lost_cells, occlude, robustness
from connectome2net.inside import lesion
from connectome2net.load import load
from connectome2net.tasks import Dataset
from connectome2net.tasks.faces import faces


@pytest.fixture(scope="module")
def data() -> Dataset:
    return faces(train=56, validation=14, test=35, size=12)


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> torch.nn.Module:
    spec = twelve_cells("column", front_end={"height": 12, "width": 12, "blocks": [{"channels": 4, "pool": 2}]})
    return load(compile_spec(spec, out=tmp_path_factory.mktemp("net") / "compiled")).eval()


def image(batch: int = 3, size: int = 16) -> torch.Tensor:
    return torch.rand(batch, 1, size, size, generator=torch.Generator().manual_seed(1))


def test_noise_has_the_standard_deviation_that_is_asked_for() -> None:
    grey = torch.full((64, 1, 32, 32), 0.5)
    noise = add_noise(0.1)(grey) - grey
    assert float(noise.std()) == pytest.approx(0.1, rel=0.02)
    assert abs(float(noise.mean())) < 0.002
    bright = add_noise(0.3)(torch.ones(2, 1, 8, 8))
    assert float(bright.max()) == 1.0


def test_blur_is_that_of_scipy() -> None:
    found = blur(1.0)(image())[:, 0]
    wanted = [gaussian_filter(one.double().numpy(), 1.0, mode="mirror", radius=3) for one in image()[:, 0]]
    np.testing.assert_allclose(found.numpy(), wanted, atol=1e-6)


def test_a_square_of_the_right_size_is_hidden_whole() -> None:
    white = torch.ones(200, 1, 16, 16)
    hidden = occlude(0.25)(white)[:, 0] == 0.5
    assert (hidden.sum((1, 2)) == 16).all()
    assert (hidden.any(2).sum(1) == 4).all()
    assert set(hidden.any(2).int().argmax(1).tolist()) == set(range(13))  # from edge to edge


@pytest.mark.parametrize("kind", [add_noise, occlude])
def test_every_run_sees_the_same(kind) -> None:
    first, again = kind(0.25), kind(0.25)
    batches = [first(image()), first(image())]
    assert torch.equal(batches[0], again(image()))
    assert not torch.equal(batches[0], batches[1])  # images of one run do not share their noise


def test_lost_cells_are_nested_and_do_not_depend_on_the_order_of_units(model: torch.nn.Module) -> None:
    some, more = lost_cells(model, 0.25), lost_cells(model, 0.5)
    assert set(some) < set(more) <= set(model.cell_index)
    assert len(some) == round(0.25 * len(model.cell_index))
    model.cell_index, before = model.cell_index[::-1].copy(), model.cell_index
    assert lost_cells(model, 0.25).tolist() == some.tolist()
    model.cell_index = before


def test_levels_are_measured_as_they_are_documented(model: torch.nn.Module, data: Dataset) -> None:
    label_N = torch.from_numpy(data.test.label_N)
    found = robustness(model, data.test)
    assert {kind: [item["level"] for item in items] for kind, items in found.items()} == {
        kind: list(levels) for kind, levels in LEVELS.items()
    }
    image_BCHW = torch.from_numpy(data.test.image_NHW)[:, None].float() / 255
    with torch.no_grad():
        answers = {"noise": model(add_noise(0.2)(image_BCHW)), "blur": model(blur(1.5)(image_BCHW))}
        with lesion(model, lost_cells(model, 0.5)):
            answers["lesion"] = model(image_BCHW)
        plain = float((model(image_BCHW).argmax(1) == label_N).double().mean())
    for kind, logits_NK in answers.items():
        accuracy = float((logits_NK.argmax(1) == label_N).double().mean())
        level = {"noise": 0.2, "blur": 1.5, "lesion": 0.5}[kind]
        assert [item["accuracy"] for item in found[kind] if item["level"] == level] == [accuracy]
        assert found[kind][0] == {"level": 0.0, "accuracy": plain}
    assert torch.equal(predict(model, data.test).argmax(1), model(image_BCHW).argmax(1))  # the cells are back


def test_a_network_without_cells_has_no_lesions(data: Dataset) -> None:
    linear = torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(144, 7))
    linear.cell_index = np.zeros(0, np.int32)
    found = robustness(linear, data.test)
    assert found["lesion"] == []
    assert len(found["occlusion"]) == 5
