"""Starting several processes that train one run: torchrun's agent, this command again in each."""

import logging
import os
import signal
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager

import torch
from torch.distributed.elastic.multiprocessing import SignalException
from torch.distributed.elastic.multiprocessing.errors import ChildFailedError
from torch.distributed.launcher.api import LaunchConfig, elastic_launch

from windtunnel.config.experiment import Experiment
from windtunnel.config.optim import ScheduleFreeAdamW
from windtunnel.core.device import resolve_device
from windtunnel.errors import RunError, UsageError
from windtunnel.training.team import LOST_ANOTHER

_FORWARDED = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT)


def check_processes(experiment: Experiment, processes: int) -> None:
    """Raise :class:`UsageError` when ``processes`` of this machine cannot train ``experiment`` together."""
    batch_size, runtime = experiment.data.batch_size, experiment.runtime
    if batch_size % processes:
        raise UsageError(
            f"--nproc {processes}: data.batch_size is {batch_size} over all processes and cannot be shared out evenly; "
            f"use {batch_size // processes * processes or processes} or another multiple of {processes}"
        )
    device = resolve_device(runtime.device)
    if runtime.device.startswith("cuda:"):
        raise UsageError(f"--nproc {processes}: each process takes a GPU of its own, so set runtime.device=cuda")
    if device.type == "cuda" and processes > torch.cuda.device_count():
        raise UsageError(f"--nproc {processes}: this machine has {torch.cuda.device_count()} CUDA devices; use as many")
    if experiment.loss.reduction == "mean" and getattr(experiment.loss, "class_weights", None) is not None:
        raise UsageError(
            f"--nproc {processes}: the weighted mean of loss.class_weights over a whole batch cannot be kept; set "
            "loss.reduction=sum (and lower the learning rate by the batch size)"
        )
    if runtime.cuda_graph:
        raise UsageError(f"--nproc {processes}: runtime.cuda_graph is for a single process; set it to false")
    if runtime.batch_norm == "synced":
        _check_synced(device, schedule_free=isinstance(experiment.optim, ScheduleFreeAdamW))


def _check_synced(device: torch.device, *, schedule_free: bool) -> None:
    if device.type != "cuda":
        raise UsageError("runtime.batch_norm=synced: torch has it for GPUs only; use local on a CPU")
    if schedule_free:
        raise UsageError(
            "runtime.batch_norm=synced: optim schedule_free_adamw measures its statistics on one process; use local"
        )


def launch(arguments: Sequence[str], *, processes: int, go_on: str) -> int:
    """Run ``windtunnel`` with ``arguments`` in ``processes`` processes of this machine and return the exit code.

    Ctrl-C and SIGTERM reach every process. One that dies takes the others down.

    Args:
        arguments: the words after ``windtunnel``.
        processes: how many.
        go_on: command that goes on with the run, for the message when it breaks down.

    Raises:
        RunError: a process was killed or lost the others.
    """
    config = LaunchConfig(
        min_nodes=1,
        max_nodes=1,
        nproc_per_node=processes,
        run_id=f"windtunnel-{os.getpid()}",
        rdzv_backend="c10d",
        rdzv_endpoint="localhost:0",
        max_restarts=0,
    )
    command = elastic_launch(config, sys.executable)
    try:
        with _as_agent(processes):
            command("-m", "windtunnel.cli.main", *arguments)
    except SignalException as stopped:
        return 128 + stopped.sigval
    except ChildFailedError as failed:
        return _exit_code({rank: failure.exitcode for rank, failure in failed.failures.items()}, processes, go_on)
    return 0


def _exit_code(codes: Mapping[int, int], processes: int, go_on: str) -> int:
    """Return the code of the process that ended on its own account.

    >>> _exit_code({1: -15, 0: 2}, 2, "")
    2
    """
    for rank, code in codes.items():
        if code < 0 and code != -signal.SIGTERM:
            name = signal.Signals(-code).name
            raise RunError(
                f"process {rank} of {processes} ended with {name}, and the run with it; go on with\n  {go_on}"
            )
    own = [code for _, code in sorted(codes.items()) if code > 0 and code != LOST_ANOTHER]
    if not own:
        raise RunError(f"the {processes} processes lost each other; go on with\n  {go_on}")
    return own[0]


@contextmanager
def _as_agent(processes: int) -> Iterator[None]:
    """Share the CPU cores out, keep torchrun's own log off the terminal, and put signal handlers back afterwards."""
    handlers = {number: signal.getsignal(number) for number in _FORWARDED}
    cores = len(os.sched_getaffinity(0))
    os.environ.setdefault("OMP_NUM_THREADS", str(max(1, cores // processes)))
    logging.disable(logging.ERROR)
    try:
        yield
    finally:
        logging.disable(logging.NOTSET)
        for number, handler in handlers.items():
            signal.signal(number, handler)
