"""Look inside a compiled network, and trust it.

Enters: a loaded network. Leaves: its activity, its answers without some of its cells, its audits, its spectrum.
"""

from connectome2net.inside.intervention import Intervention, clamp, lesion
from connectome2net.inside.recording import Recording, record
from connectome2net.inside.spectrum import spectral_report, weight_matrix
from connectome2net.inside.trust import examine, inspect_network

__all__ = [
    "Intervention",
    "Recording",
    "clamp",
    "examine",
    "inspect_network",
    "lesion",
    "record",
    "spectral_report",
    "weight_matrix",
]
