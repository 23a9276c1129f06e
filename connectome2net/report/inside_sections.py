"""The sections about what the networks answer, and what learning did inside them.

Enters: a study, drawn faces. Leaves: sections of the page.
"""

from __future__ import annotations

import base64
from collections.abc import Mapping
from io import BytesIO
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from connectome2net.report import answers, insides
from connectome2net.report.composing import Composition
from connectome2net.report.drawing import chart_style
from connectome2net.report.numbers import percent
from connectome2net.report.study import Study

Faces = Mapping[str, npt.NDArray[np.uint8]]
"""Class -> drawn faces (n, rows, columns)."""

MOST_CURVES: Final = 4
FACES_NOTE: Final = "Real faces are never shown: not here, and not in any other figure."


def compose_answers(page: Composition, study: Study, faces: Faces | None) -> None:
    """Add confusion, scores per class, calibration, robustness, and samples of drawn faces."""
    page.open_section("answers", "What they answer")
    name = study.experiment.reference
    tests = [evaluation.test for evaluation in answers.evaluations_of(study, name)]
    if not tests:
        page.leave_out(f"No run of {name} has been evaluated; c2n evaluate writes what this section shows.")
    with chart_style():
        _add_confusion(page, study, name)
        _add_calibration(page, name, tests)
        _add_robustness(page, study)
    classes = {label for run in study.runs if run.record is not None for label in run.record.classes}
    if faces and set(faces) <= classes:
        shown = [{"name": label, "images": [to_png(image) for image in images]} for label, images in faces.items()]
        page.add_drawn(
            "faces",
            "faces",
            shown,
            title="Drawn faces of each class",
            caption=f"These are synthetic, drawn by connectome2net, and show what the classes mean. {FACES_NOTE}",
        )


def _add_confusion(page: Composition, study: Study, name: str) -> None:
    tests = [evaluation.test for evaluation in answers.evaluations_of(study, name)]
    share_KK = answers.confusion_of(tests)
    if share_KK is None:
        return
    classes = [*tests[0].per_class] or [str(at) for at in range(len(share_KK))]
    right, wrong, often = answers.worst_confusion(share_KK, classes)
    page.add_chart(
        "confusion",
        answers.draw_confusion(share_KK, classes),
        title=f"What {name} takes for what",
        caption=(
            f"Percent of the {study.experiment.part} images of each class (row) that got each answer (column), "
            f"{'of 1 seed' if len(tests) == 1 else f'mean over {len(tests)} seeds'}. "
            f"The commonest mistake: {percent(often, 0)} of {right} are taken for {wrong}."
        ),
        alt=f"Confusion matrix of {len(classes)} classes",
        rows=[
            {"right": classes[row], "answer": classes[column], "share": float(share_KK[row, column])}
            for row, column in np.ndindex(share_KK.shape)
        ],
    )
    if scores := answers.class_scores(tests):
        known = [row for row in scores if row["f1"] is not None]
        best, worst = (choose(known, key=lambda row: row["f1"]) for choose in (max, min))
        page.add_chart(
            "classes",
            answers.draw_class_scores(scores),
            title="Precision and recall of each class",
            caption=(
                "Recall is the share of a class that is found, precision the share of an answer that is right; means "
                f"over seeds. By F1 the easiest is {best['class']} ({best['f1']:.2f}), the hardest {worst['class']} "
                f"({worst['f1']:.2f})."
            ),
            alt=f"Precision, recall and F1 of {len(scores)} classes",
            rows=scores,
        )


def _add_calibration(page: Composition, name: str, tests: list[Any]) -> None:
    known = [test.calibration.ece for test in tests if test.calibration and test.calibration.ece is not None]
    rows = answers.calibration_rows(tests)
    if not known or not any(row["images"] for row in rows):
        if tests:
            page.leave_out("Calibration was not measured by the release that evaluated these runs.")
        return
    images = sum(row["images"] for row in rows)
    sure = sum(row["images"] * row["confidence"] for row in rows if row["images"]) / images
    right = sum(row["images"] * row["accuracy"] for row in rows if row["images"]) / images
    too = "too sure" if sure > right else "too unsure"
    page.add_chart(
        "calibration",
        answers.draw_calibration(rows),
        title=f"Whether {name} is as sure as it is right",
        caption=(
            "Below the dashed line answers are less often right than the network is confident. The mean confidence is "
            f"{percent(sure)}, the accuracy {percent(right)}: on the whole {too}. Expected calibration error "
            f"{float(np.mean(known)):.3f}, mean over seeds."
        ),
        alt="Accuracy against confidence, and the distribution of confidence",
        rows=rows,
    )


