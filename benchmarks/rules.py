"""What each plasticity rule costs, as a share of a training step, on a synthetic column.

Enters: numbers of cells, images and rounds. Leaves: a table on the standard output.

A training step is a pass through the preset `column` forward and backward and a step of the optimiser; a rule acts on
all edges of its one projection, on what the cells did in the steps of that pass. Rules of spikes get spikes drawn at
random. Rounds are interleaved, medians are shown.
"""

from __future__ import annotations

import argparse
import inspect
import statistics
import tempfile
import time
from collections.abc import Callable

import torch
from torch.nn import functional as F

import connectome2net as c2n
from connectome2net.runtime import plasticity
from connectome2net.runtime.plasticity import Activity, CellRule, Rule

SETTINGS = {
    "rate": 1e-9,
    "target": 0.5,
    "target_hz": 5.0,
    "depression": 1.05,
    "tau_steps": 2.0,
    "memory_batches": 100,
    "dt_ms": 1.0,
    "active": 0.5,
    "every": 1,
    "fraction": 0.3,
    "regrow": "random",
}
SETTINGS |= dict.fromkeys(("tau_ms", "tau_plus_ms", "tau_minus_ms", "tau_x_ms", "tau_y_ms"), 20.0)
SETTINGS |= dict.fromkeys(("a2_plus", "a3_plus", "a2_minus", "a3_minus"), 1e-3)


def compiled(cells: int) -> torch.nn.Module:
    """Return the preset `column` on a synthetic column of so many cells, every step of which is kept."""
    spec = c2n.extract(c2n.open_source("synthetic", cells=cells), network="column")
    rules = {"it": {"rule": "differential_hebbian", "rate": 0.0, "tau_steps": 1.0}}
    network = spec.network.model_dump(mode="json") | {"plasticity": rules}
    network["projections"] = [item | {"plasticity": ["it"]} for item in network["projections"]]
    document = spec.document.model_copy(update={"network": type(spec.network).model_validate(network)})
    with tempfile.TemporaryDirectory() as folder:
        return c2n.load(c2n.compile_spec(c2n.Spec(document, spec.cells, spec.edges), out=folder))


def rules_of(model: torch.nn.Module) -> dict[str, Rule | CellRule]:
    """Return every rule of the runtime, on the one projection of a model; the one that rewires last."""
    given = SETTINGS | {"projection": model.W_recurrent, "rows_before": 0, "cells": model.program.groups[0].cells}
    kinds = [kind for kind in vars(plasticity).values() if isinstance(kind, type) and issubclass(kind, Rule | CellRule)]
    kinds = sorted((kind for kind in kinds if kind not in (Rule, CellRule)), key=lambda kind: kind.__name__)
    kinds.sort(key=lambda kind: kind is plasticity.Structural)
    return {kind.__name__: kind(**{name: given[name] for name in inspect.signature(kind).parameters}) for kind in kinds}


def seconds(work: Callable[[], object]) -> float:
    """Return how long a piece of work takes."""
    started = time.perf_counter()
    work()
    return time.perf_counter() - started


def report(cells: int, batch: int, repeat: int) -> None:
    """Measure and print."""
    torch.manual_seed(0)
    model = compiled(cells)
    optimiser = torch.optim.AdamW(model.parameters(), lr=1e-4)
    image, label, reward = torch.rand(batch, 1, 48, 48), torch.randint(7, (batch,)), torch.randint(2, (batch,)).float()

    def train() -> None:
        optimiser.zero_grad(set_to_none=True)
        F.cross_entropy(model(image), label).backward()
        optimiser.step()

    train()
    rates = model.activity["all"]
    drawn = [(torch.rand_like(rates.read_NB) < 0.05).float() for _ in rates.steps_T]
    spikes = Activity(rates.read_NB, drawn)
    rules = rules_of(model)

    def act(rule: Rule | CellRule) -> None:
        if isinstance(rule, CellRule):
            rule(model.cells_all, rates)
        else:
            seen = spikes if "STDP" in type(rule).__name__ else rates
            rule(model.W_recurrent, seen, seen, reward)

    times: dict[str, list[float]] = {"training step": [], **{name: [] for name in rules}}
    for _ in range(repeat + 1):
        times["training step"].append(seconds(train))
        for name, rule in rules.items():
            times[name].append(seconds(lambda rule=rule: act(rule)))
    medians = {name: statistics.median(taken[1:]) for name, taken in times.items()}  # the first warms up
    edges, threads = len(model.W_recurrent.theta_E), torch.get_num_threads()
    print(f"{cells:,} cells, {edges:,} edges, {batch} images, {len(drawn)} steps, {threads} threads")
    print("\n| | ms per batch | share of a training step |\n| --- | --- | --- |")
    for name, taken in medians.items():
        print(f"| {name} | {1000 * taken:.2f} | {taken / medians['training step']:.1%} |")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--cells", type=int, default=1351)
    parser.add_argument("--batch", type=int, default=64)
    parser.add_argument("--repeat", type=int, default=30)
    chosen = parser.parse_args()
    report(chosen.cells, chosen.batch, chosen.repeat)
