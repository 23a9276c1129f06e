"""Cells that are switched off, or held at a rate.

Enters: a loaded network and some of its cells. Leaves: a handle; the network itself is as before when it is removed.
"""

# Axes: N cells of a group, n held cells, B batch.

from __future__ import annotations

from types import TracebackType
from typing import Any

import torch
from torch import Tensor, nn

from connectome2net.errors import InsideError
from connectome2net.inside.layout import Cells, Index, Layout, cells_of, layout_of
from connectome2net.inside.tap import Tap

NOT_A_RATE = "this is no rate to hold cells at"


class Intervention:
    """Cells that are held, until ``remove()`` or the end of a ``with``.

    Attributes:
        cell_index: the held cells, as in the cells table of the spec.
    """

    def __init__(self, model: nn.Module, cells: Cells, rate: Tensor, *, deaf: bool) -> None:
        layout = layout_of(model)
        units = layout.units(cells)
        self.cell_index = layout.cell_index[units]
        self._held: list[tuple[nn.Module, _Held]] = []
        for group, (rows, places) in layout.by_group(units).items():
            of_group = rate if rate.dim() == 0 else rate[torch.from_numpy(places)]
            held = _Held(torch.from_numpy(rows), of_group, deaf=deaf)
            Tap.add(cells_of(model, group), change=held)
            self._held.append((cells_of(model, group), held))
        self._cuts = _cut_gap_junctions(model, layout, units) if deaf else []

    def remove(self) -> None:
        """Let the cells go; a second time does nothing."""
        for module, held in self._held:
            Tap.drop(module, held)
        for cut in self._cuts:
            cut.mend()
        self._held, self._cuts = [], []

    def __enter__(self) -> Intervention:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.remove()


class _Held:
    """Some rows of a group's states, held at a rate.

    Args:
        row: (n,) the rows.
        rate: a number, (n,) or (n, B).
        deaf: nothing drives the cells.
    """

    def __init__(self, row: Tensor, rate: Tensor, *, deaf: bool) -> None:
        self.row_n = row
        self.rate = rate[:, None] if rate.dim() == 1 else rate
        self.deaf = deaf

    def heard(self, drive: Tensor) -> Tensor:
        """Return what drives the group: nothing reaches cells that are off."""
        return drive.index_fill(-2, self._rows(drive), 0.0) if self.deaf else drive

    def did(self, state: Any) -> Any:
        """Return the state with what the held cells send and what is read of them replaced."""
        sent_NB = state.rate_NB.index_copy(0, self._rows(state.rate_NB), self._rate_nB(state.rate_NB))
        if "read_NB" not in state._fields:
            return state._replace(rate_NB=sent_NB)
        # What is read is what was sent, filtered: it loses what the cell would have added and gains what is sent.
        return state._replace(rate_NB=sent_NB, read_NB=state.read_NB + (sent_NB - state.rate_NB))

    def _rate_nB(self, like_NB: Tensor) -> Tensor:
        batch = like_NB.shape[1]
        if self.rate.dim() == 2 and self.rate.shape[1] not in (1, batch):
            found, wanted = f"rates for a batch of {self.rate.shape[1]}", f"one for each of the {batch} images"
            raise InsideError(NOT_A_RATE, where="rate", found=found, wanted=wanted)
        return self.rate.to(like_NB).expand(len(self.row_n), batch)

    def _rows(self, like: Tensor) -> Tensor:
        if self.row_n.device != like.device:
            self.row_n = self.row_n.to(like.device)
        return self.row_n


class _Cut:
    """Some edges of a projection that weigh nothing, whatever other cuts there are.

    Args:
        projection: whose edges.
        keep: (E,) false where an edge is cut.
    """

    def __init__(self, projection: nn.Module, keep: Tensor) -> None:
        self.projection = projection
        self.keep_E = keep
        cuts = projection.__dict__.setdefault("cuts", [])
        if not cuts:
            weigh: Any = projection.weight_E
            projection.__dict__["weight_E"] = lambda: weigh() * torch.stack([cut.keep_E for cut in cuts]).all(0)
        cuts.append(self)

    def mend(self) -> None:
        """Let the edges weigh what they did."""
        cuts = self.projection.__dict__["cuts"]
        cuts.remove(self)
        if not cuts:
            del self.projection.__dict__["cuts"], self.projection.__dict__["weight_E"]


def _cut_gap_junctions(model: nn.Module, layout: Layout, units: Index) -> list[_Cut]:
    """Cut the gap junctions of some cells: through them a voltage passes, and not what the cells send."""
    program: Any = model.program
    cuts, off = [], torch.from_numpy(units)
    for block in program.blocks:
        if block.sign == "positive":
            projection: Any = model.get_submodule(f"W_{block.name}")
            post_E = projection.pattern.row_of_edge() + layout.groups[block.post][0]
            pre_E = projection.pre_index + layout.groups[block.pre][0]
            on_E = [torch.isin(index_E, off.to(index_E), invert=True) for index_E in (post_E, pre_E)]
            cuts.append(_Cut(projection, on_E[0] & on_E[1]))
    return cuts


def lesion(model: nn.Module, cells: Cells) -> Intervention:
    """Switch cells off: in every step they send 0, to other cells and to the readout.

    Nothing drives them either, so that nothing of them reaches the others through a norm over their population (there
    they still count, as cells without a drive), and neither their edges nor their own parameters get a gradient. Their
    gap junctions conduct nothing.

    It holds from the call on: ``with lesion(...):`` ends it, and so does ``remove()`` of what is returned. Several
    interventions may hold at a time; where two name the same cell, the later one decides. A backward pass belongs
    inside too: where activity is computed again for it (checkpoints), the cells must still be off.

    Args:
        model: a network that ``load`` returned.
        cells: rows of the cells table of the spec (``cell_index``), or names of populations.

    Returns:
        The handle.

    Raises:
        InsideError: a cell or a population is not of this network, or is named twice.
    """
    return Intervention(model, cells, torch.zeros(()), deaf=True)


def clamp(model: nn.Module, cells: Cells, rate: float | Tensor | Any) -> Intervention:
    """Hold cells at a rate: they send it in every step, the state at rest included, whatever drives them.

    Their drive still takes part in a norm over their population, and their voltage passes through gap junctions. A
    rate that requires a gradient gets one. What is said at ``lesion`` about how long it holds is true here too.

    Args:
        model: a network that ``load`` returned.
        cells: rows of the cells table of the spec (``cell_index``), or names of populations.
        rate: a number; (n,) one for each cell, in the order of ``cells``; or (n, B), one for each cell and image.

    Returns:
        The handle.

    Raises:
        InsideError: a cell or a population is not of this network, or is named twice; the rates do not fit them.
    """
    rates = rate if isinstance(rate, Tensor) else torch.as_tensor(rate, dtype=torch.float64)
    asked = len(layout_of(model).units(cells))
    if rates.dim() > 2 or (rates.dim() and len(rates) != asked):
        wanted = f"a number, ({asked},) or ({asked}, B)"
        raise InsideError(NOT_A_RATE, where="rate", found=f"shape {tuple(rates.shape)}", wanted=wanted)
    if not bool((torch.isfinite(rates) & (rates >= 0)).all()):
        wrong = rates[~(torch.isfinite(rates) & (rates >= 0))]
        raise InsideError(NOT_A_RATE, where="rate", found=wrong[0].item(), wanted="a finite number from 0 up")
    return Intervention(model, cells, rates, deaf=False)
