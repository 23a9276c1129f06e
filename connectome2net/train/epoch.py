"""One pass over the images.

Enters: a model and images. Leaves: a model that has learned from each of them once; how good it is on others.
"""

# Axes: B batch, C channels, H rows, W columns, K classes.

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import partial

import torch
from torch import Tensor, nn, optim
from torch.nn import functional as F

from connectome2net.tasks import ImageSet
from connectome2net.train.config import TrainConfig
from connectome2net.train.progress import Progress
from connectome2net.train.schedule import learning_rate
from connectome2net.train.trouble import bound, trouble_in


@dataclass(frozen=True)
class Placed:
    """Images on the device where a model is.

    Attributes:
        image_BHW: grey, uint8.
        label_B: classes.
    """

    image_BHW: Tensor
    label_B: Tensor

    def __len__(self) -> int:
        return len(self.label_B)


def place(images: ImageSet | Placed, device: torch.device) -> Placed:
    """Return images on a device; those that are placed already stay as they are."""
    if isinstance(images, Placed):
        return images
    return Placed(torch.from_numpy(images.image_NHW).to(device), torch.from_numpy(images.label_N).to(device))


def train_epoch(
    model: nn.Module,
    optimiser: optim.Optimizer,
    images: ImageSet | Placed,
    config: TrainConfig,
    *,
    epoch: int,
    progress: Progress,
) -> tuple[float, float]:
    """Let a model learn from every training image once.

    Args:
        model: it learns, on the device where it is.
        optimiser: of its parameters.
        images: to learn from; ``place`` them where epochs follow each other.
        config: the settings.
        epoch: epochs before this one; with the seed and the step it decides the order, the augmentation and noise.
        progress: told of each step.

    Returns:
        The mean loss and the accuracy on the augmented images, while the model learned.

    Raises:
        TrainError: a loss or a gradient is not finite; no weight has seen it.
    """
    model.train()
    device = next(model.parameters()).device
    placed = place(images, device)
    count, limit = len(placed), bound(torch.get_default_dtype())
    steps = -(-count // config.batch)
    order = torch.randperm(count, generator=torch.Generator().manual_seed(_mix(config.seed, epoch)))

    def answer(step: int) -> tuple[Tensor, Tensor]:
        """Return the loss of a batch and which images were right; the same at any time."""
        torch.manual_seed(_mix(config.seed, epoch, step))
        chosen = order[step * config.batch : (step + 1) * config.batch].to(device)
        image_BCHW, target_B = placed.image_BHW[chosen, None].float() / 255, placed.label_B[chosen]
        if config.augmentation is not None:
            image_BCHW = config.augmentation(image_BCHW)
        logits_BK = model(image_BCHW)
        loss = F.cross_entropy(logits_BK, target_B, label_smoothing=config.label_smoothing)
        return loss, (logits_BK.argmax(1) == target_B).to(loss)

    total, right = 0.0, 0
    for step in range(steps):
        rate = learning_rate(config, epoch * steps + step, config.epochs * steps)
        for group in optimiser.param_groups:
            group["lr"] = rate * group["factor"]
        loss, right_B = answer(step)
        optimiser.zero_grad(set_to_none=True)
        loss.backward()  # type: ignore[no-untyped-call]
        norm = nn.utils.clip_grad_norm_(model.parameters(), config.clip)
        # All numbers of a step in one transfer, before anything that is not finite reaches a weight.
        value, size, hits = torch.stack([loss.detach(), norm, right_B.sum()]).tolist()
        if not (abs(value) < limit and size < math.inf):
            raise trouble_in(model, partial(answer, step), when=f"epoch {epoch + 1}, step {step + 1} of training")
        optimiser.step()
        # The reward of this batch: 1 where the answer, given before the optimiser changed anything, was right.
        model.plasticity_step(right_B)  # type: ignore[operator]
        total += value * len(right_B)
        right += int(hits)
        progress.step(loss=total / (step * config.batch + len(right_B)), images=len(right_B))
    return total / count, right / count


@torch.no_grad()
def evaluate_images(model: nn.Module, images: ImageSet | Placed, *, batch: int = 256) -> tuple[float, float]:
    """Return the mean cross entropy and the accuracy of a model on images, in evaluation mode."""
    model.eval()
    placed = place(images, next(model.parameters()).device)
    loss, right = 0.0, 0
    for start in range(0, len(placed), batch):
        target_B = placed.label_B[start : start + batch]
        logits_BK = model(placed.image_BHW[start : start + batch, None].float() / 255)
        loss += F.cross_entropy(logits_BK, target_B, reduction="sum").item()
        right += int((logits_BK.argmax(1) == target_B).sum())
    return loss / len(placed), right / len(placed)


def _mix(*numbers: int) -> int:
    """Return one seed for several numbers; neighbours get unrelated seeds."""
    seed = 0
    for number in numbers:
        seed = (seed * 6364136223846793005 + number + 1442695040888963407) % 2**63
    return seed
