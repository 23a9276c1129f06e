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
        self.rules_A_A = plasticity.Rules(
            plasticity.Hebbian(self.W_A_A, rate=0.001),
            plasticity.Homeostatic(self.W_A_A, rate=0.001, target=0.4),
        )
        self.rules_B_B = plasticity.Rules(
            plasticity.Hebbian(self.W_B_B, rate=0.001),
            plasticity.Homeostatic(self.W_B_B, rate=0.001, target=0.4),
        )
        self.rules_D_D = plasticity.Rules(
            plasticity.Hebbian(self.W_D_D, rate=0.001),
            plasticity.Homeostatic(self.W_D_D, rate=0.001, target=0.4),
        )
        self.rules_A_B = plasticity.Rules(
            plasticity.Hebbian(self.W_A_B, rate=0.001),
            plasticity.Homeostatic(self.W_A_B, rate=0.001, target=0.4),
        )
        self.rules_B_D = plasticity.Rules(
            plasticity.Hebbian(self.W_B_D, rate=0.001),
            plasticity.Homeostatic(self.W_B_D, rate=0.001, target=0.4),
        )
        # D -> classes
        self.readout = readout.LinearReadout(
            arrays["readout.unit"],
            classes=classes,
            dropout=0.0,
        )
        self.activity: dict[str, plasticity.Activity] = {}

    def forward(self, image_BCHW: Tensor) -> Tensor:
        """Return logits (B, K).

        One step of a group of cells, with x the input and W over all its projections:

            drive <- x + W rate
            rate  <- (1 - leak) rate + leak gain relu(norm(drive) - threshold + noise)

        The norm has a learned scale per cell; the gain is 1 where no graded inhibition is declared.
        """
        encode.check_images(image_BCHW, height=12, width=12)
        feature_BCHW = self.front_end(image_BCHW)
        state_A = self.cells_A.rest(feature_BCHW)
        state_B = self.cells_B.rest(feature_BCHW)
        state_D = self.cells_D.rest(feature_BCHW)
        W_A_A = self.W_A_A.weights()
        W_B_B = self.W_B_B.weights()
        W_D_D = self.W_D_D.weights()
        W_A_B = self.W_A_B.weights()
        W_B_D = self.W_B_D.weights()

        drive_A_NB = self.input(feature_BCHW)
        for _ in range(2):
            state_A = self.cells_A(
                state_A,
                drive_A_NB,
                W_A_A @ state_A.rate_NB,
            )

        drive_B_NB = W_A_B @ state_A.rate_NB
        for _ in range(2):
            state_B = self.cells_B(
                state_B,
                drive_B_NB,
                W_B_B @ state_B.rate_NB,
            )

        drive_D_NB = W_B_D @ state_B.rate_NB
        for _ in range(2):
            state_D = self.cells_D(
                state_D,
                drive_D_NB,
                W_D_D @ state_D.rate_NB,
            )

        if self.training:
            self.activity = {
                "A": plasticity.Activity(state_A.read_NB),
                "B": plasticity.Activity(state_B.read_NB),
                "D": plasticity.Activity(state_D.read_NB),
            }
        return self.readout(
            state_D.read_NB,
        )

    def plasticity_step(self, reward_B: Tensor | None = None) -> None:
        """Let the plasticity rules act once, on what the last batch in training did.

        Args:
            reward_B: how good the answer to each image was, for rules that learn from reward.

        Raises:
            RuntimeError: there was no batch in training yet.
        """
        did = self.activity
        if not did:
            raise RuntimeError("no rates to act on: call the model on a batch in training mode first")
        self.rules_A_A(self.W_A_A, did["A"], did["A"], reward_B)
        self.rules_B_B(self.W_B_B, did["B"], did["B"], reward_B)
        self.rules_D_D(self.W_D_D, did["D"], did["D"], reward_B)
        self.rules_A_B(self.W_A_B, did["A"], did["B"], reward_B)
        self.rules_B_D(self.W_B_D, did["B"], did["D"], reward_B)
