"""One run in a process of its own: ``python -m windtunnel.dispatch.worker ORDER.json``.

A process a run, since a CUDA fault, an allocator gone wrong or a kill then touches no neighbour, and its end gives all
memory back. The worker trains the ordered experiment in its folder, or goes on there, and says in files how it goes.
"""

import errno
import faulthandler
import os
import signal
import sys
import threading
import time
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from windtunnel.core.files import lacks_space
from windtunnel.core.memory import resident_peak
from windtunnel.core.reports import EpochReport, RunInfo, StepDone
from windtunnel.core.secrets import hide_secrets, print_failure
from windtunnel.dispatch.order import OUT_OF_MEMORY_EXIT, STORAGE_EXIT, Cause, Heartbeat, Order, Result
from windtunnel.errors import UsageError

BEAT_S = 0.5
_RECENT_S = 10.0
# What torch says of memory that it did not get for its own tensors: from the driver, or within NVIDIA's libraries.
_OUT_OF_MEMORY = (
    "DefaultCPUAllocator",
    "CUDA error: out of memory",
    "CUBLAS_STATUS_ALLOC_FAILED",
    "CUDNN_STATUS_ALLOC_FAILED",
)


class Pulse:
    """A tracker that writes the heartbeat from a thread of its own, so that a long step does not stop it."""

    def __init__(self, order: Order) -> None:
        self._order = order
        self._path = Path(order.heartbeat)
        self._step = self._total = self._reports = self._beats = 0
        self._recent: list[tuple[float, int]] = []
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._run, name="heartbeat", daemon=True)

    def begin(self) -> None:
        """Write the first heartbeat and go on until :meth:`end`."""
        self._beat()
        self._thread.start()

    def end(self) -> None:
        """Write the last heartbeat."""
        self._ended.set()
        self._thread.join()
        self._beat()

    def start(self, info: RunInfo) -> None:
        """Take note of where the run starts and how long it is."""
        self._step, self._total = info.start_step, info.total_steps

    def step(self, step: StepDone) -> None:
        """Take note of the step."""
        self._step = step.step

    def epoch(self, report: EpochReport) -> None:
        """Take note that an epoch, its validation included, is over."""
        self._reports += 1

    def message(self, text: str) -> None:
        """Messages are in the log."""

    def finish(self, summary: Mapping[str, Any]) -> None:
        """The result says how it ended."""

    def _run(self) -> None:
        while not self._ended.wait(BEAT_S):
            self._beat()
            if self._order.claim and not Path(self._order.claim).exists():
                os.kill(os.getpid(), signal.SIGTERM)
                return

    def _beat(self) -> None:
        self._beats += 1
        self._recent = [*self._recent, (time.monotonic(), self._step)]
        while self._recent[-1][0] - self._recent[0][0] > _RECENT_S:
            self._recent = self._recent[1:]
        (begun, first), (now, last) = self._recent[0], self._recent[-1]
        heartbeat = Heartbeat(
            attempt=self._order.attempt,
            beat=self._beats,
            step=self._step,
            total_steps=self._total,
            step_seconds=(now - begun) / (last - first) if first and last > first else None,
            reports=self._reports,
            peak_bytes=read_peak(self._order),
        )
        with suppress(OSError):  # a disk that is full now need not be at the next beat
            heartbeat.write(self._path)


def read_peak(order: Order) -> int:
    """Return the largest memory this process has held on its device, bytes; on a GPU 0 before it has a context."""
    if order.device == "cpu":
        return resident_peak()
    cuda: Any = sys.modules.get("torch.cuda")
    is_started = getattr(cuda, "is_initialized", None)  # missing while another thread still imports torch
    try:
        return order.context_bytes + int(cuda.max_memory_reserved()) if is_started and is_started() else 0
    except RuntimeError:  # after a fault CUDA answers nothing any more, and how the run ended is still to be written
        return 0


def lacks_memory(error: BaseException | None) -> bool:
    """Say whether ``error``, or what it was raised from, is that memory of the device or the host ran out."""
    import torch

    while error is not None:
        if isinstance(error, MemoryError | torch.OutOfMemoryError):
            return True
        if isinstance(error, OSError) and error.errno == errno.ENOMEM:
            return True
        if isinstance(error, RuntimeError) and any(words in str(error) for words in _OUT_OF_MEMORY):
            return True
        error = error.__cause__
    return False


def run_order(order: Order) -> int:
    """Train what ``order`` says, write how it ended and return the exit code."""
    pulse = Pulse(order)
    pulse.begin()
    cause, reason, exit_code = _train(order, pulse)
    pulse.end()
    with suppress(OSError):  # then the run's summary tells how it ended, or the exit code
        Result(order.attempt, cause, hide_secrets(reason), read_peak(order)).write(Path(order.result))
    return exit_code


def flush_log() -> bool:
    """Write out what was printed and return whether the log, which may be on a full disk, took it."""
    taken = True
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except OSError:
            taken = False
    return taken


def listen_for_stack_requests() -> None:
    """Write every thread's stack to the log when SIGUSR1 asks for it, as it does before a hung worker is killed."""
    faulthandler.register(signal.SIGUSR1, all_threads=True)


def main() -> None:
    """Carry out the order whose path is the only argument."""
    listen_for_stack_requests()
    code = run_order(Order.read(Path(sys.argv[1])))
    if not flush_log():  # Python would try once more and make of any exit code one of its own
        os._exit(code)
    sys.exit(code)


def _train(order: Order, pulse: Pulse) -> tuple[Cause, str, int]:
    from rich.console import Console

    from windtunnel.config.experiment import Experiment
    from windtunnel.config.files import read_yaml
    from windtunnel.config.problems import validate_tree
    from windtunnel.data.sharing import ADDRESS_VARIABLE
    from windtunnel.track.console import LineTracker
    from windtunnel.training.run import train_in

    folder = Path(order.folder)
    try:
        path = Path(order.experiment)
        experiment = validate_tree(Experiment, read_yaml(path), str(path))
        _cap_memory(order)
        if order.shared:
            os.environ[ADDRESS_VARIABLE] = order.shared
        log = LineTracker(Console(file=sys.stdout, no_color=True))
        result = train_in(folder, experiment, trackers=[pulse, log])
    except UsageError as error:
        print_failure()
        if lacks_space(error, folder):
            return "storage", str(error), STORAGE_EXIT
        return "usage", str(error), error.exit_code
    except Exception as error:  # whatever it is, the dispatcher has to hear of it
        print_failure()
        if lacks_memory(error):
            return "memory", str(error).splitlines()[0] if str(error) else "out of memory", OUT_OF_MEMORY_EXIT
        said = f"{type(error).__name__}: {error}"
        return ("storage", said, STORAGE_EXIT) if lacks_space(error, folder) else ("crash", said, 1)
    causes: dict[str, Cause] = {"finished": "finished", "diverged": "diverged", "interrupted": "interrupted"}
    return causes[result.status], str(result.summary["reason"]), result.exit_code


def _cap_memory(order: Order) -> None:
    """Make the allocator refuse what goes beyond the reservation, so that this run fails and no neighbour."""
    if order.device != "cuda" or order.cap_bytes is None:
        return
    import torch

    total = torch.cuda.get_device_properties(0).total_memory
    torch.cuda.set_per_process_memory_fraction(min(order.cap_bytes / total, 1.0))


if __name__ == "__main__":
    main()
