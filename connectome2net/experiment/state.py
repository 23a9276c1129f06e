"""How far a run is, as its folder tells.

Enters: a run folder. Leaves: waiting, running, finished or failed, with the reason; finished epochs.

    run.json          training has begun; it says when training has finished
    evaluation.json   everything is done; validation.json where a plan looks at that part
    failure.txt       the error, and where it came from
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Literal

from connectome2net.evaluate.run import FILES, Part

FAILURE: Final = "failure.txt"
TRACE: Final = "\n\nTraceback"

Status = Literal["waiting", "running", "finished", "failed"]


@dataclass(frozen=True)
class State:
    """How far a run is.

    Attributes:
        status: ``running`` is whatever has begun and has not ended; it may have been stopped.
        error: of a failed run.
        seconds: of training.
        epochs: finished ones.
        best: validation accuracy of the best epoch so far.
    """

    status: Status
    error: str | None = None
    seconds: float | None = None
    epochs: int = 0
    best: float | None = None


def state_of(run: Path, *, part: Part, robustness: bool = False) -> State:
    """Return how far a run is.

    Args:
        run: its folder, which may not exist.
        part: the part of the images that it must have been evaluated on.
        robustness: it must have been evaluated under noise and the like too.
    """
    records = [json.loads(line) for line in _read(run / "metrics.jsonl").splitlines() if line.endswith("}")]
    seconds = round(sum(record["seconds"] for record in records), 1) if records else None
    best = max((record["validation_accuracy"] for record in records), default=None)
    status: Status = "waiting"
    error = _read(run / FAILURE).partition(TRACE)[0] or None
    if error:
        status = "failed"
    elif is_evaluated(run, part=part, robustness=robustness):
        status = "finished"
    elif has_begun(run):
        status = "running"
    return State(status, error, seconds, len(records), best)


def has_begun(run: Path) -> bool:
    """Tell whether training has begun, so that it can go on."""
    return (run / "run.json").is_file()


def is_trained(run: Path) -> bool:
    """Tell whether training has ended well."""
    return _json(run / "run.json").get("status") == "finished"


def is_evaluated(run: Path, *, part: Part, robustness: bool = False) -> bool:
    """Tell whether a run was evaluated after its training, on its own images, as thoroughly as is asked.

    Somebody may have looked at it before its end, or with other images.
    """
    found, trained = _json(run / FILES[part]), _json(run / "run.json")
    facts = {"status": "finished", "best_epoch": trained.get("best_epoch"), "trained_on_these_data": True}
    return is_trained(run) and facts.items() <= found.items() and ("robustness" in found or not robustness)


def _read(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except FileNotFoundError:  # not yet, or no more: other processes work in this folder
        return ""


def _json(path: Path) -> dict[str, Any]:
    return json.loads(_read(path) or "{}")
