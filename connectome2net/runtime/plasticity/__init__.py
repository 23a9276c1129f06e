"""Local rules that change strengths on top of backpropagation.

Enters: a projection and what the cells at its two ends did. Leaves: changed strengths, on existing edges only.
"""

from connectome2net.runtime.plasticity.hebbian import Hebbian, Homeostatic, Oja
from connectome2net.runtime.plasticity.rule import Activity, Rule, Rules

__all__ = ["Activity", "Hebbian", "Homeostatic", "Oja", "Rule", "Rules"]
