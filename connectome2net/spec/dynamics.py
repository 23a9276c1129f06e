"""How a cell turns its drive into what it sends: ``network.dynamics`` of spec.json.

Enters: parsed JSON. Leaves: frozen models, one for each kind of cell; the equations are in ``runtime.dynamics``.
"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from connectome2net.spec.part import Part


class Rate(Part):
    """``rate <- (1 - leak) rate + leak relu(norm(drive))``, one step.

    Attributes:
        leak: the part of a rate that is replaced in one step (dt / tau).
        norm: ``layer``: LayerNorm over the cells of each population, with a gain and a bias per cell.
    """

    model: Literal["rate"] = "rate"
    leak: Annotated[float, Field(gt=0, le=1)] = 1.0
    norm: Literal["layer", "none"] = "layer"


Dynamics = Rate