def _add_robustness(page: Composition, study: Study) -> None:
    variants = [study.experiment.reference, *study.alone]
    measured = [name for name in dict.fromkeys(variants) if answers.robustness_of(study, name)]
    if not measured:
        page.leave_out("Robustness was not measured; c2n evaluate --robustness does it.")
        return
    shown = measured[:MOST_CURVES]
    rest = f" {len(measured) - len(shown)} more variants are in the table file." if len(shown) < len(measured) else ""
    page.add_chart(
        "robustness",
        answers.draw_robustness(study, shown),
        title="How accuracy falls when images or cells are disturbed",
        caption=(
            f"A line is the mean over seeds, its band reaches from the lowest to the highest; 0 is undisturbed.{rest}"
        ),
        alt=f"Accuracy against strength of disturbance for {', '.join(shown)}",
        rows=[
            {"variant": name, "disturbance": kind, "level": float(at), "mean": float(a.mean()), "runs": len(a)}
            for name in measured
            for kind, (level, accuracy) in answers.robustness_of(study, name).items()
            for at, a in zip(level, accuracy.T, strict=True)
        ],
    )


def to_png(image_HW: npt.NDArray[np.uint8]) -> str:
    """Return a grey image as a data address."""
    from PIL import Image

    sink = BytesIO()
    Image.fromarray(image_HW).save(sink, format="png")
    return "data:image/png;base64," + base64.b64encode(sink.getvalue()).decode()


def compose_insides(page: Composition, study: Study) -> None:
    """Add weights before and after training, and the activity of cells."""
    page.open_section("inside", "What learning did inside")
    name = study.experiment.reference
    runs = study.runs_of(name)
    weights = next((table for run in runs if (table := run.table("weights")) is not None), None)
    activity = [table for run in runs if (table := run.table("activity")) is not None]
    with chart_style():
        if weights is not None and weights.num_rows:
            _add_weights(page, study, weights)
        else:
            page.leave_out(
                f"Weights before and after training are not shown, because no run of {name} has weights.parquet."
            )
        if activity:
            _add_activity(page, study, activity)
        else:
            page.leave_out(f"The activity of cells is not shown, because no run of {name} has activity.parquet.")


def _add_weights(page: Composition, study: Study, weights: Any) -> None:
    rows = insides.measure_weights(weights, study.spec)
    ranks = [
        f"{row['rank_correlation']:.2f} ({row['ei_class']})" for row in rows if row["rank_correlation"] is not None
    ]
    kept = f" Rank correlation of before and after: {', '.join(ranks)}." if ranks else ""
    turned = max(row["sign_changed"] for row in rows)
    signs = f" Up to {percent(turned)} of a class's edges changed sign." if turned else " No edge changed its sign."
    page.add_chart(
        "weights",
        insides.draw_weights(weights, study.spec),
        title="Learned weights against those that anatomy gave",
        caption=(
            "Shades count edges (logarithmic), of one seed; on the dashed line training changed nothing, above it "
            f"edges became stronger.{kept}{signs}"
        ),
        alt="Density of edges by magnitude of weight before and after training",
        rows=rows,
    )


def _add_activity(page: Composition, study: Study, tables: list[Any]) -> None:
    rows = insides.measure_activity(tables, study.spec)
    populations = [row for row in rows if row["group"] == "population"]
    most, least = (choose(populations, key=lambda row: row["mean"]) for choose in (max, min))
    page.add_chart(
        "activity",
        insides.draw_activity(rows),
        title="How active cells are at the end",
        caption=(
            "A dot is the median unit, the thick line holds the middle half of units, the thin line 90 %. On the right "
            "the share of images on which a unit is active at all. Above by population, below by lamina and class. The "
            f"most active population is {most['name']}, the least {least['name']}."
        ),
        alt=f"Quantiles of mean rates of {len(rows)} groups of cells",
        rows=rows,
    )
