"""Which waiting runs start now, on which device: a pure planner over memory, compute share and duration.

Memory decides what may share a device, compute what should. Packing by memory alone starts runs that then wait for
each other; so the default policy also stops at a little more than the device's whole compute, takes the runs with the
largest footprint over time first, and places each on the least loaded device (``benchmarks/packing.py``).
"""

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, NamedTuple

from windtunnel.errors import UsageError
from windtunnel.registry import suggest

_ROUNDING = 1e-9


@dataclass(frozen=True)
class Task:
    """A run as the planner sees it.

    Args:
        id: unique among the tasks.
        memory: bytes it needs on its device.
        compute: share of a device's compute it keeps busy when alone, 0..1.
        seconds: wall clock alone on a device.
        priority: higher goes first, whatever the policy's order.
        alone: whether it must have the device to itself.
        devices: names of the devices it may run on; None for all.
    """

    id: str
    memory: float
    compute: float
    seconds: float
    priority: int = 0
    alone: bool = False
    devices: frozenset[str] | None = None


@dataclass
class DeviceLoad:
    """A device and what is on it, as the planner sees and changes it.

    Args:
        name: unique among the devices.
        total: bytes of the whole device.
        free: bytes a newcomer may have now.
        compute: compute shares of the runs on it, added up.
        runs: runs on it.
        newcomers: runs that may still be started on it now.
        compute_limit: compute shares it may carry under a policy that looks at compute.
        exclusive: whether the run on it must stay alone.
        max_runs: runs it may carry, whatever the policy says; None for any number.
        sharing: how runs share it, in words for people; empty for the CPU.
    """

    name: str
    total: float
    free: float
    compute: float = 0.0
    runs: int = 0
    newcomers: float = math.inf
    compute_limit: float = math.inf
    exclusive: bool = False
    max_runs: int | None = None
    sharing: str = ""


class Admission(NamedTuple):
    """A run that starts now, and where."""

    task: Task
    device: str


@dataclass(frozen=True)
class Policy:
    """A rule for what starts next and where.

    Args:
        name: what users type.
        about: one line on what it does.
        size: what is largest goes first; takes a task and the largest device's memory. Ties keep their order.
        compute_cap: compute shares a device may carry; None looks at memory only.
        max_runs: runs a device may carry; None for any number.
        placement: ``least_loaded`` by compute, or ``best_fit``, where the least memory is left.
    """

    name: str
    about: str
    size: Callable[[Task, float], float]
    compute_cap: float | None = None
    max_runs: int | None = None
    placement: Literal["least_loaded", "best_fit"] = "least_loaded"


def _arrival(task: Task, memory: float) -> float:
    return 0.0


def _duration(task: Task, memory: float) -> float:
    return task.seconds


def _footprint(task: Task, memory: float) -> float:
    return task.seconds * max(task.memory / memory, task.compute)


def _memory(task: Task, memory: float) -> float:
    return task.memory


POLICIES: Mapping[str, Policy] = {
    policy.name: policy
    for policy in (
        Policy("weighted", "largest share of a device over time first, compute capped", _footprint, compute_cap=1.2),
        Policy("lpt", "longest first, compute capped", _duration, compute_cap=1.2),
        Policy("fifo", "as they come, whatever fits in memory", _arrival),
        Policy(
            "bfd", "largest memory first, where it leaves least (best-fit decreasing)", _memory, None, 4, "best_fit"
        ),
        Policy("cap_3", "as they come, three a device at most", _arrival, max_runs=3),
        Policy("one_per_device", "as they come, one a device", _arrival, max_runs=1),
    )
}


def get_policy(name: str) -> Policy:
    """Return the policy called ``name``.

    >>> get_policy("weighted").compute_cap
    1.2

    Raises:
        UsageError: there is no such policy.
    """
    if name not in POLICIES:
        near = suggest(name, POLICIES)
        hint = f"; did you mean {near!r}?" if near else ";"
        raise UsageError(f"there is no packing policy {name!r}{hint} known: auto, {', '.join(POLICIES)}")
    return POLICIES[name]


def order_tasks(tasks: Iterable[Task], policy: Policy, memory: float) -> list[Task]:
    """Return ``tasks`` as the policy wants them: by priority, then largest first, then as they came.

    Args:
        memory: bytes of the largest device.
    """
    return sorted(tasks, key=lambda task: (-task.priority, -policy.size(task, memory)))


