"""The files that a page is made of, as far as it reads them.

Enters: JSON that `c2n train`, `c2n evaluate` and `c2n experiment` wrote. Leaves: frozen models; fields that the page
does not show are passed over, and what an older release did not write has a default.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated, Any, Literal, TypeVar

from pydantic import AliasChoices, BaseModel, ConfigDict, Field, ValidationError

from connectome2net.errors import ReportError


class File(BaseModel):
    """A part of a file; unknown fields are passed over."""

    model_config = ConfigDict(frozen=True, extra="ignore")


class Variant(File):
    """What a variant changes, and what a control keeps and destroys."""

    name: str
    changes: tuple[str, ...] = ()
    keeps: tuple[str, ...] = ()
    destroys: tuple[str, ...] = ()
    null: str | None = None
    network: str | None = None
    factors: dict[str, bool] | None = None


class PlannedRun(File):
    """A run of an experiment, done or not."""

    variant: str
    seed: int
    folder: str
    status: str
    error: str | None = None


class ExperimentFile(File):
    """experiment.json."""

    format: Literal["connectome2net.experiment"]
    name: str
    reference: str
    variants: tuple[Variant, ...]
    runs: tuple[PlannedRun, ...]
    left_out: dict[str, str] = {}
    why: str = ""
    seeds: tuple[int, ...] = ()
    preset: str | None = None
    quick: bool = False
    part: Literal["test", "validation"] = "test"
    metric: str = "accuracy"


class Summary(File):
    """A number over seeds; the interval is that of the mean, 95 %, and unknown with one seed."""

    mean: float
    sd: float | None = None
    low: float | None = None
    high: float | None = None
    values: dict[str, float] = {}


class Control(File):
    """How much a null model changed, mean over the graphs that it drew; the matched radius is that of training."""

    graphs: int
    edges_changed: float
    edges_changed_share: float | None = None
    spectral_radius_before: float
    spectral_radius_after: float
    scale: float
    spectral_radius_matched: float


class VariantResult(File):
    """The numbers of a variant; a metric is None where it cannot be had."""

    name: str
    runs: int
    failed: int = 0
    metrics: dict[str, Summary | None] = {}
    parameters: int | None = None
    control: Control | None = None


class Comparison(File):
    """A variant against the reference, paired by seed; differences are fractions."""

    variant: str
    reference: str
    n: int
    difference: float | None = None
    low: float | None = None
    high: float | None = None
    effect_size: float | None = None
    p: float | None = None
    p_corrected: float | None = None
    bootstrap_low: float | None = None
    bootstrap_high: float | None = None
    detectable: float | None = None
    verdict: str = ""
    sentence: str = ""


class Effect(File):
    """An effect of a factorial experiment; a term of two parts is their interaction.

    Attributes:
        aliases: terms that the design cannot tell from it.
    """

    term: tuple[str, ...]
    aliases: tuple[tuple[str, ...], ...] = ()
    effect: float
    low: float | None = None
    high: float | None = None
    p: float | None = None
    p_corrected: float | None = None


class Factorial(File):
    """All effects."""

    effects: tuple[Effect, ...] = ()


class ResultsFile(File):
    """results.json."""

    format: Literal["connectome2net.results"]
    variants: tuple[VariantResult, ...]
    comparisons: tuple[Comparison, ...] = ()
    factorial: Factorial | None = None
    conclusion: tuple[str, ...] = ()


class Images(File):
    """The images of a run."""

    name: str
    digest: str
    synthetic: bool
    train: int = 0
    validation: int = 0
    test: int = 0
    findings: tuple[str, ...] = ()


class RunFile(File):
    """run.json."""

    format: Literal["connectome2net.run"]
    status: str
    network: str
    spec: str
    spec_sha256: str
    synthetic_column: bool
    dataset: Images
    classes: tuple[str, ...]
    config: dict[str, Any]
    program_sha256: str = ""
    parameters: dict[str, int] = {}
    versions: dict[str, str] = {}
    threads: int | None = None
    best_epoch: int | None = None
    validation_accuracy: float | None = None
    seconds: float | None = None


class ClassScores(File):
    """The numbers of one class; None where it has no image."""

    precision: float | None
    recall: float | None
    f1: float | None
    images: int
    roc_auc: float | None = None


class Bin(File):
    """Answers of about the same confidence; empty bins have neither confidence nor accuracy."""

    low: float
    high: float
    images: int
    confidence: float | None = None
    accuracy: float | None = None


class Calibration(File):
    """How well confidence tells accuracy."""

    ece: float | None
    bins: tuple[Bin, ...] = ()


class Metrics(File):
    """The numbers of some images; None where there is no image."""

    images: int
    accuracy: float | None
    macro_f1: float | None
    per_class: dict[str, ClassScores] = {}
    confusion: tuple[tuple[int, ...], ...] = ()
    roc_auc: float | None = None
    balanced_accuracy: float | None = None
    calibration: Calibration | None = None


class Disturbed(File):
    """The accuracy at one strength of a disturbance; 0 is none."""

    level: float
    accuracy: float | None


class EvaluationFile(File):
    """evaluation.json, of test images; of validation images where an experiment looks at these alone."""

    test: Annotated[Metrics, Field(validation_alias=AliasChoices("test", "validation"))]
    without_leaked: Metrics | None = None
    without_leaked_or_blank: Metrics | None = None
    mirrored: Metrics | None = None
    robustness: dict[str, tuple[Disturbed, ...]] = {}


class Epoch(File):
    """A line of metrics.jsonl."""

    epoch: int
    loss: float
    accuracy: float
    validation_loss: float
    validation_accuracy: float


Content = TypeVar("Content", bound=File)


def read_content(path: Path, kind: type[Content]) -> Content:
    """Return a file as its model.

    Raises:
        ReportError: it is not there, no JSON, or not what its name says.
    """
    return _checked(path, _text_of(path), kind)


def read_lines(path: Path, kind: type[Content]) -> tuple[Content, ...]:
    """Return each line of a file as a model.

    Raises:
        ReportError: as ``read_content``.
    """
    return tuple(_checked(path, line, kind) for line in _text_of(path).splitlines() if line.strip())


def _text_of(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        fix = "run again what wrote it"
        raise ReportError("a file of this page cannot be read", where=path, found=error, fix=fix) from None


def _checked(path: Path, text: str, kind: type[Content]) -> Content:
    fix = "run again what wrote it: c2n train, c2n evaluate or c2n experiment"
    try:
        return kind.model_validate(json.loads(text))
    except ValidationError as error:
        first = error.errors()[0]
        place = "/".join(map(str, ("", *first["loc"])))
        found = f"{place}: {first['input']!r}" if first["type"] != "missing" else f"no {place}"
        raise ReportError(
            "a file of this page is damaged", where=path, found=found, wanted=first["msg"], fix=fix
        ) from None
    except ValueError as error:
        raise ReportError("a file of this page is damaged", where=path, found=error, wanted="JSON", fix=fix) from None
