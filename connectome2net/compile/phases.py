"""Phases that are more than a loop -> text.

Enters: a phase, and the names of what it changes. Leaves: a function and its call, as paragraphs.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from connectome2net.compile.program import Equilibrium, Phase
from connectome2net.compile.text import LINE, arguments, wrap

AT = 8
"""Where the lines stand in model.py."""


def unrolled(phase: Phase, step: Sequence[str], *, changing: Sequence[str], constant: Sequence[str]) -> list[str]:
    """Return a step as a function, and the call that repeats it.

    The backward pass may take a step again, long after its names were given to something else: what it changes, and
    what may be named anew, are arguments.
    """
    given = {"steps": phase.steps, "tolerance": phase.tolerance, "checkpoint": phase.checkpoint}
    names = [*_listed(changing), *(_listed(constant) if constant else [])]
    return [
        _function("step", [*changing, *constant], [*step, *_wrapped("return [", changing, "]", at=AT + 4)]),
        _assignment(changing, "unroll.repeat", ["step,", *names, *_settings(given)]),
    ]


def settled(phase: Phase, form: Equilibrium, *, groups: Sequence[str], terms: Sequence[Sequence[str]]) -> list[str]:
    """Return what drives each group as a function, and the call that finds the fixed point."""
    states = [f"state_{group}" for group in groups]
    given = {"steps": phase.steps, "tolerance": phase.tolerance} | form.model_dump(exclude={"kind"})
    names = [*_listed([f"self.cells_{group}" for group in groups]), "drives,", *_listed(states)]
    of_group = [line for parts in terms for line in _wrapped("[", parts, "],", at=AT + 8)]
    return [
        _function("drives", states, ["return [", *_deeper(of_group), "]"]),
        _assignment(states, "equilibrium.settle", [*names, *_settings(given)]),
    ]


def _function(name: str, takes: Sequence[str], body: Sequence[str]) -> str:
    return "\n".join([*_wrapped(f"def {name}(", takes, "):", at=AT), *_deeper(body)])


def _assignment(names: Sequence[str], function: str, given: Sequence[str]) -> str:
    """Return ``names = function(given)``, one line for each line that is given."""
    left = [f"({names[0]},)" if len(names) == 1 else ", ".join(names)]
    if AT + len(left[0]) + len(f" = {function}(") > LINE:
        left = ["(", *_deeper([f"{name}," for name in names]), ")"]
    return "\n".join([*left[:-1], f"{left[-1]} = {function}(", *_deeper(given), ")"])


def _settings(given: Mapping[str, object]) -> list[str]:
    return [f"{setting}," for setting in arguments({name: value for name, value in given.items() if value is not None})]


def _listed(items: Sequence[str]) -> list[str]:
    """Return a list as an argument of a call."""
    return _wrapped("[", items, "],", at=AT + 4)


def _wrapped(head: str, items: Sequence[str], tail: str, *, at: int) -> list[str]:
    """Return lines that stand ``at`` characters from the left, without these."""
    return [line.removeprefix(" " * at) for line in wrap(head, items, tail, indent=at).splitlines()]


def _deeper(lines: Sequence[str]) -> list[str]:
    return [f"    {line}" for line in lines]
