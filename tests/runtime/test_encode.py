"""From the image to the driven cells: each layer against its formula, written out."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn
from torch.nn import functional as F

from connectome2net.runtime.encode import (
    Adaptation,
    Attention,
    Convolution,
    DenseInput,
    RetinotopicInput,
    check_images,
    lateral_inhibition,
    set_precision,
)


def feature_map(*shape: int) -> torch.Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(0), dtype=torch.float64)


def test_adaptation_gives_each_image_mean_0_and_deviation_1() -> None:
    image = feature_map(3, 1, 6, 7) * torch.tensor([1.0, 20.0, 0.1]).view(3, 1, 1, 1) + 5
    adapted = Adaptation()(image)
    torch.testing.assert_close(adapted.mean((1, 2, 3)), torch.zeros(3).double(), rtol=0, atol=1e-12)
    torch.testing.assert_close(adapted.std((1, 2, 3), correction=0), torch.ones(3).double(), rtol=0, atol=1e-3)
    torch.testing.assert_close(adapted[:1], Adaptation()(image[:1]), rtol=0, atol=0)


def test_a_blank_image_stays_blank_and_has_a_gradient() -> None:
    """The derivative of a deviation at 0 was once 0 / 0."""
    image = torch.full((2, 1, 4, 4), 0.7, requires_grad=True)
    adapted = Adaptation()(image)
    adapted[0, 0, 0, 0].backward()
    assert adapted.abs().max() < 1e-3
    assert torch.isfinite(image.grad).all()


@pytest.mark.parametrize(("height", "width", "surround"), [(5, 6, 3), (4, 4, 5), (1, 1, 3), (2, 3, 7), (3, 3, 1)])
def test_lateral_inhibition_by_a_loop(height: int, width: int, surround: int) -> None:
    image, reach = feature_map(2, 3, height, width), surround // 2
    expected = image.clone()
    for row in range(height):
        for column in range(width):
            rows = slice(max(0, row - reach), row + reach + 1)
            columns = slice(max(0, column - reach), column + reach + 1)
            expected[:, :, row, column] -= 0.7 * image[:, :, rows, columns].mean((2, 3))
    torch.testing.assert_close(lateral_inhibition(image, surround=surround, strength=0.7), expected)


def test_lateral_inhibition_of_a_flat_map_is_flat_up_to_the_border() -> None:
    flat = torch.full((1, 2, 5, 5), 3.0)
    torch.testing.assert_close(lateral_inhibition(flat, surround=5, strength=1.0), torch.zeros_like(flat))


@pytest.mark.parametrize("norm", ["none", "group"])
@pytest.mark.parametrize("surround", [0, 3])
def test_convolution_in_the_order_of_its_words(norm: str, surround: int) -> None:
    """Convolution, norm, ReLU, lateral inhibition, ReLU, pooling; the code pools first where that is the same."""
    torch.manual_seed(0)
    arguments: dict[str, Any] = {"norm": norm, "surround": surround, "inhibition": 0.8}
    layer = Convolution(in_channels=2, out_channels=16, kernel=3, pool=2, **arguments).double()
    image = feature_map(3, 2, 7, 8)
    x = F.conv2d(image, layer.convolution.weight, layer.convolution.bias, padding=1)
    if norm == "group":
        x = F.group_norm(x, 2, layer.norm.weight, layer.norm.bias)
    x = torch.relu(x)
    if surround:
        x = torch.relu(lateral_inhibition(x, surround=3, strength=0.8))
    torch.testing.assert_close(layer(image), F.max_pool2d(x, 2), rtol=1e-12, atol=1e-12)
    assert layer(image).shape == (3, 16, 3, 4)


@pytest.mark.parametrize(("channels", "groups"), [(1, 1), (7, 1), (8, 1), (16, 2), (28, 2), (32, 4), (13, 1), (60, 6)])
def test_group_norm_for_any_number_of_channels(channels: int, groups: int) -> None:
    layer = Convolution(in_channels=1, out_channels=channels, kernel=3, pool=1, norm="group")
    assert layer.norm.num_groups == groups
    assert torch.isfinite(layer(torch.rand(2, 1, 5, 5))).all()


def test_memory_order_of_filters_does_not_change_numbers() -> None:
    torch.manual_seed(0)
    layer = Convolution(in_channels=3, out_channels=5, kernel=3, pool=1)
    image = feature_map(2, 3, 6, 6).float()
    expected = F.conv2d(image, layer.convolution.weight.contiguous(), layer.convolution.bias, padding=1).relu()
    torch.testing.assert_close(layer(image), expected)


def test_half_precision_rounds_what_is_multiplied_and_nothing_else() -> None:
    """Against the filter in float64, of numbers that were rounded to 8 bits: the sum itself is rounded once more."""
    torch.manual_seed(0)
    layer = Convolution(in_channels=2, out_channels=8, kernel=3, pool=1)
    set_precision(nn.Sequential(layer), "bf16")
    image, weight = feature_map(3, 2, 7, 8).float(), layer.convolution.weight
    weight.data += 1e-4  # no number of 8 bits
    rounded = [x.detach().bfloat16().double() for x in (image, weight, layer.convolution.bias)]
    expected = F.conv2d(*rounded, padding=1).relu()
    got = layer(image)
    assert got.dtype == weight.dtype == torch.float32
    torch.testing.assert_close(got.double(), expected, rtol=2**-8, atol=2**-8)
    assert not torch.allclose(got.double(), expected, rtol=2**-12, atol=0), "then nothing was rounded"
    got.sum().backward()
    on = expected.gt(0).double()
    for row, column in [(0, 0), (1, 2)]:
        around = F.pad(rounded[0], (1, 1, 1, 1))[:, :, row : row + 7, column : column + 8]
        slope = torch.einsum("bohw,bihw->oi", on, around)
        torch.testing.assert_close(weight.grad[:, :, row, column].double(), slope, rtol=0.02, atol=0.3)
    exact = F.conv2d(image, weight, layer.convolution.bias, padding=1).relu()
    torch.testing.assert_close(layer.eval()(image), exact)


def test_attention_is_the_formula_of_cbam() -> None:
    """Woo et al. 2018: F' = F sigma(MLP(avg) + MLP(max)); F'' = F' sigma(conv([avg; max] over channels))."""
    torch.manual_seed(0)
    layer = Attention(channels=6, reduction=4, kernel=3).double()
    image = feature_map(2, 6, 4, 5)
    first, second = layer.channel[0], layer.channel[2]
    assert first.weight.shape == (1, 6)
    expected = torch.empty_like(image)
    for at in range(2):
        pooled = [image[at].flatten(1).mean(1), image[at].flatten(1).max(1).values]
        squeezed = [second.weight @ (first.weight @ x + first.bias).clamp_min(0) + second.bias for x in pooled]
        weighted = image[at] * (1 / (1 + torch.exp(-(squeezed[0] + squeezed[1]))))[:, None, None]
        summary = torch.stack([weighted.mean(0), weighted.max(0).values])
        padded = F.pad(summary, (1, 1, 1, 1))
        for row in range(4):
            for column in range(5):
                seen = (padded[:, row : row + 3, column : column + 3] * layer.spatial.weight[0]).sum()
                expected[at, :, row, column] = weighted[:, row, column] * torch.sigmoid(seen + layer.spatial.bias)
    torch.testing.assert_close(layer(image), expected)


def retinotopic(place: list[int], **changes: int) -> RetinotopicInput:
    torch.manual_seed(0)
    arguments = {"channels": 3, "neighbourhood": 3, "cells": len(place), "rows_before": 0, "rows_after": 0} | changes
    return RetinotopicInput({"input.place": torch.tensor(place, dtype=torch.int32)}, **arguments).double()


@settings(max_examples=40, deadline=None)
@given(
    places=st.lists(st.integers(0, 19), min_size=1, max_size=12),
    neighbourhood=st.sampled_from([1, 3, 5, 9]),
    before=st.integers(0, 2),
    after=st.integers(0, 2),
)
def test_retinotopic_input_equals_unfold(places: list[int], neighbourhood: int, before: int, after: int) -> None:
    """A map of 4 x 5 places, its borders and corners included; cells that share a place, and one place alone."""
    layer = retinotopic(places, neighbourhood=neighbourhood, rows_before=before, rows_after=after)
    image = feature_map(2, 3, 4, 5)
    around = F.unfold(image, neighbourhood, padding=neighbourhood // 2)
    expected = torch.einsum("bfn,nf->nb", around[:, :, places], layer.weight_NF)
    expected = torch.cat([torch.zeros(before, 2), expected, torch.zeros(after, 2)])
    torch.testing.assert_close(layer(image), expected, rtol=1e-12, atol=1e-12)


def test_retinotopic_input_at_a_corner_by_hand() -> None:
    layer = retinotopic([0], channels=1)
    image = feature_map(1, 1, 4, 5)
    filters = layer.weight_NF.detach().view(3, 3)
    expected = (filters[1:, 1:] * image[0, 0, :2, :2]).sum()
    assert float(layer(image).detach()) == pytest.approx(float(expected))


def test_a_cell_sees_its_neighbourhood_and_nothing_else() -> None:
    layer = retinotopic([7, 12, 7])  # row 1 column 2, row 2 column 2, and the first again
    image = feature_map(1, 3, 4, 5).requires_grad_()
    for cell, (row, column) in enumerate([(1, 2), (2, 2), (1, 2)]):
        (gradient,) = torch.autograd.grad(layer(image)[cell].sum(), image)
        seen = np.zeros((4, 5), dtype=bool)
        seen[row - 1 : row + 2, column - 1 : column + 2] = True
        assert ((gradient[0].abs().sum(0) > 0).numpy() == seen).all()


def test_retinotopic_gradient_equals_unfold() -> None:
    places = [3, 3, 19, 0, 7, 3]
    layer, image = retinotopic(places), feature_map(2, 3, 4, 5).requires_grad_()
    around = F.unfold(image, 3, padding=1)
    expected = torch.einsum("bfn,nf->nb", around[:, :, places], layer.weight_NF)
    towards = feature_map(*expected.shape)
    found = torch.autograd.grad((layer(image) * towards).sum(), [image, layer.weight_NF])
    for at, wanted in zip(
        found, torch.autograd.grad((expected * towards).sum(), [image, layer.weight_NF]), strict=True
    ):
        torch.testing.assert_close(at, wanted)


def test_dense_input_sees_everything_and_drives_its_own_rows() -> None:
    torch.manual_seed(0)
    layer = DenseInput({}, features=24, cells=2, rows_before=1, rows_after=3).double()
    image = feature_map(5, 2, 3, 4)
    drive = layer(image)
    assert drive.shape == (6, 5)
    assert drive[[0, 3, 4, 5]].abs().sum() == 0
    torch.testing.assert_close(drive[1:3], torch.einsum("nf,bf->nb", layer.weight_NF, image.reshape(5, 24)))


@pytest.mark.parametrize("features", [16, 900])
def test_inputs_start_with_drives_of_deviation_one(features: int) -> None:
    torch.manual_seed(0)
    layer = DenseInput({}, features=features, cells=200, rows_before=0, rows_after=0)
    drive = layer(torch.randn(100, features, 1, 1)).detach()
    assert float(drive.std()) == pytest.approx(1, abs=0.05)


@pytest.mark.parametrize(
    ("image", "found"),
    [
        (torch.rand(2, 1, 12, 16), r"float32 \(2, 1, 12, 16\)"),
        (torch.rand(2, 3, 12, 12), r"float32 \(2, 3, 12, 12\)"),
        (torch.zeros(2, 1, 12, 12, dtype=torch.uint8), r"uint8 \(2, 1, 12, 12\)"),
    ],
)
def test_other_images_are_refused(image: torch.Tensor, found: str) -> None:
    with pytest.raises(ValueError, match=rf"found {found}, wanted float \(B, 1, 12, 12\)"):
        check_images(image, height=12, width=12)
    check_images(torch.rand(2, 1, 12, 12), height=12, width=12)
