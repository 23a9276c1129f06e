"""Ten million edges."""

from __future__ import annotations

import resource
import time

import numpy as np
import pytest

from connectome2net.transform.draw import draw_distinct, draw_edges
from connectome2net.transform.swap import SWAPS_PER_EDGE, swap_degrees
from connectome2net.transform.wiring import Wiring

CELLS, EDGES = 100_000, 10_000_000


@pytest.mark.slow
def test_ten_million_edges_are_rewired_in_seconds() -> None:
    """Seconds of the process itself: about 3 at random and 25 with the same degrees, while six others were at work."""
    post, pre = np.divmod(draw_distinct(np.random.default_rng(0), CELLS**2, EDGES), CELLS)
    apart = pre != post
    pre, post = pre[apart].astype(np.int32), post[apart].astype(np.int32)
    held = np.pad(np.ones((6, 6), dtype=bool), (0, 1))
    wiring = Wiring(pre, post, np.arange(len(pre)), (np.arange(CELLS) % 6).astype(np.int16), held)
    rng = np.random.default_rng(1)
    started = time.process_time()
    ends, swaps = swap_degrees(wiring, rng)
    assert time.process_time() - started < 60
    assert swaps > SWAPS_PER_EDGE * 0.9
    for name in ("pre_E", "post_E"):
        assert np.array_equal(*(np.bincount(getattr(graph, name), minlength=CELLS) for graph in (wiring, ends)))
    old, new = (np.sort(wiring.key(graph.pre_E, graph.post_E)) for graph in (wiring, ends))
    assert (np.diff(new) > 0).all()
    assert len(np.intersect1d(old, new, assume_unique=True)) / len(new) < 2 * EDGES / CELLS**2
    started = time.process_time()
    drawn = draw_edges(wiring, rng)
    assert time.process_time() - started < 15
    assert len(np.unique(wiring.key(drawn[0], drawn[1]))) == len(pre)
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss < 3e6  # kilobytes
