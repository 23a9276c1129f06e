"""Rules that change strengths: ``network.plasticity`` of spec.json.

Enters: parsed JSON. Leaves: frozen models, one for each rule; the rules themselves are in ``runtime.plasticity``.
"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from connectome2net.spec.part import NonNegative, Part


class Hebbian(Part):
    """``strength += rate * <post * pre>``, averaged over the batch (Hebb 1949)."""

    rule: Literal["hebbian"]
    rate: NonNegative


class Oja(Part):
    """``strength += rate * (<post * pre> - <post^2> strength)`` (Oja 1982, doi 10.1007/BF00275687)."""

    rule: Literal["oja"]
    rate: NonNegative


class Homeostatic(Part):
    """``strength *= 1 + rate * sign * (target - <post>)`` (synaptic scaling, Turrigiano 2008)."""

    rule: Literal["homeostatic"]
    rate: NonNegative
    target: NonNegative


Rule = Annotated[Hebbian | Oja | Homeostatic, Field(discriminator="rule")]
