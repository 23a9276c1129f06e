"""Volume -> one labelled column.

Enters: checked tables. Leaves: a spec: cells with lamina and class, edges, a network, and what was kept and lost.
"""

from connectome2net.extract.assemble import extract

__all__ = ["extract"]
