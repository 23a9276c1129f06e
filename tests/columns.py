"""A column of twelve cells, written by hand, with three networks on it.

For tests of every stage from the spec on: ``from columns import twelve_cells``. The numbers are here to be read:
a test works its own expectation out from ``CELLS`` and ``EDGES``.
"""

from __future__ import annotations

import json
from typing import Any

import pyarrow as pa

from connectome2net.spec import Spec, SpecDocument, load_preset, make_spec
from connectome2net.spec.model import FORMAT, FORMAT_VERSION
from connectome2net.spec.network import Network
from connectome2net.spec.tables import CELLS_SCHEMA, EDGES_SCHEMA

ROOT = 864691135000000001
"""Root ids start here: above 2^53, where a float is no longer exact."""

CELLS = (
    # nucleus, type, class, lamina, soma x y z in nm, depth in um, axon proofread
    (1001, "4P", "excitatory", "L4", 700_000.0, 500_000.0, 880_000.0, 290.0, True),
    (1002, "23P", "excitatory", "L2/3", 702_000.0, 400_000.0, 840_000.0, 180.0, True),
    (1003, "BC", "inhibitory", "L4", 711_000.0, 510_000.0, 850_000.0, 301.0, True),
    (1004, "5P-IT", "excitatory", "L5", 705_000.0, 650_000.0, 861_000.0, 440.0, False),
    (1005, "4P", "excitatory", "L4", 760_000.0, 505_000.0, 845_000.0, 295.0, None),
    (1006, "6P-CT", "excitatory", "L6", 709_000.0, 800_000.0, 835_000.0, 600.0, False),
    (1007, "NGC", "inhibitory", "L1", 720_000.0, 280_000.0, 842_000.0, 60.0, None),
    (1008, "23P", "excitatory", "L2/3", 733_000.0, 410_000.0, 871_000.0, 190.0, True),
    (1009, "WM-P", "excitatory", "WM", 741_000.0, 990_000.0, 866_000.0, 790.0, None),
    (1010, "4P", "excitatory", "L4", 725_000.0, 520_000.0, 860_000.0, 312.0, True),
    (1011, "MC", "inhibitory", "L5", 744_000.0, 640_000.0, 838_000.0, 431.0, True),
    (1012, "Unsure E", "excitatory", "unknown", None, None, None, None, None),
)
"""Rows of the cells table: 9 excitatory, 3 inhibitory; the last has no position."""

EDGES = (
    # post, pre, synapses, total size in voxels
    *((0, 2, 4, 9_100), (0, 4, 1, 1_300), (0, 11, 1, 700)),
    *((1, 0, 3, 6_200), (1, 4, 1, 900), (1, 6, 2, 2_500), (1, 7, 2, 3_100), (1, 10, 1, 1_100)),
    *((2, 0, 2, 4_800), (2, 1, 1, 2_000), (2, 9, 2, 5_500), (2, 10, 1, 800)),
    *((3, 1, 5, 11_000), (3, 5, 1, 600), (3, 7, 1, 1_900), (3, 10, 3, 4_400)),
    *((4, 0, 1, 1_000), (4, 2, 2, 3_700)),
    *((5, 1, 1, 1_500), (5, 3, 2, 2_800), (5, 8, 1, 500)),
    *((6, 1, 1, 1_200),),
    *((7, 1, 1, 1_400), (7, 2, 1, 2_200), (7, 6, 1, 900), (7, 9, 2, 4_100), (7, 11, 1, 650)),
    *((8, 3, 1, 950), (8, 7, 2, 3_300)),
    *((9, 0, 2, 2_600), (9, 2, 6, 14_000), (9, 10, 1, 1_700)),
    *((10, 2, 1, 1_050), (10, 3, 1, 2_100), (10, 7, 1, 1_600)),
    *((11, 1, 2, 2_900), (11, 4, 1, 750)),
)
"""Rows of the edges table: 37 edges, 63 synapses, sorted by (post, pre)."""

