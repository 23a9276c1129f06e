"""Foreign tables and a mapping of their names and words -> a checked source.

Enters: a folder and ``mapping.toml``. Leaves: ``Source`` with the tables ``cells`` and ``edges`` or ``synapses``.
"""

from connectome2net.sources.mapping.cells import CELLS
from connectome2net.sources.mapping.open import open_mapping
from connectome2net.sources.mapping.read import read_mapping

__all__ = ["CELLS", "open_mapping", "read_mapping"]
