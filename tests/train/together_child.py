"""Trains networks in one process and in two, for ``test_together.py``; torch is imported once.

    python together_child.py SETTINGS OUT COMPILED...

SETTINGS is JSON. Each network is trained in OUT/NAME/one, by one process, and in OUT/NAME/two, by two that are started
as torchrun does it: by environment variables.
"""

import json
import os
import sys
from pathlib import Path

import kornia.augmentation
import lightning_fabric
import torch
from lightning_fabric.plugins.environments.lightning import find_free_network_port

from connectome2net.tasks.faces import faces
from connectome2net.train import TrainConfig, train

assert kornia.augmentation  # imported before the forks, not in each child
assert lightning_fabric
torch.set_num_threads(1)
DATA = faces(train=84, validation=28, test=42, size=12)


def fork(compiled: str, config: TrainConfig, out: Path, environment: dict[str, str]) -> int:
    child = os.fork()
    if not child:
        status = 1
        try:
            os.environ |= environment
            train(compiled, data=DATA, config=config, out=out)
            status = 0
        finally:
            os._exit(status)
    return child


def main(settings: str, out: Path, networks: list[str]) -> None:
    given = json.loads(settings)
    for compiled in networks:
        place = out / Path(compiled).name
        children = [fork(compiled, TrainConfig.model_validate(given), place / "one", {})]
        both = {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(find_free_network_port()), "WORLD_SIZE": "2"}
        both |= {"TORCHELASTIC_RUN_ID": "test", "LOCAL_WORLD_SIZE": "2", "GROUP_RANK": "0"}
        spread = TrainConfig.model_validate(given | {"devices": 2})
        for rank in "01":
            children.append(fork(compiled, spread, place / "two", both | {"RANK": rank, "LOCAL_RANK": rank}))
        if any([os.waitpid(child, 0)[1] for child in children]):
            sys.exit(f"{compiled}: a process failed")


main(sys.argv[1], Path(sys.argv[2]), sys.argv[3:])
