"""Plans: every mistake is named with its place and the way out, before anything runs."""

import json
import re
import tomllib
from pathlib import Path
from typing import Any

import pytest
from columns import twelve_cells

from connectome2net.compile.lower import lower
from connectome2net.compile.parameters import count_parameters
from connectome2net.errors import ExperimentError
from connectome2net.experiment.change import Change, changed_spec
from connectome2net.experiment.draw import count_trainable, size_dense_core
from connectome2net.experiment.factors import vary
from connectome2net.experiment.plan import Plan, make_plan, preset_names, read_plan, settings
from connectome2net.extract import extract
from connectome2net.sources import open_source
from connectome2net.spec.network import Network
from connectome2net.train.config import read_config

EXAMPLE = Path(__file__).parents[2] / "examples" / "experiment.toml"
PLAN: dict[str, Any] = {
    "name": "try",
    "reference": "real",
    "seeds": 2,
    "variant": [{"name": "real"}, {"name": "quiet", "without": ["noise"]}],
}


BLOCK = "front_end.blocks.0.lateral_inhibition"


def with_variant(**keys: Any) -> dict[str, Any]:
    return PLAN | {"variant": [{"name": "real"}, {"name": "odd"} | keys]}


def test_a_plan_is_what_it_says() -> None:
    plan = make_plan(PLAN | {"train": {"epochs": 3, "augmentation": False}, "part": "validation"})
    assert plan.seeds == (0, 1)
    assert [item.name for item in plan.variants] == ["real", "quiet"]
    config = settings(plan, plan.variants[1])
    assert (config.epochs, config.augmentation, config.batch) == (3, None, 64)
    assert make_plan(PLAN | {"seeds": [5, 3]}).seeds == (5, 3)


def test_a_change_in_words() -> None:
    change = Change(name="a", subset=0.5, null="remove", fraction=0.2, weights="normalised", train={"epochs": 3})
    assert change.words() == (
        "50% of the cells, nearest to the axis",
        "edges: remove, fraction 0.2, weights normalised",
        "training: epochs = 3",
    )


def test_settings_of_a_variant_overrule_those_of_the_plan_and_the_command_line_both() -> None:
    plan = make_plan(with_variant(train={"epochs": 5, "batch": 8}) | {"train": {"epochs": 3, "augmentation": False}})
    odd = plan.variants[1]
    assert settings(plan, odd).epochs == 5
    assert settings(plan, plan.variants[0]).epochs == 3
    assert settings(plan, odd, epochs=1, device=None).epochs == 1
    again = make_plan(with_variant(train={"augmentation": True}) | {"train": {"augmentation": False}})
    assert settings(again, again.variants[1]).augmentation is not None


