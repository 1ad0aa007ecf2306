"""The interface of an adapter to a tracker, and what it is told."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from windtunnel.track.choice import read_record

Scalar = str | int | float | bool | None


@dataclass(frozen=True)
class RunStart:
    """A run as it starts or goes on.

    Args:
        name: the run folder's name.
        project: the experiment's project.
        group: name of the sweep it belongs to, or ``""``.
        folder: the run folder.
        record: file that holds what is kept about this run and this tracker, ``id`` first of all.
        config: the experiment, each field by its dotted path.
        environment: versions, device, data digests and commit, each by its dotted path; no environment variables.
        start_step: optimizer updates done before; above 0 for a run that goes on.
    """

    name: str
    project: str
    group: str
    folder: Path
    record: Path
    config: Mapping[str, Scalar]
    environment: Mapping[str, Scalar]
    start_step: int

    @property
    def id(self) -> str:
        """The id the run keeps however often it goes on."""
        return read_record(self.record)["id"]


class Sink(Protocol):
    """Hands one run to a tracker. Called in this order: start, (epoch | picture)*, finish.

    It may block and it may raise: the run does not notice. What it prints goes to a log file in the run folder.
    """

    def start(self, run: RunStart) -> str:
        """Begin, or go on with, the run there; return where it can be seen, in words."""

    def epoch(self, step: int, metrics: Mapping[str, float]) -> None:
        """Take an epoch's figures; ``step`` is the number of optimizer updates so far."""

    def picture(self, name: str, path: Path) -> None:
        """Take a PNG file."""

    def finish(self, status: str, metrics: Mapping[str, float], summary: Mapping[str, Scalar]) -> None:
        """End the run and return when all is stored.

        Args:
            status: ``finished``, ``diverged``, ``interrupted``, or ``crashed`` when the run's process is gone.
            metrics: figures of the test split, if it was read.
            summary: everything else ``summary.json`` holds, by dotted path.
        """
