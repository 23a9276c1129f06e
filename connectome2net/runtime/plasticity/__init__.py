"""Local rules that change strengths on top of backpropagation.

Enters: a projection and what the cells at its two ends did. Leaves: changed strengths, on existing edges only.
"""

from connectome2net.runtime.plasticity.differential import DifferentialHebbian
from connectome2net.runtime.plasticity.hebbian import BCM, Covariance, Hebbian, Homeostatic, Oja
from connectome2net.runtime.plasticity.inhibitory import Inhibitory, InhibitorySTDP
from connectome2net.runtime.plasticity.intrinsic import CellRule, CellRules, Intrinsic
from connectome2net.runtime.plasticity.reward import ThreeFactor
from connectome2net.runtime.plasticity.rule import Activity, Rule, Rules
from connectome2net.runtime.plasticity.stdp import STDP, TripletSTDP
from connectome2net.runtime.plasticity.structural import Structural

__all__ = [
    "BCM",
    "STDP",
    "Activity",
    "CellRule",
    "CellRules",
    "Covariance",
    "DifferentialHebbian",
    "Hebbian",
    "Homeostatic",
    "Inhibitory",
    "InhibitorySTDP",
    "Intrinsic",
    "Oja",
    "Rule",
    "Rules",
    "Structural",
    "ThreeFactor",
    "TripletSTDP",
]