@pytest.mark.parametrize(
    ("plan", "words"),
    [
        (PLAN | {"sead": 3}, r"no such key(.|\n)*the plan\n(.|\n)*sead(.|\n)*did you mean seeds"),
        (with_variant(nul="degree"), r"no such key(.|\n)*variant 'odd'\n(.|\n)*nul\n(.|\n)*did you mean null"),
        (
            {key: value for key, value in PLAN.items() if key != "seeds"} | {"sedes": 3},
            r"no such key(.|\n)*found:  sedes(.|\n)*did you mean seeds",
        ),
        (PLAN | {"quick": {"epoch": 2}}, r"no such key(.|\n)*quick\n(.|\n)*did you mean epochs"),
        (PLAN | {"variant": [{"null": "degree"}]}, r"a key is missing(.|\n)*variant number 1\n(.|\n)*wanted: name"),
        (PLAN | {"seeds": []}, r"a value does not fit(.|\n)*seeds\n(.|\n)*at least 1"),
        (PLAN | {"seeds": 0}, r"a value does not fit(.|\n)*seeds\n(.|\n)*found:  0"),
        (PLAN | {"seeds": [1, 1]}, r"a seed is listed twice(.|\n)*\[1, 1\]"),
        (PLAN | {"part": "training"}, r"a value does not fit(.|\n)*part\n(.|\n)*'test' or 'validation'"),
        (PLAN | {"metric": "loss"}, r"a value does not fit(.|\n)*metric\n(.|\n)*macro_f1"),
        (PLAN | {"name": "../x"}, r"a value does not fit(.|\n)*name\n(.|\n)*pattern"),
        (PLAN | {"variant": []}, r"without variants(.|\n)*\[\[variant\]\]"),
        (PLAN | {"variant": [{"name": "real"}] * 2}, r"two variants have one name(.|\n)*real"),
        (PLAN | {"reference": "rael"}, r"no such variant(.|\n)*reference(.|\n)*rael(.|\n)*did you mean real"),
        (with_variant(reference="quite"), r"no such variant(.|\n)*variant 'odd': reference(.|\n)*quite"),
        (with_variant(gap_to="quite"), r"no such variant(.|\n)*variant 'odd': gap_to(.|\n)*quite"),
        (with_variant(gap_to="real"), r"a gap is between two(.|\n)*variant 'odd': gap_to\n  found:  real\n"),
        (
            PLAN
            | {"variant": [{"name": "real"}, {"name": "a", "factors": {"x": False}}, {"name": "b", "gap_to": "a"}]},
            r"a gap is between two(.|\n)*variant 'b': gap_to\n  found:  a\n",
        ),
        (
            PLAN | {"variant": [{"name": name, "factors": {name: True}} for name in ("real", "odd")]},
            r"same factors(.|\n)*variant 'odd': factors\n  found:  odd\n  wanted: real, as 'real'",
        ),
        (with_variant(gap_to="odd"), r"a gap is between two(.|\n)*variant 'odd': gap_to\n  found:  odd\n"),
        (PLAN | {"quick": {"variants": ["quit"]}}, r"no such variant(.|\n)*quick.variants(.|\n)*did you mean quiet"),
        (with_variant(null="degre"), r"no such control(.|\n)*variant 'odd'(.|\n)*degre\n(.|\n)*did you mean degree"),
        (with_variant(null="remove"), r"remove needs fraction(.|\n)*variant 'odd'(.|\n)*fraction = "),
        (with_variant(null="degree", fraction=0.2), r"nothing here takes fraction(.|\n)*variant 'odd'"),
        (with_variant(subset=0.5, weights="matched"), r"nothing here takes weights(.|\n)*variant 'odd'(.|\n)*matched"),
        (with_variant(cells=5), r"nothing here takes cells(.|\n)*variant 'odd'"),
        (with_variant(network="cnn", null="degree"), r"no edges to rewire(.|\n)*cnn and degree"),
        (with_variant(network="rnn"), r"a value does not fit(.|\n)*variant 'odd': network\n(.|\n)*'mlp'"),
        (with_variant(fraction=1.5), r"a value does not fit(.|\n)*variant 'odd': fraction\n(.|\n)*1.5"),
        (with_variant(train={"epocs": 3}), r"setting(.|\n)*variant 'odd': train.epocs(.|\n)*did you mean epochs"),
        (PLAN | {"train": {"epochs": 0}}, r"setting(.|\n)*the plan: train.epochs(.|\n)*greater than or equal to 1"),
        (PLAN | {"train": {"seed": 3}}, r"no seed of its own(.|\n)*`seeds`"),
        (
            with_variant(train={"labels": "ferplus"}) | {"train": {"labels": "fer2013"}},
            r"trained on other images(.|\n)*train.labels\n  found:  'ferplus'\n  wanted: 'fer2013', as 'real'",
        ),
        (
            with_variant(train={"skip_broken": True}),
            r"trained on other images(.|\n)*train.skip_broken\n  found:  True",
        ),
        (with_variant(train={"validation_fraction": 0.2}), r"other images(.|\n)*validation_fraction\n  found:  0.2"),
        (PLAN | {"design": "factorial"}, r"\[\[factor\]\] and `design` go together"),
        (PLAN | {"factor": [{"name": "noise"}]}, r"\[\[factor\]\] and `design` go together"),
    ],
)
def test_every_mistake_is_named(plan: dict[str, Any], words: str) -> None:
    with pytest.raises(ExperimentError, match=words):
        make_plan(plan)


@pytest.mark.parametrize("left", [["quiet"], ["real", "loud"]])
def test_what_quick_leaves_has_its_references(left: list[str]) -> None:
    variants = [*PLAN["variant"], {"name": "loud", "reference": "quiet"}]
    plan = PLAN | {"variant": variants, "quick": {"variants": left}}
    make_plan(plan)
    with pytest.raises(ExperimentError, match=r"no such variant\n  where:  the plan, quick: .*reference\n  found:  "):
        make_plan(plan, quick=True)


def test_a_file_that_is_no_plan(tmp_path: Path) -> None:
    with pytest.raises(
        ExperimentError, match=r"no such plan(.|\n)*smok\n(.|\n)*control-ladder(.|\n)*did you mean smoke"
    ):
        read_plan("smok")
    with pytest.raises(ExperimentError, match=r"no such plan(.|\n)*a clone of the repository has one, examples/exp"):
        read_plan(tmp_path / "x.toml")
    (tmp_path / "x.toml").write_text("name = ")
    with pytest.raises(ExperimentError, match=r"cannot be read(.|\n)*x.toml"):
        read_plan(tmp_path / "x.toml")
    (tmp_path / "x.toml").write_text('name = "a"\nnull = 1')
    with pytest.raises(ExperimentError, match=r"no such key|a key is missing"):
        read_plan(tmp_path / "x.toml")


