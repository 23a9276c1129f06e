"""Placeholder."""

from connectome2net.sources.source import Source


def synthetic(*, seed: int = 0, cells: int | None = None) -> Source:
    """Make."""
    raise NotImplementedError("the stand-in comes with the next commit")
