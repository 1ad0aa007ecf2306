"""The least time any schedule could take: what a plan's makespan is measured against."""

from bisect import bisect_left, bisect_right
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import accumulate
from typing import Literal

from windtunnel.dispatch.packing import DeviceLoad, Task

Term = Literal["longest run", "compute", "memory"]


@dataclass(frozen=True)
class Bound:
    """A lower bound on the makespan.

    Args:
        seconds: no schedule is shorter, if durations, shares and memory are true.
        term: what binds: start the longest run earlier, get more compute, or get more memory.
        terms: every term's own bound, seconds.
    """

    seconds: float
    term: Term
    terms: dict[Term, float]


def lower_bound(tasks: Sequence[Task], devices: Sequence[DeviceLoad]) -> Bound:
    """Return the largest of three bounds over ``devices``, taken as empty.

    - the longest run: no run is faster than alone;
    - compute: sum of share x seconds over the number of devices;
    - memory: sum of bytes x seconds over all bytes, with every dual feasible function
      ``f_e(m) = M if m > M - e, m if m >= e, else 0``, so that runs too large to share count as whole devices.

    Source: dual feasible functions, Fekete and Schepers 2001, "New classes of fast lower bounds for bin packing".

    >>> bound = lower_bound([Task("a", 9.0, 0.5, 10.0), Task("b", 9.0, 0.5, 10.0)], [DeviceLoad("gpu", 16.0, 16.0)])
    >>> bound.seconds, bound.term
    (20.0, 'memory')
    """
    terms: dict[Term, float] = {
        "longest run": max((task.seconds for task in tasks), default=0.0),
        "compute": sum(task.compute * task.seconds for task in tasks) / max(len(devices), 1),
        "memory": _memory_bound(tasks, devices),
    }
    term = max(terms, key=lambda name: terms[name])
    return Bound(terms[term], term, terms)


def _memory_bound(tasks: Sequence[Task], devices: Sequence[DeviceLoad]) -> float:
    if not tasks or not devices:
        return 0.0
    largest = max(device.total for device in devices)
    by_memory = sorted(tasks, key=lambda task: task.memory)
    sizes = [task.memory for task in by_memory]
    seconds = [0.0, *accumulate(task.seconds for task in by_memory)]
    areas = [0.0, *accumulate(task.memory * task.seconds for task in by_memory)]

    def covered(edge: float) -> float:
        low, high = bisect_left(sizes, edge), bisect_right(sizes, largest - edge)
        middle = areas[high] - areas[low] if high > low else 0.0
        return middle + largest * (seconds[-1] - seconds[max(high, low)])

    edges = [0.0, largest / 2, *(size for size in sizes if size <= largest / 2)]
    best = max(covered(edge) for edge in edges) / (largest * len(devices))
    return max(best, areas[-1] / sum(device.total for device in devices))
