"""What is free on each device: its memory less what its runs hold or were promised, and less what others hold."""

from collections.abc import Callable, Iterable, Sequence

from windtunnel.dispatch.attempt import Attempt
from windtunnel.dispatch.devices import Device
from windtunnel.dispatch.packing import DeviceLoad
from windtunnel.dispatch.types import Estimate

_LEAST_FREE = 0.02
FreeBytes = Callable[[Device], int]


# What a run keeps busy of a GPU, which nobody has measured: assumptions, with which two to three runs share a GPU by
# turns, and four to five under MPS, where one run's kernels fill the gaps of another's.
_ASSUMED_SHARES = {"time slices": 0.5, "MPS": 0.3}


def compute_share(attempt_threads: int, device: Device, estimate: Estimate) -> float:
    """Return the share of ``device`` a run keeps busy: on the CPU its threads, on a GPU an assumption."""
    if device.kind == "cpu":
        return min(attempt_threads / device.cores, 1.0)
    return _ASSUMED_SHARES.get(device.sharing, estimate.compute_share)


def make_load(
    device: Device, attempts: Sequence[Attempt], shares: Iterable[float], free: int, *, shared: int = 0
) -> DeviceLoad:
    """Return ``device`` as the planner sees it.

    Args:
        device: the device.
        attempts: the workers on it.
        shares: their compute shares.
        free: bytes free on it now, as the system says; what its workers hold is not in it.
        shared: bytes of images that lie on it once for all runs.
    """
    counted = sum(attempt.counted_bytes for attempt in attempts)
    owed = sum(max(attempt.counted_bytes - held_now(attempt), 0) for attempt in attempts)
    return DeviceLoad(
        name=device.name,
        total=device.total_bytes,
        free=max(min(device.total_bytes - counted - shared, free - owed), 0),
        compute=sum(shares),
        runs=len(attempts),
        newcomers=1,
        compute_limit=1.0 if device.kind == "cpu" else float("inf"),
        max_runs=device.max_runs,
        sharing=device.sharing,
        exclusive=any(attempt.run.alone for attempt in attempts),
    )


def held_now(attempt: Attempt) -> int:
    """Return the memory a worker holds now; on a GPU, where nobody sees that from outside, the most it held."""
    return attempt.current_bytes or attempt.measured_bytes


def find_overrunner(device: Device, attempts: Sequence[Attempt], free: int) -> Attempt | None:
    """Return the worker to kill when memory is short: the one furthest over its reservation.

    It is short when the workers together hold more than ``device`` has, or when next to nothing is free on the machine
    (``free`` bytes) and a worker is over its reservation. One that is over it while there is room is left alone, since
    killing it would help nobody; it counts with what it holds, and its kind is priced by that from then on.
    """
    furthest = max(attempts, key=_overrun, default=None)
    if furthest is None or sum(attempt.current_bytes for attempt in attempts) > device.total_bytes:
        return furthest
    return furthest if free < _LEAST_FREE * device.total_bytes and _overrun(furthest) > 0 else None


def _overrun(attempt: Attempt) -> int:
    return attempt.current_bytes - _reserved(attempt)


def _reserved(attempt: Attempt) -> int:
    return attempt.run.placement.reserved_bytes if attempt.run.placement else 0
