"""What all parts of a program share.

Enters: nothing. Leaves: the base of every part, and the names and numbers that a part may hold. The numbers are
bounded as those of a spec are, so that no program.json can ask for more than a spec could.
"""

from __future__ import annotations

from typing import Annotated

from pydantic import AfterValidator, BaseModel, ConfigDict, Field


def _odd(side: int) -> int:
    if side % 2 == 0:
        raise ValueError("not an odd number")
    return side


Identifier = Annotated[str, Field(pattern=r"^[A-Za-z][A-Za-z0-9_]{0,99}$")]
Count = Annotated[int, Field(ge=0, lt=2**31)]
Small = Annotated[int, Field(ge=1, le=4096)]
Odd = Annotated[Small, AfterValidator(_odd)]
Number = Annotated[float, Field(ge=-1e30, le=1e30)]
Dropout = Annotated[float, Field(ge=0, lt=1)]


class Node(BaseModel):
    """The base of every part of a program: frozen, no unknown keys."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)
