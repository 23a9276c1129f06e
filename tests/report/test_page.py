"""The page says what its files say: same numbers, every text as text, nothing from elsewhere, equal bytes."""

from __future__ import annotations

import csv
import json
import re
import shutil
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner
from hypothesis import given
from hypothesis import strategies as st

from connectome2net.cli import c2n
from connectome2net.errors import ReportError
from connectome2net.report import write_report
from connectome2net.report.composing import to_csv
from connectome2net.report.headline import headline_of
from connectome2net.report.ladder import ladder_rows
from connectome2net.report.reading import read_study
from connectome2net.report.writing import in_script
from tests.report.experiments import DIFFERENCE, HOSTILE, SEEDS, write
from tests.report.pages import Tree, copy_of, rows_of


@pytest.fixture(scope="module")
def tree(page: Path) -> Tree:
    return Tree(page.read_text())


def test_numbers_of_the_tables_are_those_of_results(experiment: Path, page: Path) -> None:
    results = json.loads((experiment / "results.json").read_text())
    wanted = {
        (item["name"], metric): {key: found[key] for key in ("mean", "sd", "low", "high")}
        for item in results["variants"]
        for metric, found in item["metrics"].items()
        if found is not None
    }
    found = {
        (row["variant"], row["metric"]): {key: float(row[key]) for key in ("mean", "sd", "low", "high")}
        for row in rows_of(page.parent / "report" / "variants.csv")
    }
    assert found == wanted
    ladder = {row["variant"]: row for row in rows_of(page.parent / "report" / "ladder.csv")}
    for item in results["comparisons"]:
        row = ladder[item["variant"]]
        numbers = {key: value for key, value in item.items() if isinstance(value, float)}
        assert {key: float(row[key]) for key in numbers} == numbers
    assert ladder[HOSTILE]["keeps"] == "in- and out-degree of every cell; number of edges"
    seeds = [row for row in rows_of(page.parent / "report" / "accuracy.csv") if row["metric"] == "accuracy"]
    assert Counter(row["variant"] for row in seeds) == {"real": 3, HOSTILE: 2, "no augmentation": 3}


def test_effects_name_what_they_cannot_be_told_from(page: Path, tree: Tree) -> None:
    main, both = rows_of(page.parent / "report" / "effects.csv")
    assert (main["term"], main["aliases"], float(main["effect"])) == ("noise", "", 0.011)
    assert (both["term"], both["aliases"]) == ("noise; mask", "hebbian x cbam")
    assert "1 of them cannot be told from others" in tree.text


def test_an_experiment_on_validation_images_is_read_from_their_file(experiment: Path, tmp_path: Path) -> None:
    folder = copy_of(experiment, tmp_path)
    content = json.loads((folder / "experiment.json").read_text())
    write(folder / "experiment.json", content | {"part": "validation"})
    path = folder / content["runs"][0]["folder"] / "evaluation.json"
    found = json.loads(path.read_text())
    write(path.with_name("validation.json"), {"validation": found["test"] | {"accuracy": 0.125}})
    first, second, *_ = read_study([folder]).runs
    assert first.evaluation is not None
    assert first.evaluation.test.accuracy == 0.125
    assert second.evaluation is None


def test_a_variant_may_be_compared_with_another_than_the_reference(experiment: Path, tmp_path: Path) -> None:
    folder = copy_of(experiment, tmp_path)
    content = json.loads((folder / "results.json").read_text())
    content["comparisons"][1]["reference"] = HOSTILE
    write(folder / "results.json", content)
    assert [row["against"] for row in ladder_rows(read_study([folder]))] == ["", HOSTILE]


def test_a_gap_has_a_row_of_its_own(experiment: Path, tmp_path: Path) -> None:
    folder = copy_of(experiment, tmp_path)
    content = json.loads((folder / "results.json").read_text())
    names = {"variant": "half mix less half", "reference": "mix less real"}
    content["comparisons"].append(content["comparisons"][0] | names)
    write(folder / "results.json", content)
    *_, gap = ladder_rows(read_study([folder]))
    assert (gap["name"], gap["against"], gap["changes"]) == (*names.values(), ())
    assert gap["text"]


