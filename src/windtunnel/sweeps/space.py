"""Points of a space: every one of a grid, drawn ones, and the outermost ones."""

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from random import Random
from typing import Any

from windtunnel.config.sweep import Axis, condition_axis

Choices = Mapping[str, Any]
"""Dotted path -> value of every setting that applies."""

Space = Mapping[str, Axis]

_DIGITS = 6  # of drawn numbers: enough to tell them apart, few enough to read and to type
_DIGITS_ON_STEPS = 12  # drops what repeated addition of 0.1 leaves


def list_grid(space: Space) -> Iterator[dict[str, Any]]:
    """Yield every point of a countable space; the last setting changes fastest.

    >>> from windtunnel.config.sweep import Axis
    >>> list(list_grid({"a": Axis(values=(1, 2)), "b": Axis(values=(3, 4), when={"a": 2})}))
    [{'a': 1}, {'a': 2, 'b': 3}, {'a': 2, 'b': 4}]
    """
    yield from _walk(space, lambda path: list_values(space[path]))


def list_corners(space: Space) -> Iterator[dict[str, Any]]:
    """Yield every combination of all listed values and the two ends of every range."""
    yield from _walk(space, lambda path: list_ends(space[path]))


def count_corners(space: Space) -> int:
    """Return how many corners the space has when every condition holds: an upper bound."""
    return math.prod(len(list_ends(axis)) for axis in space.values())


def count_grid(space: Space) -> int:
    """Return how many points a countable space has when every condition holds: an upper bound."""
    return math.prod(len(axis.values) if axis.values is not None else _steps(axis) + 1 for axis in space.values())


def draw_corner(space: Space, random: Random) -> dict[str, Any]:
    """Return one point, every setting a listed value or an end of its range."""
    return suggest(space, lambda path: random.choice(list_ends(space[path])))


def list_values(axis: Axis) -> list[Any]:
    """Return the values of a countable axis in order.

    >>> from windtunnel.config.sweep import Axis
    >>> list_values(Axis(min=0.1, max=0.3, step=0.1))
    [0.1, 0.2, 0.3]
    """
    if axis.values is not None:
        return list(axis.values)
    return [snap(axis, _low(axis) + index * _step(axis)) for index in range(_steps(axis) + 1)]


def list_ends(axis: Axis) -> list[Any]:
    """Return all listed values, or the two ends of a range."""
    return list(axis.values) if axis.values is not None else [snap(axis, _low(axis)), snap(axis, _high(axis))]


def draw(space: Space, random: Random) -> dict[str, Any]:
    """Return one point, every setting drawn on its own."""
    return suggest(space, lambda path: _draw_value(space[path], random))


def suggest(space: Space, choose: Callable[[str], Any]) -> dict[str, Any]:
    """Return one point whose settings ``choose`` picks, those that others depend on first."""
    chosen: dict[str, Any] = {}
    for path in in_order(space):
        if applies(space, path, chosen):
            chosen[path] = choose(path)
    return {path: chosen[path] for path in space if path in chosen}


def in_order(space: Space) -> list[str]:
    """Return the settings so that each comes after those its condition looks at, otherwise as written."""
    ordered: list[str] = []
    waiting = list(space)
    while waiting:
        ready = next(path for path in waiting if _parents(space, path) <= set(ordered))
        ordered.append(ready)
        waiting.remove(ready)
    return ordered


def applies(space: Space, path: str, chosen: Choices) -> bool:
    """Say whether the setting at ``path`` applies beside those ``chosen``."""
    return all(_holds(space, other, wanted, chosen) for other, wanted in space[path].when.items())


def snap(axis: Axis, value: float) -> int | float:
    """Return the value of a range nearest to ``value``: on its steps, within its ends, whole where it must be."""
    low, digits = _low(axis), _DIGITS
    if axis.step is not None or axis.integer:
        value = low + min(round((value - low) / _step(axis)), _steps(axis)) * _step(axis)
        digits = _DIGITS_ON_STEPS
    rounded = float(f"{value:.{digits}g}")
    inside = min(max(rounded, low), _high(axis))
    return int(inside) if axis.integer else inside


def _walk(space: Space, values: Callable[[str], Sequence[Any]]) -> Iterator[dict[str, Any]]:
    order = in_order(space)

    def extend(chosen: dict[str, Any], depth: int) -> Iterator[dict[str, Any]]:
        if depth == len(order):
            yield {path: chosen[path] for path in space if path in chosen}
        elif not applies(space, order[depth], chosen):
            yield from extend(chosen, depth + 1)
        else:
            for value in values(order[depth]):
                yield from extend({**chosen, order[depth]: value}, depth + 1)

    yield from extend({}, 0)


def _draw_value(axis: Axis, random: Random) -> Any:
    if axis.values is not None:
        return axis.values[random.randrange(len(axis.values))]
    low, high = _low(axis), _high(axis)
    if axis.log:
        return snap(axis, math.exp(random.uniform(math.log(low), math.log(high))))
    if axis.step is not None or axis.integer:
        return snap(axis, low + random.randrange(_steps(axis) + 1) * _step(axis))
    return snap(axis, random.uniform(low, high))


def _holds(space: Space, other: str, wanted: Any, chosen: Choices) -> bool:
    path = condition_axis(space, other)
    if path is None or path not in chosen:
        return False
    alternatives = wanted if isinstance(wanted, list | tuple) else [wanted]
    value = chosen[path]
    named = value.get("name") if isinstance(value, Mapping) else value
    return any(candidate in (value, named) for candidate in alternatives)


def _parents(space: Space, path: str) -> set[str]:
    found = (condition_axis(space, other) for other in space[path].when)
    return {parent for parent in found if parent is not None}


def _low(axis: Axis) -> float:
    assert axis.min is not None
    return axis.min


def _high(axis: Axis) -> float:
    assert axis.max is not None
    return axis.max


def _step(axis: Axis) -> float:
    return axis.step if axis.step is not None else 1.0


def _steps(axis: Axis) -> int:
    """Return how many steps fit between the ends; a hair's breadth short of one counts as one."""
    return math.floor((_high(axis) - _low(axis)) / _step(axis) + 1e-9)
