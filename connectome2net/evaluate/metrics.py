"""Numbers about predictions.

Enters: logits and labels. Leaves: accuracy, macro F1, ROC-AUC, calibration, scores per class, the confusion matrix.
"""

# Axes: N images, K classes.

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

BINS = 15
"""Of the calibration error, as in Guo et al., arXiv 1706.04599."""


def classification_metrics(logits_NK: Tensor, label_N: Tensor, classes: tuple[str, ...]) -> dict[str, Any]:
    """Return the usual metrics of a classification.

    Args:
        logits_NK: scores, one row per image.
        label_N: the right classes.
        classes: their names, K of them.

    Returns:
        ``images``, ``accuracy``, ``balanced_accuracy`` (the plain mean of recall over classes that occur among labels;
        Brodersen et al. 2010, doi 10.1109/ICPR.2010.764), ``macro_f1`` (the plain mean of F1 over classes that occur
        among labels or predictions), ``roc_auc`` (the plain mean over classes of the area under the curve of one class
        against the rest; Fawcett 2006, doi 10.1016/j.patrec.2005.10.010; None where there is one class only),
        ``cross_entropy`` in nats, ``calibration``, ``per_class`` and ``confusion`` (rows are the right class). Of no
        image, every number is None.
    """
    if not len(label_N):
        return _of_no_image(classes)
    from torchmetrics.functional.classification import (
        multiclass_confusion_matrix,
        multiclass_f1_score,
        multiclass_precision,
        multiclass_recall,
    )

    count = len(classes)
    auc = _areas(logits_NK, label_N)
    known = [area for area in auc if area is not None]
    per_class: dict[str, list[Any]] = {
        "precision": multiclass_precision(logits_NK, label_N, num_classes=count, average="none").tolist(),
        "recall": multiclass_recall(logits_NK, label_N, num_classes=count, average="none").tolist(),
        "f1": multiclass_f1_score(logits_NK, label_N, num_classes=count, average="none").tolist(),
        "roc_auc": auc,
        "images": torch.bincount(label_N, minlength=count).tolist(),
    }
    present = [k for k in range(count) if per_class["images"][k]]
    return {
        "images": len(label_N),
        "accuracy": float((logits_NK.argmax(1) == label_N).double().mean()),
        "balanced_accuracy": sum(per_class["recall"][k] for k in present) / max(1, len(present)),
        "macro_f1": float(multiclass_f1_score(logits_NK, label_N, num_classes=count, average="macro")),
        "roc_auc": sum(known) / len(known) if known else None,
        "cross_entropy": float(torch.nn.functional.cross_entropy(logits_NK, label_N)),
        "calibration": calibration(logits_NK, label_N),
        "per_class": {name: {key: scores[k] for key, scores in per_class.items()} for k, name in enumerate(classes)},
        "confusion": multiclass_confusion_matrix(logits_NK, label_N, num_classes=count).tolist(),
    }


def _of_no_image(classes: tuple[str, ...]) -> dict[str, Any]:
    return {
        "images": 0,
        **dict.fromkeys(("accuracy", "balanced_accuracy", "macro_f1", "roc_auc", "cross_entropy")),
        "calibration": {"ece": None, "bins": []},
        "per_class": {
            name: dict.fromkeys(("precision", "recall", "f1", "roc_auc")) | {"images": 0} for name in classes
        },
        "confusion": [[0] * len(classes) for _ in classes],
    }


def calibration(logits_NK: Tensor, label_N: Tensor) -> dict[str, Any]:
    """Return whether the probability that a network gives to its answer is that of being right.

    Args:
        logits_NK: scores; their softmax is taken as probabilities.
        label_N: the right classes.

    Returns:
        ``ece``, the expected calibration error: the mean over images of the gap between confidence and accuracy in
        their bin (Guo et al., arXiv 1706.04599, equation 3); ``bins``, 15 of equal width with ``low`` (excluded),
        ``high``, ``images``, mean ``confidence`` and ``accuracy``, None where there is no image.
    """
    confidence_N, answer_N = logits_NK.double().softmax(1).max(1)
    right_N = (answer_N == label_N).double()
    bin_N = (confidence_N * BINS).ceil().long().clamp(1, BINS) - 1
    images = torch.bincount(bin_N, minlength=BINS)
    of_bin = {
        name: torch.bincount(bin_N, value_N, minlength=BINS) / images
        for name, value_N in (("confidence", confidence_N), ("accuracy", right_N))
    }
    gap = (of_bin["confidence"] - of_bin["accuracy"]).abs().nan_to_num() * images
    means: list[dict[str, Any]] = [
        {name: float(value[at]) if images[at] else None for name, value in of_bin.items()} for at in range(BINS)
    ]
    bins = [{"low": at / BINS, "high": (at + 1) / BINS, "images": int(images[at])} | means[at] for at in range(BINS)]
    return {"ece": float(gap.sum() / max(1, len(label_N))), "bins": bins}


def _areas(logits_NK: Tensor, label_N: Tensor) -> list[float | None]:
    """Return the area under the ROC curve of each class against the rest; None where one of the two is absent."""
    from torchmetrics.functional.classification import binary_auroc

    score_NK = logits_NK.double().softmax(1)
    areas: list[float | None] = []
    for k in range(score_NK.shape[1]):
        is_class_N = label_N == k
        both = bool(is_class_N.any()) and not bool(is_class_N.all())
        areas.append(float(binary_auroc(score_NK[:, k], is_class_N.long())) if both else None)
    return areas
