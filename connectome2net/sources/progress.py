"""How far a scan is, where it takes long.

Enters: an engine at work. Leaves: a bar on a terminal, or a line now and then in a log; nothing of what is quick.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from threading import Event, Thread
from typing import Any

from connectome2net.progress import Screen

QUICK_S = 2.0
POLL_S = 0.5


@contextmanager
def shown(engine: Any, file: str) -> Iterator[None]:
    """Show how far DuckDB is with a query over a file; other engines show that themselves.

    Args:
        engine: an ibis backend, whose query runs in this thread.
        file: what is read.
    """
    if engine.name != "duckdb":
        yield
        return
    done = Event()
    watch = Thread(target=_watch, args=(engine, file, done), daemon=True)
    watch.start()
    try:
        yield
    finally:
        done.set()
        watch.join()


def _watch(engine: Any, file: str, done: Event) -> None:
    if done.wait(QUICK_S):
        return
    with Screen().percent(transient=True) as show:
        while not done.wait(POLL_S):
            show(f"reading {file}", max(engine.con.query_progress(), 0.0))  # -1 before DuckDB knows
