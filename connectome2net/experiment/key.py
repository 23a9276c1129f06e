"""What determines a run, as one word.

Enters: a spec, a change, settings, images. Leaves: sixteen hexadecimal digits: the name of the run's folder.
"""

from __future__ import annotations

import hashlib
import json
from typing import Final

from connectome2net import __version__
from connectome2net.experiment.change import Change
from connectome2net.spec import Spec, digest_document
from connectome2net.train import TrainConfig

DIGITS: Final = 16
WATCHED_ONLY: Final = {"tensorboard"}
"""Settings of training that change nothing of what comes out."""


def run_key(spec: Spec, change: Change, config: TrainConfig, *, data: str) -> str:
    """Return the key of a run: equal where everything that determines the run is equal.

    The control of a variant is a function of the spec, of its parameters and of the seed, so that they stand for the
    graph that is drawn.

    Args:
        spec: of the variant, before its edges are rewired.
        change: which control or conventional network it is; its name does not matter.
        config: how it is trained, with the seed.
        data: digest of the images.
    """
    drawn = change.model_dump(include={"subset", "null", "fraction", "cells", "network"}, exclude_none=True)
    drawn |= {"weights": change.weights} if change.null is not None else {}
    drawn |= {"weights_of_subset": "normalised"} if change.subset is not None else {}
    content = {
        "spec": digest_document(spec.document),
        "drawn": drawn,
        "train": config.model_dump(mode="json", exclude=WATCHED_ONLY),
        "data": data,
        "version": __version__,
    }
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()[:DIGITS]
