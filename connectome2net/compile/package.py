"""Program, arrays and text -> the compiled folder.

Enters: a spec. Leaves: program.json, model.py and weights.safetensors in one folder, all or none.
"""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
from pydantic import ValidationError
from safetensors.numpy import save

from connectome2net.atomic import part_of, write_files
from connectome2net.compile.anatomy import Arrays
from connectome2net.compile.conventional import Conventional, form_of
from connectome2net.compile.emit import emit
from connectome2net.compile.lower import lower
from connectome2net.compile.program import PARTS, Program
from connectome2net.errors import CompileError
from connectome2net.spec import Spec, read_spec
from connectome2net.spec.digest import digest_bytes


def program_text(program: Program | Conventional) -> str:
    """Return program.json as text."""
    return json.dumps(program.model_dump(mode="json"), indent=1, ensure_ascii=False) + "\n"


def compile_spec(spec: Spec | str | Path, *, out: str | Path = "compiled", force: bool = False) -> Path:
    """Compile a spec into a folder with a readable torch model.

    Equal specs give identical bytes.

    Args:
        spec: a valid spec, or the path of spec.json.
        out: the folder to write, or the model.py to be; a compiled folder that lies there is replaced.
        force: replace it although its model.py is not what the compiler writes.

    Returns:
        The folder.

    Raises:
        SpecError: the spec is not valid.
        CompileError: it cannot be lowered, or ``out`` holds something else, or a model.py that the compiler
            has not written.
    """
    spec = spec if isinstance(spec, Spec) else read_spec(spec)
    out = free_folder(out, force=force)
    return write_compiled(*lower(spec), out)


def compiled_folder(out: str | Path) -> Path:
    """Return the folder of a compiled network; a path of one of its files stands for it."""
    out = Path(out)
    return out.parent if out.name in PARTS else out


def free_folder(out: str | Path, *, force: bool = False) -> Path:
    """Return a folder in which nothing lies, or a compiled network that may be replaced.

    Args:
        out: the folder, or one of the files to be.
        force: a model.py that the compiler has not written may be replaced too.

    Raises:
        CompileError: something else lies there.
    """
    out, fix = compiled_folder(out), "choose another folder with --out"
    was_stopped = part_of(out / PARTS[-1]).exists()  # a compilation, between its first file and its last
    ours = {*(part_of(out / name).name for name in PARTS), *(PARTS if was_stopped else ())}
    others = out.exists() and (not out.is_dir() or {path.name for path in out.iterdir()} - ours)
    if others and not (out / "program.json").is_file():
        raise CompileError("something else lies here", where=out, wanted="no file or a compiled folder", fix=fix)
    if not (force or was_stopped) and _was_edited(out):
        what, wanted = "model.py is not what the compiler writes", "the text that program.json stands for"
        raise CompileError(what, where=out / "model.py", wanted=wanted, fix=f"{fix}, or write over it with --force")
    return out


def _was_edited(folder: Path) -> bool:
    """Tell whether there is a model.py that is another than its program.json stands for, as far as that can be read."""
    program, model = folder / "program.json", folder / "model.py"
    if not (program.is_file() and model.is_file()):
        return False
    content = program.read_bytes()
    try:
        return model.read_bytes() != emit(form_of(content).model_validate_json(content)).encode()
    except ValidationError:
        return True


def write_compiled(program: Program | Conventional, arrays: Arrays, out: Path) -> Path:
    """Write a compiled folder, and return it."""
    weights = save({name: np.ascontiguousarray(array) for name, array in sorted(arrays.items())})
    program = program.model_copy(update={"weights_sha256": digest_bytes(weights)})
    contents = (emit(program).encode(), weights, program_text(program).encode())
    out.mkdir(parents=True, exist_ok=True)
    write_files({out / name: content for name, content in zip(PARTS, contents, strict=True)})
    return out
