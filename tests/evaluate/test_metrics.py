"""Numbers about predictions: against hand formulas and torchmetrics."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import mannwhitneyu
from torchmetrics.functional.classification import multiclass_calibration_error

from connectome2net.evaluate.metrics import calibration, classification_metrics


def draw(images: int, classes: int, *, seed: int = 0) -> tuple[torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(seed)
    label_N = torch.randint(classes, (images,), generator=generator)
    scores_NK = torch.randn(images, classes, generator=generator) * 2
    return scores_NK + 1.5 * torch.nn.functional.one_hot(label_N, classes), label_N


def test_roc_auc_is_the_chance_that_a_right_one_scores_higher() -> None:
    logits_NK, label_N = draw(200, 3)
    found = classification_metrics(logits_NK, label_N, ("a", "b", "c"))
    score_NK, label = logits_NK.double().softmax(1).numpy(), label_N.numpy()
    wanted = []
    for k in range(3):
        inside, outside = score_NK[label == k, k], score_NK[label != k, k]
        wanted.append(mannwhitneyu(inside, outside).statistic / (len(inside) * len(outside)))
    assert [found["per_class"][name]["roc_auc"] for name in "abc"] == pytest.approx(wanted)
    assert found["roc_auc"] == pytest.approx(np.mean(wanted))


def test_a_class_that_does_not_occur_has_no_curve_and_no_weight() -> None:
    logits_NK, label_N = draw(60, 3)
    label_N[label_N == 2] = 0
    found = classification_metrics(logits_NK, label_N, ("a", "b", "c"))
    assert found["per_class"]["c"]["roc_auc"] is None
    assert found["roc_auc"] == pytest.approx(np.mean([found["per_class"][name]["roc_auc"] for name in "ab"]))
    assert found["balanced_accuracy"] == pytest.approx(np.mean([found["per_class"][name]["recall"] for name in "ab"]))
    alone = classification_metrics(logits_NK, torch.zeros_like(label_N), ("a", "b", "c"))
    assert alone["roc_auc"] is None


def test_balanced_accuracy_by_hand() -> None:
    logits_NK = torch.nn.functional.one_hot(torch.tensor([0, 0, 0, 1, 1, 0]), 2).double()
    found = classification_metrics(logits_NK, torch.tensor([0, 0, 0, 0, 1, 1]), ("a", "b"))
    assert found["accuracy"] == pytest.approx(4 / 6)
    assert found["balanced_accuracy"] == pytest.approx((3 / 4 + 1 / 2) / 2)


def test_calibration_by_hand() -> None:
    probability = torch.tensor([[0.9, 0.1], [0.9, 0.1], [0.4, 0.6], [0.45, 0.55]], dtype=torch.float64)
    found = calibration(probability.log(), torch.tensor([0, 1, 1, 0]))
    # 0.9: bin 14 (13 / 15 to 14 / 15), one of two right. 0.6: bin 9, right. 0.55: bin 9 too (8 / 15 = 0.533), wrong.
    assert found["ece"] == pytest.approx(2 / 4 * abs(0.9 - 0.5) + 2 / 4 * abs(0.575 - 0.5))
    full = [item for item in found["bins"] if item["images"]]
    assert [(item["images"], item["accuracy"]) for item in full] == [(2, 0.5), (2, 0.5)]
    assert [item["confidence"] for item in full] == pytest.approx([0.575, 0.9])
    assert (full[1]["low"], full[1]["high"]) == (13 / 15, 14 / 15)
    assert all(item["confidence"] is None for item in found["bins"] if not item["images"])


@given(st.integers(0, 10_000), st.integers(1, 300), st.integers(2, 8))
def test_calibration_is_that_of_torchmetrics(seed: int, images: int, classes: int) -> None:
    logits_NK, label_N = draw(images, classes, seed=seed)
    found = calibration(logits_NK, label_N)
    probability_NK = logits_NK.double().softmax(1)
    wanted = multiclass_calibration_error(probability_NK, label_N, num_classes=classes, n_bins=15, norm="l1")
    assert found["ece"] == pytest.approx(float(wanted), abs=1e-6)
    assert sum(item["images"] for item in found["bins"]) == images
