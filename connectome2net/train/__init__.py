"""A compiled network and labelled images -> a trained run.

Enters: a compiled folder, a data set, a configuration. Leaves: ``runs/NNN``.
"""

from connectome2net.train.config import TrainConfig
from connectome2net.train.loop import train

__all__ = ["TrainConfig", "train"]
