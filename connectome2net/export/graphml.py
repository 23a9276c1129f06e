"""The connectome of a spec as GraphML, for Gephi, Cytoscape, igraph and networkx.

Enters: a spec. Leaves: a file; cells are nodes and edges are edges, with the columns of their tables; ids are text.
"""

from __future__ import annotations

from pathlib import Path

import networkx as nx

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
        ExportError: the file cannot be written there.
    """
    spec, out = spec if isinstance(spec, Spec) else read_spec(spec), Path(out)
    with new_file(out, force=force) as part:
        nx.write_graphml_xml(to_networkx(spec), part)
    return out
