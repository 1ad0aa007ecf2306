"""Choosing order and compute cap for the runs at hand: play a few rules through and take the best.

No one cap is right everywhere: many small runs lose to each other's interference what a few large ones gain by
overlapping. Playing the rules costs milliseconds. Estimates are wrong by a third or so, and a plan that is only good
when they are exact is not; so each rule is also played over runs that take longer or shorter than estimated.
"""

import math
import random
from collections.abc import Mapping, Sequence
from dataclasses import replace

from windtunnel.dispatch.packing import DeviceLoad, Policy, Task, get_policy
from windtunnel.dispatch.simulation import simulate

_CAPS = (1.0, 1.1, 1.2, 1.35, 1.5)
_SCENARIOS = 2
_DURATION_SPREAD = 0.3
_WORTH = 0.99
_MOST_TASKS = 100


AUTO = "auto"
"""The policy name that stands for the search."""


def choose_policy(name: str, tasks: Sequence[Task], devices: Sequence[DeviceLoad]) -> Policy:
    """Return the policy called ``name``, or for ``auto`` the one that the search finds for ``tasks``.

    Raises:
        UsageError: there is no such policy, or a task fits on no device.
    """
    return search_policy(tasks, devices) if name == AUTO else get_policy(name)


def check_policy(name: str) -> None:
    """Refuse a name that is neither a policy nor ``auto``.

    Raises:
        UsageError: there is no such policy.
    """
    if name != AUTO:
        get_policy(name)


def search_policy(tasks: Sequence[Task], devices: Sequence[DeviceLoad]) -> Policy:
    """Return the rule whose simulated makespan over ``tasks`` is least; ``weighted`` unless another clearly wins.

    Args:
        tasks: what waits; above a hundred of them ``weighted`` is returned at once, since in long queues rules
            differ little.
        devices: as they are now.

    Raises:
        UsageError: a task fits on no device.
    """
    usual = get_policy("weighted")
    if len(tasks) > _MOST_TASKS:
        return usual
    scenarios = _draw_scenarios(tasks)

    def cost(policy: Policy) -> float:
        return sum(simulate(tasks, devices, policy, true_seconds=scenario).makespan for scenario in scenarios)

    best_cost, best = min(((cost(policy), index) for index, policy in enumerate(_candidates())), default=(0.0, 0))
    return _candidates()[best] if best_cost < _WORTH * cost(usual) else usual


def _candidates() -> list[Policy]:
    return [replace(get_policy(name), compute_cap=cap) for name in ("weighted", "lpt") for cap in _CAPS]


def _draw_scenarios(tasks: Sequence[Task]) -> list[Mapping[str, float] | None]:
    """Return the durations as estimated (None), and a few in which each run errs by its own log-normal factor."""
    drawn: list[Mapping[str, float] | None] = [None]
    for scenario in range(_SCENARIOS):
        generator = random.Random(scenario)
        drawn.append({task.id: task.seconds * math.exp(generator.gauss(0, _DURATION_SPREAD)) for task in tasks})
    return drawn
