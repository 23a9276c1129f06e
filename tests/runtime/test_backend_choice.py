"""Which backend a projection takes: the program's, the measured one, the one that is asked for; never a wrong one."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from patterns import arrays_of
from torch import nn

from connectome2net.errors import LoadError
from connectome2net.runtime.backends import BACKENDS, choice, native
from connectome2net.runtime.backends.choice import choose_backends, measure
from connectome2net.runtime.sparse import Projection

MASK = np.random.default_rng(0).random((30, 20)) < 0.3


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(choice, "times_file", lambda: tmp_path / "cache" / "backends.json")
    return tmp_path / "cache" / "backends.json"


def network() -> Any:
    return nn.ModuleDict({name: Projection(arrays_of(MASK), "W", sign="free") for name in ("W_a", "W_b")})


def test_the_program_says() -> None:
    model = network()
    choose_backends(model, "program", {"W_a": "dense", "W_b": "sparse"})
    assert (model["W_a"].backend, model["W_a"].reason) == ("dense", "the program says dense")
    if not BACKENDS["native"].problem(model["W_b"].pattern, torch.device("cpu"), torch.float32):
        assert (model["W_b"].backend, model["W_b"].reason) == ("native", "the program says sparse")


def test_what_cannot_be_had_is_replaced_with_a_reason(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(native, "kernel_problem", lambda: "no compiler")
    monkeypatch.setattr(torch.backends.mkl, "is_available", lambda: False)
    model = network()
    choose_backends(model, "program", {})
    assert (model["W_a"].backend, model["W_a"].reason) == ("gather", "native is not to be had: no compiler")


@pytest.mark.parametrize("name", ["csr", "gather", "dense"])
def test_what_is_asked_for(name: str) -> None:
    model = network()
    choose_backends(model, name, {})
    assert {module.backend for module in model.values()} == {name}


def test_what_is_asked_for_and_cannot_be_had_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(native, "kernel_problem", lambda: "no compiler")
    with pytest.raises(LoadError, match=r"(?s)W_a cannot be computed that way.*found:  native.*wanted: no compiler"):
        choose_backends(network(), "native", {})
    with pytest.raises(LoadError, match=r"(?s)no such backend.*found:  fast.*wanted: program, auto, native, csr"):
        choose_backends(network(), "fast", {})


def test_auto_takes_the_quickest_and_remembers(cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    times = {"csr": 0.5, "gather": 0.25, "dense": 1.0}
    calls = []
    monkeypatch.setattr(choice, "measure", lambda *_: calls.append(1) or times)
    for _ in range(2):
        model = network()
        choose_backends(model, "auto", {})
        assert model["W_b"].backend == "gather"
        assert model["W_b"].reason == "measured: gather 0.25, csr 0.50, dense 1.00 ms"
    assert len(calls) == 1
    assert [*json.loads(cache.read_text()).values()] == [times]


@pytest.mark.parametrize(
    "content", ["", "[]", "{", '{"x": 1}', "no json \u2028", '{"x": {"fast": 1}}', '{"x": {"csr": "1"}}']
)
def test_a_broken_memory_is_measured_again(cache: Path, content: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(choice, "measure", lambda *_: {"csr": 1.0})
    cache.parent.mkdir()
    cache.write_text(content.replace("x", choice._key(network()["W_a"].pattern, torch.device("cpu"), torch.float32)))
    model = network()
    choose_backends(model, "auto", {})
    assert model["W_a"].backend == "csr"


def test_a_place_that_cannot_be_written_is_no_error(cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(choice, "measure", lambda *_: {"csr": 1.0})
    cache.parent.write_text("a file where the folder should be")
    choose_backends(network(), "auto", {})


def test_every_backend_that_works_is_measured(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(choice, "SECONDS", 0.0)
    pattern = network()["W_a"].pattern
    times = measure(pattern, torch.device("cpu"), torch.float32)
    works = {name for name, item in BACKENDS.items() if not item.problem(pattern, torch.device("cpu"), torch.float32)}
    assert times.keys() == works
    assert all(0 < ms < 1000 for ms in times.values())
