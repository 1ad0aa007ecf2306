"""What passes between those who want runs, those who price them and those who start them."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, Protocol

from windtunnel.config.experiment import Experiment

Status = Literal["finished", "diverged", "pruned", "failed", "cancelled"]
"""How a run ends for good; a run in the queue or on a device has none yet."""


@dataclass(frozen=True)
class Estimate:
    """What a run is expected to need.

    Args:
        bytes: memory to reserve on its device, context and margin included.
        parts: where the bytes come from, e.g. ``{"parameters": ..., "activations": ..., "context": ...}``.
        seconds: wall clock of the whole run alone on the device; None when unknown.
        low_seconds: lower end of the range around ``seconds``.
        high_seconds: upper end of the range around ``seconds``.
        startup_seconds: of these, what a worker needs before it trains and after, measured; 0 when not known.
        compute_share: share of the device's compute the run keeps busy when alone, 0..1.
        source: ``traced`` on meta tensors, ``measured`` by an earlier run of its kind, ``given`` by the user.
    """

    bytes: int
    parts: dict[str, int] = field(default_factory=dict)
    seconds: float | None = None
    low_seconds: float | None = None
    high_seconds: float | None = None
    startup_seconds: float = 0.0
    compute_share: float = 1.0
    source: Literal["traced", "measured", "given"] = "traced"


@dataclass(frozen=True)
class Job:
    """One run that is wanted.

    Args:
        id: unique in its sweep, stable over restarts, fit for a folder name.
        experiment: everything that decides the outcome.
        folder: the run folder it trains in, made by the worker.
        priority: higher goes first, before any packing order.
        claim: path of the file that says the run is this machine's, where several pull runs from one folder; its worker
            stops when the file is gone. Empty where there is no other machine.
    """

    id: str
    experiment: Experiment
    folder: Path
    priority: int = 0
    claim: str = ""


@dataclass(frozen=True)
class Outcome:
    """How a job ended for good.

    Args:
        job: the job's id.
        status: how it ended.
        reason: in words, for people.
        summary: the run's ``summary.json``, empty when it never wrote one.
        attempts: worker processes that were started for it.
        peak_bytes: largest memory any of them was seen to hold; None when never measured.
        worker_seconds: wall clock of the only worker it had, from its start to its end; None when it had several.
    """

    job: str
    status: Status
    reason: str
    summary: dict[str, Any] = field(default_factory=dict)
    attempts: int = 1
    peak_bytes: int | None = None
    worker_seconds: float | None = None


class JobSource(Protocol):
    """Gives jobs to a dispatcher and is told how they go; a sweep's study is one, a fixed list another.

    Every method is called from one thread. What it returns may depend only on what it was told, so that a restarted
    dispatcher that tells it the same again gets the same jobs.
    """

    def take(self, limit: int) -> list[Job]:
        """Return up to ``limit`` jobs not given out before; fewer, or none, when later ones need results first."""

    def progress(self, job: str, epoch: int, metrics: dict[str, float]) -> bool:
        """Take note of an epoch's metrics and return whether the run should go on (False prunes it)."""

    def finish(self, outcome: Outcome) -> None:
        """Take note that a job ended for good."""

    def is_exhausted(self) -> bool:
        """Say whether no job will come any more, whatever the outcomes of those given out."""
