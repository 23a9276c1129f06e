"""Look inside a compiled network, and trust it.

Enters: a loaded network. Leaves: its activity, its answers without some of its cells, its audits, its spectrum.
"""

from connectome2net.inside.intervention import Intervention, clamp, lesion
from connectome2net.inside.recording import Recording, record

__all__ = ["Intervention", "Recording", "clamp", "lesion", "record"]
