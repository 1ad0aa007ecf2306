"""What a sweep would run, need and take, without training anything."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from windtunnel.config.sweep import Tpe, is_countable
from windtunnel.core.units import format_bytes
from windtunnel.dispatch.accounts import compute_share, make_load
from windtunnel.dispatch.devices import Device
from windtunnel.dispatch.estimate.estimator import Estimator
from windtunnel.dispatch.forecast import Forecast, make_forecast, make_task
from windtunnel.dispatch.packing import DeviceLoad, find_misfits
from windtunnel.dispatch.portfolio import check_policy
from windtunnel.dispatch.types import Estimate, Job
from windtunnel.sweeps.definition import Definition
from windtunnel.sweeps.engines import Machine
from windtunnel.sweeps.folder import PointRecord
from windtunnel.sweeps.run import check_sweep
from windtunnel.sweeps.space import Choices, count_grid
from windtunnel.sweeps.study import list_jobs

_MOST_PRICED = 2000


@dataclass(frozen=True)
class PlannedRun:
    """A run that would be started.

    Args:
        id: its id.
        choices: dotted path -> value of what it varies.
        seed: its seed.
        estimate: what it needs.
        misfit: why no device can hold it; empty when one can.
    """

    id: str
    choices: Choices
    seed: int
    estimate: Estimate
    misfit: str = ""


@dataclass(frozen=True)
class Plan:
    """What a sweep comes to.

    Args:
        runs: those it starts with; a search that learns from results has no more before it has some.
        refused: points that are not run, and why.
        total: runs of the whole sweep.
        unpriced: of these, how many the forecast takes to be like the others.
        forecast: how long it takes; None where no run's duration is known or none can be held.
    """

    runs: tuple[PlannedRun, ...]
    refused: tuple[PointRecord, ...]
    total: int
    unpriced: int
    forecast: Forecast | None


def plan_sweep(definition: Definition, machine: Machine | None = None, *, policy: str = "auto") -> Plan:
    """Return what ``definition`` would run, need and take; nothing is trained and nothing kept.

    Args:
        definition: the sweep.
        machine: what of this machine it may use.
        policy: how runs would be packed.

    Raises:
        UsageError: the sweep is not valid, or there is no such device or policy.
    """
    check_policy(policy)
    check_sweep(definition)
    devices = (machine or Machine()).find_devices()
    jobs, points = list_jobs(definition, _MOST_PRICED)
    estimator = Estimator(devices[0].kind, threads=devices[0].threads)
    estimates = dict(
        zip((job.id for job in jobs), estimator.estimate_all([job.experiment for job in jobs]), strict=True)
    )
    loads = [replace(make_load(device, [], [], device.total_bytes), newcomers=math.inf) for device in devices]
    misfits = _explain_misfits(estimates, loads)
    total = _count_runs(definition, len(jobs))
    priced = {job.id: _as_placed(job, estimates[job.id], devices[0]) for job in jobs if job.id not in misfits}
    return Plan(
        runs=tuple(_plan_run(job, points, estimates[job.id], misfits.get(job.id, "")) for job in jobs),
        refused=tuple(point for point in points if point.refusal),
        total=total,
        unpriced=total - len(jobs),
        forecast=_forecast(priced, total - len(misfits), loads, policy),
    )


def _count_runs(definition: Definition, listed: int) -> int:
    """Return the runs of the whole sweep: those listed, or what a search is set to and its space has."""
    strategy, space = definition.config.strategy, definition.config.space
    if not isinstance(strategy, Tpe):
        return listed
    countable = all(is_countable(axis) for axis in space.values())
    points = min(strategy.runs, count_grid(space)) if countable else strategy.runs
    return max(points * len(definition.seeds), listed)


def _plan_run(job: Job, points: Sequence[PointRecord], estimate: Estimate, misfit: str) -> PlannedRun:
    choices = next(point.choices for point in points if job.id in point.jobs)
    return PlannedRun(job.id, choices, job.experiment.seed, estimate, misfit)


def _explain_misfits(estimates: Mapping[str, Estimate], loads: Sequence[DeviceLoad]) -> dict[str, str]:
    tasks = [make_task(id, estimate, 0.0) for id, estimate in estimates.items()]
    return {
        task.id: f"needs {format_bytes(task.memory)}; the largest device holds {format_bytes(largest)}"
        for task, largest in find_misfits(tasks, loads)
    }


def _as_placed(job: Job, estimate: Estimate, device: Device) -> Estimate:
    threads = job.experiment.runtime.threads or device.threads
    return replace(estimate, compute_share=compute_share(threads, device, estimate))


def _forecast(priced: Mapping[str, Estimate], total: int, loads: Sequence[DeviceLoad], policy: str) -> Forecast | None:
    """Play the sweep through; runs that a search has yet to propose are taken to be like those it begins with."""
    known = list(priced.values())
    if not any(estimate.seconds is not None for estimate in known):
        return None
    later = {f"later-{index}": known[index % len(known)] for index in range(total - len(known))}
    return make_forecast({**priced, **later}, loads, policy)
