"""Trains in children that are killed, for ``test_kill.py``; torch is imported once, and each training forks from here.

    python killed_child.py EPOCHS COMPILED OUT MOMENT,MOMENT,...  [COMPILED OUT MOMENT,... ]...

A moment is ``step:N`` (in the N-th step), ``file:N`` (the N-th time that a file is opened, half-written, written to the
disk or renamed) or ``time:S`` (after S seconds). Each child goes on with what the one before left; the last is not
killed. A child that ended before its moment is an error: exit status 1.
"""

import os
import signal
import sys
import time
from pathlib import Path

import kornia.augmentation
import torch

from connectome2net.tasks.faces import faces
from connectome2net.train import TrainConfig, loop, train

assert kornia.augmentation  # imported before the fork, not in each child
torch.set_num_threads(1)
DATA = faces(train=84, validation=28, test=42, size=12)
CONFIG = TrainConfig(epochs=int(sys.argv[1]), batch=16, learning_rate=1e-2)


def die() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def lay_trap(kind: str, number: int) -> None:
    """Die at the N-th event of a kind."""
    left = number

    def count(event: str = "", arguments: tuple[object, ...] = ()) -> None:
        nonlocal left
        if event == "open" and ".part" in str(arguments[0]) and arguments[1] == "wb":
            left -= 1
            if left == 0:  # half of a file
                Path(str(arguments[0])).write_bytes(b"half")
                die()
        elif event in ("os.rename", "os.mkdir", "step", "fsync"):
            left -= 1
            if left == 0:
                die()

    if kind == "file":
        sys.addaudithook(count)
        fsync = os.fsync
        os.fsync = lambda descriptor: (count("fsync"), fsync(descriptor))[1]  # type: ignore[assignment]
    else:
        step = loop.Progress.step
        loop.Progress.step = lambda *given, **named: (count("step"), step(*given, **named))[1]  # type: ignore[method-assign]


def learn(compiled: str, out: Path) -> None:
    if (out / "run.json").is_file():
        train(resume=out, data=DATA)
    else:
        train(compiled, data=DATA, config=CONFIG, out=out)


def main(compiled: str, out: Path, moments: list[str]) -> None:
    for moment in [*moments, "never:0"]:
        kind, number = moment.split(":")
        child = os.fork()
        if not child:
            if kind in ("step", "file"):
                lay_trap(kind, int(number))
            learn(compiled, out)
            os._exit(0)
        if kind == "time":
            time.sleep(float(number))
            os.kill(child, signal.SIGKILL)
        status = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
        if status != (0 if kind == "never" else -signal.SIGKILL):
            sys.exit(f"{out}, {moment}: a child ended with {status}")


given = iter(sys.argv[2:])
for compiled, out, moments in zip(given, given, given, strict=True):
    main(compiled, Path(out), [moment for moment in moments.split(",") if moment])
