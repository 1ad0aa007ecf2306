"""What a policy would do: runs that share a device slow each other down when its compute is full.

The model: runs on a device share its compute as a fluid, so each goes at ``min(1, 1 / sum of shares)`` of its speed
alone; and each further run on the device costs every run there ``interference`` of its time.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from windtunnel.dispatch.packing import DeviceLoad, Policy, Task, admit, find_misfits, order_tasks
from windtunnel.errors import UsageError

INTERFERENCE = 0.03
"""Time lost for each further run on a device; an assumption of the simulation, not a measurement."""
_DONE = 1e-7


@dataclass(frozen=True)
class Placed:
    """A run in a simulated schedule; times in seconds from its start."""

    device: str
    start: float
    end: float


@dataclass(frozen=True)
class Schedule:
    """A simulated schedule.

    Args:
        makespan: seconds until the last run ends.
        runs: where and when each run was, by id.
    """

    makespan: float
    runs: dict[str, Placed]


@dataclass
class _Running:
    task: Task
    start: float
    left: float


def simulate(
    tasks: Sequence[Task],
    devices: Sequence[DeviceLoad],
    policy: Policy,
    *,
    true_seconds: Mapping[str, float] | None = None,
    interference: float = INTERFERENCE,
) -> Schedule:
    """Play ``policy`` over ``tasks`` and return the schedule.

    Args:
        tasks: as estimated; the policy sees nothing else.
        devices: as they are at the start; left unchanged.
        true_seconds: what runs really take alone, by id; None takes the estimates.
        interference: time lost for each further run on a device, as a fraction.

    Raises:
        UsageError: a task fits on no device.
    """
    _refuse_misfits(tasks, devices)
    loads = [replace(device) for device in devices]
    waiting = order_tasks(tasks, policy, max((device.total for device in devices), default=0.0))
    running: dict[str, list[_Running]] = {device.name: [] for device in loads}
    now, runs = 0.0, {}
    while waiting or any(running.values()):
        waiting = _start(waiting, loads, policy, running, now, true_seconds)
        if not any(running.values()):
            raise UsageError(f"{waiting[0].id} cannot start: other processes hold the devices' memory")
        now += _advance(running, interference)
        for load in loads:
            ended = [run for run in running[load.name] if run.left <= _DONE]
            running[load.name] = [run for run in running[load.name] if run.left > _DONE]
            for run in ended:
                runs[run.task.id] = Placed(load.name, run.start, now)
                _leave(run.task, load)
    return Schedule(now, runs)


def _refuse_misfits(tasks: Sequence[Task], devices: Sequence[DeviceLoad]) -> None:
    for misfit in find_misfits(tasks, devices):
        raise UsageError(
            f"{misfit.task.id} needs {misfit.task.memory:,.0f} bytes; the largest device it may use has "
            f"{misfit.largest:,.0f}"
        )


def _start(
    waiting: list[Task],
    loads: Sequence[DeviceLoad],
    policy: Policy,
    running: Mapping[str, list[_Running]],
    now: float,
    true_seconds: Mapping[str, float] | None,
) -> list[Task]:
    admissions = admit(waiting, loads, policy)
    for task, device in admissions:
        left = task.seconds if true_seconds is None else true_seconds[task.id]
        running[device].append(_Running(task, now, left))
    started = {task.id for task, _ in admissions}
    return [task for task in waiting if task.id not in started] if started else waiting


def _advance(running: Mapping[str, list[_Running]], interference: float) -> float:
    """Let time pass until the next run ends and return how much."""
    speeds = {device: _speed(runs, interference) for device, runs in running.items()}
    step = min(
        (run.left / speeds[device] for device, runs in running.items() for run in runs),
        default=math.inf,
    )
    for device, runs in running.items():
        for run in runs:
            run.left -= step * speeds[device]
    return step


def _speed(runs: Sequence[_Running], interference: float) -> float:
    compute = sum(run.task.compute for run in runs)
    return min(1.0, 1.0 / compute if compute else 1.0) / (1.0 + interference * max(len(runs) - 1, 0))


def _leave(task: Task, load: DeviceLoad) -> None:
    load.free += task.memory
    load.compute = max(load.compute - task.compute, 0.0) if load.runs > 1 else 0.0
    load.runs -= 1
    load.newcomers += 1
    load.exclusive = False
