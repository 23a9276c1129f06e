"""The states of a group on their way into the network: first they are changed, then they are watched.

Enters: the cells of a group. Leaves: what interventions and recordings hang on, and nothing of it when they are gone.
"""

# Axes: N cells, B batch, S kinds of drive.

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol

from torch import Tensor, nn


class Change(Protocol):
    """What an intervention does to some cells of a group."""

    def heard(self, drive: Tensor) -> Tensor:
        """Return what drives the cells, (N, B), or (S, N, B) where there are drives of several kinds."""
        ...

    def did(self, state: Any) -> Any:
        """Return the state that the network sees instead."""
        ...


Watch = Callable[[Any], None]
"""What looks at the state of a group after each step."""


class Tap:
    """Hooks on the cells of one group.

    One for each group, however many interventions and recordings there are, so that what is recorded is what the
    network sees, whichever came first. Changes act in the order in which they came: where two hold the same cell, the
    later one decides. The state at rest is changed too, but it is no step and nobody sees it.

    Args:
        cells: the module of the group's cells.
    """

    def __init__(self, cells: nn.Module) -> None:
        self.cells = cells
        self.changes: list[Change] = []
        self.watches: list[Watch] = []
        self._hooks: list[Any] = []

    def _open(self) -> None:
        rest: Any = self.cells.rest
        self.cells.rest = lambda like: self._changed(rest(like))  # type: ignore[assignment]
        self._hooks = [
            self.cells.register_forward_pre_hook(self._before, with_kwargs=True),
            self.cells.register_forward_hook(self._after),
        ]

    def _close(self) -> None:
        del self.cells.rest
        for hook in self._hooks:
            hook.remove()

    def _before(self, _: nn.Module, arguments: tuple[Any, ...], named: dict[str, Any]) -> tuple[Any, dict[str, Any]]:
        state, *drives = arguments
        for change in self.changes:
            drives = [change.heard(drive) for drive in drives]
            named = {name: change.heard(drive) for name, drive in named.items()}
        return (state, *drives), named

    def _after(self, _: nn.Module, __: Any, state: Any) -> Any:
        state = self._changed(state)
        for watch in self.watches:
            watch(state)
        return state

    def _changed(self, state: Any) -> Any:
        for change in self.changes:
            state = change.did(state)
        return state

    @classmethod
    def add(cls, cells: nn.Module, *, change: Change | None = None, watch: Watch | None = None) -> None:
        """Let something change, or watch, the states of some cells from now on."""
        tap: Tap | None = cells.__dict__.get("tap")
        if tap is None:
            tap = cls(cells)
            tap._open()
            cells.__dict__["tap"] = tap
        if change is not None:
            tap.changes.append(change)
        if watch is not None:
            tap.watches.append(watch)

    @staticmethod
    def drop(cells: nn.Module, item: Change | Watch) -> None:
        """Let it go again; the last one leaves the module as it was."""
        tap: Tap = cells.__dict__["tap"]
        tap.changes = [change for change in tap.changes if change is not item]
        tap.watches = [watch for watch in tap.watches if watch is not item]
        if not tap.changes and not tap.watches:
            tap._close()
            del cells.__dict__["tap"]
