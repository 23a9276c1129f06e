"""A trained run and test images -> what it can do, honestly.

Enters: a run folder. Leaves: metrics, on all test images and without those that leak or are blank.
"""

from connectome2net.evaluate.run import evaluate

__all__ = ["evaluate"]
