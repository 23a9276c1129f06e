"""How a network is trained: everything that is neither anatomy nor architecture.

Enters: a toml file and options. Leaves: a frozen ``TrainConfig``.
"""

from __future__ import annotations

import tomllib
from dataclasses import fields
from pathlib import Path
from typing import Annotated, Any, Final, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from connectome2net.errors import C2NError, TrainError, near
from connectome2net.runtime.encode import Precision
from connectome2net.tasks.augmentation import Augmentation

Fraction = Annotated[float, Field(ge=0, lt=1)]
OF_IMAGES: Final = ("labels", "skip_broken", "validation_fraction")
"""Settings that choose the images of a seed."""


class TrainConfig(BaseModel):
    """Settings of a training run.

    Attributes:
        epochs: passes over the training images.
        batch: images per step, of all processes together.
        seed: draws initial strengths, the validation part, the order of images, augmentation and noise.
        optimiser: ``adamw`` (decoupled weight decay, Loshchilov and Hutter, arXiv 1711.05101) or ``adam``.
        learning_rate: the highest of the schedule.
        strength_rate: factor of the learning rate for the strengths of edges. A strength is relative to its anatomy:
            it starts near 1, where an ordinary weight starts near 1 / sqrt(inputs), so an equal step of Adam is a
            much smaller change.
        schedule: ``one_cycle`` rises for a fifth of all steps and falls to nothing, both as a cosine (Smith and
            Topin, arXiv 1708.07120); ``cosine`` only falls; ``constant`` stays.
        weight_decay: on matrices and filters; strengths of edges, thresholds and scales are left alone, because
            decay would pull a strength towards a value that nobody chose.
        label_smoothing: the part of the target that is spread over all classes (Szegedy et al., arXiv 1512.00567).
        average: the decay of a running mean of all weights, such as 0.999; the mean is what is validated and kept. 0
            keeps the weights themselves.
        clip: largest norm of the gradient.
        patience: epochs without a better validation accuracy before training stops early; 0 never stops.
        validation_fraction: the part of the training images that chooses the epoch.
        skip_broken: leave broken images out and say so, rather than stop.
        labels: ``fer2013``, one right class per image (of any source), or ``ferplus``: of FER-2013 the votes of ten
            people, a distribution over eight expressions (Barsoum et al., arXiv 1608.01041).
        augmentation: random changes of training images; null for none.
        device: ``auto`` takes a GPU if there is one.
        backend: how sparse products are computed; see ``load``.
        precision: ``bf16`` lets the filters of the front end compute in bfloat16 while the network learns: a quarter
            less time for a step of ``column`` on a CPU that has such instructions. Weights, cells, edges, loss and
            every evaluation stay in float32.
        devices: processes of a node that share each batch, each with a device of its own; on a CPU, with a part of
            the cores.
        nodes: machines with so many devices each.
        tensorboard: write the curves of the run for TensorBoard, too; needs the extra ``tensorboard``.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    epochs: Annotated[int, Field(ge=1)] = 20
    batch: Annotated[int, Field(ge=1)] = 64
    seed: Annotated[int, Field(ge=0, lt=2**31)] = 0
    optimiser: Literal["adamw", "adam"] = "adamw"
    learning_rate: Annotated[float, Field(gt=0)] = 3e-3
    strength_rate: Annotated[float, Field(gt=0)] = 10.0
    schedule: Literal["one_cycle", "cosine", "constant"] = "one_cycle"
    weight_decay: Annotated[float, Field(ge=0)] = 0.01
    label_smoothing: Fraction = 0.1
    average: Fraction = 0.0
    clip: Annotated[float, Field(gt=0)] = 1.0
    patience: Annotated[int, Field(ge=0)] = 0
    validation_fraction: Annotated[float, Field(gt=0, lt=1)] = 0.1
    skip_broken: bool = False
    labels: Literal["fer2013", "ferplus"] = "fer2013"
    augmentation: Augmentation | None = Augmentation()
    device: str = "auto"
    backend: str = "program"
    precision: Precision = "32"
    devices: Annotated[int, Field(ge=1)] = 1
    nodes: Annotated[int, Field(ge=1)] = 1
    tensorboard: bool = False

    def of_images(self) -> dict[str, Any]:
        """Return the settings that choose the images of a seed, as ``open_dataset`` takes them."""
        return {name: getattr(self, name) for name in OF_IMAGES}


def read_config(path: str | Path | None, **changes: Any) -> TrainConfig:
    """Return the settings of a toml file, with changes from the command line on top.

    Args:
        path: a toml file whose keys are those of ``TrainConfig``; None for the defaults.
        changes: settings that overrule the file; None means not given.

    Raises:
        TrainError: the file is missing or a setting is not valid.
    """
    content: dict[str, Any] = {}
    if path is not None:
        try:
            content = tomllib.loads(Path(path).read_text(encoding="utf-8"))
        except (OSError, ValueError) as error:
            fix = "write one; its keys are those of TrainConfig"
            raise TrainError(
                "the settings cannot be read", where=path, found=error, wanted="a toml file", fix=fix
            ) from None
    content |= {name: value for name, value in changes.items() if value is not None}
    return make_config(content, where=f"{path or 'the options'}: ")


def make_config(content: dict[str, Any], *, where: str, error: type[C2NError] = TrainError) -> TrainConfig:
    """Return settings as a file says them; ``augmentation`` may be true or false there.

    Args:
        content: keys of ``TrainConfig``.
        where: what stands before the name of a setting in messages.
        error: what is raised.

    Raises:
        TrainError: or ``error``: a setting is not valid.
        DataError: a number of the augmentation is out of range.
    """
    augmentation = content.get("augmentation")
    if isinstance(augmentation, bool):
        content = content | {"augmentation": Augmentation() if augmentation else None}
    try:
        return TrainConfig.model_validate(content)
    except ValidationError as wrong:
        first = wrong.errors()[0]
        *table, key = map(str, first["loc"])
        known = [field.name for field in fields(Augmentation)] if table else [*TrainConfig.model_fields]
        unknown = first["type"] in ("extra_forbidden", "unexpected_keyword_argument")
        raise error(
            "there is no such setting of training" if unknown else "a setting of training is not valid",
            where=f"{where}{'.'.join([*table, key])}",
            found=first["input"],
            wanted=f"one of {', '.join(known)}" if unknown else first["msg"],
            fix=near(key, known) if unknown else "",
        ) from None
