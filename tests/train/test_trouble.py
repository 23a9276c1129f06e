"""Numbers that are no numbers: the error names the place, nothing of them is kept, and training pays nothing for it."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
import torch
from columns import network_data, twelve_cells

import connectome2net as c2n
from connectome2net.compile.package import compile_spec
from connectome2net.errors import TrainError
from connectome2net.tasks import Dataset
from connectome2net.train import TrainConfig, epoch, loop, train, training
from connectome2net.train.trouble import bound, trouble_in

SHORT = TrainConfig(epochs=3, batch=16, augmentation=None)
BLIND = {"height": 12, "width": 12, "adaptation": False, "blocks": []}
NAN = float("nan")


def exploding(folder: Path, *, steps: int = 12) -> Path:
    """The twelve cells without a norm, with raw counts of synapses as weights, for many steps."""
    projections = [item | {"normalise": "none"} for item in network_data("column")["projections"]]
    schedule = [{"populations": ["*"], "steps": steps}]
    dynamics = {"leak": 1.0, "norm": "none"}
    spec = twelve_cells("column", front_end=BLIND, projections=projections, dynamics=dynamics, schedule=schedule)
    return compile_spec(spec, out=folder / "compiled")


def spoil(monkeypatch: pytest.MonkeyPatch, change: Any, *, calls: int = 0) -> None:
    """Let something happen to the model before the forward pass of a step of training."""
    step = loop.Progress.step

    def then(self: Any, **given: Any) -> None:
        nonlocal calls
        step(self, **given)
        calls -= 1
        if calls == 0:
            change()

    monkeypatch.setattr(loop.Progress, "step", then)


def models(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """The models that training loads, from now on."""
    found: list[Any] = []
    load = training.load

    def catch(*given: Any, **named: Any) -> Any:
        found.append(load(*given, **named))
        return found[-1]

    monkeypatch.setattr(training, "load", catch)
    return found


def test_a_strength_that_is_no_number_names_the_cells_that_it_reaches_first(
    few_faces: Dataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    schedule = [{"populations": ["L4E", "I"], "steps": 2}, {"populations": ["*"], "steps": 3}]
    spec = twelve_cells("column", front_end=BLIND, schedule=schedule, dynamics={"leak": 0.5, "norm": "none"})
    compiled, found = compile_spec(spec, out=tmp_path / "compiled"), models(monkeypatch)

    def break_an_edge() -> None:
        """Of the edge from cell 0 to cell 9, both of L4E: silent until the second step, when cell 0 has sent."""
        (model,) = found
        unit = {int(cell): at for at, cell in enumerate(model.cell_index)}
        for name, block in ((item.name, item) for item in model.program.blocks):
            matrix = model.get_submodule(f"W_{name}")
            group_of = {group.name: group for group in model.program.groups}
            starts, at = {}, 0
            for group in group_of.values():
                starts[group.name], at = at, at + group.cells
            hit = (matrix.pattern.row_of_edge() + starts[block.post] == unit[9]) & (
                matrix.pre_index + starts[block.pre] == unit[0]
            )
            matrix.theta_E.data[hit] = NAN

    spoil(monkeypatch, break_an_edge, calls=8)
    message = (
        r"(?s)^the activity is not finite\n"
        r"  where:  epoch 2, step 3 of training; population L4E, step 1 of 5 of the network \(phase 1\)\n"
        r"  found:  rate_NB nan in 1 of 3 cells; not finite: W_\w+.theta_E \(1 of \d+\)\n"
        r"  wanted: finite, and below 1.8e\+19\n"
        r"  fix:    train again with a lower learning_rate"
    )
    with pytest.raises(TrainError, match=message):
        train(compiled, data=few_faces, config=SHORT, out=tmp_path / "run")
    assert json.loads((tmp_path / "run" / "run.json").read_text())["status"] == "failed"
    assert len((tmp_path / "run" / "metrics.jsonl").read_text().splitlines()) == 1
    assert c2n.load(tmp_path / "run")(torch.rand(2, 1, 12, 12)).isfinite().all(), "the last good epoch stays"


def test_an_image_that_is_no_number_is_named(
    dale: Path, few_faces: Dataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def spoiled(_: Any, image_BCHW: torch.Tensor) -> torch.Tensor:
        image_BCHW[5, 0, 2, 3] = NAN
        return image_BCHW

    monkeypatch.setattr(epoch.TrainConfig.model_fields["augmentation"].default.__class__, "__call__", spoiled)
    message = (
        r"an image is not finite\n  where:  epoch 1, step 1 of training; image 6 of the batch\n"
        r"  found:  1 such images of 16(.|\n)*augmentation"
    )
    with pytest.raises(TrainError, match=message):
        train(dale, data=few_faces, config=TrainConfig(epochs=1, batch=16), out=tmp_path / "run")


def test_activity_that_explodes_names_population_step_and_what_was_before(
    few_faces: Dataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = models(monkeypatch)

    def strengthen() -> None:
        found[0].W_recurrent.set_strength(found[0].W_recurrent.strength_E() * 1e4)

    spoil(monkeypatch, strengthen, calls=1)
    with pytest.raises(TrainError) as error:
        train(exploding(tmp_path), data=few_faces, config=SHORT, out=tmp_path / "run")
    text = str(error.value)
    words = re.match(
        r"the activity explodes\n  where:  epoch 1, step (\d+) of training; population (\w+), step (\d+) of 12 of the "
        r"network \(phase 1\)\n  found:  rate_NB \S+ in (\d+) of (\d+) cells; the largest before was (\S+) "
        r"\(population \w+, step \d+ of.*\n  wanted: finite, and below 1.8e\+19\n  fix: .*norm `layer`",
        text,
    )
    assert words, text
    batch, population, step, wrong, cells, largest = words.groups()
    order = torch.randperm(84, generator=torch.Generator().manual_seed(epoch._mix(0, 0)))
    chosen = order[16 * (int(batch) - 1) : 16 * int(batch)]
    with c2n.record(found[0]) as activity:
        found[0](torch.from_numpy(few_faces.train.image_NHW)[chosen, None].float() / 255)
    last = activity[population][int(step) - 1]
    assert ((last >= bound(torch.float32)).any(1).sum(), len(last)) == (int(wrong), int(cells))
    before = torch.cat([activity[name][: int(step) - 1].flatten() for name in activity.passes[0].populations])
    assert before.max() < bound(torch.float32)
    earlier = [activity[name][int(step) - 1] for name in ("L23E", "L4E", "L5E", "L6E", "E", "I")]
    assert float(largest) <= float(torch.cat([before, *(rate.flatten() for rate in earlier)]).max()) * 1.01
    assert float(largest) >= float(before.max()) * 0.99


def test_a_gradient_that_is_not_finite_never_reaches_a_weight(
    dale: Path, few_faces: Dataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The loss is finite: only the length of the gradient tells."""
    found = models(monkeypatch)

    def poison() -> None:
        found[0].readout.linear.bias.register_hook(lambda grad: grad * NAN)

    spoil(monkeypatch, poison, calls=2)
    message = (
        r"the gradient is not finite\n  where:  epoch 1, step 3 of training\n  found:  readout.linear.bias \(7 of 7\); "
        r"the largest activity is [\d.]+ \(population \w+, step \d of 4 of the network \(phase 1\)\)"
    )
    with pytest.raises(TrainError, match=message):
        train(dale, data=few_faces, config=SHORT, out=tmp_path / "run")
    assert all(parameter.isfinite().all() for parameter in found[0].parameters())


