"""Write the golden texts again: ``python -m tests.compile.regenerate``, then read the difference before committing."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

from columns import twelve_cells

from connectome2net.compile.emit import emit
from connectome2net.compile.lower import lower
from connectome2net.compile.reference import lower_reference

GOLDEN = Path(__file__).parent / "golden"
NETWORKS = ("column", "feedforward", "pairs", "spiking", "graded")
REFERENCES = {"linear": None, "mlp": 3000, "cnn": 3000}
"""Conventional references and their size, all with the front end of ``feedforward``."""

if __name__ == "__main__":
    GOLDEN.mkdir(exist_ok=True)
    for network in NETWORKS:
        (GOLDEN / f"{network}_model.py").write_text(emit(lower(twelve_cells(network))[0]))
    for kind, size in REFERENCES.items():
        reference = lower_reference(twelve_cells("feedforward"), kind, parameters=size)
        (GOLDEN / f"{kind}_reference.py").write_text(emit(reference))
