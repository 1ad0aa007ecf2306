"""What is free on each device: its memory less what its runs hold or were promised, and less what others hold."""

from collections.abc import Callable, Iterable, Sequence

from windtunnel.dispatch.attempt import Attempt
from windtunnel.dispatch.devices import Device
from windtunnel.dispatch.packing import DeviceLoad
from windtunnel.dispatch.types import Estimate

FreeBytes = Callable[[Device], int]


def compute_share(attempt_threads: int, device: Device, estimate: Estimate) -> float:
    """Return the share of ``device`` a run keeps busy: on the CPU its threads, on a GPU what was estimated."""
    return min(attempt_threads / device.cores, 1.0) if device.kind == "cpu" else estimate.compute_share


def make_load(device: Device, attempts: Sequence[Attempt], shares: Iterable[float], free: int) -> DeviceLoad:
    """Return ``device`` as the planner sees it.

    Args:
        device: the device.
        attempts: the workers on it.
        shares: their compute shares.
        free: bytes free on it now, as the system says; what its workers hold is not in it.
    """
    counted = sum(attempt.counted_bytes for attempt in attempts)
    owed = sum(max(attempt.counted_bytes - held_now(attempt), 0) for attempt in attempts)
    return DeviceLoad(
        name=device.name,
        total=device.total_bytes,
        free=max(min(device.total_bytes - counted, free - owed), 0),
        compute=sum(shares),
        runs=len(attempts),
        newcomers=1,
        compute_limit=1.0 if device.kind == "cpu" else float("inf"),
        exclusive=any(attempt.run.alone for attempt in attempts),
    )


def held_now(attempt: Attempt) -> int:
    """Return the memory a worker holds now; on a GPU, where nobody sees that from outside, the most it held."""
    return attempt.current_bytes or attempt.measured_bytes


def find_overrunner(device: Device, attempts: Sequence[Attempt]) -> Attempt | None:
    """Return the worker to kill when those on ``device`` hold more than it has: the one furthest over its share.

    A worker over its reservation is left alone while there is room, since killing it would help nobody.
    """
    if sum(attempt.current_bytes for attempt in attempts) <= device.total_bytes:
        return None
    return max(attempts, key=lambda attempt: attempt.current_bytes - _reserved(attempt))


def _reserved(attempt: Attempt) -> int:
    return attempt.run.placement.reserved_bytes if attempt.run.placement else 0
