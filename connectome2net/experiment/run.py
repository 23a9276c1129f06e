"""Carry an experiment out: its runs in parallel, on one machine or on a Dask cluster.

Enters: a plan, a spec, images. Leaves: ``experiments/NAME`` with

    experiment.json   what is compared, and how far each run is
    results.json      what follows: means, differences, conclusions
    spec/             the base spec; specs/ where variants have others
    runs/KEY/         a run as ``train`` makes it, and its evaluation
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from functools import partial
from pathlib import Path
from typing import Any

import joblib
from filelock import FileLock, Timeout
from joblib.externals.loky.process_executor import TerminatedWorkerError

from connectome2net.errors import ExperimentError
from connectome2net.experiment.prepare import AnySpec, Experiment, prepare
from connectome2net.experiment.progress import Watch
from connectome2net.experiment.record import begin, refuse_others, write_record
from connectome2net.experiment.results import RESULTS, summarise_experiment
from connectome2net.experiment.work import LOCKS, Task, carry_out, carry_out_for
from connectome2net.tasks import Dataset

AGAIN = "give the same command again: finished runs are kept, and those that were stopped go on"


def run_experiment(
    plan: str | Path | Mapping[str, Any],
    *,
    spec: AnySpec | Sequence[AnySpec] | None = None,
    data: str | Path | Dataset | None = None,
    out: str | Path | None = None,
    quick: bool = False,
    seeds: int | None = None,
    epochs: int | None = None,
    device: str | None = None,
    jobs: int | None = None,
    dask: str | None = None,
) -> Path:
    """Train and evaluate every variant with every seed, and say what follows.

    What is finished in the folder is not done again; runs that were stopped go on, and those that failed are tried
    again. A run that fails does not stop the others: experiment.json has its error.

    Args:
        plan: a TOML file, the name of a preset, or the keys of a plan.
        spec: instead of the plan's; of several, all variants are made of each.
        data: images, in any form that ``open_dataset`` takes.
        out: the folder; by default ``experiments/NAME``.
        quick: leave what the plan's table ``quick`` says.
        seeds: how many, instead of the plan's.
        epochs: instead of those of the plan.
        device: of training; several runs share one GPU.
        jobs: processes at a time, each with one thread; by default one for each core.
        dask: address of a Dask scheduler whose workers see this folder, or ``local`` for a cluster of ``jobs`` workers.

    Returns:
        The folder of the experiment.

    Raises:
        ExperimentError: the plan is wrong, a variant cannot be made, or another process works in the folder.
        SpecError: a spec is not valid.
        DataError: the images cannot be read.
    """
    experiment = prepare(plan, spec=spec, data=data, out=out, quick=quick, seeds=seeds, epochs=epochs, device=device)
    return carry_out_all(experiment, jobs=jobs, dask=dask)


def carry_out_all(experiment: Experiment, *, jobs: int | None = None, dask: str | None = None) -> Path:
    """Carry a prepared experiment out; see ``run_experiment``."""
    folder = experiment.folder
    with _alone_in(folder):
        (folder / RESULTS).unlink(missing_ok=True)  # of the plan as it was; none is shown under another
        begin(experiment)
        _summarise_so_far(folder)
        waiting = [task for task in experiment.tasks if task.state().status != "finished"]
        try:
            with Watch(experiment.tasks):
                for _ in _in_parallel(waiting, jobs=jobs, dask=dask):
                    write_record(experiment)
                    _summarise_so_far(folder)
        except KeyboardInterrupt as stop:
            stop.add_note(f"To go on, {AGAIN}.")
            raise
        finally:
            write_record(experiment)
            summarise_experiment(folder)
    return folder


def _summarise_so_far(folder: Path) -> None:
    """Write what follows so far; a damaged file of one run keeps no other from being made, and is told at the end."""
    with suppress(ExperimentError):
        summarise_experiment(folder)


@contextmanager
def _alone_in(folder: Path) -> Iterator[None]:
    """Hold the folder of an experiment."""
    refuse_others(folder)
    (folder / LOCKS).mkdir(parents=True, exist_ok=True)
    lock = FileLock(folder / LOCKS / "experiment", blocking=False)
    try:
        lock.acquire()
    except Timeout:
        fix = "wait for it or stop it; or choose another folder with --out"
        raise ExperimentError("another process works on this experiment", where=folder, fix=fix) from None
    try:
        yield
    finally:
        lock.release()


def _in_parallel(tasks: Sequence[Task], *, jobs: int | None, dask: str | None) -> Iterator[str]:
    """Yield the key of each task when it is done."""
    if not tasks:
        return
    jobs = min(jobs or joblib.cpu_count(), len(tasks))
    work = carry_out if dask else partial(carry_out_for, os.getpid())  # workers of Dask look after themselves
    with _workers(jobs, dask) as how:
        parallel = joblib.Parallel(**how, batch_size=1, max_nbytes=None, return_as="generator_unordered")
        try:
            yield from parallel(joblib.delayed(work)(task) for task in tasks)
        except TerminatedWorkerError as error:
            raise ExperimentError(
                "a process of this experiment was killed",
                found=error,
                wanted="memory for every process",
                fix=f"{AGAIN}; with fewer --jobs, if the memory was too small",
            ) from None


@contextmanager
def _workers(jobs: int, dask: str | None) -> Iterator[dict[str, Any]]:
    """Say to joblib where runs are made."""
    if dask is None:
        with joblib.parallel_config(backend="loky", inner_max_num_threads=1):
            yield {"n_jobs": jobs}
        return
    try:
        from distributed import Client, LocalCluster
    except ImportError:
        fix = "pip install 'connectome2net[dask]'"
        raise ExperimentError("Dask is not installed", where="--dask", found=dask, fix=fix) from None
    with _cluster(dask, jobs, Client, LocalCluster), joblib.parallel_config(backend="dask"):
        yield {"n_jobs": -1}


@contextmanager
def _cluster(address: str, jobs: int, client: Any, local: Any) -> Iterator[None]:
    if address == "local":
        with local(n_workers=jobs, threads_per_worker=1, dashboard_address=None) as cluster, client(cluster):
            yield
        return
    try:
        there = client(address, timeout=10)
    except (OSError, ValueError) as error:
        wanted = "the address of a Dask scheduler, such as tcp://10.0.0.1:8786, or local"
        raise ExperimentError("there is no Dask cluster", where="--dask", found=error, wanted=wanted) from None
    with there:
        yield
