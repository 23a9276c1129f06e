"""Results as tables for a person.

Enters: plain data. Leaves: text on stdout.
"""

from __future__ import annotations

import sys
from collections.abc import Collection, Sequence
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from connectome2net.spec import Spec
from connectome2net.spec.summary import summarise

SYNTHETIC_COLUMN = "[bold yellow]SYNTHETIC column[/]: drawn from published statistics; no cell of it was measured."
SYNTHETIC_IMAGES = "[bold yellow]SYNTHETIC images[/]: drawn faces."


def _console() -> Console:
    """Return a console that breaks lines only where a person looks at them."""
    return Console(highlight=False, soft_wrap=True, width=None if sys.stdout.isatty() else 240)


def _table(title: str, words: Sequence[str], numbers: Sequence[str]) -> Table:
    """Return an empty table: columns of words to the left, then columns of numbers to the right."""
    table = Table(title=title, title_justify="left", box=None, pad_edge=False)
    for column in words:
        table.add_column(column, no_wrap=True)
    for column in numbers:
        table.add_column(column, justify="right", no_wrap=True)
    return table


def _add(table: Table, *values: object) -> None:
    table.add_row(*(f"{value:,}" if isinstance(value, int) else escape(str(value)) for value in values))


def show_extraction(spec: Spec, path: Path) -> None:
    """Print what an extraction kept and lost, and what a user must know."""
    summary = summarise(spec)
    console = _console()
    if summary["synthetic"]:
        console.print(SYNTHETIC_COLUMN)
    _show_steps(console, summary)
    console.print(
        f"{escape(str(path))}: {summary['cells']:,} cells ({summary['excitatory']:,} excitatory, "
        f"{summary['inhibitory']:,} inhibitory), {summary['edges']:,} edges, {summary['synapses']:,} synapses, "
        f"network {summary['network']}"
    )
    _show_outside(console, summary)
    if conflicts := summary["conflicts"]:
        console.print(f"  note: tables disagree on the class of {len(conflicts):,} cells; c2n inspect lists them")


def _show_conflicts(console: Console, summary: dict[str, Any]) -> None:
    """Say of which cells tables disagree, what each says, and what was taken."""
    if not summary["conflicts"]:
        return
    tables = sorted({name for item in summary["conflicts"] for name in item["says"]})
    table = _table("\ntables disagree on the class of a cell", ["cell", "taken", *tables], [])
    for item in summary["conflicts"]:
        _add(table, item["cell"], item["chosen"], *(item["says"].get(name, "") for name in tables))
    console.print(table)


def _show_outside(console: Console, summary: dict[str, Any]) -> None:
    """Say which cells and how many edges the network leaves out."""
    if outside := summary["outside"]:
        types = ", ".join(f"{escape(name)} {count:,}" for name, count in outside.items())
        console.print(f"  note: {sum(outside.values()):,} cells are in no population of the network: {types}")
    if summary["edges_used"] < summary["edges"]:
        console.print(f"  note: the network uses {summary['edges_used']:,} of {summary['edges']:,} edges")


def _show_steps(console: Console, summary: dict[str, Any]) -> None:
    table = _table("", ["step"], ["rows in", "kept", "lost"])
    table.add_column("why")
    for item in summary["steps"]:
        _add(table, *(item.get(key, "") for key in ("name", "rows_in", "kept", "lost", "why")))
    console.print(table)
    for item in summary["findings"]:
        if item["name"] == "left out":  # a step of the table above
            continue
        count = "" if item["name"] == "source" else f"{item['count']:,} "
        cells = f" ({', '.join(item['cells'])})" if 0 < len(item["cells"]) <= 5 else ""
        console.print(f"  note: {count}{escape(item['text'])}{escape(cells)}")


def _control(done: dict[str, Any]) -> str:
    return f"[bold yellow]CONTROL[/] {escape(done['name'])}, seed {done['seed']}: {escape(done['text'])}"