FREE = {"sign": "free", "anatomy": "binary", "normalise": "norm", "plasticity": ["hebbian", "homeostatic"]}

FEEDFORWARD: dict[str, Any] = {
    "name": "feedforward",
    "why": "As BioNIC, with three populations of three cells; inhibitory cells are no units.",
    "populations": [
        {"name": "A", "select": {"cell_type": ["4P"]}},
        {"name": "B", "select": {"cell_type": ["23P", "Unsure E"]}},
        {"name": "D", "select": {"cell_type": ["5P-IT", "6P-CT", "WM-P"]}},
    ],
    "projections": [
        {"name": f"{pre}_{post}", "pre": [pre], "post": [post]} | FREE
        for pre, post in (("A", "A"), ("B", "B"), ("D", "D"), ("A", "B"), ("B", "D"))
    ],
    "front_end": {
        "height": 12,
        "width": 12,
        "blocks": [
            {"channels": 4, "kernel": 5, "pool": 2, "lateral_inhibition": {"surround": 5, "strength": 0.5}},
            {"channels": 6, "kernel": 3, "pool": 2},
        ],
        "attention": {"reduction": 2, "kernel": 3},
    },
    "input": {"kind": "dense", "population": "A"},
    "dynamics": {"leak": 1.0, "norm": "layer"},
    "schedule": [{"populations": [name], "steps": 2} for name in "ABD"],
    "readout": {"populations": ["D"], "classes": 7},
    "inhibition": {"presynaptic": {"ei_class": ["inhibitory"]}, "strength": 0.3},
    "noise": {"sigma": 0.05},
    "plasticity": {
        "hebbian": {"rule": "hebbian", "rate": 0.001},
        "homeostatic": {"rule": "homeostatic", "rate": 0.001, "target": 0.4},
    },
}

PAIRS: dict[str, Any] = {
    "name": "pairs",
    "why": "A projection for each pair of populations, each with another anatomy and norm.",
    "populations": [
        {"name": "L4E", "select": {"lamina": ["L4"], "ei_class": ["excitatory"]}},
        {"name": "E", "select": {"cell_type": ["23P", "5P-IT", "6P-CT", "WM-P", "Unsure E"]}},
        {"name": "I", "select": {"ei_class": ["inhibitory"]}},
    ],
    "projections": [
        {"name": "L4E_E", "pre": ["L4E"], "post": ["E"], "anatomy": "total_size", "plasticity": ["oja"]},
        {"name": "E_E", "pre": ["E"], "post": ["E"], "normalise": "norm", "plasticity": ["oja", "homeostatic"]},
        {"name": "to_I", "pre": ["L4E", "E"], "post": ["I"], "anatomy": "binary", "plasticity": ["hebbian"]},
        {"name": "from_I", "pre": ["I"], "post": ["L4E", "E"], "normalise": "none"},
        {"name": "I_I", "pre": ["I"], "post": ["I"]},
    ],
    "front_end": {"height": 12, "width": 16, "blocks": [{"channels": 4, "norm": "group", "pool": 2}], "dropout": 0.1},
    "input": {"kind": "retinotopic", "population": "L4E", "neighbourhood": 3, "place": "position"},
    "dynamics": {"leak": 0.5, "norm": "none"},
    "schedule": [{"populations": ["L4E"], "steps": 1}, {"populations": ["L4E", "E", "I"], "steps": 3}],
    "readout": {"populations": ["E", "I"], "classes": 3, "dropout": 0.2},
    "plasticity": {
        "hebbian": {"rule": "hebbian", "rate": 0.001},
        "oja": {"rule": "oja", "rate": 0.002},
        "homeostatic": {"rule": "homeostatic", "rate": 0.001, "target": 0.3},
    },
}

JUNCTIONS = [
    item | ({"synapse": "electrical", "normalise": "none"} if item["name"] == "I_I" else {})
    for item in PAIRS["projections"]
]
"""Those of ``pairs``, with gap junctions between the inhibitory cells 2 and 10."""

