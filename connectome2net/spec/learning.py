"""How what is learned is learned: ``network.learning`` of spec.json.

Enters: parsed JSON. Leaves: frozen models, one for each way; where none is given, it is backpropagation through all
steps. The equations are in ``runtime.equilibrium``, ``runtime.feedback`` and ``train.ridge``.
"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from connectome2net.spec.part import Part, Positive


class Equilibrium(Part):
    """Equilibrium propagation: the gradient is how far the fixed point moves when the loss pushes the cells a little.

    Scellier and Bengio 2017, doi 10.3389/fncom.2017.00024; for directed edges, where it is an approximation, Scellier
    et al. 2018, arXiv 1808.04873. Front end, input and readout learn by backpropagation from and to the fixed point.

    Attributes:
        nudge: the largest push of a cell, in units of its drive.
        nudging: ``symmetric``: up and down, so that errors of first order in the nudge cancel (Laborieux et al. 2021,
            doi 10.3389/fnins.2021.633674); ``one_sided``: only to a lower loss.
        direction: in which what a push changes travels: ``forward``, along the edges, as rates do; or ``backward``,
            against them, which gives the exact gradient of a directed graph and is a control rather than a
            hypothesis (Scurria et al. 2026, arXiv 2602.03670).
    """

    kind: Literal["equilibrium"]
    nudge: Positive = 0.01
    nudging: Literal["symmetric", "one_sided"] = "symmetric"
    direction: Literal["forward", "backward"] = "forward"


class FeedbackAlignment(Part):
    """The error returns through fixed random weights on the same edges, not through the weights themselves.

    Lillicrap et al. 2016, doi 10.1038/ncomms13276. Front end, input and readout learn by backpropagation.

    Attributes:
        signs: of the feedback: ``random``, or ``concordant``: those of the weights (Liao et al. 2016, arXiv
            1510.05067).
    """

    kind: Literal["feedback_alignment"]
    signs: Literal["random", "concordant"] = "random"


class Reservoir(Part):
    """Only the readout learns, by ridge regression on the classes; everything else stays as it is drawn.

    Jaeger 2001, GMD report 148; Lukosevicius and Jaeger 2009, doi 10.1016/j.cosrev.2009.03.005.

    Attributes:
        ridge: penalty on squared weights, in units of the mean variance of a rate over the training images; of
            several, the validation part chooses.
    """

    kind: Literal["reservoir"]
    ridge: Annotated[tuple[Positive, ...], Field(min_length=1)] = (1e-4, 1e-3, 1e-2, 1e-1)


Learning = Annotated[Equilibrium | FeedbackAlignment | Reservoir, Field(discriminator="kind")]
