"""Everything that can be wrong with a sweep's points, found before anything runs."""

import itertools
from collections.abc import Iterator, Sequence
from dataclasses import replace
from random import Random
from typing import Any

from windtunnel.config.experiment import Experiment
from windtunnel.config.sweep import Grid
from windtunnel.errors import ConfigError, Problem
from windtunnel.recipes import load_recipe
from windtunnel.registry import suggest
from windtunnel.sweeps.definition import Definition, describe_choices, flatten
from windtunnel.sweeps.space import Choices, count_corners, count_grid, draw_corner, list_corners, list_grid

_MOST_CORNERS = 1024
_LARGEST_GRID = 50_000
_SHOWN_POINTS = 2
# what other tools call our settings
_OTHER_NAMES = {
    "learning_rate": "optim.lr",
    "optimizer": "optim",
    "scheduler": "schedule",
    "lr_scheduler": "schedule",
    "architecture": "model",
    "arch": "model",
    "net": "model",
    "dataset": "data.source",
}


def check_points(definition: Definition) -> None:
    """Do nothing when every point that can come up is a valid experiment that reports the sweep's metric.

    A grid is checked point by point. Of a space that is drawn from, every combination of listed values and ends of
    ranges is checked, or 1,024 of them where there are more.

    Raises:
        ConfigError: carries every problem once, and names points that have it.
    """
    found: dict[tuple[str, str, str], tuple[Problem, list[str]]] = {}
    total = 0
    for choices in _points_to_check(definition):
        total += 1
        for problem in _check_point(definition, choices):
            _, points = found.setdefault((problem.path, problem.message, problem.value), (problem, []))
            points.append(_describe_related(choices, problem))
    if found:
        near = _near_paths(definition)
        problems = [_say_where(_with_hint(problem, near), points, total) for problem, points in found.values()]
        raise ConfigError(f"sweep {definition.config.name}", problems)


def _points_to_check(definition: Definition) -> Iterator[dict[str, Any]]:
    space, strategy = definition.config.space, definition.config.strategy
    if isinstance(strategy, Grid):
        points = count_grid(space)
        if strategy.runs is None and points > _LARGEST_GRID:
            problem = Problem("space", f"is a grid of up to {points:,} points; narrow it, or use strategy=random")
            raise ConfigError(f"sweep {definition.config.name}", [problem])
        return itertools.islice(list_grid(space), strategy.runs)
    if count_corners(space) <= _MOST_CORNERS:
        return list_corners(space)
    random = Random(0)
    return (draw_corner(space, random) for _ in range(_MOST_CORNERS))


def _check_point(definition: Definition, choices: Choices) -> Sequence[Problem]:
    try:
        experiment = definition.experiment(choices, seed=definition.seeds[0], name="check")
    except ConfigError as error:
        return error.problems
    return _check_metric(experiment, definition.config.metric)


def _check_metric(experiment: Experiment, metric: str) -> list[Problem]:
    has_part = experiment.data.may_have_validation
    if not metric.startswith("val_") or (has_part and experiment.train.validate_every > 0):
        return []
    missing = "data.split.validation" if not has_part else "train.validate_every"
    return [Problem("metric", f"{metric} is never reported: set {missing} above 0")]


def _near_paths(definition: Definition) -> dict[str, str]:
    """Return the last part of every known setting's path -> the path, for those who leave the front out."""
    known = [*flatten(load_recipe("quickstart").model_dump(mode="json")), *flatten(definition.base)]
    return {**_OTHER_NAMES, **{path.rpartition(".")[2]: path for path in reversed(known) if "." in path}}


def _with_hint(problem: Problem, near: dict[str, str]) -> Problem:
    if problem.hint or "not a known field" not in problem.message:
        return problem
    last = problem.path.rpartition(".")[2]
    return replace(problem, hint=near.get(last) or near.get(suggest(last, near), ""))


def _describe_related(choices: Choices, problem: Problem) -> str:
    """Return the settings of a point that touch the field with the problem, or all when none does."""
    field = problem.path.partition(".")[0]
    related = {path: value for path, value in choices.items() if path.partition(".")[0] == field}
    return describe_choices(related or choices)


def _say_where(problem: Problem, points: Sequence[str], total: int) -> Problem:
    """Return ``problem`` with the points it is in, unless it is in all of many."""
    if (len(points) == total and total > 1) or not any(points):
        return problem
    different = list(dict.fromkeys(points))
    shown = "; ".join(different[:_SHOWN_POINTS]) + ("; ..." if len(different) > _SHOWN_POINTS else "")
    return replace(problem, message=f"{problem.message} [{len(points)} of {total} points: {shown}]")