SPIKING: dict[str, Any] = PAIRS | {
    "name": "spiking",
    "why": "Leaky integrate-and-fire cells; inhibitory ones are faster and have gap junctions.",
    "projections": JUNCTIONS,
    "dynamics": {"model": "lif", "tau_ms": {"*": 10.0, "I": 5.0}, "refractory_steps": 1},
    "schedule": [{"populations": ["*"], "steps": 12}],
}

GRADED: dict[str, Any] = PAIRS | {
    "name": "graded",
    "why": "Graded synapses that are conductances; inhibitory cells have gap junctions.",
    "projections": JUNCTIONS,
    "dynamics": {"model": "conductance"},
    "noise": {"sigma": 0.1},
}

NETWORKS = ("column", "feedforward", "pairs")


def network_data(network: str = "column") -> dict[str, Any]:
    """The network section as JSON data: the preset `column`, or one of those above; a copy, to be changed."""
    if network == "column":
        return load_preset("column").model_dump(mode="json")
    known = {"feedforward": FEEDFORWARD, "pairs": PAIRS, "spiking": SPIKING, "graded": GRADED}
    return json.loads(json.dumps(known[network]))


def cells_table() -> pa.Table:
    names = ("cell_type", "ei_class", "lamina", "soma_x_nm", "soma_y_nm", "soma_z_nm", "soma_depth_um")
    rows = [
        {"cell_index": at, "nucleus_id": nucleus, "root_id": ROOT + 2 * at, "source_id": str(nucleus)}
        | dict(zip((*names, "axon_proofread"), rest, strict=True))
        for at, (nucleus, *rest) in enumerate(CELLS)
    ]
    return pa.Table.from_pylist(rows, schema=CELLS_SCHEMA)


def edges_table(*, sizes: bool = True) -> pa.Table:
    post, pre, count, size = zip(*EDGES, strict=True)
    return pa.table([post, pre, count, size if sizes else [None] * len(EDGES)], schema=EDGES_SCHEMA)


def twelve_cells(network: str = "column", *, sizes: bool = True, **changes: Any) -> Spec:
    """The twelve cells with one of ``NETWORKS``.

    Args:
        network: ``column``: the preset, retinotopic, recurrent, Dale's law; ``feedforward``: as BioNIC, with free
            signs, Hebbian and homeostatic rules, graded and lateral inhibition, attention, noise; ``pairs``: Dale's
            law, a projection for each pair of populations, all rules, total sizes; ``spiking`` and ``graded``: the
            same with other cells, and gap junctions.
        sizes: whether the edges have a total size.
        changes: parts of the network section that are replaced, as JSON data: ``noise=None``,
            ``dynamics={"leak": 0.5}``.
    """
    section = network_data(network) | changes
    document = {
        "format": FORMAT,
        "format_version": FORMAT_VERSION,
        "name": f"twelve_cells_{network}",
        "anatomy": {
            "dataset": "by hand",
            "materialization": "1",
            "column": {"name": "twelve", "method": "written by hand"},
            "laminae": {"method": "by hand", "borders": [{"name": "L1", "top_um": 0.0, "bottom_um": 100.0}]},
            "sources": [],
            "cells": {"file": "cells.parquet", "sha256": "0" * 64, "rows": 0},
            "edges": {"file": "edges.parquet", "sha256": "0" * 64, "rows": 0},
            "steps": [{"name": "cells", "rows_in": 13, "kept": 12, "lost": 1, "why": "one is not there"}],
            "findings": [{"name": "no_position", "count": 1, "text": "a cell without a position", "cells": ["1012"]}],
        },
        "network": Network.model_validate_json(json.dumps(section), strict=True).model_dump(mode="json"),
        "provenance": {"made_by": "hand", "versions": {}, "parameters": {"seed": "0"}, "citation": ["nobody 2026"]},
    }
    checked = SpecDocument.model_validate_json(json.dumps(document), strict=True)
    return make_spec(checked, cells=cells_table(), edges=edges_table(sizes=sizes))