@pytest.mark.parametrize("network", ["feedforward", "pairs"])
def test_parts_are_switched_off_and_values_set(network: str) -> None:
    base = twelve_cells(network)
    rule = next(iter(base.network.plasticity))
    change = Change(name="x", without=(f"plasticity.{rule}",), set={"dynamics.norm": "none", "readout.dropout": 0.5})
    found = changed_spec(base, change).network
    wanted = base.network.model_dump(mode="json")
    wanted["plasticity"][rule] = None
    wanted["dynamics"]["norm"] = "none"
    wanted["readout"]["dropout"] = 0.5
    assert found == Network.model_validate_json(json.dumps(wanted))
    assert changed_spec(base, Change(name="real")) is base


def test_items_of_lists_are_taken_out_by_name_or_place() -> None:
    base = twelve_cells("feedforward")
    change = Change(name="x", without=("projections.B_B", BLOCK, "front_end.blocks.1"))
    found = changed_spec(base, change)
    assert [item.name for item in found.network.projections] == ["A_A", "D_D", "A_B", "B_D"]
    assert len(found.network.front_end.blocks) == 1
    assert found.network.front_end.blocks[0].lateral_inhibition is None
    assert len(found.document.provenance.parents) == 1 + len(base.document.provenance.parents)
    edges = sum(count for name, count in count_parameters(lower(found)[0]).items() if name.startswith("W_"))
    before = sum(count for name, count in count_parameters(lower(base)[0]).items() if name.startswith("W_"))
    own = sum(item.edges for item in lower(base)[0].blocks if item.projection == "B_B")
    assert edges == before - own


@pytest.mark.parametrize("gone", [(0, 1), (1, 0), (1, 2), (0, 2)])
def test_items_without_names_are_taken_out_by_the_place_that_they_have_in_the_base(gone: tuple[int, int]) -> None:
    blocks = [{"channels": channels, "kernel": 3} for channels in (8, 16, 24)]
    base = twelve_cells("feedforward", front_end={"blocks": blocks})
    change = Change(name="x", without=tuple(f"front_end.blocks.{at}" for at in gone))
    (left,) = changed_spec(base, change).network.front_end.blocks
    (at,) = {0, 1, 2} - set(gone)
    assert left.channels == blocks[at]["channels"]


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"without": ["nose"]}, r"no such place(.|\n)*variant 'odd': nose(.|\n)*did you mean noise"),
        (
            {"without": ["projections.A_C"]},
            r"no such place(.|\n)*projections.A_C(.|\n)*A_A, B_B(.|\n)*mean A_B or A_A",
        ),
        ({"set": {"front_end.blocks.2.pool": 1}}, r"no such place(.|\n)*found:  2\n(.|\n)*0, 1"),
        ({"set": {"noise.sigma.x": 1}}, r"no such place(.|\n)*a plain value"),
        ({"set": {"noise.sigma": -1}}, r"'odd' makes no valid network(.|\n)*/noise/sigma: found -1"),
        ({"without": ["readout"]}, r"'odd' makes no valid network(.|\n)*/readout: found null"),
        (
            {"without": ["projections.A_B"]},
            r"'odd' makes no valid(.|\n)*/readout/populations: found 'D', which no",
        ),
    ],
)
def test_a_change_that_cannot_be_made_is_named(change: dict[str, Any], words: str) -> None:
    odd = make_plan(with_variant(**change)).variants[1]
    with pytest.raises(ExperimentError, match=words):
        changed_spec(twelve_cells("feedforward"), odd)


def test_the_dense_core_has_as_many_parameters_as_any_size_can_have() -> None:
    spec = extract(open_source("synthetic", cells=300))
    change = size_dense_core(spec, Change(name="core", null="dense-core"), seed=3)
    wanted = count_trainable(spec, Change(name="real"), seed=3)
    assert change.cells
    learned = {
        cells: count_trainable(spec, Change(name="core", null="dense-core", cells=cells), seed=3)
        for cells in range(change.cells - 2, change.cells + 3)
    }
    assert min(learned, key=lambda cells: abs(learned[cells] - wanted)) == change.cells
    assert abs(learned[change.cells] - wanted) < 0.02 * wanted


