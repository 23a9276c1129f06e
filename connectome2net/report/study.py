"""What a page is about: the runs of one or more variants.

Enters: what was read from folders. Leaves: frozen data that the figures and tables of the page look at.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa

from connectome2net.errors import ReportError
from connectome2net.report.formats import (
    Comparison,
    Epoch,
    EvaluationFile,
    ExperimentFile,
    PlannedRun,
    ResultsFile,
    RunFile,
    VariantResult,
)
from connectome2net.spec import Spec


@dataclass(frozen=True)
class Run:
    """One network, trained from one seed.

    Attributes:
        folder: where it lies.
        plan: its variant, seed and status.
        record: run.json; None where training has not begun.
        epochs: metrics.jsonl.
        evaluation: evaluation.json; None before `c2n evaluate`.
    """

    folder: Path
    plan: PlannedRun
    record: RunFile | None = None
    epochs: tuple[Epoch, ...] = ()
    evaluation: EvaluationFile | None = None

    def program(self) -> dict[str, Any] | None:
        """Return program.json of the run, None where there is none."""
        path = self.folder / "compiled" / "program.json"
        if not path.is_file():
            return None
        try:
            content = json.loads(path.read_text(encoding="utf-8"))
        except ValueError as error:
            fix = "compile again"
            raise ReportError(
                "a file of this page is damaged", where=path, found=error, wanted="JSON", fix=fix
            ) from None
        return content if isinstance(content, dict) else None

    def table(self, name: str) -> pa.Table | None:
        """Return a parquet table beside the evaluation, None where there is none."""
        import pyarrow.parquet as pq

        path = self.folder / f"{name}.parquet"
        if not path.is_file():
            return None
        try:
            return pq.read_table(path)
        except (pa.ArrowException, OSError) as error:
            fix = "evaluate again: c2n evaluate"
            raise ReportError(
                "a table of this page is damaged", where=path, found=error, wanted="parquet", fix=fix
            ) from None


@dataclass(frozen=True)
class Study:
    """Everything that a page shows.

    Attributes:
        experiment: variants, runs, seeds; for bare run folders made up from them.
        runs: in the order of the experiment.
        variants: the numbers of each variant.
        results: comparisons and conclusions; None for bare run folders, and before an experiment has ended.
        spec: the column; None where nobody said which.
        spec_sha256: its digest.
    """

    experiment: ExperimentFile
    runs: tuple[Run, ...]
    variants: tuple[VariantResult, ...]
    results: ResultsFile | None
    spec: Spec | None
    spec_sha256: str | None = None

    def runs_of(self, variant: str) -> list[Run]:
        """Return the runs of a variant that have been evaluated or at least trained."""
        return [run for run in self.runs if run.plan.variant == variant and run.record is not None]

    @property
    def comparisons(self) -> tuple[Comparison, ...]:
        """Differences of variants to their references; none before there are results."""
        return self.results.comparisons if self.results else ()

    @property
    def alone(self) -> list[str]:
        """Variants that are judged by themselves: not those of a factorial design, whose effects say more."""
        reference = self.experiment.reference
        return [item.name for item in self.experiment.variants if not item.factors or item.name == reference]

    @property
    def trained(self) -> Run | None:
        """The first trained run of the reference, or of anything."""
        return next(iter(self.runs_of(self.experiment.reference)), next((r for r in self.runs if r.record), None))
