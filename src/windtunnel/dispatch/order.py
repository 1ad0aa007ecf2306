"""What a dispatcher and a worker leave for each other on disk: the order, the heartbeat and the result."""

import json
import os
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any, Literal, Self

from windtunnel.core.files import strip_nonfinite, write_json

Cause = Literal["finished", "diverged", "interrupted", "memory", "storage", "usage", "crash", "lost"]
"""How a worker ended: ``memory`` ran out of it, ``storage`` met a full or read-only disk, ``usage`` cannot be run as
asked, ``lost`` ended unseen."""

OUT_OF_MEMORY_EXIT = 86
STORAGE_EXIT = 87
"""Said by exit code as well, since on a full disk no result can be written."""

GATE_CLOSED_EXIT = 75


@dataclass(frozen=True)
class Order:
    """What a worker is to do.

    Args:
        job: the job's id.
        attempt: counts the workers started for it, from 1.
        folder: the run folder, as text.
        experiment: path of the experiment's YAML.
        heartbeat: path of the file it reports its progress in.
        result: path of the file it says in how it ended.
        device: kind of its device.
        cap_bytes: memory it may hold by its own allocator; None when it is watched from outside.
        context_bytes: memory on its device that its allocator does not count.
        claim: path of the file that says the run is its own; it stops when the file is gone. Empty for none.
        shared: socket of the process that holds its images on the device; empty where it makes a copy.
    """

    job: str
    attempt: int
    folder: str
    experiment: str
    heartbeat: str
    result: str
    device: Literal["cpu", "cuda"] = "cpu"
    cap_bytes: int | None = None
    context_bytes: int = 0
    claim: str = ""
    shared: str = ""

    def write(self, path: Path) -> None:
        """Write the order to ``path``."""
        write_json(path, asdict(self))

    @classmethod
    def read(cls, path: Path) -> Self:
        """Return the order at ``path``."""
        return cls(**json.loads(path.read_text(encoding="utf-8")))


@dataclass(frozen=True)
class Heartbeat:
    """A worker's progress.

    Args:
        attempt: which worker of the run wrote it.
        beat: counts the heartbeats, so that a reader sees a change without comparing clocks.
        step: updates done; 0 before the first.
        total_steps: updates of the whole run; 0 when not known yet.
        step_seconds: wall clock of a recent update; None before there were any.
        reports: epochs reported by this worker.
        peak_bytes: largest memory it has held.
    """

    attempt: int
    beat: int = 0
    step: int = 0
    total_steps: int = 0
    step_seconds: float | None = None
    reports: int = 0
    peak_bytes: int = 0

    def write(self, path: Path) -> None:
        """Replace the file at ``path``; not flushed to disk, since after a power cut nobody asks for it."""
        temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
        temporary.write_text(json.dumps(strip_nonfinite(asdict(self))), encoding="utf-8")
        temporary.replace(path)


@dataclass(frozen=True)
class Result:
    """How a worker ended, in its own words.

    Args:
        attempt: which worker of the run wrote it.
        cause: how it ended.
        reason: for people.
        peak_bytes: largest memory it has held; None when not known.
    """

    attempt: int
    cause: Cause
    reason: str
    peak_bytes: int | None = None

    def write(self, path: Path) -> None:
        """Write the result to ``path``."""
        write_json(path, asdict(self))


def read_heartbeat(path: Path) -> Heartbeat | None:
    """Return the heartbeat at ``path``, or None when there is none that can be read."""
    values = _read_fields(path, Heartbeat)
    return Heartbeat(**values) if values else None


def read_result(path: Path) -> Result | None:
    """Return the result at ``path``, or None when there is none that can be read."""
    values = _read_fields(path, Result)
    return Result(**values) if values else None


def _read_fields(path: Path, cls: type[Heartbeat] | type[Result]) -> dict[str, Any] | None:
    try:
        values = json.loads(path.read_text(encoding="utf-8"))
    except (FileNotFoundError, ValueError):
        return None
    names = {field.name for field in fields(cls)}
    return {name: value for name, value in values.items() if name in names} if isinstance(values, dict) else None