def test_the_headline_is_the_reference_and_the_conclusion(experiment: Path, tree: Tree) -> None:
    accuracy = json.loads((experiment / "results.json").read_text())["variants"][0]["metrics"]["accuracy"]
    assert f"{100 * accuracy['mean']:.1f}\N{NO-BREAK SPACE}%".replace("\N{NO-BREAK SPACE}", " ") in tree.text
    for text in (
        "Rewiring costs 3.2 points.",
        "Augmentation makes no difference beyond \N{PLUS-MINUS SIGN}1.8 points.",
        "QUICK: ",
        "SYNTHETIC column",
        "SYNTHETIC images",
        "8 of 9 runs finished, 1 failed",
        "\N{MINUS SIGN}3.2 (\N{MINUS SIGN}4.4 to \N{MINUS SIGN}2.0)",
        "What of the <b>wiring</b> makes a difference?",
        "failed: seed 2: the loss is <b>not finite</b>",
    ):
        assert text in tree.text.replace("  ", " ")


def test_a_learning_curve_is_that_of_the_run(experiment: Path, page: Path) -> None:
    run = json.loads((experiment / "experiment.json").read_text())["runs"][0]
    lines = (experiment / run["folder"] / "metrics.jsonl").read_text().splitlines()
    rows = rows_of(page.parent / "report" / "validation-accuracy.csv")
    mine = [row for row in rows if (row["variant"], row["seed"]) == ("real", "0")]
    assert [float(row["validation_loss"]) for row in mine] == [json.loads(line)["validation_loss"] for line in lines]


def test_every_figure_has_a_number_a_title_a_caption_and_words_for_who_cannot_see_it(page: Path, tree: Tree) -> None:
    figures = [attributes["id"] for attributes in tree.of("figure")]
    assert figures == [f"figure-{at}" for at in range(1, len(figures) + 1)]
    assert len(figures) == 15
    for at in range(1, len(figures) + 1):
        assert re.search(rf"Figure {at}\. \w.{{10,}}", tree.text)
    charts = [attributes for attributes in tree.of("svg") if attributes.get("role") == "img"]
    assert all(len(attributes["aria-label"] or "") > 10 for attributes in charts)
    assert all(attributes["alt"].startswith("Drawn face") for attributes in tree.of("img"))
    ids = [attributes["id"] for _, attributes in tree.elements if attributes.get("id")]
    assert not [name for name, times in Counter(ids).items() if times > 1]


def test_the_page_loads_nothing_and_names_only_files_that_are_there(page: Path, tree: Tree) -> None:
    for name, attributes in tree.elements:
        for key in ("src", "href", "xlink:href", "poster", "action", "data"):
            address = attributes.get(key) or ""
            assert address.startswith(("#", "data:image/png", "report/")) or not address, (name, address)
            if address.startswith("report/"):
                assert (page.parent / address).stat().st_size > 50
    (policy,) = [a["content"] for a in tree.of("meta") if a.get("http-equiv") == "Content-Security-Policy"]
    assert (policy or "").startswith("default-src 'none'")
    style = page.read_text().split("</style>")[0]
    assert "url(" not in style
    assert "@import" not in style


def test_names_cannot_become_markup(page: Path, tree: Tree) -> None:
    assert HOSTILE in "".join(tree.words)
    assert [attributes.get("type") for attributes in tree.of("script")] == ["application/json", None, None]
    assert "<script>alert" not in page.read_text()
    assert len(tree.of("b")) == len(DIFFERENCE)
    for path in (page.parent / "report").glob("*.svg"):
        assert "<script" not in path.read_text()


@given(
    st.recursive(
        st.text() | st.integers() | st.none(), lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner)
    )
)
def test_json_in_a_script_is_the_same_json_and_cannot_end_it(content: object) -> None:
    text = in_script(content)
    assert not set(text) & set("<>&")
    assert json.loads(text) == content


@given(
    st.lists(st.fixed_dictionaries({"name": st.text(st.characters(exclude_categories=["Cs", "Cc"])), "x": st.floats()}))
)
def test_csv_keeps_every_text_and_every_digit(rows: list[dict[str, object]]) -> None:
    if not rows:
        return
    back = list(csv.DictReader(to_csv(rows).splitlines()))
    assert [(row["name"], str(row["x"])) for row in rows] == [(row["name"], row["x"]) for row in back]


