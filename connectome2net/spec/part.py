"""What all parts of spec.json share.

Enters: nothing. Leaves: the base of every model: frozen, no unknown keys, no NaN, room for the reason.
"""

from __future__ import annotations

from typing import Annotated, Any, Final

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, SerializerFunctionWrapHandler, model_serializer


def _in_order(content: dict[str, Any]) -> dict[str, Any]:
    return dict(sorted(content.items()))


Name = Annotated[str, Field(pattern=r"^[A-Za-z][A-Za-z0-9_]{0,23}$")]
LARGEST: Final = 1e30
"""Numbers of rules and cells are at most so large: a float32 ends at 3e38, and they are multiplied."""
NonNegative = Annotated[float, Field(ge=0, le=LARGEST)]
Positive = Annotated[float, Field(gt=0, le=LARGEST)]

InOrder: Final = AfterValidator(_in_order)
"""For dictionaries: sorted by key, so that equal specs give equal bytes."""


class Part(BaseModel):
    """A part of spec.json.

    Attributes:
        why: the reason for a choice, where the data or the literature does not make it.
        reference: the publication that a fact or a number comes from.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    why: str = ""
    reference: str = ""

    @model_serializer(mode="wrap")
    def _without_blanks(self, serialize: SerializerFunctionWrapHandler) -> dict[str, Any]:
        content = serialize(self)
        return {key: value for key, value in content.items() if value != "" or key not in ("why", "reference")}
