"""feedforward_linear: a conventional reference network, written by connectome2net. No connectome is in it.

It has the front end of the spec, and where the column was:
    nothing; the readout sees the feature map

Spec twelve_cells_feedforward, sha256 67d23c6b0535cafce78f86307546799e981cfdb48c7c2d745dbdc51415320f84

    part       trainable parameters
    front_end                   390
    readout                     385
    together                    775
    the spec's network has 617; a readout alone has no layers to spend them on

Change the spec and compile again, rather than this file.
"""

from torch import Tensor, nn

from connectome2net.runtime import encode

# Axes: B batch, C channels, H rows, W columns, F features, K classes.


class FeedforwardLinearNetwork(nn.Module):
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
        # where the column was
        self.core = nn.Sequential(
            nn.Flatten(),
        )
        # features -> classes
        self.dropout = nn.Dropout(0.0)
        self.readout = nn.Linear(54, classes)

    def forward(self, image_BCHW: Tensor) -> Tensor:
        """Return logits (B, K)."""
        encode.check_images(image_BCHW, height=12, width=12)
        feature_BCHW = self.front_end(image_BCHW)
        feature_BF = self.core(feature_BCHW)
        return self.readout(self.dropout(feature_BF))

    def plasticity_step(self, reward_B: Tensor | None = None) -> None:
        """Do nothing: this network has no plasticity rules."""
