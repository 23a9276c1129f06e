"""Local rules that change strengths on top of backpropagation.

Enters: a projection and what the cells at its two ends did. Leaves: changed strengths, on existing edges only.
"""

from connectome2net.runtime.plasticity.hebbian import BCM, Covariance, Hebbian, Homeostatic, Oja
from connectome2net.runtime.plasticity.inhibitory import Inhibitory
from connectome2net.runtime.plasticity.reward import ThreeFactor
from connectome2net.runtime.plasticity.rule import Activity, Rule, Rules

__all__ = [
    "BCM",
    "Activity",
    "Covariance",
    "Hebbian",
    "Homeostatic",
    "Inhibitory",
    "Oja",
    "Rule",
    "Rules",
    "ThreeFactor",
]
