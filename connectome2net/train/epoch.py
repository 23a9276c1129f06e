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

from connectome2net.runtime.share import Share, sharing
from connectome2net.tasks import ImageSet
from connectome2net.train.average import Average
from connectome2net.train.config import TrainConfig
from connectome2net.train.processes import ALONE, Processes
from connectome2net.train.progress import Progress
from connectome2net.train.schedule import learning_rate
from connectome2net.train.trouble import bound, trouble_in


@dataclass(frozen=True)
class Placed:
    """Images on the device where a model is.

    Attributes:
        image_BHW: grey, uint8.
        label_B: classes.
        target: what is learned: the classes, or (B, K) distributions over them.
    """

    image_BHW: Tensor
    label_B: Tensor
    target: Tensor

    def __len__(self) -> int:
        return len(self.label_B)

    def asked(self, chosen: Tensor | slice) -> tuple[Tensor, Tensor]:
        """Return the classes of some images, and what is learned of them."""
        return self.label_B[chosen], self.target[chosen]


def place(images: ImageSet | Placed, device: torch.device) -> Placed:
    """Return images on a device; those that are placed already stay as they are."""
    if isinstance(images, Placed):
        return images
    image_NHW, label_N = (torch.from_numpy(array).to(device) for array in (images.image_NHW, images.label_N))
    target = label_N if images.target_NK is None else torch.from_numpy(images.target_NK).to(device)
    return Placed(image_NHW, label_N, target)


def train_epoch(
    model: nn.Module,
    optimiser: optim.Optimizer,
    images: ImageSet | Placed,
    config: TrainConfig,
    *,
    epoch: int,
    progress: Progress,
    processes: Processes = ALONE,
    average: Average | None = None,
) -> tuple[float, float]:
    """Let a model learn from every training image once.

    Args:
        model: it learns, on the device where it is.
        optimiser: of its parameters.
        images: to learn from; ``place`` them where epochs follow each other.
        config: the settings.
        epoch: epochs before this one; with the seed and the step it decides the order, the augmentation and noise.
        progress: told of each step.
        processes: that share each batch; all of them call this.
        average: the running mean of the weights, if one is taken.

    Returns:
        The mean loss and the accuracy on the augmented images, while the model learned.

    Raises:
        TrainError: a loss or a gradient is not finite; no weight has seen it.
    """
    model.train()
    lessons = _Lessons(model, place(images, next(model.parameters()).device), config, epoch)
    count, limit = len(lessons.images), bound(torch.get_default_dtype())
    steps = -(-count // config.batch)
    total, right = 0.0, 0
    for step in range(steps):
        rate = learning_rate(config, epoch * steps + step, config.epochs * steps)
        for group in optimiser.param_groups:
            group["lr"] = rate * group["factor"]
        batch = min(config.batch, count - step * config.batch)
        with sharing(share := processes.share(batch)):
            loss, right_B = lessons.answer(step, share)
            optimiser.zero_grad(set_to_none=True)
            loss.backward()  # type: ignore[no-untyped-call]
            mean, hits = processes.add_up(model, loss.detach(), right_B.mean() * (share.weight if share else 1))
            norm = nn.utils.clip_grad_norm_(model.parameters(), config.clip)
            # All numbers of a step in one transfer, before anything that is not finite reaches a weight.
            value, size, part = torch.stack([mean, norm, hits]).tolist()
        if not (abs(value) < limit and size < math.inf):
            again = partial(lessons.answer, step)
            raise trouble_in(model, again, when=f"epoch {epoch + 1}, step {step + 1} of training")
        with sharing(share):
            optimiser.step()
            # The reward of this batch: 1 where the answer, given before the optimiser changed anything, was right.
            model.plasticity_step(right_B)  # type: ignore[operator]
        if average is not None:
            average.update(epoch * steps + step)
        total += value * batch
        right += round(part * batch)
        progress.step(loss=total / (step * config.batch + batch), images=batch)
    return total / count, right / count


class _Lessons:
    """The batches of an epoch, each the same at any time."""

    def __init__(self, model: nn.Module, images: Placed, config: TrainConfig, epoch: int) -> None:
        self.model, self.images, self.config, self.epoch = model, images, config, epoch
        order = torch.Generator().manual_seed(_mix(config.seed, epoch))
        self.order = torch.randperm(len(images), generator=order)

    def answer(self, step: int, share: Share | None = None) -> tuple[Tensor, Tensor]:
        """Return the loss of a batch and which images were right; of a share, its part of both.

        Every process augments the whole batch, which is cheap, and so draws the same numbers.
        """
        config, images = self.config, self.images
        torch.manual_seed(_mix(config.seed, self.epoch, step))
        chosen = self.order[step * config.batch : (step + 1) * config.batch].to(images.label_B.device)
        image_BCHW, label_B, target = images.image_BHW[chosen, None].float() / 255, *images.asked(chosen)
        if config.augmentation is not None:
            image_BCHW = config.augmentation(image_BCHW)
        if share is not None:
            image_BCHW, label_B, target = (share.mine(part, axis=0) for part in (image_BCHW, label_B, target))
        logits_BK = self.model(image_BCHW)
        loss = F.cross_entropy(logits_BK, target, label_smoothing=config.label_smoothing)
        return loss if share is None else loss * share.weight, (logits_BK.argmax(1) == label_B).to(loss)


@torch.no_grad()
def evaluate_images(
    model: nn.Module, images: ImageSet | Placed, *, batch: int = 256, processes: Processes = ALONE
) -> tuple[float, float]:
    """Return the mean cross entropy and the accuracy of a model on images, in evaluation mode.

    Where several processes share each batch, all of them call this, and the answer is the same for all.
    """
    model.eval()
    device = next(model.parameters()).device
    placed = place(images, device)
    loss, right = 0.0, 0.0
    for start in range(0, len(placed), batch):
        chosen = slice(start, start + batch)
        image_BHW, label_B, target = placed.image_BHW[chosen], *placed.asked(chosen)
        with sharing(share := processes.share(len(label_B))):
            if share is not None:
                image_BHW, label_B, target = (share.mine(part, axis=0) for part in (image_BHW, label_B, target))
            logits_BK = model(image_BHW[:, None].float() / 255)
        counts = share.weight * share.batch / share.count if share else 1  # less, where others compute the same images
        loss += counts * F.cross_entropy(logits_BK, target, reduction="sum").item()
        right += counts * int((logits_BK.argmax(1) == label_B).sum())
    if processes.count > 1:
        loss, right = processes.total(torch.tensor([loss, right], dtype=torch.float64, device=device)).tolist()
    return loss / len(placed), right / len(placed)


def _mix(*numbers: int) -> int:
    """Return one seed for several numbers; neighbours get unrelated seeds."""
    seed = 0
    for number in numbers:
        seed = (seed * 6364136223846793005 + number + 1442695040888963407) % 2**63
    return seed
