"""One worker at work on one run: started or adopted, watched, stopped."""

import os
import signal
import time
from dataclasses import dataclass, field
from pathlib import Path

from windtunnel.dispatch.order import (
    OUT_OF_MEMORY_EXIT,
    STORAGE_EXIT,
    Cause,
    Heartbeat,
    Order,
    Result,
    read_heartbeat,
    read_result,
)
from windtunnel.dispatch.processes import WorkerProcess, identify, resident_bytes, signal_group
from windtunnel.dispatch.state import RunState
from windtunnel.dispatch.types import Job
from windtunnel.track.files import read_rows
from windtunnel.training.folder import RunFolder

_METRICS = ("train_loss", "train_accuracy", "val_loss", "val_accuracy")
_SETTLED_GROWTH = 1.05
_UNTOLD_S = 1.0
_STACKS_S = 0.5


@dataclass
class Attempt:
    """A worker and what is known of it.

    Args:
        job: what it works on.
        run: where that run stands; has a placement.
        order: what it was told.
        process: the worker, or None when an earlier dispatcher started it.
        heartbeat: its last one.
        current_bytes: memory it holds now, as seen from outside.
        killed_for: why this dispatcher killed it; empty when it did not.
    """

    job: Job
    run: RunState
    order: Order
    process: WorkerProcess | None = None
    heartbeat: Heartbeat | None = None
    current_bytes: int = 0
    killed_for: str = ""
    _killed_as: Cause = "crash"
    _asked_at: float | None = None
    _gone_at: float | None = None
    _begun_at: float = field(default_factory=time.monotonic)
    _beaten_at: float = field(default_factory=time.monotonic)
    _stepped_at: float = field(default_factory=time.monotonic)
    _reader: "EpochReader | None" = None
    _rates: list[float] = field(default_factory=list)

    @property
    def pid(self) -> int:
        """Process id of the worker."""
        return self.run.placement.pid if self.run.placement else 0

    @property
    def device(self) -> str:
        """Name of the worker's device."""
        return self.run.placement.device if self.run.placement else ""

    @property
    def measured_bytes(self) -> int:
        """Largest memory it was seen to hold."""
        reported = self.heartbeat.peak_bytes if self.heartbeat else 0
        return max(reported, self.current_bytes)

    @property
    def counted_bytes(self) -> int:
        """Memory to count it with: its reservation until it has been through an epoch, then what it held."""
        reserved = self.run.placement.reserved_bytes if self.run.placement else 0
        if self.run.alone or self.heartbeat is None or self.heartbeat.reports == 0:
            return max(reserved, self.measured_bytes)
        return max(min(int(self.measured_bytes * _SETTLED_GROWTH), reserved), self.measured_bytes)

    def is_warming_up(self, steps: int, seconds: float) -> bool:
        """Say whether what it needs is still to be seen: before its first ``steps`` and for ``seconds`` at most.

        By this process's clock, which nobody sets: of a worker that was taken over the seconds count from then.
        """
        if time.monotonic() - self._begun_at > seconds:
            return False
        return self.heartbeat is None or (self.heartbeat.step < steps and self.heartbeat.reports == 0)

    @property
    def spent_seconds(self) -> float | None:
        """How long ago it was started; None where an earlier dispatcher started it, by a clock that is not ours."""
        return time.monotonic() - self._begun_at if self.process is not None else None

    def has_ended(self) -> bool:
        """Say whether the worker is gone."""
        if self.process is not None and self.process.exit_code() is not None:
            return True
        identity = self.run.placement.identity if self.run.placement else ""
        if identify(self.pid) == identity:
            return False
        if self.process is None:
            return True
        self._gone_at = self._gone_at or time.monotonic()  # its exit code should be told any moment
        return time.monotonic() - self._gone_at > _UNTOLD_S

    def observe(self) -> None:
        """Read its heartbeat and, on the CPU, how much memory it holds."""
        heartbeat = read_heartbeat(Path(self.order.heartbeat))
        if heartbeat is not None and heartbeat.attempt == self.order.attempt:
            self._take_note(heartbeat)
        if self.order.device == "cpu":
            self.current_bytes = resident_bytes(self.pid) or 0

    def _take_note(self, heartbeat: Heartbeat) -> None:
        before, now = self.heartbeat, time.monotonic()
        if before is None or heartbeat.beat != before.beat:
            self._beaten_at = now
        if before is None or (heartbeat.step, heartbeat.reports) != (before.step, before.reports):
            self._stepped_at = now
        self.heartbeat = heartbeat
        if heartbeat.step_seconds is not None:
            self._rates = [*self._rates[-9:], heartbeat.step_seconds]

    def find_standstill(self, *, beat_s: float, step_s: float) -> str:
        """Return in words how long the worker has stood still, or ``""`` when it has not, by this process's clock.

        Args:
            beat_s: seconds a worker may go without a heartbeat, which comes from a thread that nothing should stop.
            step_s: seconds it may go without a step or an epoch's report; loading and compiling count.
        """
        now = time.monotonic()
        if now - self._beaten_at > beat_s:
            return f"no heartbeat for {now - self._beaten_at:.0f} s"
        if now - self._stepped_at > step_s:
            return f"no step for {now - self._stepped_at:.0f} s"
        return ""

    def remaining_seconds(self) -> tuple[float, float] | None:
        """Return how long it still takes, as a range over the paces it was lately seen at; None before any."""
        if not self._rates or self.heartbeat is None or not self.heartbeat.total_steps:
            return None
        left = self.heartbeat.total_steps - self.heartbeat.step
        return left * min(self._rates), left * max(self._rates)

    def forget_pace(self) -> None:
        """Drop the paces seen so far: another run has come or gone beside it."""
        self._rates = []

    def new_epochs(self) -> list[tuple[int, dict[str, float]]]:
        """Return the epochs reported since those the source was told, with their metrics."""
        if self._reader is None:
            self._reader = EpochReader(self.job.folder)
        return self._reader.read_after(self.run.last_epoch)

    def ask_to_stop(self, grace_s: float) -> None:
        """Ask the worker to save and stop; kill it once it has had ``grace_s`` seconds. Safe to call again."""
        if self._asked_at is None:
            self._asked_at = time.monotonic()
            self._signal(signal.SIGTERM)
        elif time.monotonic() - self._asked_at > grace_s:
            self._signal(signal.SIGKILL)

    def kill(self, reason: str, *, cause: Cause) -> None:
        """Kill the worker at once; ``cause`` decides what becomes of its run."""
        self.killed_for, self._killed_as = reason, cause
        self._signal(signal.SIGKILL)

    def kill_hung(self, reason: str) -> None:
        """Let the worker write every thread's stack to its log, then kill it."""
        if not self.has_ended():
            os.kill(self.pid, signal.SIGUSR1)
            time.sleep(_STACKS_S)
        self.kill(f"{reason}; its stacks are in its log", cause="crash")

    def read_result(self) -> Result:
        """Return how the ended worker ended: in its own words, by the run's summary, or by what killed it."""
        peak = self.measured_bytes or None
        written = read_result(Path(self.order.result))
        if written is not None and written.attempt == self.order.attempt:
            return written
        if self.killed_for:
            return Result(self.order.attempt, self._killed_as, self.killed_for, peak)
        summary = RunFolder(self.job.folder).read_summary() or {}
        if summary.get("status") in ("finished", "diverged"):
            return Result(self.order.attempt, summary["status"], summary["reason"], peak)
        return self._guess(peak)

    def _guess(self, peak: int | None) -> Result:
        code = self.process.exit_code() if self.process else None
        if code is None:
            return Result(self.order.attempt, "lost", "its worker was gone when the dispatcher came back", peak)
        if code == OUT_OF_MEMORY_EXIT:
            return Result(self.order.attempt, "memory", "its worker ran out of memory", peak)
        if code == STORAGE_EXIT:
            return Result(self.order.attempt, "storage", "its worker found the disk full or read-only", peak)
        said = f"killed by {signal.Signals(-code).name}" if code < 0 else f"exit code {code}"
        return Result(self.order.attempt, "crash", f"its worker ended without a result: {said}", peak)

    def _signal(self, number: signal.Signals) -> None:
        if not self.has_ended():
            signal_group(self.pid, number)


class EpochReader:
    """Reads the metrics of a run that is being trained, each time they have changed."""

    def __init__(self, folder: Path) -> None:
        self._path = folder / "metrics.csv"
        self._seen = (0, 0)

    def read_after(self, epoch: int) -> list[tuple[int, dict[str, float]]]:
        """Return the epochs after ``epoch`` with their metrics; nothing when the file is as it was."""
        try:
            stat = self._path.stat()
        except FileNotFoundError:
            return []
        if (stat.st_mtime_ns, stat.st_size) == self._seen:
            return []
        self._seen = (stat.st_mtime_ns, stat.st_size)
        rows = [(int(row["epoch"]), row) for row in read_rows(self._path)]
        return [
            (number, {name: float(row[name]) for name in _METRICS if row.get(name)})
            for number, row in rows
            if number > epoch
        ]
