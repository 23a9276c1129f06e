"""From the image to the cells that it drives.

Enters: grey images. Leaves: a feature map, and the drive of the cells that see it.
"""

# Axes: B batch, C channels, H rows, W columns, N driven cells, P places, S slots of a place, F features,
# O offsets within a neighbourhood.

from __future__ import annotations

from typing import Literal

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from connectome2net.runtime.share import Dropout as Dropout

Precision = Literal["32", "bf16"]


def check_images(image_BCHW: Tensor, *, height: int, width: int) -> None:
    """Refuse what is not a batch of grey images of the right size.

    Raises:
        ValueError: with what was found and what was wanted.
    """
    if image_BCHW.shape[1:] != (1, height, width) or not image_BCHW.is_floating_point():
        found = f"{str(image_BCHW.dtype).removeprefix('torch.')} {tuple(image_BCHW.shape)}"
        wanted = f"float (B, 1, {height}, {width}), values from 0 to 1"
        raise ValueError(f"these are not the images of this network: found {found}, wanted {wanted}")


class Adaptation(nn.Module):
    """Luminance and contrast adaptation: every image gets mean 0 and deviation 1.

    Carandini and Heeger 2012, doi 10.1038/nrn3136. A blank image stays blank.
    """

    def forward(self, image_BCHW: Tensor) -> Tensor:
        """Return images of the same shape."""
        variance, mean = torch.var_mean(image_BCHW, dim=(1, 2, 3), correction=0, keepdim=True)
        return (image_BCHW - mean) * torch.rsqrt(variance + 1e-6)


