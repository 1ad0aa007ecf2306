"""How long a run still takes, from the steps it has taken: pure functions of (time, step) marks."""

import math
import statistics
from collections.abc import Sequence
from typing import NamedTuple

_WARM_UP_STEPS = 3
_TRIM = 0.1
_LEAST_SPREAD = 0.05
_SPREADS = 2.0


class Mark(NamedTuple):
    """A moment in a run.

    Args:
        seconds: clock, in seconds since any fixed moment.
        step: optimizer updates done.
        runners: which other runs share the device, e.g. their number; steps are only comparable while it stays.
    """

    seconds: float
    step: int
    runners: int = 0


class Remaining(NamedTuple):
    """What is left of a run, seconds."""

    low: float
    seconds: float
    high: float


def trimmed_mean(values: Sequence[float], trim: float = _TRIM) -> float:
    """Return the mean without the ``trim`` lowest and highest shares.

    >>> trimmed_mean([1.0, 1.0, 1.0, 1.0, 90.0], trim=0.2)
    1.0
    """
    cut = int(len(values) * trim)
    return statistics.fmean(sorted(values)[cut : len(values) - cut])


def step_times(marks: Sequence[Mark]) -> dict[int, list[float]]:
    """Return seconds a step between marks at which steps were done, by who shared the device, first steps left out.

    The first steps pay for compiling, tuning and page faults. Marks may come more often than steps. A stretch that saw
    two sets of runners says nothing of either.

    >>> step_times([Mark(0, 0), Mark(9, 3), Mark(10, 4), Mark(11, 4), Mark(12, 5), Mark(16, 7, 1), Mark(20, 9, 1)])
    {0: [1.0, 2.0], 1: [2.0]}
    """
    found: dict[int, list[float]] = {}
    if not marks:
        return found
    start, is_clean = marks[0], True
    for mark in marks[1:]:
        done = mark.step - start.step
        if mark.runners != start.runners:
            start, is_clean = mark, done > 0
        elif done > 0:
            if is_clean and start.step >= marks[0].step + _WARM_UP_STEPS:
                found.setdefault(mark.runners, []).append((mark.seconds - start.seconds) / done)
            start, is_clean = mark, True
    return found


def step_seconds(marks: Sequence[Mark], runners: int) -> Remaining | None:
    """Return the time of one step while ``runners`` share the device, as a range, or None before it was seen."""
    times = step_times(marks).get(runners)
    if not times:
        return None
    middle = trimmed_mean(times)
    spread = statistics.stdev(times) / math.sqrt(len(times)) if len(times) > 1 else middle / 2
    margin = max(_SPREADS * spread, _LEAST_SPREAD * middle)
    return Remaining(max(middle - margin, 0.0), middle, middle + margin)


def remaining_seconds(
    marks: Sequence[Mark], total_steps: int, *, overhead: float = 0.0, runners: int | None = None
) -> Remaining | None:
    """Return what is left of a run, or None before steps were timed.

    Args:
        marks: moments so far, oldest first.
        total_steps: steps of the whole run.
        overhead: share of time that validation and checkpoints add to the steps.
        runners: who shares the device from now on; None keeps the last mark's.
    """
    if not marks:
        return None
    step = step_seconds(marks, marks[-1].runners if runners is None else runners)
    if step is None:
        return None
    left = max(total_steps - marks[-1].step, 0) * (1 + overhead)
    return Remaining(*(left * seconds for seconds in step))
