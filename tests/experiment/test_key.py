"""Keys: they change where something that determines a run changes, and nowhere else."""

from typing import Any

import pytest
from columns import edges_table, twelve_cells

from connectome2net.experiment import key as key_module
from connectome2net.experiment.change import Change
from connectome2net.experiment.key import run_key
from connectome2net.spec import make_spec
from connectome2net.tasks.augmentation import Augmentation
from connectome2net.train import TrainConfig

BASE: dict[str, Any] = {"spec": twelve_cells(), "change": Change(name="a"), "config": TrainConfig(), "data": "d" * 64}
DOCUMENT = BASE["spec"].document
CHANGED = {
    "an edge": {"spec": make_spec(DOCUMENT, cells=BASE["spec"].cells, edges=edges_table().slice(1))},
    "an assumption": {"spec": twelve_cells(dynamics={"leak": 0.25})},
    "a null": {"change": Change(name="a", null="degree")},
    "another null": {"change": Change(name="a", null="types")},
    "its weights": {"change": Change(name="a", null="degree", weights="normalised")},
    "a fraction": {"change": Change(name="a", null="remove", fraction=0.1)},
    "another fraction": {"change": Change(name="a", null="remove", fraction=0.2)},
    "cells": {"change": Change(name="a", null="dense-core", cells=5)},
    "a subset": {"change": Change(name="a", subset=0.5)},
    "a network": {"change": Change(name="a", network="mlp")},
    "another network": {"change": Change(name="a", network="cnn")},
    "the seed": {"config": TrainConfig(seed=1)},
    "epochs": {"config": TrainConfig(epochs=21)},
    "augmentation": {"config": TrainConfig(augmentation=Augmentation(flip=0.4))},
    "no augmentation": {"config": TrainConfig(augmentation=None)},
    "the device": {"config": TrainConfig(device="cuda")},
    "images": {"data": "e" * 64},
}
EQUAL = {
    "the same": {},
    "the name": {"change": Change(name="b", why="because", reference="c", factors={"noise": True})},
    "words for what was changed": {"change": Change(name="a", without=("noise",), train={"epochs": 20})},
    "weights without a null": {"change": Change(name="a", weights="normalised")},
    "a spec that may lack it": {"change": Change(name="a", optional=True)},
    "a default that is spelled out": {"config": TrainConfig(epochs=20)},
}


def key(changes: dict[str, Any]) -> str:
    content = BASE | changes
    return run_key(content["spec"], content["change"], content["config"], data=content["data"])


@pytest.mark.parametrize("changes", EQUAL.values(), ids=EQUAL.keys())
def test_what_determines_nothing_changes_no_key(changes: dict[str, Any]) -> None:
    assert key(changes) == key({})
    assert len(key(changes)) == 16


def test_whatever_determines_a_run_changes_its_key(monkeypatch: pytest.MonkeyPatch) -> None:
    keys = {name: key(changes) for name, changes in CHANGED.items()}
    monkeypatch.setattr(key_module, "__version__", "99")
    keys["the version"] = key({})
    monkeypatch.undo()
    keys["nothing"] = key({})
    assert len(set(keys.values())) == len(keys)


def test_every_setting_of_training_is_in_the_key_but_curves_that_somebody_looks_at() -> None:
    other = TrainConfig(
        **{"epochs": 7, "batch": 7, "seed": 7, "learning_rate": 0.7, "strength_rate": 0.7, "weight_decay": 0.7},
        **{
            "label_smoothing": 0.7,
            "average": 0.7,
            "clip": 0.7,
            "patience": 7,
            "validation_fraction": 0.7,
            "devices": 7,
            "nodes": 7,
        },
        **{"optimiser": "adam", "schedule": "cosine", "augmentation": None, "device": "cpu", "backend": "dense"},
        **{"precision": "bf16", "labels": "ferplus", "skip_broken": True, "tensorboard": True},
    )
    for name, field in TrainConfig.model_fields.items():
        value = getattr(other, name)
        assert value != field.default, name
        changed = key({"config": TrainConfig(**{name: value})}) != key({})
        assert changed is (name != "tensorboard"), name
