"""Names that were misspelled.

Enters: a word and the words that are known. Leaves: a hint.
"""

from __future__ import annotations

import difflib
from collections.abc import Collection


def near(word: str, known: Collection[str]) -> str:
    """Return a hint at the known words that are most like a word; nothing where none is."""
    found = difflib.get_close_matches(word, known, n=3, cutoff=0.5)
    return f"did you mean {' or '.join(found)}?" if found else ""