def test_equal_folders_give_equal_bytes(
    experiment: Path, drawn: dict[str, np.ndarray], page: Path, tmp_path: Path
) -> None:
    again = write_report([copy_of(experiment, tmp_path)], out=tmp_path / "report.html", faces=drawn)
    assert again.read_bytes() == page.read_bytes()
    names = sorted(path.name for path in (page.parent / "report").iterdir())
    assert names == sorted(path.name for path in (tmp_path / "report").iterdir())
    for name in names:
        assert (tmp_path / "report" / name).read_bytes() == (page.parent / "report" / name).read_bytes()


def test_runs_without_an_experiment_have_a_page_that_says_what_it_lacks(experiment: Path, tmp_path: Path) -> None:
    plans = json.loads((experiment / "experiment.json").read_text())["runs"]
    runs = [experiment / plan["folder"] for plan in plans if plan["variant"] != HOSTILE]
    tree = Tree(write_report(runs, out=tmp_path / "report.html").read_text())
    for sentence in (
        "The column is not shown, because its spec is not known; give it with --spec spec.json.",
        "No variant was compared with another",
        "No comparison was computed",
        f"2 variants, {len(SEEDS)} seeds; 6 of 6 runs finished.",
    ):
        assert sentence in tree.text
    assert not tree.of("script")[1:]  # no scene, no plotly
    accuracy = [json.loads((run / "evaluation.json").read_text())["test"]["accuracy"] for run in runs[:3]]
    rows = rows_of(tmp_path / "report" / "variants.csv")
    first = next(row for row in rows if row["metric"] == "accuracy")
    assert float(first["mean"]) == pytest.approx(np.mean(accuracy))
    assert float(first["sd"]) == pytest.approx(np.std(accuracy, ddof=1))


def test_a_folder_of_runs_and_the_spec_of_them_are_found(experiment: Path, tmp_path: Path) -> None:
    out = tmp_path / "page.html"
    words = [str(experiment / "runs"), "--spec", str(experiment / "spec"), "--out", str(out)]
    done = CliRunner().invoke(c2n, ["report", *words], catch_exceptions=False)
    assert done.exit_code == 0
    assert re.fullmatch(r".*page\.html: [4-6]\.\d MB; .*page: \d\d files, SVG and CSV\n", done.output)
    assert "Drawn face, happy" in out.read_text()
    assert (tmp_path / "page" / "column.svg").is_file()


@pytest.mark.parametrize(
    ("change", "text"),
    [
        ({"part": "validation"}, "VALIDATION: these numbers are of images that chose the epoch"),
        ({"runs": "waiting"}, "PRELIMINARY: 3 of 9 runs have not ended"),
        ({"quick": False}, None),
    ],
)
def test_what_must_be_known_first_is_said_first(
    experiment: Path, tmp_path: Path, change: dict[str, object], text: str | None
) -> None:
    folder = copy_of(experiment, tmp_path)
    content = json.loads((folder / "experiment.json").read_text())
    if change.get("runs"):
        for plan in content["runs"][-3:]:
            plan["status"] = "waiting"
        (folder / "results.json").unlink()
        change = {}
    write(folder / "experiment.json", content | change)
    warnings = " ".join(headline_of(read_study([folder]))["warnings"])
    assert text in warnings if text else "QUICK" not in warnings


def test_an_experiment_that_has_not_begun_has_a_page(experiment: Path, tmp_path: Path) -> None:
    content = json.loads((experiment / "experiment.json").read_text())
    write(tmp_path / "experiment.json", content | {"runs": [r | {"status": "waiting"} for r in content["runs"]]})
    words = Tree(write_report([tmp_path], out=tmp_path / "report.html").read_text()).text
    for sentence in ("No run has been evaluated yet.", "no learning curves", "0 of 9 runs finished", "is not drawn"):
        assert sentence in words


def test_a_place_without_a_folder_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(ReportError, match=r"there is no folder here\n  where:  .*nothing here\n  found:  nothing"):
        write_report([tmp_path / "nothing here"])


def test_a_folder_of_something_else_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(ReportError, match=r"neither an experiment nor a run\n.*\n  wanted: experiment.json, run.json"):
        write_report([tmp_path])


