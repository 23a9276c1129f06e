"""Numbers about predictions.

Enters: logits and labels. Leaves: accuracy, macro F1, precision, recall and F1 per class, the confusion matrix.
"""

# Axes: N images, K classes.

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor


def classification_metrics(logits_NK: Tensor, label_N: Tensor, classes: tuple[str, ...]) -> dict[str, Any]:
    """Return the usual metrics of a classification.

    Args:
        logits_NK: scores, one row per image.
        label_N: the right classes.
        classes: their names, K of them.

    Returns:
        ``images``, ``accuracy``, ``macro_f1`` (the plain mean of F1 over classes that occur among labels or
        predictions), ``cross_entropy`` in nats, ``per_class`` and ``confusion`` (rows are the right class).
    """
    from torchmetrics.functional.classification import (
        multiclass_confusion_matrix,
        multiclass_f1_score,
        multiclass_precision,
        multiclass_recall,
    )

    count = len(classes)
    per_class = {
        "precision": multiclass_precision(logits_NK, label_N, num_classes=count, average="none"),
        "recall": multiclass_recall(logits_NK, label_N, num_classes=count, average="none"),
        "f1": multiclass_f1_score(logits_NK, label_N, num_classes=count, average="none"),
    }
    confusion_KK = multiclass_confusion_matrix(logits_NK, label_N, num_classes=count)
    return {
        "images": len(label_N),
        "accuracy": float((logits_NK.argmax(1) == label_N).double().mean()),
        "macro_f1": float(multiclass_f1_score(logits_NK, label_N, num_classes=count, average="macro")),
        "cross_entropy": float(torch.nn.functional.cross_entropy(logits_NK, label_N)),
        "per_class": {
            name: {key: float(value[k]) for key, value in per_class.items()} | {"images": int(confusion_KK[k].sum())}
            for k, name in enumerate(classes)
        },
        "confusion": confusion_KK.tolist(),
    }
