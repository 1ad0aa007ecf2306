"""The state of a sweep at one moment, for people: what the live view and ``windtunnel queue`` show."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol


@dataclass(frozen=True)
class DeviceView:
    """A device.

    Args:
        name: its name.
        total_bytes: memory its runs may hold.
        used_bytes: memory its runs hold now.
        predicted_bytes: memory set aside for its runs.
        free_bytes: memory a newcomer may have.
        runs: runs on it.
        sharing: how runs share it, ``MPS`` or ``time slices``; empty for the CPU.
    """

    name: str
    total_bytes: int
    used_bytes: int
    predicted_bytes: int
    free_bytes: int
    runs: int
    sharing: str = ""


@dataclass(frozen=True)
class RunView:
    """A run with a worker.

    Args:
        id: the job's id.
        device: where it is.
        attempt: counts its workers.
        step: updates done.
        total_steps: updates of the whole run; 0 when not known yet.
        held_bytes: memory it holds or has held.
        reserved_bytes: memory set aside for it.
        remaining: seconds it still takes, as a range; None when not known yet.
        stopping: why it was asked to stop; empty when it was not.
    """

    id: str
    device: str
    attempt: int
    step: int
    total_steps: int
    held_bytes: int
    reserved_bytes: int
    remaining: tuple[float, float] | None
    stopping: str = ""


@dataclass(frozen=True)
class WaitingView:
    """A run in the queue, and why it waits again, if it has run before."""

    id: str
    priority: int
    bytes: int | None
    note: str


@dataclass(frozen=True)
class Snapshot:
    """Everything at one moment.

    Args:
        devices: the devices.
        running: runs with a worker.
        waiting: the queue, next first.
        ended: how many runs ended in which way.
        paused: whether the queue is paused.
        remaining: seconds until everything known is done, as a range; None when not known.
    """

    devices: tuple[DeviceView, ...]
    running: tuple[RunView, ...]
    waiting: tuple[WaitingView, ...]
    ended: dict[str, int]
    paused: bool
    remaining: tuple[float, float] | None


class View(Protocol):
    """Shows people what a dispatcher does."""

    def note(self, text: str) -> None:
        """Say that something happened."""

    def update(self, look: Callable[[], Snapshot]) -> None:
        """Show how everything stands, when it is time to; called often, and ``look`` costs something."""


class SilentView:
    """Shows nothing."""

    def note(self, text: str) -> None:
        """Say nothing."""

    def update(self, look: Callable[[], Snapshot]) -> None:
        """Show nothing."""
