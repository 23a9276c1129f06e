"""Program -> text.

Enters: a ``Program``. Leaves: the source of model.py; equal programs give identical text.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cache
from importlib import resources

from jinja2 import Environment, FunctionLoader, StrictUndefined

from connectome2net.compile.equations import EQUATIONS
from connectome2net.compile.program import Block, Drive, Phase, Program

LINE = 120

SIGNS = {
    "dale": "dale: W = sign of the presynaptic cell * anatomy * softplus(theta); no learning changes a sign",
    "free": "free: W = anatomy * theta, of any sign",
}


def emit(program: Program) -> str:
    """Return the source of model.py. The template has loops and names, no decisions."""
    sizes = {population.name: population.cells for population in program.populations}
    template = _environment().get_template(f"model_v{program.template}.py.jinja")
    return template.render(
        program=program,
        class_name=_class_name(program),
        modules=_modules(program),
        constant_terms=lambda drive: _constant_terms(program, drive),
        update_lines=lambda phase: _update_lines(program, phase),
        past=_past(program),
        activity=lambda group: _activity(program, group),
        did=lambda group: f'did["{group}"]',
        equation=EQUATIONS[program.dynamics.kind],
        rules={rule.name: rule for rule in program.rules},
        sizes=lambda group: [str(sizes[name]) for name in group.populations],
        arguments=_arguments,
        literal=_literal,
        wrap=_wrap,
        total=_total,
        table=_table,
        words=_words,
        signs=[words for sign, words in SIGNS.items() if sign in {block.sign for block in program.blocks}],
        populations=[[item.name, item.cells, _words(item.selected)] for item in program.populations],
        projections=[
            [f"W_{item.name}", item.pre, item.post, item.sign, ", ".join(item.rules) or "-", item.edges, item.synapses]
            for item in program.blocks
        ],
    )


def _class_name(program: Program) -> str:
    """Return a name for the class; it ends so that it can be neither a word of Python nor a name that is imported."""
    return "".join(part[:1].upper() + part[1:] for part in program.name.split("_")) + "Network"


def _modules(program: Program) -> list[str]:
    """Return the modules of the runtime that the text uses."""
    used = {"dynamics": True, "encode": True, "readout": True}
    used |= {"plasticity": bool(program.rules), "sparse": bool(program.blocks)}
    return sorted(name for name, is_used in used.items() if is_used)


def _past(program: Program) -> list[str]:
    """Return the groups whose rates of every step are kept: for delays, or for rules that look at steps."""
    look_back = {rule.name for rule in program.rules if rule.needs_steps}
    groups = {block.pre for block in program.blocks if block.delay_steps}
    for block in program.blocks:
        if look_back.intersection(block.rules):
            groups |= {block.pre, block.post}
    return [group.name for group in program.groups if group.name in groups]


def _products(program: Program, names: Sequence[str]) -> list[str]:
    blocks = {block.name: block for block in program.blocks}
    return [f"W_{name} @ {_sent(blocks[name])}" for name in names]


def _sent(block: Block) -> str:
    """Return the presynaptic rates of a block, as old as its delay."""
    if block.delay_steps:
        return f"dynamics.sent(past_{block.pre}, {block.delay_steps})"
    return f"state_{block.pre}.rate_NB"


def _constant_terms(program: Program, drive: Drive) -> list[str]:
    return ["self.input(feature_BCHW)"] * drive.input + _products(program, drive.constant)


def _update_lines(program: Program, phase: Phase) -> list[str]:
    """Return one synchronous step: every group is computed from the old rates before any is replaced."""
    groups = [drive.group for drive in phase.drives]
    new = "next" if len(groups) > 1 else "state"
    lines = []
    for drive in phase.drives:
        terms = [f"drive_{drive.group}_NB"] * bool(_constant_terms(program, drive))
        terms = [f"state_{drive.group}", *terms, *_products(program, drive.recurrent)]
        call = f"{new}_{drive.group} = self.cells_{drive.group}("
        lines += [call, *(f"    {term}," for term in terms), ")"]
    lines += [f"state_{group} = next_{group}" for group in groups if new == "next"]
    return lines + [f"past_{group}.append(state_{group}.rate_NB)" for group in _past(program)]


def _activity(program: Program, group: str) -> str:
    steps = [f"past_{group}[1:]"] * (group in _past(program))
    return f"plasticity.Activity({', '.join([f'state_{group}.read_NB', *steps])})"


def _words(text: str) -> str:
    """Return text that can stand in a docstring: nothing in it ends the docstring or the line."""
    return "".join(mark if mark.isprintable() and mark not in '"\\' else "?" for mark in text[:200])


def _arguments(arguments: Mapping[str, object]) -> list[str]:
    return [f"{name}={_literal(value)}" for name, value in arguments.items()]


def _literal(value: object) -> str:
    return f'"{value}"' if isinstance(value, str) else repr(value)


def _wrap(head: str, items: Sequence[str], tail: str, *, indent: int) -> str:
    """Return ``head items tail``, one item a line where it would be longer than a line."""
    line = f"{head}{', '.join(items)}{tail}"
    if indent + len(line) <= LINE:
        return line
    margin = " " * indent
    return "\n".join([head, *(f"{margin}    {item}," for item in items), f"{margin}{tail}"])


def _total(head: str, terms: Sequence[str], *, indent: int) -> str:
    """Return ``head terms[0] + terms[1] + ...``, as a call where it would be longer than a line."""
    line = head + " + ".join(terms)
    return line if indent + len(line) <= LINE else _wrap(f"{head}dynamics.total(", terms, ")", indent=indent)


def _table(rows: Sequence[Sequence[object]]) -> str:
    """Return rows of cells as aligned text; numbers to the right."""
    right = [isinstance(cell, int) for cell in rows[-1]]
    cells = [[f"{cell:,}" if isinstance(cell, int) else str(cell) for cell in row] for row in rows]
    widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
    lines = []
    for row in cells:
        columns = zip(row, widths, right, strict=True)
        parts = [text.rjust(width) if numeric else text.ljust(width) for text, width, numeric in columns]
        lines.append("    " + "  ".join(parts).rstrip())
    return "\n".join(lines)


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
