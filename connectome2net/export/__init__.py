"""What other programs read: a network as ONNX, a connectome as GraphML.

Enters: a compiled folder or a run; a spec. Leaves: one file.
"""

from connectome2net.export.graphml import export_graphml
from connectome2net.export.onnx import export_onnx

__all__ = ["export_graphml", "export_onnx"]