class Convolution(nn.Module):
    """Convolution, norm, ReLU, lateral inhibition, max pooling.

    Args:
        in_channels: channels that enter.
        out_channels: filters.
        kernel: side of the filters in pixels, odd.
        pool: side of the max pooling.
        norm: ``group`` for a GroupNorm with 8 channels a group, more where 8 do not divide them (Wu and He 2018,
            arXiv 1803.08494), or ``none``.
        surround: side of the surround that inhibits each place; 0 for no lateral inhibition.
        inhibition: the weight of the surround's mean.

    Attributes:
        precision: ``bf16`` lets training filter in bfloat16 (Kalamkar et al. 2019, arXiv 1905.12322): products of
            rounded numbers, summed in float32. Filters, norm and whatever follows stay as they are, and so does
            everything in evaluation.
    """

    precision: Precision = "32"

    def __init__(
        self,
        *,
        in_channels: int,
        out_channels: int,
        kernel: int,
        pool: int,
        norm: str = "none",
        surround: int = 0,
        inhibition: float = 0.0,
    ) -> None:
        super().__init__()
        self.convolution = nn.Conv2d(in_channels, out_channels, kernel, padding="same", bias=norm == "none")
        # A third faster on a CPU, with the same numbers.
        self.convolution.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        groups = next(count for count in range(max(1, out_channels // 8), 0, -1) if out_channels % count == 0)
        self.norm = nn.GroupNorm(groups, out_channels) if norm == "group" else nn.Identity()
        self.pool = nn.MaxPool2d(pool) if pool > 1 else nn.Identity()
        self.surround = surround
        self.inhibition = inhibition

    def forward(self, image_BCHW: Tensor) -> Tensor:
        """Return the feature map, (B, out_channels, H / pool, W / pool)."""
        feature_BCHW = self.norm(self._filtered(image_BCHW))
        if self.surround:
            feature_BCHW = torch.relu(feature_BCHW)
            feature_BCHW = lateral_inhibition(feature_BCHW, surround=self.surround, strength=self.inhibition)
        return torch.relu(self.pool(feature_BCHW))  # the same as pooling rectified features, on fewer numbers

    def _filtered(self, image_BCHW: Tensor) -> Tensor:
        if self.precision == "32" or not self.training:
            return self.convolution(image_BCHW)
        weight, bias = self.convolution.weight.bfloat16(), self.convolution.bias
        bias = None if bias is None else bias.bfloat16()
        return F.conv2d(image_BCHW.bfloat16(), weight, bias, padding="same").to(image_BCHW.dtype)


def set_precision(model: nn.Module, precision: Precision) -> None:
    """Choose in which numbers every ``Convolution`` of a model filters in training."""
    for module in model.modules():
        if isinstance(module, Convolution):
            module.precision = precision


def lateral_inhibition(feature_BCHW: Tensor, *, surround: int, strength: float) -> Tensor:
    """Return ``x - strength * mean of x around``; places outside the map are not counted.

    Args:
        feature_BCHW: a feature map.
        surround: side of the square surround, odd, the centre included.
        strength: the weight of the mean.
    """
    channels, height, width = feature_BCHW.shape[1:]
    box = feature_BCHW.new_ones(channels, 1, surround, surround)
    total = F.conv2d(feature_BCHW, box, padding="same", groups=channels)
    places = F.conv2d(feature_BCHW.new_ones(1, 1, height, width), box[:1], padding="same")
    return feature_BCHW - total * (strength / places)


class Attention(nn.Module):
    """Channel attention, then spatial attention (CBAM, Woo et al. 2018, arXiv 1807.06521).

    Args:
        channels: channels of the feature map.
        reduction: by how much the hidden layer of the channel attention is narrower.
        kernel: side of the spatial filter, odd.
    """

    def __init__(self, *, channels: int, reduction: int, kernel: int) -> None:
        super().__init__()
        hidden = max(1, channels // reduction)
        self.channel = nn.Sequential(nn.Linear(channels, hidden), nn.ReLU(), nn.Linear(hidden, channels))
        self.spatial = nn.Conv2d(2, 1, kernel, padding="same")

    def forward(self, feature_BCHW: Tensor) -> Tensor:
        """Return the feature map, weighted by channel and by place."""
        of_channel_BC = self.channel(feature_BCHW.mean((2, 3))) + self.channel(feature_BCHW.amax((2, 3)))
        feature_BCHW = feature_BCHW * torch.sigmoid(of_channel_BC)[:, :, None, None]
        summary = torch.cat([feature_BCHW.mean(1, keepdim=True), feature_BCHW.amax(1, keepdim=True)], dim=1)
        return feature_BCHW * torch.sigmoid(self.spatial(summary))


class DenseInput(nn.Module):
    """Every driven cell sees the whole feature map.

    Args:
        arrays: not used; every input takes them.
        features: size of the feature map, channels times places.
        cells: driven cells, a run of rows of their group.
        rows_before: rows of the group before them.
        rows_after: rows of the group after them.
    """

    def __init__(
        self, arrays: dict[str, Tensor], *, features: int, cells: int, rows_before: int, rows_after: int
    ) -> None:
        super().__init__()
        self.rows = (0, 0, rows_before, rows_after)
        self.weight_NF = nn.Parameter(torch.randn(cells, features) / features**0.5)

    def forward(self, feature_BCHW: Tensor) -> Tensor:
        """Return the drive of the group, (rows, B); 0 for cells that are not driven."""
        return F.pad(self.weight_NF @ feature_BCHW.flatten(1).T, self.rows)


class RetinotopicInput(nn.Module):
    """Every driven cell sees its own neighbourhood of the feature map, with weights of its own.

    Args:
        arrays: ``input.place`` (N,), the centre of each cell's neighbourhood, ``row * W + column``.
        channels: channels of the feature map.
        neighbourhood: side of the square neighbourhood; places outside the map count as 0.
        cells: driven cells, a run of rows of their group.
        rows_before: rows of the group before them.
        rows_after: rows of the group after them.
    """

    place_P: Tensor
    slot_N: Tensor

    def __init__(
        self,
        arrays: dict[str, Tensor],
        *,
        channels: int,
        neighbourhood: int,
        cells: int,
        rows_before: int,
        rows_after: int,
    ) -> None:
        super().__init__()
        self.neighbourhood = neighbourhood
        self.rows = (0, 0, rows_before, rows_after)
        place_P, at_N, cells_P = torch.unique(arrays["input.place"].long(), return_inverse=True, return_counts=True)
        first_P = cells_P.cumsum(0) - cells_P
        rank_N = torch.empty_like(at_N)
        rank_N[at_N.argsort(stable=True)] = torch.arange(cells) - first_P.repeat_interleave(cells_P)
        self.most = int(cells_P.max())
        self.register_buffer("place_P", place_P, persistent=False)
        self.register_buffer("slot_N", at_N * self.most + rank_N, persistent=False)
        features = channels * neighbourhood**2
        self.weight_NF = nn.Parameter(torch.randn(cells, features) / features**0.5)

    def forward(self, feature_BCHW: Tensor) -> Tensor:
        """Return the drive of the group, (rows, B); 0 for cells that are not driven."""
        seen_PFB = self.neighbourhoods(feature_BCHW)
        of_channel_NCO = self.weight_NF.view(len(self.slot_N), feature_BCHW.shape[1], -1)
        weight_NF = of_channel_NCO.transpose(1, 2).flatten(1)  # as in what is seen: by offset, then by channel
        # One product per place, for all cells that look there; places with fewer cells are filled up with zeros.
        places, features = len(self.place_P), self.weight_NF.shape[1]
        slots = weight_NF.new_zeros(places * self.most, features).index_copy(0, self.slot_N, weight_NF)
        drive_PSB = torch.bmm(slots.view(places, self.most, features), seen_PFB)
        return F.pad(drive_PSB.flatten(0, 1).index_select(0, self.slot_N), self.rows)

    def neighbourhoods(self, feature_BCHW: Tensor) -> Tensor:
        """Return what is seen at each place, (P, F, B): by offset, then by channel.

        Whole rows of channels and images are copied, which is several times faster than ``unfold``.
        """
        width, reach = feature_BCHW.shape[3], self.neighbourhood // 2
        wide = width + 2 * reach
        padded_HWCB = F.pad(feature_BCHW, (reach, reach, reach, reach)).permute(2, 3, 1, 0)
        step = torch.arange(self.neighbourhood, device=feature_BCHW.device)
        offset_O = (step[:, None] * wide + step).flatten()
        corner_P = self.place_P // width * wide + self.place_P % width
        at_PO = corner_P[:, None] + offset_O
        seen = padded_HWCB.flatten(2).flatten(0, 1).index_select(0, at_PO.flatten())
        return seen.view(len(at_PO), -1, feature_BCHW.shape[0])
