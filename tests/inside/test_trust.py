"""What `c2n inspect` says of a compiled folder and of a run."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from columns import EDGES, twelve_cells
from dense import PIXELS

import connectome2net as c2n
from connectome2net import cli
from connectome2net.errors import LoadError
from connectome2net.inside import examine, inspect_network, trust
from connectome2net.tasks.faces import faces
from connectome2net.train import TrainConfig


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("run")
    front_end = PIXELS | {"height": 12, "width": 12}
    compiled = c2n.compile_spec(twelve_cells("column", front_end=front_end), out=folder / "compiled")
    config = TrainConfig(epochs=1, batch=16, seed=3, learning_rate=0.03)
    return c2n.train(compiled, data=faces(train=56, validation=7, test=14, size=12), config=config, out=folder / "run")


def test_a_run_is_shown_before_and_after_training(run: Path) -> None:
    found = inspect_network(run)
    fresh, trained = c2n.load(run / "compiled", seed=3, classes=7), c2n.load(run)
    assert found["before"] == examine(fresh)
    assert found["after"] == examine(trained)
    assert found["before"]["spectrum"]["spectral_radius"] != found["after"]["spectrum"]["spectral_radius"]
    assert found["after"]["dale"] == {"edges": len(EDGES), "violations": 0, "free": 0}
    assert found["after"]["silence"]["outside"] == found["after"]["silence"]["wrong"] == 0
    assert found["run"]["status"] == "finished"
    assert (found["run"]["epochs"], found["run"]["best_epoch"], found["run"]["seed"]) == (1, 1, 3)


def test_run_json_has_the_audits_before_and_after(run: Path) -> None:
    audit = json.loads((run / "run.json").read_text())["audit"]
    found = inspect_network(run)
    assert audit == {"before": found["before"], "after": found["after"]}, "one epoch, which is the best and the last"


def test_a_compiled_folder(run: Path) -> None:
    found = inspect_network(run / "compiled")
    assert "run" not in found
    assert "after" not in found
    assert found["spec"] == "twelve_cells_column"
    assert [row["cells"] for row in found["populations"]] == [2, 3, 1, 2, 1, 3]
    assert [row["edges"] for row in found["projections"]] == [len(EDGES)]
    assert found["trainable_parameters"] == sum(found["parameters"].values())


def test_how_each_projection_is_computed(run: Path) -> None:
    row = inspect_network(run, backend="gather")["projections"][0]
    assert (row["backend"], row["reason"]) == ("gather", "asked for")
    asked = json.loads((run / "run.json").read_text())
    asked["config"]["backend"] = "dense"
    (run / "run.json").write_text(json.dumps(asked))
    assert inspect_network(run)["projections"][0]["backend"] == "dense", "as it was trained"
    asked["config"]["backend"] = "program"
    (run / "run.json").write_text(json.dumps(asked))
    shown = CliRunner().invoke(cli.c2n, ["inspect", str(run / "compiled"), "--backend", "csr"])
    assert "csr" in shown.output
    assert "asked for" in shown.output
    refused = CliRunner().invoke(cli.c2n, ["inspect", str(run / "nothing"), "--backend", "csr"])
    assert refused.exit_code == 2


def test_the_command_shows_both(run: Path) -> None:
    def answer(*words: str) -> Any:
        return CliRunner().invoke(cli.c2n, ["inspect", *words], catch_exceptions=False)

    for path in (run, run / "compiled"):
        assert json.loads(answer(str(path), "--json").stdout) == inspect_network(path)
    text = answer(str(run)).stdout
    found = inspect_network(run)
    assert "network column  of spec twelve_cells_column" in text
    assert "run: finished, on synthetic faces, seed 3, best epoch 1 of 1" in text
    for state in ("before", "after"):
        radius = f"{found[state]['spectrum']['spectral_radius']:.4g}"
        assert (
            f"{state} training: Dale's law: 0 violations in 37 edges; silent pairs: 0 violations (12 of 12 cells"
            in text
        )
        assert text.count(radius) >= 2
    refused = answer(str(run), "--figure", "x.svg")
    assert refused.exit_code == 2
    assert "--figure draws the column of a spec" in refused.output


def test_large_networks_are_examined_only_when_asked(run: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(trust, "LARGE", 11)
    model = c2n.load(run)
    quick = examine(model, quick=True)
    assert quick == {
        "dale": quick["dale"],
        "norm": "layer",
        "note": "12 cells: c2n inspect looks at silent edges and the spectrum",
    }
    assert examine(model).keys() == {"dale", "norm", "silence", "spectrum"}


def test_a_run_without_an_epoch_and_a_damaged_one(run: Path, tmp_path: Path) -> None:
    import shutil

    shutil.copytree(run, tmp_path / "run")
    (tmp_path / "run" / "best.safetensors").unlink()
    assert inspect_network(tmp_path / "run")["after"] is None
    (tmp_path / "run" / "run.json").write_text('{"config": {}}')
    with pytest.raises(
        LoadError, match=r"run.json is damaged\n  where:  .*run.json\n  found:  'dataset'\n  fix:    train"
    ):
        inspect_network(tmp_path / "run")
