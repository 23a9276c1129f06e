"""Program -> text.

Enters: a ``Program``. Leaves: the source of model.py; equal programs give identical text.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from importlib import resources
from typing import Any

from jinja2 import Environment, FunctionLoader, StrictUndefined

from connectome2net.compile.conventional import Conventional
from connectome2net.compile.equations import EQUATIONS
from connectome2net.compile.front_end import arguments as arguments_of
from connectome2net.compile.parameters import count_parameters
from connectome2net.compile.phases import settled, unrolled
from connectome2net.compile.program import (
    Block,
    Drive,
    Equilibrium,
    FeedbackAlignment,
    Group,
    Phase,
    Program,
    Reservoir,
)
from connectome2net.compile.text import arguments, literal, table, total, words, wrap

AXES = {
    "current": "B batch, C channels, H rows, W columns, N cells, K classes",
    "conductance": "B batch, C channels, H rows, W columns, N cells, K classes, S excitatory and inhibitory",
}

SIGNS = {
    "dale": "dale: W = sign of the presynaptic cell * anatomy * softplus(theta); no learning changes a sign",
    "positive": "positive: g = anatomy * softplus(theta), the conductance of a gap junction, each direction its own",
    "free": "free: W = anatomy * theta, of any sign",
}

LEARNING = {
    "equilibrium": "learning: equilibrium propagation; errors are read from how far a nudge moves the fixed point",
    "feedback_alignment": "learning: feedback alignment; errors return through fixed weights on the same edges",
    "reservoir": "learning: none but the readout, by ridge regression; the strengths of edges stay as they are drawn",
}

REFERENCES = {
    "linear": "nothing; the readout sees the feature map",
    "mlp": "dense layers with LayerNorm and ReLU",
    "cnn": "further convolutions; the readout sees every place of the last map",
}
"""What stands where the column was."""


def emit(program: Program | Conventional) -> str:
    """Return the source of model.py. The template has loops and names, no decisions."""
    if isinstance(program, Conventional):
        return _emit_conventional(program)
    sizes = {population.name: population.cells for population in program.populations}
    template = _environment().get_template(f"model_v{program.template}.py.jinja")
    return template.render(
        program=program,
        class_name=_class_name(program),
        modules=_modules(program),
        paragraphs=lambda phase: [text for text in _paragraphs(program, phase) if text],
        past=_past(program),
        activity=lambda group: _activity(program, group),
        did=lambda group: f'did["{group}"]',
        axes=AXES[program.dynamics.driven_by],
        held=lambda block: _held(program, block),
        numbers=lambda group: _numbers(program, group),
        equation=EQUATIONS[program.dynamics.kind],
        rules={rule.name: rule for rule in program.rules},
        cell_rules=_cell_rules(program),
        sizes=lambda group: [str(sizes[name]) for name in group.populations],
        arguments=arguments,
        arguments_of=arguments_of,
        literal=literal,
        wrap=wrap,
        table=table,
        words=words,
        **_learning(program),
        signs=[words for sign, words in SIGNS.items() if sign in {block.sign for block in program.blocks}],
        populations=[[item.name, item.cells, words(item.selected)] for item in program.populations],
        projections=[
            [f"W_{item.name}", item.pre, item.post, item.sign, ", ".join(item.rules) or "-", item.edges, item.synapses]
            for item in program.blocks
        ],
    )


def _emit_conventional(network: Conventional) -> str:
    counts = count_parameters(network)
    size = sum(counts.values())
    wanted = [_wanted(network.wanted, size, network.reference)] if network.wanted else []
    template = _environment().get_template(f"reference_v{network.template}.py.jinja")
    return template.render(
        network=network,
        class_name=_class_name(network),
        what=REFERENCES[network.reference],
        sizes=[*counts.items(), ("together", size)],
        wanted=wanted,
        arguments=arguments,
        arguments_of=arguments_of,
        literal=literal,
        wrap=wrap,
        table=table,
        words=words,
    )


def _wanted(wanted: int, size: int, kind: str) -> str:
    if kind == "linear":
        return f"the spec's network has {wanted:,}; a readout alone has no layers to spend them on"
    return f"{wanted:,} were wanted: {size / wanted - 1:+.2%}"


def _learning(program: Program) -> dict[str, Any]:
    """Return what the template says of the way of learning."""
    form = program.learning
    return {
        "learning": [LEARNING[form.kind]] if form else [],
        "feedback": [f'feedback="{form.signs}"'] if isinstance(form, FeedbackAlignment) else [],
        "reservoir": isinstance(form, Reservoir),
    }


def _class_name(program: Program | Conventional) -> str:
    """Return a name for the class; it ends so that it can be neither a word of Python nor a name that is imported."""
    return "".join(part[:1].upper() + part[1:] for part in program.name.split("_")) + "Network"


def _modules(program: Program) -> list[str]:
    """Return the modules of the runtime that the text uses."""
    used = {"dynamics": True, "encode": True, "readout": True}
    used |= {"plasticity": bool(program.rules), "sparse": bool(program.blocks)}
    used["equilibrium"] = isinstance(program.learning, Equilibrium)
    settles = any(phase.tolerance is not None or phase.checkpoint for phase in program.phases)
    used["unroll"] = settles and not used["equilibrium"]
    return sorted(name for name, is_used in used.items() if is_used)


def _past(program: Program) -> list[str]:
    """Return the groups whose rates of every step are kept: for delays, or for rules that look at steps."""
    look_back = {rule.name for rule in program.rules if rule.needs_steps}
    groups = {block.pre for block in program.blocks if block.delay_steps}
    for block in program.blocks:
        if look_back.intersection(block.rules):
            groups |= {block.pre, block.post}
    return [group.name for group in program.groups if group.name in groups]


def _cell_rules(program: Program) -> list[dict[str, Any]]:
    """Return the populations whose cells have rules, each with the rows that it has in its group."""
    populations, rules = {item.name: item for item in program.populations}, {rule.name: rule for rule in program.rules}
    found = []
    for group in program.groups:
        before = 0
        for population in (populations[name] for name in group.populations):
            rows = {"rows_before": before, "cells": population.cells}
            calls = [(rules[name].kind, arguments({**rows, **rules[name].arguments})) for name in population.rules]
            if calls:
                found.append({"population": population.name, "group": group.name, "rules": calls})
            before += population.cells
    return found


def _products(program: Program, names: Sequence[str]) -> list[str]:
    blocks = {block.name: block for block in program.blocks}
    return [f"W_{name} @ {_sent(blocks[name])}" for name in names]


def _sent(block: Block) -> str:
    """Return the presynaptic rates of a block, as old as its delay."""
    if block.delay_steps:
        return f"dynamics.sent(past_{block.pre}, {block.delay_steps})"
    return f"state_{block.pre}.rate_NB"


def _constant_terms(program: Program, drive: Drive) -> list[str]:
    seen = "self.input(feature_BCHW)"
    if program.dynamics.driven_by == "conductance":
        seen = f"dynamics.conductance({seen})"
    return [seen] * drive.input + _products(program, drive.constant)


def _drive_name(program: Program, drive: Drive) -> str:
    return f"drive_{drive.group}_{'SNB' if program.dynamics.driven_by == 'conductance' else 'NB'}"


def _held(program: Program, block: Block) -> str:
    """Return the method that gives what a block does in a pass."""
    if block.sign == "positive":
        return "junctions"
    return "conductances" if program.dynamics.driven_by == "conductance" else "weights"


def _numbers(program: Program, group: Group) -> dict[str, list[str]]:
    """Return the numbers of each population of a group, by argument."""
    given = program.dynamics.of_population
    return {name: [repr(of[population]) for population in group.populations] for name, of in given.items()}


def _paragraphs(program: Program, phase: Phase) -> list[str]:
    """Return the text that takes the steps of a phase, after the part of each drive that the phase does not change."""
    constant = [drive for drive in phase.drives if _constant_terms(program, drive)]
    drives = [
        total(f"{_drive_name(program, drive)} = ", _constant_terms(program, drive), indent=8) for drive in constant
    ]
    above = "\n".join(drives).replace("\n        ", "\n")
    if isinstance(program.learning, Equilibrium):
        terms, groups = [_terms(program, drive) for drive in phase.drives], [drive.group for drive in phase.drives]
        return [above, *settled(phase, program.learning, groups=groups, terms=terms)]
    past, calls = _past(program), _calls(program, phase)
    if phase.tolerance is None and phase.checkpoint is None:
        step = [*calls, *(f"past_{group}.append(state_{group}.rate_NB)" for group in past)]
        return [
            "\n".join(
                [*([above] if above else []), f"for _ in range({phase.steps}):", *(f"    {line}" for line in step)]
            )
        ]
    changed = {drive.group for drive in phase.drives}
    step = [*calls, *(f"past_{group} = [*past_{group}, state_{group}.rate_NB]" for group in past)]
    changing = [*(f"state_{drive.group}" for drive in phase.drives), *(f"past_{group}" for group in past)]
    names = [_drive_name(program, drive) for drive in constant]
    beyond = {block.pre for block in program.blocks for drive in phase.drives if block.name in drive.junctions}
    held = (beyond | set(past)) - changed
    names += [f"state_{group.name}" for group in program.groups if group.name in held]
    return [above, *unrolled(phase, step, changing=changing, constant=names)]


def _calls(program: Program, phase: Phase) -> list[str]:
    """Return one synchronous step: every group is computed from the old rates before any is replaced."""
    groups = [drive.group for drive in phase.drives]
    new = "next" if len(groups) > 1 else "state"
    lines = []
    for drive in phase.drives:
        call = f"{new}_{drive.group} = self.cells_{drive.group}("
        given = [
            *(f"{term}," for term in [f"state_{drive.group}", *_terms(program, drive)]),
            *_junctions(program, drive),
        ]
        lines += [call, *(f"    {line}" for line in given), ")"]
    return lines + [f"state_{group} = next_{group}" for group in groups if new == "next"]


def _terms(program: Program, drive: Drive) -> list[str]:
    """Return the drives of a group in a step."""
    return [_drive_name(program, drive)] * bool(_constant_terms(program, drive)) + _products(program, drive.recurrent)


def _junctions(program: Program, drive: Drive) -> list[str]:
    """Return the lines of the argument of a call that gap junctions are; none where there are none."""
    blocks = {block.name: block for block in program.blocks}
    terms = [f"W_{name} @ state_{blocks[name].pre}.v_NB" for name in drive.junctions]
    text = total("junction_JNB=", terms, ",", indent=16) if terms else ""
    return [line.removeprefix(" " * 16) for line in text.splitlines()]


def _activity(program: Program, group: str) -> str:
    steps = [f"past_{group}[1:]"] * (group in _past(program))
    return wrap(f'"{group}": plasticity.Activity(', [f"state_{group}.read_NB", *steps], "),", indent=16)


@cache
def _environment() -> Environment:
    return Environment(
        loader=FunctionLoader(_source),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
        autoescape=False,
    )


def _source(name: str) -> str:
    return (resources.files("connectome2net.compile") / "templates" / name).read_text(encoding="utf-8")
