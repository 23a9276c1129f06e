"""Spec -> Spec: controls. A control is a spec like any other, and says what it keeps and what it destroys.

Enters: a valid ``Spec``. Leaves: another; see ``rewire`` and ``NULLS``.
"""

from connectome2net.transform.nulls import NULLS, Null
from connectome2net.transform.rewire import rewire

__all__ = ["NULLS", "Null", "rewire"]
