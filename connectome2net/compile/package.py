"""Program, arrays and text -> the compiled folder.

Enters: a spec. Leaves: program.json, model.py and weights.safetensors in one folder, all or none.
"""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
from safetensors.numpy import save

from connectome2net.compile.anatomy import Arrays
from connectome2net.compile.conventional import Conventional
from connectome2net.compile.emit import emit
from connectome2net.compile.lower import lower
from connectome2net.compile.program import Program
from connectome2net.errors import CompileError
from connectome2net.spec import Spec, read_spec
from connectome2net.spec.digest import digest_bytes

PARTS = ("model.py", "weights.safetensors", "program.json")


def program_text(program: Program | Conventional) -> str:
    """Return program.json as text."""
    return json.dumps(program.model_dump(mode="json"), indent=1, ensure_ascii=False) + "\n"


def compile_spec(spec: Spec | str | Path, *, out: str | Path = "compiled") -> Path:
    """Compile a spec into a folder with a readable torch model.

    Equal specs give identical bytes.

    Args:
        spec: a valid spec, or the path of spec.json.
        out: the folder to write; a compiled folder that lies there is replaced.

    Returns:
        The folder.

    Raises:
        SpecError: the spec is not valid.
        CompileError: it cannot be lowered, or ``out`` holds something else.
    """
    spec = spec if isinstance(spec, Spec) else read_spec(spec)
    out = free_folder(out)
    return write_compiled(*lower(spec), out)


def free_folder(out: str | Path) -> Path:
    """Return a folder in which nothing lies, or a compiled network that may be replaced.

    Raises:
        CompileError: something else lies there.
    """
    out = Path(out)
    if out.exists() and (not out.is_dir() or (any(out.iterdir()) and not (out / "program.json").exists())):
        fix = "choose another folder with --out"
        raise CompileError("something else lies here", where=out, wanted="no file or a compiled folder", fix=fix)
    return out


def write_compiled(program: Program | Conventional, arrays: Arrays, out: Path) -> Path:
    """Write a compiled folder, and return it."""
    weights = save({name: np.ascontiguousarray(array) for name, array in sorted(arrays.items())})
    program = program.model_copy(update={"weights_sha256": digest_bytes(weights)})
    contents = (emit(program).encode(), weights, program_text(program).encode())
    out.mkdir(parents=True, exist_ok=True)
    for name, content in zip(PARTS, contents, strict=True):
        (out / f".{name}.part").write_bytes(content)
    for name in PARTS:
        (out / f".{name}.part").replace(out / name)
    return out
