"""Starting several processes that train one run: torchrun's agent, this command again in each."""

import logging
import os
import signal
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from tempfile import TemporaryDirectory

from torch.distributed.elastic.multiprocessing import DefaultLogsSpecs, SignalException
from torch.distributed.elastic.multiprocessing.errors import ChildFailedError
from torch.distributed.launcher.api import LaunchConfig, elastic_launch

from windtunnel.errors import RunError
from windtunnel.training.team import LOST_ANOTHER

_FORWARDED = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT)


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
    try:
        with _as_agent(processes), TemporaryDirectory(prefix="windtunnel-") as scratch:
            elastic_launch(_launch_config(processes, scratch), sys.executable)("-m", "windtunnel.cli.main", *arguments)
    except SignalException as stopped:
        return 128 + stopped.sigval
    except ChildFailedError as failed:
        return _exit_code({rank: failure.exitcode for rank, failure in failed.failures.items()}, processes, go_on)
    return 0


def _launch_config(processes: int, scratch: str) -> LaunchConfig:
    return LaunchConfig(
        min_nodes=1,
        max_nodes=1,
        nproc_per_node=processes,
        run_id=f"windtunnel-{os.getpid()}",
        rdzv_backend="c10d",
        rdzv_endpoint="localhost:0",
        max_restarts=0,
        logs_specs=DefaultLogsSpecs(log_dir=scratch),
    )


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