def test_a_gradient_whose_length_is_no_number(dale: Path) -> None:
    model = c2n.load(dale)
    model.readout.linear.bias.register_hook(lambda grad: grad + 1e30)
    error = trouble_in(model, lambda: [model(torch.rand(4, 1, 12, 12)).square().sum()], when="now")
    assert "finite parts whose squares are not: 1e+30 in readout.linear.bias" in str(error)


def test_where_phases_settle_updates_are_counted(tmp_path: Path) -> None:
    schedule = [{"populations": ["*"], "steps": 9, "tolerance": 1e-3}]
    spec = twelve_cells("column", front_end=BLIND, dynamics={"leak": 0.5, "norm": "none"}, schedule=schedule)
    model = c2n.load(compile_spec(spec, out=tmp_path / "compiled"))
    model.cells_all.threshold_N.data[2] = NAN
    error = trouble_in(model, lambda: [model(torch.rand(4, 1, 12, 12)).sum()], when="now")
    assert "where:  now; population L4E, update 1\n" in str(error)
    assert "not finite: cells_all.threshold_N (1 of 12)" in str(error)


def test_a_loss_that_is_not_finite_although_all_activity_is(
    dale: Path, few_faces: Dataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    cross_entropy = epoch.F.cross_entropy
    monkeypatch.setattr(epoch.F, "cross_entropy", lambda *given, **named: cross_entropy(*given, **named) * NAN)
    message = r"the loss is not finite\n  where:  epoch 1, step 1 of training\n  found:  nan; the largest activity is"
    with pytest.raises(TrainError, match=message):
        train(dale, data=few_faces, config=SHORT, out=tmp_path / "run")


def test_a_weight_that_breaks_after_the_last_step_is_not_kept(
    feedforward: Path, few_faces: Dataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A rule acts after the optimiser: what it breaks in the last step of an epoch is seen in validation."""
    found = models(monkeypatch)
    steps = -(-len(few_faces.train) // SHORT.batch)
    spoil(monkeypatch, lambda: found[0].readout.linear.weight.data.fill_(NAN), calls=2 * steps)
    message = (
        r"a parameter is not finite\n  where:  validation after epoch 2\n"
        r"  found:  not finite: readout.linear.weight \(21 of 21\)\n  wanted: finite numbers\n  fix:    train again"
    )
    with pytest.raises(TrainError, match=message.replace("21", r"\d+")):
        train(feedforward, data=few_faces, config=SHORT, out=tmp_path / "run")
    assert len((tmp_path / "run" / "metrics.jsonl").read_text().splitlines()) == 1


def test_training_without_trouble_reads_one_number_pack_a_step(
    dale: Path, few_faces: Dataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What makes the processor wait for a device: reading a number, or deciding on one."""
    waits: list[str] = []
    for name in ("item", "tolist", "__bool__", "__int__", "__float__"):
        original = getattr(torch.Tensor, name)

        def counted(self: Any, *given: Any, name: str = name, original: Any = original) -> Any:
            waits.append(name)
            return original(self, *given)

        monkeypatch.setattr(torch.Tensor, name, counted)
    model, config = c2n.load(dale), SHORT.model_copy(update={"augmentation": None})
    optimiser = torch.optim.SGD([{"params": list(model.parameters()), "factor": 1.0}])
    seen: list[int] = []

    class Silent:
        def step(self, **_: Any) -> None:
            seen.append(len(waits))
            waits.clear()

    waits.clear()
    epoch.train_epoch(model, optimiser, few_faces.train, config, epoch=0, progress=Silent())  # type: ignore[arg-type]
    assert seen == [1] * len(seen)
    assert len(seen) == -(-len(few_faces.train) // SHORT.batch)
    assert "tap" not in model.cells_all.__dict__
