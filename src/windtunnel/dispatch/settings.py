"""How a dispatcher behaves, where it keeps its things, and what it raises when it stops before the end."""

import signal
import sys
from dataclasses import dataclass
from pathlib import Path

from windtunnel.dispatch.holders import ShareData
from windtunnel.errors import RunError, WindtunnelError
from windtunnel.training.interruption import EXIT_CODES

FOLDER = "dispatch"
"""Name of the dispatcher's own folder inside a sweep's."""


@dataclass(frozen=True)
class Settings:
    """How a dispatcher behaves.

    Args:
        policy: ``auto`` or the name of a packing policy.
        retries: worker crashes forgiven for each run.
        lookahead: jobs kept waiting at most; a source that learns from outcomes wants few.
        poll_s: seconds between two looks at files and processes; a worker's end is seen at once.
        grace_s: seconds a worker has to save before it is killed.
        warm_up_steps: updates after which the estimate of a newcomer's memory is believed; till then it counts twice.
        warm_up_s: seconds after which it is believed anyway.
        share_data: whether a data set lies on a device once for all its runs: ``auto`` on GPUs, ``on``, or ``off``.
        retry_failed: whether runs that failed or diverged before go once more, each of them once in its life.
        beat_s: seconds without a heartbeat after which a worker is taken to hang.
        step_s: seconds without a step or an epoch's report after which it is, too.
    """

    policy: str = "auto"
    retries: int = 2
    lookahead: int = 1000
    poll_s: float = 1.0
    grace_s: float = 30.0
    warm_up_steps: int = 3
    warm_up_s: float = 60.0
    share_data: ShareData = "auto"
    retry_failed: bool = False
    beat_s: float = 120.0
    step_s: float = 3600.0


class DispatchInterrupted(WindtunnelError):
    """The dispatcher was asked to stop; its workers have saved, and the same command goes on."""

    def __init__(self, number: signal.Signals, folder: Path) -> None:
        self.signal = number
        self.exit_code = EXIT_CODES[number]
        super().__init__(f"stopped by {number.name}; every run is saved, the same command goes on with {folder}")


class StorageError(RunError):
    """A run found the disk full or read-only, as every other would; the same command goes on once that is mended."""

    def __init__(self, reason: str, folder: Path) -> None:
        super().__init__(
            f"the runs of {folder} stopped, since one could not write: {reason}. Mend that and give the same command "
            "again: every run goes on from its last checkpoint"
        )


def worker_command(order: Path) -> list[str]:
    """Return the command of the worker that carries out the order at ``order``."""
    return [sys.executable, "-m", "windtunnel.dispatch.worker", str(order)]
