"""The house keeps its order: who may import whom, what is imported when, and that ruff and mypy are content."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from collections import defaultdict
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PACKAGE = ROOT / "connectome2net"

MAY_IMPORT = {
    "errors": set(),
    "progress": set(),
    "cache": set(),
    "atomic": set(),
    "spectral": set(),
    "spec": {"errors", "atomic"},
    "sources": {"errors", "progress", "cache"},
    "extract": {"errors", "sources", "spec"},
    "transform": {"errors", "spec", "spectral"},
    "compile": {"errors", "spec", "atomic"},
    "runtime": {"errors", "cache"},
    "load": {"errors", "runtime", "compile.conventional", "compile.emit", "compile.parameters", "compile.program"},
    "inside": {"errors", "runtime", "load", "spectral"},
    "tasks": {"errors"},
    "train": {"errors", "progress", "atomic", "runtime", "load", "inside", "tasks"},
    "evaluate": {"errors", "progress", "runtime", "load", "inside", "tasks", "train"},
    "experiment": {"errors", "progress", "spec", "transform", "compile", "train", "evaluate", "tasks", "load"},
    "report": {"errors", "atomic", "spec", "experiment.statistics", "experiment.wording"},
    "export": {"errors", "atomic", "runtime", "load", "spec"},
}
"""What a stage may import from the others; ``cli`` and the package itself may import all of them."""

HEAVY = ("torch", "pandas", "pyarrow", "numpy", "scipy", "caveclient", "ibis", "kornia", "matplotlib")
MOST_LINES = 300
MOST_LINES_OF_A_FUNCTION = 40


def modules() -> list[Path]:
    return sorted(PACKAGE.rglob("*.py"))


@cache
def tree_of(path: Path) -> ast.Module:
    return ast.parse(path.read_text())


def at_import(tree: ast.AST) -> list[ast.stmt]:
    """The imports that run when a module is imported: not those in functions or under TYPE_CHECKING."""
    found: list[ast.stmt] = []
    for node in ast.iter_child_nodes(tree):
        if isinstance(node, ast.Import | ast.ImportFrom):
            found.append(node)
        elif isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test):
            continue
        elif not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda):
            found += at_import(node)
    return found


def names_of(statements: list[ast.stmt]) -> set[str]:
    """The modules that some imports name; ``from a import b`` counts as a.b where that is a module."""
    found = set()
    for node in statements:
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            assert node.level == 0, "imports are absolute"
            below = {f"{node.module}.{alias.name}" for alias in node.names}
            inner = {name for name in below if is_module(name)}
            found |= inner
            if len(inner) < len(below):
                found.add(node.module)
    return found


def is_module(name: str) -> bool:
    path = ROOT / name.replace(".", "/")
    return path.with_suffix(".py").is_file() or (path / "__init__.py").is_file()


def stage_of(path: Path) -> str:
    first = path.relative_to(PACKAGE).parts[0]
    return first.removesuffix(".py")


def ours(path: Path) -> set[str]:
    """Modules of this package that a module imports anywhere, also within functions, without the package's name."""
    every = [node for node in ast.walk(tree_of(path)) if isinstance(node, ast.Import | ast.ImportFrom)]
    return {name.removeprefix("connectome2net.") for name in names_of(every) if name.startswith("connectome2net.")}


def test_every_stage_is_known() -> None:
    assert {stage_of(path) for path in modules()} - {"__init__", "cli"} <= MAY_IMPORT.keys()


@pytest.mark.parametrize("path", modules(), ids=lambda path: str(path.relative_to(PACKAGE)))
def test_who_may_import_whom(path: Path) -> None:
    stage = stage_of(path)
    if stage in ("__init__", "cli"):
        return
    allowed = MAY_IMPORT[stage] | {stage}
    wrong = {name for name in ours(path) if not any(name == place or name.startswith(f"{place}.") for place in allowed)}
    assert not wrong, f"{stage} must not import {sorted(wrong)}"


def test_no_two_stages_import_each_other() -> None:
    arrows = defaultdict(set)
    for path in modules():
        if stage_of(path) != "__init__":
            arrows[stage_of(path)] |= {name.split(".")[0] for name in ours(path)} - {stage_of(path)}
    assert not [(a, b) for a in arrows for b in arrows[a] if a < b and a in arrows[b]]


def test_the_walk_sees_what_it_must_forbid() -> None:
    lines = ("import torch", "from connectome2net import load", "def f():", "    import pandas")
    tree = ast.parse("\n".join([*lines, "if TYPE_CHECKING:", "    import scipy"]))
    assert names_of(at_import(tree)) == {"torch", "connectome2net.load"}


