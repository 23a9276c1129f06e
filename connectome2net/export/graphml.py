"""The connectome of a spec as GraphML, for Gephi, Cytoscape, igraph and networkx.

Enters: a spec. Leaves: a file; cells are nodes and edges are edges, with the columns of their tables; ids are text.
"""

from __future__ import annotations

from pathlib import Path

import networkx as nx

from connectome2net.errors import ExportError
from connectome2net.export.file import new_file
from connectome2net.spec import Spec, read_spec
from connectome2net.spec.graph import to_networkx


def export_graphml(spec: Spec | str | Path, out: str | Path, *, force: bool = False) -> Path:
    """Write the connectome of a spec as GraphML.

    Args:
        spec: a valid spec, or the path of spec.json.
        out: the file to write.
        force: write over a file that lies there.

    Returns:
        The file.

    Raises:
        SpecError: the spec is not valid.
        ExportError: this is no spec, or the file cannot be written there.
    """
    spec, out = spec if isinstance(spec, Spec) else _read(Path(spec)), Path(out)
    with new_file(out, force=force) as part:
        nx.write_graphml_xml(to_networkx(spec), part)
    return out


def _read(path: Path) -> Spec:
    kinds = {"run.json": "a run", "program.json": "a compiled folder"}
    if found := [words for name, words in kinds.items() if (path / name).is_file()]:
        raise ExportError(
            "GraphML is of a spec, which has the cells and the edges",
            where=path,
            found=found[0],
            wanted="the spec that it was compiled from",
            fix="name that: c2n export spec.json --to graphml",
        )
    return read_spec(path)