def show_spec(summary: dict[str, Any]) -> None:
    """Print a spec at a glance."""
    console = _console()
    console.print(f"[bold]{escape(summary['name'])}[/]  sha256 {summary['sha256'][:12]}")
    console.print(f"{escape(summary['dataset'])}, materialization {escape(summary['materialization'])}")
    console.print(f"column {escape(summary['column'])}: {escape(summary['cut'])}")
    if summary["synthetic"]:
        console.print(SYNTHETIC_COLUMN)
    for done in summary["transforms"]:
        console.print(f"{_control(done)}; {done['edges_changed']:,} edges changed")
    console.print(
        f"{summary['cells']:,} cells: {summary['excitatory']:,} excitatory, {summary['inhibitory']:,} inhibitory, "
        f"{summary['unknown']:,} unknown; {summary['edges']:,} edges, {summary['synapses']:,} synapses"
    )
    if borders := summary["borders_um"]:
        console.print(
            "borders, um: " + ", ".join(f"{escape(n)} {top:g} to {end:g}" for n, (top, end) in borders.items())
        )
    for title, key in (("laminae", "laminae"), ("cell types", "cell_types")):
        console.print(f"{title}: " + ", ".join(f"{escape(name)} {count:,}" for name, count in summary[key].items()))
    _show_steps(console, summary)
    _show_conflicts(console, summary)
    table = _table(f"\nnetwork {summary['network']}", ["population"], ["cells"])
    for name, cells in summary["populations"].items():
        _add(table, name, cells)
    console.print(table)
    _show_outside(console, summary)
    table = _table("", ["projection", "pre", "post", "sign"], ["edges", "synapses"])
    for row in summary["projections"]:
        _add(table, *(row[key] for key in ("projection", "pre", "post", "sign", "edges", "synapses")))
    console.print(table)
    table = _table("", ["part"], ["trainable parameters"])
    for part, count in summary["parameters"].items():
        _add(table, part, count)
    _add(table, "together", summary["trainable_parameters"])
    console.print(table)


def _show_classes(console: Console, metrics: dict[str, Any]) -> None:
    names = list(metrics["per_class"])
    scores_of = {"precision": "precision", "recall": "recall", "f1": "F1", "roc_auc": "ROC-AUC"}
    table = _table("\nper class", ["class"], ["images", *scores_of.values()])
    for name, scores in metrics["per_class"].items():
        _add(table, name, scores["images"], *(_score(scores[key], digits=2) for key in scores_of))
    console.print(table)
    table = _table("\nright class (row) and answer (column)", [""], [name[:8] for name in names])
    for name, row in zip(names, metrics["confusion"], strict=True):
        _add(table, name, *row)
    console.print(table)


def _score(value: float | None, *, digits: int = 3) -> str:
    return "-" if value is None else f"{value:.{digits}f}"


def show_evaluation(result: dict[str, Any]) -> None:
    """Print the metrics of a run."""
    console = _console()
    data, whole = result["data"], result[result["part"]]
    console.print(
        f"[bold]{escape(result['run'])}[/]  network {result['network']}, epoch {result['best_epoch']}, "
        f"seed {result['seed']}, {escape(data['name'])} {escape(data['part'])}"
    )
    if result["status"] != "finished":
        console.print(f"[bold yellow]This run is not finished[/] ({result['status']}); c2n train --resume goes on.")
    if result["synthetic_column"]:
        console.print(SYNTHETIC_COLUMN)
    if data["synthetic"]:
        console.print(SYNTHETIC_IMAGES)
    if not result["trained_on_these_data"]:
        known = "" if "without_leaked" in result else "; which of them it has learned from is not known"
        console.print(f"[bold yellow]OTHER images[/] than those of the run: shown, and written nowhere{known}.")
    numbers = {"balanced_accuracy": "balanced", "macro_f1": "macro F1", "roc_auc": "ROC-AUC"}
    table = _table("", [f"{result['part']} images"], ["images", "accuracy", *numbers.values(), "ECE"])
    fresh = {"without those in training": "without_leaked", "nor blank ones": "without_leaked_or_blank"}
    rows = {"all": whole} | {words: result[key] for words, key in fresh.items() if key in result} | result["parts"]
    if "mirrored" in result:
        rows["all, each with its mirror image"] = result["mirrored"]
    for name, metrics in rows.items():
        scores = [_score(metrics[key]) for key in numbers] + [_score(metrics["calibration"]["ece"])]
        accuracy = f"{metrics['accuracy']:.2%}" if metrics["images"] else "-"
        _add(table, name, metrics["images"], accuracy, *scores)
    console.print(table)
    _show_classes(console, whole)
    for kind, levels in result.get("robustness", {}).items():
        told = ", ".join(f"{item['level']:g}: {item['accuracy']:.1%}" for item in levels)
        console.print(f"accuracy under {kind}: {told or 'no cells'}")
    console.print(audit_line(result["audit"]))


