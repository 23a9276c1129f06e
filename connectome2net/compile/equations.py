"""What each kind of cell computes, as a reader of model.py sees it.

Enters: nothing. Leaves: class of cells -> lines of its equation, and a sentence.
"""

from __future__ import annotations

from typing import Final

EQUATIONS: Final[dict[str, tuple[tuple[str, ...], str]]] = {
    "RateCells": (
        (
            "drive <- x + W rate",
            "rate  <- (1 - leak) rate + leak gain relu(norm(drive) - threshold + noise)",
        ),
        "The norm has a learned scale per cell; the gain is 1 where no graded inhibition is declared.",
    ),
}
