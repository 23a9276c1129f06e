"""Figures and the page.

Enters: a valid ``Spec``, or folders of runs. Leaves: one picture, or one page, that a person reads.
"""

from connectome2net.report.column import draw_column
from connectome2net.report.writing import write_report

__all__ = ["draw_column", "write_report"]
