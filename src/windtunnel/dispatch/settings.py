"""How a dispatcher behaves, where it keeps its things, and what it raises when it is asked to stop."""

import signal
import sys
from dataclasses import dataclass
from pathlib import Path

from windtunnel.errors import WindtunnelError
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
        poll_s: seconds between two looks at files and processes.
        grace_s: seconds a worker has to save before it is killed.
        warm_up_steps: updates after which the estimate of a newcomer's memory is believed; till then it counts twice.
        warm_up_s: seconds after which it is believed anyway.
    """

    policy: str = "auto"
    retries: int = 2
    lookahead: int = 1000
    poll_s: float = 0.5
    grace_s: float = 30.0
    warm_up_steps: int = 3
    warm_up_s: float = 60.0


class DispatchInterrupted(WindtunnelError):
    """The dispatcher was asked to stop; its workers have saved, and the same command goes on."""

    def __init__(self, number: signal.Signals, folder: Path) -> None:
        self.exit_code = EXIT_CODES[number]
        super().__init__(f"stopped by {number.name}; every run is saved, the same command goes on with {folder}")


def worker_command(order: Path) -> list[str]:
    """Return the command of the worker that carries out the order at ``order``."""
    return [sys.executable, "-m", "windtunnel.dispatch.worker", str(order)]
