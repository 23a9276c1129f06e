"""A spec at a glance.

Enters: a valid ``Spec``. Leaves: counts, as plain data.
"""

from __future__ import annotations

from collections import Counter
from typing import Any

import numpy as np

from connectome2net.spec.digest import digest_document
from connectome2net.spec.model import Spec
from connectome2net.spec.select import population_cells, resolve
from connectome2net.spec.tables import EI_CLASSES, LAMINAE, edge_index, values


def summarise(spec: Spec) -> dict[str, Any]:
    """Return the counts of a spec.

    Returns:
        ``cells, excitatory, inhibitory, unknown, edges, synapses, laminae {name: cells}, cell_types {name: cells}``
        of the column; ``populations {name: cells}`` and ``projections [{projection, pre, post, edges, synapses,
        sign}]`` of the network, one entry per connected pair of populations; where it all comes from.
    """
    anatomy = spec.anatomy
    ei_class = values(spec.cells, "ei_class")
    lamina = Counter(values(spec.cells, "lamina"))
    types = Counter(values(spec.cells, "cell_type"))
    return {
        "name": spec.name,
        "sha256": digest_document(spec.document),
        "dataset": anatomy.dataset,
        "materialization": anatomy.materialization,
        "synthetic": anatomy.synthetic,
        "column": anatomy.column.name,
        "cells": spec.cells.num_rows,
        **{word: int((ei_class == word).sum()) for word in EI_CLASSES},
        "edges": spec.edges.num_rows,
        "synapses": int(values(spec.edges, "synapse_count").sum()),
        "laminae": {name: lamina[name] for name in LAMINAE if lamina[name]},
        "cell_types": dict(sorted(types.items())),
        "network": spec.network.name,
        "populations": {name: len(cells) for name, cells in population_cells(spec).items()},
        "projections": _population_pairs(spec),
        "steps": [item.model_dump(exclude={"why", "reference"}) for item in anatomy.steps],
        "findings": [item.model_dump(exclude={"why", "reference"}) for item in anatomy.findings],
    }


def _population_pairs(spec: Spec) -> list[dict[str, Any]]:
    members = population_cells(spec)
    names = list(members)
    number = np.full(spec.cells.num_rows, -1)
    for at, cells in enumerate(members.values()):
        number[cells] = at
    pre, post = edge_index(spec.edges)
    inside = (number[pre] >= 0) & (number[post] >= 0)
    pair = number[pre[inside]] * len(names) + number[post[inside]]
    edges = np.bincount(pair, minlength=len(names) ** 2)
    synapses = np.bincount(pair, values(spec.edges, "synapse_count")[inside], minlength=len(names) ** 2)
    ei_class = values(spec.cells, "ei_class")
    rows = []
    for projection in spec.network.projections:
        for source in resolve(projection.pre, spec.network):
            classes = sorted(set(ei_class[members[source]]))
            sign = "free" if projection.sign == "free" else " and ".join(classes)
            for target in resolve(projection.post, spec.network):
                at = names.index(source) * len(names) + names.index(target)
                if edges[at]:
                    row = {"projection": projection.name, "pre": source, "post": target, "sign": sign}
                    rows.append(row | {"edges": int(edges[at]), "synapses": int(synapses[at])})
    return rows
