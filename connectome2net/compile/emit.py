"""Program -> text.

Enters: a ``Program``. Leaves: the source of model.py; equal programs give identical text.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cache
from importlib import resources

from jinja2 import Environment, FunctionLoader, StrictUndefined

from connectome2net.compile.program import Drive, Group, Phase, Program

LINE = 120


def emit(program: Program) -> str:
    """Return the source of model.py. The template has loops and names, no decisions."""
    blocks = {block.name: block for block in program.blocks}
    sizes = {population.name: population.cells for population in program.populations}

    def product(name: str) -> str:
        return f"self.W_{name}(rate_{blocks[name].pre}_NB)"

    def constant_terms(drive: Drive) -> list[str]:
        return ["self.input(feature_BCHW)"] * drive.input + [product(name) for name in drive.constant]

    def update(drive: Drive) -> list[str]:
        terms = [f"drive_{drive.group}_NB"] * bool(constant_terms(drive)) + [product(name) for name in drive.recurrent]
        arguments = [f"rate_{drive.group}_NB", *terms]
        return [f"self.cells_{drive.group}(", *(f"    {argument}," for argument in arguments), ")"]

    def update_lines(phase: Phase) -> list[str]:
        first, *others = phase.drives
        if not others:
            head, *tail = update(first)
            return [f"rate_{first.group}_NB = {head}", *tail]
        names = ", ".join(f"rate_{drive.group}_NB" for drive in phase.drives)
        calls = [f"    {line}" for drive in phase.drives for line in [*update(drive)[:-1], "),"]]
        return [f"{names} = (", *calls, ")"]

    def population_sizes(group: Group) -> str:
        return "[" + ", ".join(str(sizes[name]) for name in group.populations) + "]"

    template = _environment().get_template(f"model_v{program.template}.py.jinja")
    return template.render(
        program=program,
        class_name=_class_name,
        constant_terms=constant_terms,
        update_lines=update_lines,
        sizes=population_sizes,
        call=_call,
        literal=_literal,
        table=_table,
        words=_words,
        populations=[[item.name, item.cells, _words(item.selected)] for item in program.populations],
        projections=[
            [f"W_{item.name}", item.pre, item.post, item.sign, ", ".join(item.rules) or "-", item.edges, item.synapses]
            for item in program.blocks
        ],
    )


def _class_name(program: Program) -> str:
    return "".join(part[:1].upper() + part[1:] for part in program.name.split("_"))


def _words(text: str) -> str:
    """Return text that can stand in a docstring: nothing in it ends the docstring or the line."""
    return "".join(mark if mark.isprintable() and mark not in '"\\' else "?" for mark in text[:200])


def _call(function: str, arguments: Mapping[str, object], *, indent: int) -> str:
    """Return a call, one argument a line where it would be longer than a line."""
    items = [f"{name}={_literal(value)}" for name, value in arguments.items()]
    line = f"{function}({', '.join(items)})"
    if indent + len(line) < LINE:
        return line
    margin = " " * indent
    return "\n".join([f"{function}(", *(f"{margin}    {item}," for item in items), f"{margin})"])


def _literal(value: object) -> str:
    return f'"{value}"' if isinstance(value, str) else repr(value)


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
