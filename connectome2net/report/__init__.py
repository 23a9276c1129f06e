"""Figures.

Enters: a valid ``Spec``. Leaves: one picture that a person reads.
"""

from connectome2net.report.column import draw_column

__all__ = ["draw_column"]
