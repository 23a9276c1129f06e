"""Every error that a user can cause.

Enters: what went wrong, where, what was found, what was wanted, the way out.
Leaves: one exception whose text says just that. The command line prints it and exits with 1.
"""

from __future__ import annotations

import difflib
from collections.abc import Collection, Iterable
from dataclasses import dataclass

LONGEST_LINE = 1000
MOST_LINES = 30
"""Of what was found only so much is shown; it may be a whole file."""
MOST_ISSUES = 100
"""So many issues are shown; ``SpecError.issues`` has all."""


def _short(text: object) -> str:
    lines = str(text).split("\n", MOST_LINES)
    lines[MOST_LINES:] = ["..."] * (len(lines) > MOST_LINES)
    return "\n".join(line if len(line) <= LONGEST_LINE else f"{line[: LONGEST_LINE - 3]}..." for line in lines)


def near(word: str, known: Collection[str]) -> str:
    """Return a hint at the known words that are most like a word that was misspelled; nothing where none is."""
    found = difflib.get_close_matches(word, known, n=3, cutoff=0.5)
    return f"did you mean {' or '.join(found)}?" if found else ""


@dataclass(frozen=True)
class Issue:
    """One thing that is wrong with a spec.

    Attributes:
        path: JSON pointer into spec.json (``/network/projections/3/pre``) or, for a table,
            ``cells.parquet/lamina``.
        found: what is there.
        wanted: what should be there.
        fix: the way out.
    """

    path: str
    found: str
    wanted: str
    fix: str = ""

    def __str__(self) -> str:
        fix = f" -> {self.fix}" if self.fix else ""
        return f"{_short(self.path)}: found {_short(self.found)}; wanted {_short(self.wanted)}{fix}"


class C2NError(Exception):
    """Something that the user can mend.

    Args:
        what: one sentence without a full stop.
        where: the file, column, row or option.
        found: what is there.
        wanted: what should be there.
        fix: the way out.
    """

    def __init__(
        self, what: str, *, where: object = "", found: object = "", wanted: object = "", fix: str = ""
    ) -> None:
        rows = {"where": where, "found": found, "wanted": wanted, "fix": fix}
        lines = [f"  {label + ':':<7} {_short(text)}" for label, text in rows.items() if str(text)]
        super().__init__("\n".join([what, *lines]))


class SourceError(C2NError):
    """A source table is missing, unreadable or contradicts another."""


class ExtractError(C2NError):
    """A column cannot be cut or labelled as asked."""


class SpecError(C2NError):
    """A spec is not valid; ``issues`` lists everything that is wrong with it."""

    def __init__(self, what: str, issues: Iterable[Issue] = (), **details: object) -> None:
        self.issues = tuple(issues)
        super().__init__(what, **details)  # type: ignore[arg-type]
        if self.issues:
            more = [f"and {len(self.issues) - MOST_ISSUES:,} more"] if len(self.issues) > MOST_ISSUES else []
            shown = [*map(str, self.issues[:MOST_ISSUES]), *more]
            self.args = ("\n".join([str(self), *(f"  {issue}" for issue in shown)]),)


class TransformError(C2NError):
    """A control cannot be made from a spec."""


class CompileError(C2NError):
    """A valid spec cannot be lowered to a program."""


class LoadError(C2NError):
    """A compiled folder or a run cannot be trusted or read."""


class InsideError(C2NError):
    """What is to be looked at, or held, is not inside a network."""


class DataError(C2NError):
    """Training or test images are missing or broken."""


class TrainError(C2NError):
    """A training run cannot start, continue or end well."""


class EvaluateError(C2NError):
    """A run cannot be evaluated."""


class ExperimentError(C2NError):
    """A plan cannot be carried out as it is written, or its folder is in use."""


class ExportError(C2NError):
    """A file for another program cannot be written."""


class ReportError(C2NError):
    """A figure or a page cannot be drawn or written."""