def test_two_experiments_are_an_error(experiment: Path) -> None:
    with pytest.raises(
        ReportError, match=r"a page shows one experiment\n.*\n  found:  2 folders\n  fix:    c2n report "
    ):
        write_report([experiment, experiment])


@pytest.mark.parametrize(
    ("file", "content", "text"),
    [
        ("experiment.json", "{", r"damaged\n  where:  .*experiment.json\n  found:  Expecting.*\n  wanted: JSON"),
        ("experiment.json", "[]", r"damaged\n  where:  .*experiment.json"),
        ("results.json", '{"format": "connectome2net.results"}', r"damaged\n.*results.json\n  found:  no /variants"),
        ("results.json", '{"format": "x", "variants": []}', r"damaged\n.*results.json\n  found:  /format: 'x'"),
        ("runs/0000000000000000/run.json", "{}", r"damaged\n.*run.json\n  found:  no /format"),
        ("runs/0000000000000000/metrics.jsonl", '{"epoch": 1}\n', r"damaged\n.*metrics.jsonl\n  found:  no /loss"),
        ("runs/0000000000000000/evaluation.json", '{"test": 3}', r"damaged\n.*evaluation.json\n  found:  /test: 3"),
        ("runs/0000000000000000/evaluation.json", b"\xff", r"cannot be read\n.*evaluation.json\n  found:  .*utf-8"),
        ("runs/0000000000000000/compiled/program.json", "nothing", r"damaged\n.*program.json\n.*\n  wanted: JSON"),
        (
            "runs/0000000000000000/weights.parquet",
            "nothing",
            r"a table .* damaged\n.*weights.parquet\n.*\n  wanted: parquet",
        ),
    ],
)
def test_a_damaged_file_is_an_error_that_names_it(
    experiment: Path, tmp_path: Path, file: str, content: str | bytes, text: str
) -> None:
    folder = copy_of(experiment, tmp_path)
    (folder / file).write_bytes(content if isinstance(content, bytes) else content.encode())
    with pytest.raises(ReportError, match=text):
        write_report([folder], out=tmp_path / "report.html")
    assert not (tmp_path / "report.html").exists()


def test_the_spec_of_other_runs_is_an_error(experiment: Path, tmp_path: Path) -> None:
    from columns import twelve_cells

    from connectome2net.spec import write_spec

    path = write_spec(twelve_cells(), tmp_path)
    run = json.loads((experiment / "experiment.json").read_text())["runs"][0]["folder"]
    with pytest.raises(ReportError, match=r"no run was made from this spec\n(.*\n)*  wanted: sha256 [0-9a-f]{12}"):
        write_report([experiment / run], spec=path, out=tmp_path / "report.html")


def test_the_spec_beside_the_runs_is_found(experiment: Path, tmp_path: Path) -> None:
    """As c2n demo leaves them: spec.json, and runs/001 made from it. Another spec that lies there is not taken."""
    from columns import twelve_cells

    from connectome2net.spec import digest_document, read_spec, write_spec

    first, second = (run["folder"] for run in json.loads((experiment / "experiment.json").read_text())["runs"][:2])
    demo = tmp_path / "demo"
    for name, folder in (("001", first), ("002", second)):
        shutil.copytree(experiment / folder, demo / "runs" / name)
    assert read_study([demo / "runs" / "001"]).spec is None
    write_spec(twelve_cells(), demo)
    assert read_study([demo / "runs" / "001"]).spec is None
    write_spec(read_spec(experiment / "spec"), demo, force=True)
    for paths in ([demo / "runs" / "001"], [demo / "runs"], [demo]):
        study = read_study(paths)
        assert study.spec == read_spec(experiment / "spec")
        assert study.spec_sha256 == digest_document(read_spec(experiment / "spec").document)
        assert len(study.runs) == (1 if paths[0].name == "001" else 2)
    (demo / "edges.parquet").unlink()
    assert read_study([demo]).spec is None


def test_a_place_that_cannot_be_written_to_is_an_error(experiment: Path, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(
        ReportError, match=r"the page cannot be written\n  where:  .*\n  found:  .*\n(.*\n)*  fix:    .*--out"
    ):
        write_report([experiment], out=tmp_path / "file" / "report.html")
