"""feedforward: a connectome as a trainable network, written by connectome2net.

Spec twelve_cells_feedforward, sha256 67d23c6b0535cafce78f86307546799e981cfdb48c7c2d745dbdc51415320f84
Data by hand, materialization 1

Populations
    name  cells  selected by
    A         3  4P
    B         3  23P, Unsure E
    D         3  5P-IT, 6P-CT, WM-P

Projections: W[post, pre]
    matrix  pre  post  sign  rules                 edges  synapses
    W_A_A   A    A     free  hebbian, homeostatic      3         4
    W_B_B   B    B     free  hebbian, homeostatic      4         6
    W_D_D   D    D     free  hebbian, homeostatic      4         5
    W_A_B   A    B     free  hebbian, homeostatic      4         7
    W_B_D   B    D     free  hebbian, homeostatic      4         9

free: W = anatomy * theta, of any sign
What was measured lies in weights.safetensors and stays; only theta is learned, on these edges only.
Change the spec and compile again, rather than this file.
"""

import torch
from torch import Tensor, nn

from connectome2net.runtime import dynamics, encode, plasticity, readout, sparse

# Axes: B batch, C channels, H rows, W columns, N cells, K classes.


class FeedforwardNetwork(nn.Module):
    """Grey images (B, 1, 12, 12), values from 0 to 1 -> logits (B, K)."""

    def __init__(self, arrays: dict[str, Tensor], *, classes: int = 7) -> None:
        super().__init__()
        # image -> feature map
        self.front_end = nn.Sequential(
            encode.Adaptation(),
            encode.Convolution(in_channels=1, out_channels=4, kernel=5, pool=2, surround=5, inhibition=0.5),
            encode.Convolution(in_channels=4, out_channels=6, kernel=3, pool=2),
            encode.Attention(channels=6, reduction=2, kernel=3),
        )
        # feature map -> A
        self.input = encode.DenseInput(
            arrays,
            features=54,
            cells=3,
            rows_before=0,
            rows_after=0,
        )
        # cells
        self.cells_A = dynamics.RateCells(
            populations=[3],
            leak=1.0,
            norm="layer",
            noise=0.05,
            gain=arrays["A.inhibition_gain"],
        )
        self.cells_B = dynamics.RateCells(
            populations=[3],
            leak=1.0,
            norm="layer",
            noise=0.05,
            gain=arrays["B.inhibition_gain"],
        )
        self.cells_D = dynamics.RateCells(
            populations=[3],
            leak=1.0,
            norm="layer",
            noise=0.05,
            gain=arrays["D.inhibition_gain"],
        )
        # edges
        self.W_A_A = sparse.Projection(arrays, "A_A", sign="free")
        self.W_B_B = sparse.Projection(arrays, "B_B", sign="free")
        self.W_D_D = sparse.Projection(arrays, "D_D", sign="free")
        self.W_A_B = sparse.Projection(arrays, "A_B", sign="free")
        self.W_B_D = sparse.Projection(arrays, "B_D", sign="free")
        # plasticity
        self.rule_hebbian = plasticity.Hebbian(rate=0.001)
        self.rule_homeostatic = plasticity.Homeostatic(rate=0.001, target=0.4)
        # D -> classes
        self.readout = readout.LinearReadout(
            arrays["readout.unit"],
            classes=classes,
            dropout=0.0,
        )
        self.activity: dict[str, Tensor] = {}

    def forward(self, image_BCHW: Tensor) -> Tensor:
        """Return logits (B, K).

        One step of a group of cells, with x the input and W over all its projections:

            drive <- x + W rate
            rate  <- (1 - leak) rate + leak gain relu(norm(drive) - threshold + noise)

        The norm has a learned scale per cell; the gain is 1 where no graded inhibition is declared.
        """
        encode.check_images(image_BCHW, height=12, width=12)
        feature_BCHW = self.front_end(image_BCHW)
        rate_A_NB = self.cells_A.rest(feature_BCHW)
        rate_B_NB = self.cells_B.rest(feature_BCHW)
        rate_D_NB = self.cells_D.rest(feature_BCHW)

        drive_A_NB = self.input(feature_BCHW)
        for _ in range(2):
            rate_A_NB = self.cells_A(
                rate_A_NB,
                drive_A_NB,
                self.W_A_A(rate_A_NB),
            )

        drive_B_NB = self.W_A_B(rate_A_NB)
        for _ in range(2):
            rate_B_NB = self.cells_B(
                rate_B_NB,
                drive_B_NB,
                self.W_B_B(rate_B_NB),
            )

        drive_D_NB = self.W_B_D(rate_B_NB)
        for _ in range(2):
            rate_D_NB = self.cells_D(
                rate_D_NB,
                drive_D_NB,
                self.W_D_D(rate_D_NB),
            )

        if self.training:
            self.activity = {
                "A": rate_A_NB.detach(),
                "B": rate_B_NB.detach(),
                "D": rate_D_NB.detach(),
            }
        return self.readout(
            rate_D_NB,
        )

    @torch.no_grad()
    def plasticity_step(self) -> None:
        """Let the plasticity rules act once, on the rates at the end of the last batch in training.

        Raises:
            RuntimeError: there was no batch in training yet.
        """
        rate = self.activity
        if not rate:
            raise RuntimeError("no rates to act on: call the model on a batch in training mode first")
        self.rule_hebbian(self.W_A_A, rate["A"], rate["A"])
        self.rule_homeostatic(self.W_A_A, rate["A"], rate["A"])
        self.rule_hebbian(self.W_B_B, rate["B"], rate["B"])
        self.rule_homeostatic(self.W_B_B, rate["B"], rate["B"])
        self.rule_hebbian(self.W_D_D, rate["D"], rate["D"])
        self.rule_homeostatic(self.W_D_D, rate["D"], rate["D"])
        self.rule_hebbian(self.W_A_B, rate["A"], rate["B"])
        self.rule_homeostatic(self.W_A_B, rate["A"], rate["B"])
        self.rule_hebbian(self.W_B_D, rate["B"], rate["D"])
        self.rule_homeostatic(self.W_B_D, rate["B"], rate["D"])
