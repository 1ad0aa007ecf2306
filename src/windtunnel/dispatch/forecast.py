"""How long a sweep will take, as a range, beside the least it could take."""

import statistics
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from windtunnel.dispatch.bounds import Bound, lower_bound
from windtunnel.dispatch.packing import DeviceLoad, Task
from windtunnel.dispatch.portfolio import choose_policy
from windtunnel.dispatch.simulation import simulate
from windtunnel.dispatch.types import Estimate

_UNKNOWN_SECONDS = 60.0
_LOW, _HIGH = 0.7, 1.5


@dataclass(frozen=True)
class Forecast:
    """What a plan is expected to take.

    Args:
        seconds: makespan if every estimate is exact.
        low_seconds: makespan if every run takes the lower end of its range.
        high_seconds: makespan if every run takes the upper end.
        bound: no schedule is shorter, if the estimates are exact.
        policy: the rule that was played, with its compute cap.
    """

    seconds: float
    low_seconds: float
    high_seconds: float
    bound: Bound
    policy: str


def make_forecast(
    estimates: Mapping[str, Estimate], devices: Sequence[DeviceLoad], policy_name: str = "auto"
) -> Forecast:
    """Play a policy over the estimated runs.

    Args:
        estimates: by run id, in the order they are wanted.
        devices: as they are at the start.
        policy_name: ``auto`` or a name in ``POLICIES``.

    Raises:
        UsageError: a run fits on no device, or there is no such policy.
    """
    tasks = [make_task(id, estimate, typical_seconds(estimates.values())) for id, estimate in estimates.items()]
    policy = choose_policy(policy_name, tasks, devices)
    ranges = {
        id: _range_of(estimate, task.seconds) for (id, estimate), task in zip(estimates.items(), tasks, strict=True)
    }
    low, high = ({id: pair[end] for id, pair in ranges.items()} for end in (0, 1))
    return Forecast(
        seconds=simulate(tasks, devices, policy).makespan,
        low_seconds=simulate(tasks, devices, policy, true_seconds=low).makespan,
        high_seconds=simulate(tasks, devices, policy, true_seconds=high).makespan,
        bound=lower_bound(tasks, devices),
        policy=policy.name if policy.compute_cap is None else f"{policy.name}, compute at most {policy.compute_cap:g}",
    )


def make_task(
    id: str,
    estimate: Estimate,
    unknown_seconds: float,
    *,
    memory: int | None = None,
    compute: float | None = None,
    priority: int = 0,
    alone: bool = False,
    devices: frozenset[str] | None = None,
) -> Task:
    """Return the run as the planner sees it.

    Args:
        id: the job's id.
        estimate: what it is expected to need.
        unknown_seconds: what a run takes whose duration nobody knows.
        memory: bytes it turned out to need; None for the estimate's.
        compute: its share of a device's compute; None for the estimate's.
        priority: higher goes first.
        alone: whether it must have a device to itself.
        devices: names of the devices it may run on; None for all.
    """
    return Task(
        id,
        float(estimate.bytes if memory is None else memory),
        estimate.compute_share if compute is None else compute,
        unknown_seconds if estimate.seconds is None else estimate.seconds,
        priority,
        alone,
        devices,
    )


def typical_seconds(estimates: Iterable[Estimate]) -> float:
    """Return the median of the durations that are known, for those that are not."""
    known = [estimate.seconds for estimate in estimates if estimate.seconds is not None]
    return statistics.median(known) if known else _UNKNOWN_SECONDS


def _range_of(estimate: Estimate, seconds: float) -> tuple[float, float]:
    low = estimate.low_seconds if estimate.low_seconds is not None else _LOW * seconds
    high = estimate.high_seconds if estimate.high_seconds is not None else _HIGH * seconds
    return low, high
