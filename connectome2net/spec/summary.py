"""A spec at a glance.

Enters: a valid ``Spec``. Leaves: counts, as plain data.
"""

from __future__ import annotations

from collections import Counter
from typing import Any

import numpy as np

from connectome2net.spec.digest import digest_document
from connectome2net.spec.model import Spec
from connectome2net.spec.pairs import count_pairs, pairs_of
from connectome2net.spec.select import population_cells
from connectome2net.spec.tables import EI_CLASSES, LAMINAE, values


def summarise(spec: Spec) -> dict[str, Any]:
    """Return the counts of a spec.

    Returns:
        ``cells, excitatory, inhibitory, unknown, edges, synapses, laminae {name: cells}, cell_types {name: cells}``
        of the column; ``populations {name: cells}`` and ``projections [{projection, pre, post, edges, synapses,
        sign}]`` of the network, one entry per connected pair of populations; ``outside {cell type: cells}``, the
        cells that are in no population, and ``edges_used``; ``steps, findings, conflicts`` of the extraction; where it
        all comes from.
    """
    anatomy = spec.anatomy
    ei_class = values(spec.cells, "ei_class")
    lamina = Counter(values(spec.cells, "lamina"))
    cell_type = values(spec.cells, "cell_type")
    members = population_cells(spec)
    outside = np.ones(spec.cells.num_rows, dtype=bool)
    outside[np.concatenate(list(members.values()))] = False
    projections = _population_pairs(spec)
    return {
        "name": spec.name,
        "sha256": digest_document(spec.document),
        "dataset": anatomy.dataset,
        "materialization": anatomy.materialization,
        "synthetic": anatomy.synthetic,
        "transforms": [item.model_dump(exclude={"why", "reference"}) for item in spec.document.provenance.transforms],
        "column": anatomy.column.name,
        "cut": anatomy.column.method,
        "borders_um": {border.name: [border.top_um, border.bottom_um] for border in anatomy.laminae.borders},
        "cells": spec.cells.num_rows,
        **{word: int((ei_class == word).sum()) for word in EI_CLASSES},
        "edges": spec.edges.num_rows,
        "synapses": int(values(spec.edges, "synapse_count").sum()),
        "laminae": {name: lamina[name] for name in LAMINAE if lamina[name]},
        "cell_types": dict(sorted(Counter(cell_type).items())),
        "network": spec.network.name,
        "populations": {name: len(cells) for name, cells in members.items()},
        "outside": dict(sorted(Counter(cell_type[outside]).items())),
        "projections": projections,
        "edges_used": sum(row["edges"] for row in projections),
        "steps": [item.model_dump(exclude={"reference"}) for item in anatomy.steps],
        "findings": [item.model_dump(exclude={"why", "reference"}) for item in anatomy.findings],
        "conflicts": [item.model_dump(exclude={"why", "reference"}) for item in anatomy.conflicts or ()],
    }


def _population_pairs(spec: Spec) -> list[dict[str, Any]]:
    members = population_cells(spec)
    names = list(members)
    edges, synapses = count_pairs(spec)
    ei_class = values(spec.cells, "ei_class")
    classes = {name: " and ".join(sorted(set(ei_class[cells]))) for name, cells in members.items()}
    return [
        {
            "projection": projection.name,
            "pre": names[pre],
            "post": names[post],
            "sign": "free" if projection.sign == "free" else classes[names[pre]],
            "edges": int(edges[pre, post]),
            "synapses": int(synapses[pre, post]),
        }
        for projection in spec.network.projections
        for pre, post in np.argwhere(pairs_of(projection, spec.network) & (edges > 0))
    ]
