"""Where every run stands: what the journal's events add up to, live and after a restart alike."""

from dataclasses import dataclass, field
from typing import Any

from windtunnel.dispatch.journal import Event
from windtunnel.dispatch.types import Outcome


@dataclass(frozen=True)
class Placement:
    """A worker process that was started for a run.

    Args:
        device: name of its device.
        pid: its process id, which is also its process group.
        identity: tells it from a later process with the same id (``processes.identify``).
        reserved_bytes: memory set aside for it.
    """

    device: str
    pid: int
    identity: str
    reserved_bytes: int


@dataclass
class RunState:
    """One run.

    Args:
        id: the job's id.
        folder: its run folder, as text.
        priority: higher goes first.
        attempts: worker processes started for it.
        crashes: of these, how many died without a reason that speaks for another try.
        memory_failures: of these, how many ran out of memory.
        bytes_needed: memory to set aside next time, once an estimate proved too small; None for the estimate.
        alone: whether it must have a device to itself.
        peak_bytes: largest memory a worker of it was seen to hold.
        placement: its worker, while it has one.
        stopping: why its worker was asked to stop: ``pruned`` or ``cancelled``; empty otherwise.
        last_epoch: epochs whose metrics the source has been told.
        estimate: what it was expected to need, as the journal has it.
        note: why it waits again.
        outcome: how it ended, once it has.
        retried: whether it was given another go after it had ended badly; that happens once.
    """

    id: str
    folder: str
    priority: int = 0
    attempts: int = 0
    crashes: int = 0
    memory_failures: int = 0
    bytes_needed: int | None = None
    alone: bool = False
    peak_bytes: int | None = None
    placement: Placement | None = None
    stopping: str = ""
    last_epoch: int = 0
    estimate: dict[str, Any] = field(default_factory=dict)
    note: str = ""
    outcome: Outcome | None = None
    retried: bool = False

    @property
    def is_waiting(self) -> bool:
        """Whether it is in the queue."""
        return self.outcome is None and self.placement is None


@dataclass
class SweepState:
    """All runs, in the order they were taken, and what was asked from another shell."""

    runs: dict[str, RunState] = field(default_factory=dict)
    paused: bool = False
    control_offset: int = 0

    def apply(self, event: Event) -> None:
        """Take over one event of the journal."""
        getattr(self, f"_on_{event['event']}")(event)

    def _on_taken(self, event: Event) -> None:
        for job in event["jobs"]:
            run = RunState(job["id"], job["folder"], job["priority"])
            before = self.runs.get(run.id)
            if before is not None:  # a machine may pull a run again that it lost: its workers count on, its price holds
                run.attempts, run.estimate = before.attempts, before.estimate
            self.runs[run.id] = run

    def _on_estimated(self, event: Event) -> None:
        self.runs[event["job"]].estimate = event["estimate"]

    def _on_admitted(self, event: Event) -> None:
        run = self.runs[event["job"]]
        run.attempts = event["attempt"]
        run.note = ""
        run.placement = Placement(event["device"], event["pid"], event["identity"], event["reserved_bytes"])

    def _on_progress(self, event: Event) -> None:
        run = self.runs[event["job"]]
        run.last_epoch = event["epoch"]
        if not event["go_on"]:
            run.stopping = run.stopping or "pruned"

    def _on_stopping(self, event: Event) -> None:
        run = self.runs[event["job"]]
        run.stopping = run.stopping or event["why"]

    def _on_requeued(self, event: Event) -> None:
        run = self.runs[event["job"]]
        run.placement = None
        run.note = event["reason"]
        run.crashes += event["cause"] == "crash"
        run.memory_failures += event["cause"] == "memory"
        run.peak_bytes = _larger(run.peak_bytes, event["peak_bytes"])
        run.alone = run.alone or event["alone"]
        run.bytes_needed = event["bytes_needed"] or run.bytes_needed

    def _on_ended(self, event: Event) -> None:
        run = self.runs[event["job"]]
        run.placement = None
        run.peak_bytes = _larger(run.peak_bytes, event["peak_bytes"])
        run.outcome = Outcome(
            job=run.id,
            status=event["status"],
            reason=event["reason"],
            summary=event["summary"],
            attempts=event["attempts"],
            peak_bytes=run.peak_bytes,
            worker_seconds=event.get("worker_seconds"),
        )

    def _on_retried(self, event: Event) -> None:
        """A run that ended badly goes once more, as if it had not been tried, but for its number of workers."""
        before = self.runs[event["job"]]
        last_epoch = 0 if event["fresh"] else before.last_epoch
        self.runs[before.id] = RunState(
            before.id,
            before.folder,
            before.priority,
            before.attempts,
            peak_bytes=before.peak_bytes,
            last_epoch=last_epoch,
            estimate=before.estimate,
            note=f"once more, since it {before.outcome.status}" if before.outcome else "",
            retried=True,
        )

    def _on_control(self, event: Event) -> None:
        self.control_offset = event["offset"]
        if event["command"] in ("pause", "resume"):
            self.paused = event["command"] == "pause"
        elif event["command"] == "priority" and event["job"] in self.runs:
            self.runs[event["job"]].priority = event["value"]

    def _on_opened(self, event: Event) -> None:
        """A dispatcher began to work on the folder; for the record."""


def replay(events: list[Event]) -> SweepState:
    """Return what ``events`` add up to."""
    state = SweepState()
    for event in events:
        state.apply(event)
    return state


def _larger(first: int | None, second: int | None) -> int | None:
    return max((value for value in (first, second) if value is not None), default=None)
