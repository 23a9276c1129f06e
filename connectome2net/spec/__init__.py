"""The centre: measured anatomy and chosen assumptions in one checked file.

Enters: spec.json, cells.parquet, edges.parquet. Leaves: a valid ``Spec``, and back.
"""

from connectome2net.spec.digest import digest_document
from connectome2net.spec.model import Spec, SpecDocument
from connectome2net.spec.presets import load_preset, preset_names
from connectome2net.spec.read import open_spec, read_spec
from connectome2net.spec.validate import validate
from connectome2net.spec.write import make_spec, write_spec

__all__ = [
    "Spec",
    "SpecDocument",
    "digest_document",
    "load_preset",
    "make_spec",
    "open_spec",
    "preset_names",
    "read_spec",
    "validate",
    "write_spec",
]