def test_one_at_a_time_switches_each_factor_off_once() -> None:
    factors = [Change(name="noise", without=("noise",)), Change(name="decay", train={"weight_decay": 0.0})]
    full, one, two = vary(factors, "one-at-a-time", runs=32)
    assert (full.name, one.name, two.name) == ("full", "no noise", "no decay")
    assert full.words() == ()
    assert (one.without, one.train, two.train) == (("noise",), {}, {"weight_decay": 0.0})


def test_a_factorial_design_switches_factors_off_together() -> None:
    factors = [
        Change(name="noise", without=("noise",)),
        Change(name="decay", train={"weight_decay": 0.0}),
        Change(name="mask", null="remove", fraction=0.5, weights="normalised"),
        Change(name="smoothing", train={"label_smoothing": 0.0}),
    ]
    made = vary(factors, "factorial", runs=32)
    assert len(made) == 16 == len({item.name for item in made})
    assert made[0].name == "full"
    for item in made:
        assert item.without == (() if item.factors["noise"] else ("noise",))
        off = {"decay": {"weight_decay": 0.0}, "smoothing": {"label_smoothing": 0.0}}
        assert item.train == {key: 0.0 for name, train in off.items() for key in train if not item.factors[name]}
        control = (item.null, item.fraction, item.weights)
        assert control == ((None, None, "matched") if item.factors["mask"] else ("remove", 0.5, "normalised"))


def test_what_cannot_be_combined() -> None:
    with pytest.raises(ExperimentError, match=r"not a factor of a design(.|\n)*shape(.|\n)*network"):
        vary([Change(name="shape", network="cnn")], "factorial", runs=32)
    with pytest.raises(ExperimentError, match=r"one factor only(.|\n)*a, b"):
        vary([Change(name="a", null="degree"), Change(name="b", null="types")], "factorial", runs=32)


@pytest.mark.parametrize("quick", [False, True])
@pytest.mark.parametrize("name", preset_names())
def test_presets_are_plans(name: str, quick: bool) -> None:
    plan = read_plan(name, quick=quick)
    assert isinstance(plan, Plan)
    assert plan.name == name
    assert plan.why
    if quick:
        whole = read_plan(name)
        assert len(plan.variants) < len(whole.variants)
        assert settings(plan, plan.variants[0]).epochs < settings(whole, whole.variants[0]).epochs


def test_the_paper_has_fourteen_models() -> None:
    plan = read_plan("bionic-ablations")
    assert len(plan.variants) == 14
    assert plan.variants[0].name == "full"
    assert sum(item.name.startswith("no ") for item in plan.variants) == 12
    assert all(item.why for item in plan.variants[1:])
    assert len(read_plan("bionic-factorial").variants) == 128
    assert len(read_plan("bionic-factorial", quick=True).variants) == 32


def test_every_part_of_bionic_can_be_switched_off_alone_and_with_all_others() -> None:
    base = extract(open_source("synthetic", cells=300), network="bionic")
    plan = read_plan("bionic-ablations")
    before = base.network.model_dump(mode="json")
    for variant in plan.variants:
        if variant.without or variant.set:
            assert changed_spec(base, variant).network.model_dump(mode="json") != before
    without = [path for factor in plan.factors for path in factor.without]
    values = {path: value for factor in plan.factors for path, value in factor.set.items()}
    network = changed_spec(base, Change(name="nothing", without=tuple(without), set=values)).network
    assert (network.noise, network.inhibition, network.front_end.blocks) == (None, None, ())
    assert [item.name for item in network.projections] == ["A_B", "B_C", "C_D"]


@pytest.mark.parametrize("name", ["accuracy", "accuracy_bionic"])
def test_accuracies_are_measured_with_the_settings_of_the_examples(name: str) -> None:
    plan = read_plan(EXAMPLE.with_name(f"{name}.toml"))
    wanted = read_config(EXAMPLE.with_name(f"{plan.needs}.toml"))
    assert all(settings(plan, variant) == wanted for variant in plan.variants)


def test_the_example_shows_every_key() -> None:
    text = EXAMPLE.read_text()
    plan = read_plan(EXAMPLE)
    content = tomllib.loads(text)
    aliases = {field.alias or name for name, field in Plan.model_fields.items()}
    shown = set(content) | set(re.findall(r"^# (\w+) =", text, re.M)) | set(re.findall(r"^# \[\[(\w+)\]\]", text, re.M))
    assert shown >= aliases
    of_variants = {key for item in content["variant"] for key in item}
    assert of_variants | set(re.findall(r"^# (\w+) =", text, re.M)) >= set(Change.model_fields) - {"factors"}
    assert len(plan.variants) == len(content["variant"])
