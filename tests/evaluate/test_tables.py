"""What lies beside an evaluation: answers, weights before and after, activity; each against a slow way to it."""

import json
import sys
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest
import torch
from columns import CELLS, EDGES, twelve_cells

from connectome2net.compile.package import compile_spec
from connectome2net.compile.reference import compile_reference
from connectome2net.errors import EvaluateError
from connectome2net.evaluate import evaluate
from connectome2net.evaluate.predict import mean_activity
from connectome2net.inside import record, weight_matrix
from connectome2net.load import load
from connectome2net.tasks import Dataset
from connectome2net.tasks.faces import faces
from connectome2net.train import TrainConfig, train

FRONT_END = {"height": 12, "width": 12, "blocks": [{"channels": 4, "pool": 2}]}
CHANGES = {
    "rate": {},
    "lif": {"dynamics": {"model": "lif"}},
    "izhikevich": {"dynamics": {"model": "izhikevich"}},
}


@pytest.fixture(scope="module")
def data() -> Dataset:
    return faces(train=56, validation=14, test=21, size=12)


@pytest.fixture(scope="module", params=list(CHANGES))
def run(request: pytest.FixtureRequest, data: Dataset, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp(request.param)
    spec = twelve_cells("column", front_end=FRONT_END, **CHANGES[request.param])
    compiled = compile_spec(spec, out=folder / "compiled")
    done = train(compiled, data=data, config=TrainConfig(epochs=2, seed=3, validation_fraction=0.2), out=folder / "run")
    evaluate(done, data=data)
    return done


def test_predictions_are_those_of_the_model_in_the_order_of_the_images(run: Path, data: Dataset) -> None:
    table = pq.read_table(run / "predictions.parquet")
    assert table.column_names == ["label", "part", "leaked", "blank", "logit"]
    assert table["label"].to_pylist() == data.test.label_N.tolist()
    assert table["part"].to_pylist() == data.test.part_N.tolist()
    assert table["leaked"].to_pylist() == data.test.leaked_N.tolist()
    model = load(run)
    with torch.no_grad():
        one_by_one = [model(torch.from_numpy(image)[None, None].float() / 255)[0] for image in data.test.image_NHW]
    np.testing.assert_allclose(table["logit"].to_pylist(), torch.stack(one_by_one), atol=1e-4)
    accuracy = json.loads((run / "evaluation.json").read_text())["test"]["accuracy"]
    logits = np.array(table["logit"].to_pylist())
    assert (logits.argmax(1) == table["label"].to_numpy()).mean() == pytest.approx(accuracy)


def test_weights_have_their_sign_and_their_cells(run: Path) -> None:
    table = pq.read_table(run / "weights.parquet").to_pandas()
    pairs = {(pre, post) for post, pre, *_ in EDGES}
    assert set(zip(table.pre_index, table.post_index, strict=True)) <= pairs
    assert len(table) == len(set(zip(table.pre_index, table.post_index, strict=True))) > 20
    inhibitory = np.array([CELLS[pre][2] == "inhibitory" for pre in table.pre_index])
    for name in ("before", "after"):
        assert ((table[name] < 0) == inhibitory).all()
    fresh, trained = load(run / "compiled", seed=3, classes=7), load(run)
    for model, name in ((fresh, "before"), (trained, "after")):
        place = {cell: unit for unit, cell in enumerate(model.cell_index.tolist())}
        wanted = weight_matrix(model).toarray()
        found = np.zeros_like(wanted)
        for row in table.itertuples():
            found[place[row.post_index], place[row.pre_index]] = getattr(row, name)
        np.testing.assert_allclose(found, wanted)
    if "rate" in str(run):  # so few spiking cells stay silent and learn nothing
        assert not np.allclose(table.before, table.after)


def test_activity_is_what_the_readout_sees(run: Path, data: Dataset) -> None:
    table = pq.read_table(run / "activity.parquet").to_pandas()
    model = load(run)
    rates = {cell: [] for cell in model.cell_index.tolist()}
    for image in data.test.image_NHW:
        with record(model, variables=["read_NB"]) as activity, torch.no_grad():
            model(torch.from_numpy(image)[None, None].float() / 255)
        for population in model.program.populations:
            last_N = activity.of(population.name, "read_NB")[-1, :, 0]
            for cell, rate in zip(activity.cell_index(population.name).tolist(), last_N.tolist(), strict=True):
                rates[cell].append(rate)
    assert table.cell_index.tolist() == model.cell_index.tolist()
    np.testing.assert_allclose(table.rate, [np.mean(rates[cell]) for cell in table.cell_index], atol=1e-5)
    np.testing.assert_allclose(table.active, [np.mean(np.array(rates[cell]) > 0) for cell in table.cell_index])
    for population in model.program.populations:
        assert (table.population == population.name).sum() == population.cells
    assert table.active.between(0, 1).all()


def test_a_large_network_is_looked_at_in_small_batches(
    run: Path, data: Dataset, monkeypatch: pytest.MonkeyPatch
) -> None:
    model = load(run)
    whole = mean_activity(model, data.test)
    monkeypatch.setattr(sys.modules["connectome2net.evaluate.predict"], "MOST_VALUES", 100)
    torch.testing.assert_close(mean_activity(model, data.test).rate_U, whole.rate_U, atol=1e-6, rtol=1e-5)


def test_validation_touches_no_test_image(run: Path, data: Dataset) -> None:
    before = {path.name: path.read_bytes() for path in run.iterdir() if path.is_file()}
    result = evaluate(run, data=data, part="validation")
    assert result["validation"]["images"] == 14
    assert "test" not in result
    record = json.loads((run / "run.json").read_text())
    assert result["validation"]["accuracy"] == pytest.approx(record["validation_accuracy"])
    assert json.loads((run / "validation.json").read_text()) == result
    after = {path.name: path.read_bytes() for path in run.iterdir() if path.is_file()}
    assert after == before | {"validation.json": after["validation.json"]}
    (run / "validation.json").unlink()


def test_robustness_is_asked_for(run: Path, data: Dataset) -> None:
    assert "robustness" not in json.loads((run / "evaluation.json").read_text())
    found = evaluate(run, data=data, robustness=True)
    for levels in found["robustness"].values():
        assert levels[0] == {"level": 0.0, "accuracy": pytest.approx(found["test"]["accuracy"])}


def test_no_such_part(run: Path) -> None:
    with pytest.raises(EvaluateError, match="no such part\n  where:  part\n  found:  train\n  wanted: test or val"):
        evaluate(run, part="train")  # type: ignore[arg-type]


def test_a_conventional_network_has_neither_weights_of_edges_nor_active_cells(data: Dataset, tmp_path: Path) -> None:
    compiled = compile_reference(twelve_cells("column", front_end=FRONT_END), "linear", out=tmp_path / "compiled")
    run = train(compiled, data=data, config=TrainConfig(epochs=1), out=tmp_path / "run")
    found = evaluate(run, data=data, robustness=True)
    assert found["test"]["images"] == 21
    assert found["robustness"]["lesion"] == []
    assert {path.name for path in run.glob("*.parquet")} == {"predictions.parquet"}
