"""What a page says about controls, factorial designs, drawn faces, and numbers that cannot be had."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from connectome2net.errors import ReportError
from connectome2net.report import write_report
from connectome2net.report.composing import Composition, Item
from connectome2net.report.drawing import chart_style
from connectome2net.report.formats import Epoch, Images
from connectome2net.report.learning import draw_curves
from connectome2net.report.provenance import citations_of, facts_of, settings_of
from connectome2net.report.reading import read_study
from connectome2net.report.study import Study
from connectome2net.report.writing import compose
from connectome2net.spec import Spec
from tests.report.experiments import HOSTILE, write
from tests.report.pages import copy_of, rows_of

DASH = "\N{EN DASH}"


def item_of(page: Composition, name: str) -> Item | None:
    return next((item for part in page.sections for item in part.items if item.name == name), None)


def change(path: Path, **parts: Any) -> dict[str, Any]:
    """Write other parts into a JSON file, and return what was there."""
    content = json.loads(path.read_text())
    write(path, content | parts)
    return content


def test_each_control_has_a_row_of_what_it_keeps_destroys_and_changed(experiment: Path, page: Path) -> None:
    table = item_of(compose(read_study([experiment])), "rewired")
    assert table is not None
    assert dict(zip(table.head, *table.rows, strict=True)) == {
        "control": HOSTILE,
        "keeps": "in- and out-degree of every cell; number of edges",
        "destroys": "which cell is connected to which; reciprocal pairs",
        "edges changed": "7,654 (88\N{NO-BREAK SPACE}%)",
        "radius before": "0.900",
        "radius rewired": "0.750",
        "factor": "1.200",
        "radius matched": "0.900",
    }
    assert table.caption.endswith(f" Rewiring moved the radius most in {HOSTILE}: 0.900 to 0.750.")
    (row,) = rows_of(page.parent / "report" / "rewired.csv")
    assert (row["variant"], float(row["edges_changed"]), float(row["scale"])) == (HOSTILE, 7654.25, 1.2)


def test_weights_that_were_not_matched_are_told(experiment: Path, tmp_path: Path) -> None:
    folder = copy_of(experiment, tmp_path)
    results = json.loads((folder / "results.json").read_text())
    results["variants"][1]["control"] |= {"scale": 1.0, "spectral_radius_matched": 0.75}
    write(folder / "results.json", results)
    table = item_of(compose(read_study([folder])), "rewired")
    assert table is not None
    assert table.caption.endswith("weights were normalised anew and not matched.")


def test_a_control_that_was_not_drawn_yet_has_words_and_no_numbers(experiment: Path, tmp_path: Path) -> None:
    folder = copy_of(experiment, tmp_path)
    (folder / "results.json").unlink()
    table = item_of(compose(read_study([folder])), "rewired")
    assert table is not None
    assert [row[3:] for row in table.rows] == [(DASH,) * 5]


@pytest.fixture
def factorial(experiment: Path, tmp_path: Path) -> Path:
    """The same runs, as a design: HOSTILE rewires, and a fourth variant does so too."""
    folder = copy_of(experiment, tmp_path)
    real, rewired, other = json.loads((folder / "experiment.json").read_text())["variants"]
    design = [real | {"factors": {"mask": True}}, rewired | {"factors": {"mask": False}}]
    again = rewired | {"name": "design 3", "factors": {"mask": False}}
    content = change(folder / "experiment.json", variants=[*design, again, other])
    runs = [run | {"variant": "design 3"} for run in content["runs"] if run["variant"] == HOSTILE]
    change(folder / "experiment.json", runs=content["runs"] + runs)
    results = json.loads((folder / "results.json").read_text())
    third = results["variants"][1] | {"name": "design 3"}
    change(folder / "results.json", variants=[*results["variants"], third], comparisons=results["comparisons"][1:])
    return folder


def test_a_design_is_shown_by_its_effects_and_not_by_rungs(factorial: Path) -> None:
    page = compose(read_study([factorial]))
    names = [item.name for item in page.sections[3].items]
    assert names == ["effects", "ladder", "comparisons", "rewired", "failed"]
    ladder, effects, rewired = (item_of(page, name) for name in ("ladder", "effects", "rewired"))
    assert ladder is not None
    assert [row["name"] for row in ladder.content["rows"]] == ["no augmentation"]
    assert effects is not None
    assert "after the correction for 2 effects, 1 has a p below 0.05" in effects.caption
    assert rewired is not None
    assert [row[0] for row in rewired.rows] == ["degree"]  # two variants, one null model
    assert "moved the radius most in degree: " in rewired.caption


def test_without_comparisons_effects_stand_alone(factorial: Path) -> None:
    change(factorial / "results.json", comparisons=[])
    write_report([factorial], out=factorial / "page.html")
    text = (factorial / "page.html").read_text()
    assert "not compared" not in text
    assert "No variant was compared" not in text
    assert not (factorial / "page" / "ladder.csv").exists()


def test_variants_of_a_design_are_in_files_and_not_drawn_one_by_one(factorial: Path) -> None:
    page = compose(read_study([factorial]))
    table, curves = item_of(page, "variants"), item_of(page, "validation-accuracy")
    assert table is not None
    assert [row[0] for row in table.rows] == ["real", "no augmentation"]
    assert curves is not None
    assert "design 3" not in curves.body
    assert "design 3" in page.files["validation-accuracy.csv"]
    assert "edges rewired: degree" in page.files["variants.csv"]
    assert any(text.startswith("2 variants of the factorial design") for text in page.sections[4].absent)


def test_where_and_how_a_run_was_watched_makes_no_other_variant(experiment: Path, tmp_path: Path) -> None:
    folder = copy_of(experiment, tmp_path) / "runs"
    for at, (name, value) in enumerate([("devices", 2), ("nodes", 2), ("tensorboard", True)]):
        path = folder / f"{at:016x}" / "run.json"
        change(path, config=json.loads(path.read_text())["config"] | {name: value})
    runs = [folder / f"{at:016x}" for at in range(3)]
    assert [item.name for item in read_study(runs).experiment.variants] == ["column"]
    path = folder / f"{2:016x}" / "run.json"
    change(path, config=json.loads(path.read_text())["config"] | {"batch": 7})
    assert len(read_study(runs).experiment.variants) == 2


def on_real_data(study: Study, images: str) -> Study:
    """The same study, of a column that was measured, on images of a data set."""
    dataset = Images(name=images, digest="0", synthetic=False)
    runs = tuple(
        replace(run, record=run.record and run.record.model_copy(update={"dataset": dataset})) for run in study.runs
    )
    assert study.spec is not None
    document = study.spec.document
    anatomy = document.anatomy.model_copy(update={"synthetic": False})
    spec = Spec(document.model_copy(update={"anatomy": anatomy}), study.spec.cells, study.spec.edges)
    return replace(study, runs=runs, spec=spec)


def test_only_what_was_measured_is_cited(experiment: Path) -> None:
    study = read_study([experiment])
    (software,) = citations_of(study)
    assert software.startswith("connectome2net")
    assert "labels" not in dict(settings_of(study))
    real = on_real_data(study, "fer2013")
    column = study.spec.document.provenance.citation if study.spec else ()
    assert column
    assert citations_of(real) == [*column, *(text for text in citations_of(real) if "1307.0414" in text), software]
    assert len(citations_of(real)) == len(column) + 2
    assert dict(settings_of(real))["labels"] == "fer2013"
    assert any("1608.01041" in text for text in citations_of(on_real_data(study, "fer+")))


def test_runs_on_a_drawn_column_cite_no_data(experiment: Path) -> None:
    (software,) = citations_of(read_study([experiment / "runs" / f"{0:016x}"]))
    assert software.startswith("connectome2net")


def test_notes_are_sentences_and_splits_are_told_once(experiment: Path, tmp_path: Path) -> None:
    folder = copy_of(experiment, tmp_path)
    for seed, run in enumerate(json.loads((folder / "experiment.json").read_text())["runs"][:3]):
        path = folder / run["folder"] / "run.json"
        dataset = json.loads(path.read_text())["dataset"]
        findings = [f"A tenth of each class, seed {seed}.", "12 images are blank."]
        change(path, dataset=dataset | {"train": 84 + seed, "digest": f"d{seed}", "findings": findings})
    study = read_study([folder])
    facts = dict(facts_of(replace(study, runs=study.runs[:3])))
    assert facts["notes on the data"] == "A tenth of each class, seed of the run. 12 images are blank."
    assert facts["split"] == "84 to 86 to learn from, 28 to choose the epoch, 42 to test"
    assert facts["data"] == "synthetic faces, sha256 d0, d1, d2"


def test_a_number_that_cannot_be_had_is_a_dash(experiment: Path, tmp_path: Path) -> None:
    table = item_of(compose(read_study([experiment])), "variants")
    assert table is not None
    assert table.rows[0][table.head.index("without leaked, %")] == DASH
    folder = copy_of(experiment, tmp_path)
    none = {"images": 0, "accuracy": None, "macro_f1": None, "calibration": {"ece": None, "bins": []}}
    for run in (folder / "runs").glob("*/evaluation.json"):
        test = json.loads(run.read_text())["test"]
        scores = dict.fromkeys(("precision", "recall", "f1", "roc_auc")) | {"images": 0}
        first = next(iter(test["per_class"]))
        robust = {"noise": [{"level": 0.0, "accuracy": 0.3}, {"level": 0.1, "accuracy": None}]}
        change(
            run,
            test=test | {"per_class": test["per_class"] | {first: scores}},
            without_leaked=none,
            without_leaked_or_blank=None,
            robustness=robust,
        )
    page = compose(read_study([*sorted((folder / "runs").glob("*"))]))
    table = item_of(page, "variants")
    assert table is not None
    assert {row[table.head.index("without leaked, %")] for row in table.rows} == {DASH}
    assert "without leaked or blank, %" not in table.head
    robust = page.files["robustness.csv"].splitlines()
    assert len(robust) > 2


def test_means_say_of_how_many_runs_they_are(experiment: Path, tmp_path: Path) -> None:
    folder = copy_of(experiment, tmp_path)
    content = json.loads((folder / "results.json").read_text())
    del content["variants"][0]["metrics"]["accuracy"]["values"]["2"]
    change(folder / "results.json", variants=content["variants"])
    table = item_of(compose(read_study([folder])), "variants")
    assert table is not None
    assert [row[1] for row in table.rows] == ["2 of 3", "2\n1 failed", "3"]


@pytest.mark.parametrize("epochs", [1, 2, 3, 7])
def test_epochs_are_whole_numbers(experiment: Path, epochs: int) -> None:
    study = read_study([experiment])
    numbers = {"loss": 1.0, "accuracy": 0.5, "validation_loss": 1.0, "validation_accuracy": 0.5}
    lines = tuple(Epoch(epoch=at + 1, **numbers) for at in range(epochs))
    with chart_style():
        figure = draw_curves(
            replace(study, runs=tuple(replace(run, epochs=lines) for run in study.runs)), "validation_loss"
        )
    for axes in figure.axes:
        low, high = axes.get_xlim()
        ticks = [float(tick) for tick in axes.get_xticks() if low <= tick <= high]
        assert ticks
        assert all(tick.is_integer() for tick in ticks)


def test_the_files_of_a_page_do_not_lie_among_the_runs(experiment: Path, tmp_path: Path) -> None:
    folder = copy_of(experiment, tmp_path)
    with pytest.raises(
        ReportError, match=r"would lie among the runs\n  where:  .*copy\n  wanted: a folder .*\n  fix:    .*--out"
    ):
        write_report([folder], out=folder.with_suffix(".html"))
    assert not [*folder.glob("*.svg")]