@pytest.mark.parametrize("path", [*PACKAGE.glob("cli/*.py"), PACKAGE / "__init__.py"], ids=lambda path: path.name)
def test_commands_import_late(path: Path) -> None:
    assert not {name.split(".")[0] for name in names_of(at_import(tree_of(path)))} & set(HEAVY)


def runtime_modules() -> set[str]:
    """Every module of the runtime."""
    paths = (PACKAGE / "runtime").rglob("*.py")
    return {".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__") for path in paths}


WITHOUT_TORCH = [
    ("import connectome2net", HEAVY),
    ("import connectome2net.cli", HEAVY),
    (
        "from click.testing import CliRunner\nfrom connectome2net.cli import c2n\n"
        "assert CliRunner().invoke(c2n, ['--help']).exit_code == 0",
        HEAVY,
    ),
    ("import connectome2net.spec", ("torch", "connectome2net.compile", "connectome2net.sources")),
    ("import connectome2net.sources, connectome2net.extract", ("torch", "connectome2net.compile")),
    (
        "import connectome2net.compile.package, connectome2net.compile.parameters, connectome2net.compile.reference",
        ("torch", "connectome2net.runtime"),
    ),
]
WITH_TORCH = [
    (
        "import " + ", ".join(sorted(runtime_modules())),
        ("pandas", "pyarrow", "connectome2net.spec", "connectome2net.compile", "connectome2net.sources"),
    ),
    ("import connectome2net.load", ("pandas", "connectome2net.compile.lower", "connectome2net.sources")),
    (
        "import connectome2net.train, connectome2net.evaluate",
        ("connectome2net.extract", "connectome2net.sources", "connectome2net.compile.lower"),
    ),
]


@pytest.mark.parametrize("steps", [WITHOUT_TORCH, WITH_TORCH], ids=["without torch", "with torch"])
def test_what_is_in_memory(steps: list[tuple[str, tuple[str, ...]]]) -> None:
    """After each piece of code, one after the other in a fresh process."""
    code = "import sys\n" + "\n".join(f"{piece}\nprint(*sys.modules)" for piece, _ in steps)
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    for (piece, forbidden), names in zip(steps, done.stdout.splitlines(), strict=True):
        found = {name.split(".")[0] for name in names.split()} | set(names.split())
        assert not found & set(forbidden), piece


@pytest.mark.parametrize("path", modules(), ids=lambda path: str(path.relative_to(PACKAGE)))
def test_modules_open_with_what_enters_and_leaves_and_stay_short(path: Path) -> None:
    words = ast.get_docstring(tree_of(path)) or ""
    assert "Enters:" in words
    assert "Leaves:" in words
    assert len(path.read_text().splitlines()) <= MOST_LINES


def test_functions_stay_short() -> None:
    """Lines of code: the docstring and the list of arguments are not counted."""
    long = []
    for path in modules():
        for node in ast.walk(tree_of(path)):
            if isinstance(node, ast.FunctionDef):
                body = node.body[1:] if ast.get_docstring(node) else node.body
                lines = node.end_lineno - body[0].lineno + 1 if body else 0
                if lines > MOST_LINES_OF_A_FUNCTION:
                    long.append(f"{path.relative_to(ROOT)}:{node.lineno} {node.name}: {lines} lines")
    assert not long


def test_names_that_say_nothing_are_not_used() -> None:
    vague = {"utils", "helpers", "common", "misc", "base", "core", "manager"}
    assert not [path for path in modules() if path.stem in vague or path.parent.name in vague]


def test_readme_installs_the_torch_that_was_tested() -> None:
    tested, named = (
        re.findall(r"\btorch==([\d.]+)", (ROOT / file).read_text()) for file in ("constraints.txt", "README.md")
    )
    assert named == tested


def test_no_pickle_anywhere() -> None:
    names = {"pickle", "marshal", "shelve", "dill", "cloudpickle", "torch.load", "torch.save", "np.load", "np.save"}
    for path in modules():
        tree = tree_of(path)
        used = {ast.unparse(node) for node in ast.walk(tree) if isinstance(node, ast.Attribute | ast.Name)}
        imports = [node for node in ast.walk(tree) if isinstance(node, ast.Import | ast.ImportFrom)]
        assert not (used | names_of(imports)) & names, path


@pytest.mark.parametrize(
    "command",
    [
        ["ruff", "check", "--no-cache"],
        ["ruff", "format", "--check", "--no-cache"],
        ["mypy"],
    ],
    ids=["lint", "format", "types"],
)
def test_tools_are_content(command: list[str]) -> None:
    done = subprocess.run([sys.executable, "-m", *command], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-1000:]