def audit_line(audit: dict[str, Any]) -> str:
    """Return what the audits of a network found, in a line."""
    dale = audit["dale"]
    if not dale["edges"] + dale["free"] and "note" in audit:
        return str(audit["note"])
    parts = [f"Dale's law: {dale['violations']} violations in {dale['edges']:,} edges"]
    if dale["free"]:
        parts.append(f"{dale['free']:,} edges with free signs")
    if silence := audit.get("silence"):
        probed = f"{silence['probed']:,} of {silence['cells']:,} cells probed"
        parts.append(f"silent pairs: {silence['outside'] + silence['wrong']} violations ({probed})")
        spectrum = audit["spectrum"]
        names = {"spectral_radius": "spectral radius", "largest_singular_value": "largest singular value"}
        parts += [f"{words} {_number(spectrum[key])}" for key, words in names.items()]
    if audit.get("norm") == "layer":
        parts.append("the norm couples the cells of a population beside their weights")
    return "; ".join([*parts, *([audit["note"]] if "note" in audit else [])])


def _number(value: object) -> str:
    return "unknown" if value is None else f"{value:,}" if isinstance(value, int) else f"{value:.4g}"


SPECTRUM = {
    "spectral_radius": "spectral radius",
    "largest_singular_value": "largest singular value",
    "smallest_singular_value": "smallest singular value that is not 0",
    "condition": "condition",
    "rank": "rank",
    "non_normality": "non-normality (0 to 1.41)",
    "excitation": "excitation, sum of weights",
    "inhibition": "inhibition, sum of weights",
    "cells_without_edges_in": "cells without edges in",
    "cells_without_input": "cells without edges in or image",
}
"""Rows of the table of a spectrum."""


def show_network(found: dict[str, Any]) -> None:
    """Print what a compiled folder or a run holds."""
    console = _console()
    console.print(f"[bold]network {found['network']}[/]  of spec {escape(found['spec'])} {found['spec_sha256'][:12]}")
    console.print(f"{escape(found['dataset'])}, materialization {escape(found['materialization'])}")
    if found["reference"]:
        console.print(f"a conventional reference ({found['reference']}): the front end of the spec, and no connectome")
    elif found["synthetic"]:
        console.print(SYNTHETIC_COLUMN)
    for text in found["control"]:
        console.print(f"[bold yellow]CONTROL[/] {escape(text)}")
    if run := found.get("run"):
        reached = (
            "" if run["validation_accuracy"] is None else f", validation accuracy {run['validation_accuracy']:.1%}"
        )
        best = f", best epoch {run['best_epoch']} of {run['epochs']}" if run["epochs"] else ""
        console.print(f"run: {run['status']}, on {escape(run['data'])}, seed {run['seed']}{best}{reached}")
    for rows, words in (
        (found["populations"], {"population", "selected by"}),
        (found["projections"], PROJECTION_WORDS),
    ):
        _show_rows(console, rows, words)
    table = _table("", ["part"], ["trainable parameters"])
    for part, count in found["parameters"].items():
        _add(table, part, count)
    _add(table, "together", found["trainable_parameters"])
    console.print(table)
    states = {"before training": found["before"], "after training": found.get("after")}
    _show_examined(console, {name: audit for name, audit in states.items() if audit})


PROJECTION_WORDS = {"matrix", "pre", "post", "sign", "rules", "backend", "reason"}
"""Columns of the table of projections that are no numbers."""


def _show_rows(console: Console, rows: Sequence[dict[str, Any]], words: Collection[str]) -> None:
    """Print rows as a table: keys are its columns, those of words to the left."""
    if not rows:
        return
    names = [*(key for key in rows[0] if key in words), *(key for key in rows[0] if key not in words)]
    table = _table("", [key for key in names if key in words], [key for key in names if key not in words])
    for row in rows:
        _add(table, *(row[key] for key in names))
    console.print(table)


def _show_examined(console: Console, states: dict[str, dict[str, Any]]) -> None:
    for name, audit in states.items():
        console.print(f"{name}: {audit_line(audit)}")
    spectra = {name: audit["spectrum"] for name, audit in states.items() if "spectrum" in audit}
    if not spectra:
        return
    table = _table("\nspectrum of W over all cells", [""], list(spectra))
    for key, words in SPECTRUM.items():
        _add(table, words, *(_number(spectrum[key]) for spectrum in spectra.values()))
    console.print(table)
    kinds = [(name, kind) for name in spectra for kind in ("excitation", "inhibition")]
    table = _table("\nsums of weights", ["pre", "post"], ["edges", *(f"{kind} {name}" for name, kind in kinds)])
    for rows in zip(*(spectrum["pairs"] for spectrum in spectra.values()), strict=True):
        of = dict(zip(spectra, rows, strict=True))
        sums = [_number(of[name][kind]) for name, kind in kinds]
        _add(table, rows[0]["pre"], rows[0]["post"], rows[0]["edges"], *sums)
    console.print(table)
    for note in dict.fromkeys(note for spectrum in spectra.values() for note in spectrum["notes"]):
        console.print(f"  note: {escape(note)}")