def admit(ordered: Sequence[Task], devices: Sequence[DeviceLoad], policy: Policy) -> list[Admission]:
    """Return what starts now, and book it on ``devices``.

    A task that does not fit lets later ones pass, except one that must be alone: it keeps the emptiest of its devices
    from taking others, so that it gets its turn.

    >>> gpu = DeviceLoad("gpu", total=16.0, free=16.0)
    >>> jobs = [Task("a", 10.0, 0.5, 60.0), Task("b", 9.0, 0.5, 50.0), Task("c", 2.0, 0.5, 40.0)]
    >>> [admission.task.id for admission in admit(jobs, [gpu], get_policy("weighted"))]
    ['a', 'c']
    """
    admitted: list[Admission] = []
    smallest = _smallest(ordered)
    available = [device for device in devices if _has_room(device, smallest, policy)]
    for task in ordered:
        if not available:
            break
        fitting = [device for device in available if fits(task, device, policy)]
        if fitting:
            chosen = min(fitting, key=lambda device: _preference(task, device, policy))
            book(task, chosen)
            admitted.append(Admission(task, chosen.name))
            if not _has_room(chosen, smallest, policy):
                available.remove(chosen)
        elif task.alone:
            _keep_for(task, available)
    return admitted


def fits(task: Task, device: DeviceLoad, policy: Policy) -> bool:
    """Say whether ``task`` may start on ``device`` now."""
    if device.newcomers < 1 or device.exclusive or task.memory > device.free * (1 + _ROUNDING):
        return False
    if task.devices is not None and device.name not in task.devices:
        return False
    if device.runs == 0:
        return True
    if task.alone or device.runs >= _most_runs(device, policy):
        return False
    return device.compute + task.compute <= _compute_limit(device, policy)


def book(task: Task, device: DeviceLoad) -> None:
    """Put ``task`` on ``device``."""
    device.free -= task.memory
    device.compute += task.compute
    device.runs += 1
    device.newcomers -= 1
    device.exclusive = task.alone


class Misfit(NamedTuple):
    """A task that no device could hold even when empty, and the bytes of the largest one it may use."""

    task: Task
    largest: float


def find_misfits(tasks: Iterable[Task], devices: Sequence[DeviceLoad]) -> list[Misfit]:
    """Return the tasks that fit on no device they may use, with the largest of those devices."""
    misfits = []
    for task in tasks:
        allowed = (device.total for device in devices if task.devices is None or device.name in task.devices)
        largest = max(allowed, default=0.0)
        if task.memory > largest * (1 + _ROUNDING):
            misfits.append(Misfit(task, largest))
    return misfits


def _most_runs(device: DeviceLoad, policy: Policy) -> float:
    return min(limit for limit in (device.max_runs, policy.max_runs, math.inf) if limit is not None)


def _compute_limit(device: DeviceLoad, policy: Policy) -> float:
    if policy.compute_cap is None:
        return math.inf
    return min(policy.compute_cap, device.compute_limit) + _ROUNDING


def _preference(task: Task, device: DeviceLoad, policy: Policy) -> tuple[float, float]:
    left = device.free - task.memory
    return (left, device.compute) if policy.placement == "best_fit" else (device.compute, -left)


def _smallest(tasks: Sequence[Task]) -> tuple[float, float]:
    memory = min((task.memory for task in tasks), default=math.inf)
    return memory, min((task.compute for task in tasks), default=math.inf)


def _has_room(device: DeviceLoad, smallest: tuple[float, float], policy: Policy) -> bool:
    """Say whether the least demanding task could start here: a quick look that spares a thousand slow ones."""
    memory, compute = smallest
    if device.newcomers < 1 or device.exclusive or memory > device.free * (1 + _ROUNDING):
        return False
    if device.runs == 0:
        return True
    if device.runs >= _most_runs(device, policy):
        return False
    return device.compute + compute <= _compute_limit(device, policy)


def _keep_for(task: Task, available: list[DeviceLoad]) -> None:
    allowed = [device for device in available if task.devices is None or device.name in task.devices]
    large = [device for device in allowed if task.memory <= device.total * (1 + _ROUNDING)]
    if large:
        available.remove(min(large, key=lambda device: device.runs))
