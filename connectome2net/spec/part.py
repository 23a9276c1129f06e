"""What all parts of spec.json share.

Enters: nothing. Leaves: the base of every model: frozen, no unknown keys, no NaN, room for the reason.
"""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict


class Part(BaseModel):
    """A part of spec.json.

    Attributes:
        why: the reason for a choice, where the data or the literature does not make it.
        reference: the publication that a fact or a number comes from.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False, strict=False)

    why: str = ""
    reference: str = ""
