"""column: a connectome as a trainable network, written by connectome2net.

Spec twelve_cells_column, sha256 4ec53177a60bd80afaf1990887e8c807c1e5bc8806b210d968e3e9dafd40b635
Data by hand, materialization 1

Populations
    name  cells  selected by
    L23E      2  23P
    L4E       3  4P
    L5E       1  5P-IT, 5P-ET, 5P-PT, 5P-NP
    L6E       2  6P-IT, 6P-CT, 6P-U, WM-P
    E         1  Unsure E
    I         3  inhibitory

Projections: W[post, pre]
    matrix       pre  post  sign  rules  edges  synapses
    W_recurrent  all  all   dale  -         37        63

dale: W = sign of the presynaptic cell * anatomy * softplus(theta); no learning changes a sign
What was measured lies in weights.safetensors and stays; only theta is learned, on these edges only.
Change the spec and compile again, rather than this file.
"""

from torch import Tensor, nn

from connectome2net.runtime import dynamics, encode, readout, sparse

# Axes: B batch, C channels, H rows, W columns, N cells, K classes.


class ColumnNetwork(nn.Module):
    """Grey images (B, 1, 48, 48), values from 0 to 1 -> logits (B, K)."""

    def __init__(self, arrays: dict[str, Tensor], *, classes: int = 7) -> None:
        super().__init__()
        # image -> feature map
        self.front_end = nn.Sequential(
            encode.Adaptation(),
            encode.Convolution(in_channels=1, out_channels=32, kernel=3, pool=2, norm="group"),
            encode.Convolution(in_channels=32, out_channels=64, kernel=3, pool=2, norm="group"),
            encode.Convolution(in_channels=64, out_channels=128, kernel=3, pool=2, norm="group"),
        )
        # feature map -> all
        self.input = encode.RetinotopicInput(
            arrays,
            channels=128,
            neighbourhood=3,
            cells=3,
            rows_before=2,
            rows_after=7,
        )
        # cells
        self.cells_all = dynamics.RateCells(
            populations=[2, 3, 1, 2, 1, 3],
            leak=0.5,
            norm="layer",
            noise=0.0,
        )
        # edges
        self.W_recurrent = sparse.Projection(arrays, "recurrent", sign="dale")
        # L23E, L5E, L6E, E, I -> classes
        self.readout = readout.LinearReadout(
            arrays["readout.unit"],
            classes=classes,
            dropout=0.0,
        )

    def forward(self, image_BCHW: Tensor) -> Tensor:
        """Return logits (B, K).

        One step of a group of cells, with x the input and W over all its projections:

            drive <- x + W rate
            rate  <- (1 - leak) rate + leak gain relu(norm(drive) - threshold + noise)

        The norm has a learned scale per cell; the gain is 1 where no graded inhibition is declared.
        """
        encode.check_images(image_BCHW, height=48, width=48)
        feature_BCHW = self.front_end(image_BCHW)
        state_all = self.cells_all.rest(feature_BCHW)
        W_recurrent = self.W_recurrent.weights()

        drive_all_NB = self.input(feature_BCHW)
        for _ in range(4):
            state_all = self.cells_all(
                state_all,
                drive_all_NB,
                W_recurrent @ state_all.rate_NB,
            )

        return self.readout(
            state_all.read_NB,
        )

    def plasticity_step(self, reward_B: Tensor | None = None) -> None:
        """Do nothing: this network has no plasticity rules."""
