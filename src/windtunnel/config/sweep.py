"""A sweep: a base experiment, a space of settings around it, how the space is searched and what is best."""

import math
from collections.abc import Mapping
from typing import Annotated, Any, ClassVar, Literal

from pydantic import Field, model_serializer, model_validator

from windtunnel.config.base import (
    Component,
    ComponentOf,
    Count,
    Flag,
    FrozenConfig,
    Int,
    NonNegativeInt,
    PositiveReal,
    Real,
    Text,
)
from windtunnel.config.budget import BudgetConfig
from windtunnel.config.experiment import FolderName

MetricName = Literal["val_accuracy", "val_loss", "train_accuracy", "train_loss"]

_RESERVED = {
    "name": "runs are named by the sweep",
    "project": "give the sweep a project",
    "seed": "give `seeds` or `repeats`, so that every point gets the same ones",
    "evaluate.test": "a sweep never reads the test split; `windtunnel sweep test` does, for one run",
}

_MOST_STEPS = 1e15  # beyond, a step is less than what tells two numbers apart
_MOST_LISTED = 100_000
_RANGE_FIELDS = ("min", "max", "log", "integer", "step")


class Axis(FrozenConfig):
    """What one setting may be: one of ``values``, or a number from ``min`` to ``max``. A bare list is ``values``."""

    values: tuple[Any, ...] | None = None
    """Anything the setting takes: numbers, names, mappings."""
    min: Real | None = None
    """Smallest value."""
    max: Real | None = None
    """Largest value."""
    log: Flag = False
    """Draw evenly over orders of magnitude."""
    integer: Flag = False
    """Whole numbers only."""
    step: PositiveReal | None = None
    """Distance of neighbours, from ``min`` up; a grid over a range needs it."""
    when: dict[Text, Any] = {}
    """Other setting of the space -> value, or list of values, for which this one applies at all."""

    @model_validator(mode="before")
    @classmethod
    def _list_is_values(cls, value: Any) -> Any:
        return {"values": value} if isinstance(value, list | tuple) else value

    @model_validator(mode="after")
    def _values_or_range(self) -> "Axis":
        ranged = [name for name in _RANGE_FIELDS if _is_told(getattr(self, name))]
        if self.values is not None:
            if ranged:
                raise ValueError(f"has values and {', '.join(ranged)}; give either values or a range")
            if not self.values:
                raise ValueError("has no values; give at least one")
        elif self.min is None or self.max is None:
            raise ValueError("needs values, or min and max")
        else:
            _check_range(self.min, self.max, log=self.log, integer=self.integer, step=self.step)
        return self

    @model_serializer
    def _write_what_is_set(self) -> Any:
        fields = {name: getattr(self, name) for name in type(self).model_fields}
        told = {name: value for name, value in fields.items() if _is_told(value)}
        return list(told["values"]) if set(told) == {"values"} else told


class Grid(Component):
    """Every combination, in the order written; the last setting changes fastest."""

    target: ClassVar[str] = "windtunnel.sweeps.listed:GridPoints"
    name: Literal["grid"] = "grid"
    runs: Count | None = None
    """Stop after this many points; ``null`` takes all."""


class Random(Component):
    """Points drawn independently, each a function of (seed, number)."""

    target: ClassVar[str] = "windtunnel.sweeps.listed:RandomPoints"
    name: Literal["random"] = "random"
    runs: Count = 20
    """Points."""
    seed: NonNegativeInt = 0
    """Seed of the draws."""


class Tpe(Component):
    """Tree-structured Parzen estimator: draws where earlier points did well. Needs ``windtunnel[optuna]``.

    Source: Bergstra et al. 2011; Optuna's TPESampler.
    """

    target: ClassVar[str] = "windtunnel.sweeps.tpe:TpePoints"
    name: Literal["tpe"] = "tpe"
    runs: Count = 30
    """Points."""
    seed: NonNegativeInt = 0
    """Seed of the draws."""
    startup: Count = 10
    """Points drawn at random before results are used."""
    parallel: Count = 8
    """Most points waiting for results; more keep devices fuller, fewer learn more from each result."""


StrategyConfig = Annotated[Grid | Random | Tpe, ComponentOf("strategy")]


class MedianPruning(Component):
    """Stop a run whose best value so far is worse than the median of the others at the same epoch."""

    target: ClassVar[str] = "windtunnel.sweeps.pruning:build_median"
    name: Literal["median"] = "median"
    startup: Count = 5
    """Runs that must have ended before any is stopped."""
    warmup_epochs: NonNegativeInt = 0
    """Epochs that every run gets."""


class SuccessiveHalving(Component):
    """Let only the best ``1 / factor`` of the runs go on past each of the rungs.

    Rungs lie at ``first``, ``first * factor``, ``first * factor ** 2``, ... epochs; nobody waits for others.
    Source: Li et al. 2020 (ASHA); Optuna's SuccessiveHalvingPruner.
    """

    target: ClassVar[str] = "windtunnel.sweeps.pruning:build_halving"
    name: Literal["successive_halving"] = "successive_halving"
    first: Count = 1
    """Epochs to the first rung."""
    factor: Annotated[Int, Field(ge=2)] = 3
    """Runs of a rung to one that goes on."""


PruningConfig = Annotated[MedianPruning | SuccessiveHalving, ComponentOf("pruning")]


class SweepConfig(FrozenConfig):
    """Many runs around one experiment."""

    name: FolderName
    """Name of the sweep's folder; the same sweep under the same name goes on where it stopped."""
    project: FolderName | None = None
    """Folder the sweep's folder lies in; ``null`` takes the base's."""
    base: Text | dict[Text, Any]
    """Recipe, YAML file or fields of the experiment that every run starts from."""
    fixed: dict[Text, Any] = {}
    """Dotted path -> value, set in every run."""
    space: dict[Text, Axis] = {}
    """Dotted path -> what it may be."""
    strategy: StrategyConfig = Grid()
    """How points of the space are chosen."""
    pruning: PruningConfig | None = None
    """Stops runs early that do badly; ``null`` trains all to the end. Needs ``windtunnel[optuna]``."""
    metric: MetricName = "val_accuracy"
    """What makes a run good: of its last epoch, or of its best with ``train.early_stopping``."""
    mode: Literal["max", "min"] | None = None
    """``null`` is ``max`` for an accuracy and ``min`` for a loss."""
    seeds: Annotated[tuple[NonNegativeInt, ...], Field(min_length=1)] | None = None
    """Seeds of every point's runs; ``null`` counts up from the base's seed."""
    repeats: Count = 1
    """Runs of each point, when ``seeds`` is ``null``."""
    constraints: BudgetConfig | None = None
    """Limits on the network; points beyond are recorded and not run."""

    @property
    def maximise(self) -> bool:
        """Say whether bigger is better."""
        return self.metric.endswith("accuracy")

    @model_validator(mode="after")
    def _something_varies(self) -> "SweepConfig":
        if not self.space and self.seeds is None and self.repeats == 1:
            raise ValueError("the space is empty: give settings to vary, seeds or repeats")
        for path in (*self.space, *self.fixed):
            if path in _RESERVED:
                raise ValueError(f"{path} cannot be set in a sweep: {_RESERVED[path]}")
        twice = sorted(set(self.space) & set(self.fixed))
        if twice:
            raise ValueError(f"{', '.join(twice)} is both fixed and in the space")
        return self

    @model_validator(mode="after")
    def _mode_fits_metric(self) -> "SweepConfig":
        fitting = "max" if self.maximise else "min"
        if self.mode not in (None, fitting):
            raise ValueError(f"mode {self.mode} does not fit {self.metric}: its best is its {fitting}")
        return self

    @model_validator(mode="after")
    def _seeds_once(self) -> "SweepConfig":
        if self.seeds is not None and "repeats" in self.model_fields_set and self.repeats not in (1, len(self.seeds)):
            raise ValueError(f"repeats is {self.repeats} and there are {len(self.seeds)} seeds; give one of the two")
        if self.seeds is not None and len(set(self.seeds)) < len(self.seeds):
            raise ValueError("a seed is given twice; its runs would be the same")
        return self

    @model_validator(mode="after")
    def _grid_needs_steps(self) -> "SweepConfig":
        if isinstance(self.strategy, Grid):
            endless = [path for path, axis in self.space.items() if axis.values is None and not is_countable(axis)]
            if endless:
                raise ValueError(f"a grid needs values or a step for {', '.join(endless)}; or use strategy random")
            long = [path for path, axis in self.space.items() if _count_steps(axis) > _MOST_LISTED]
            if long:
                raise ValueError(
                    f"a grid would list more than {_MOST_LISTED:,} values of {', '.join(long)}; take larger steps, or "
                    "use strategy random"
                )
        return self

    @model_validator(mode="after")
    def _conditions_lead_somewhere(self) -> "SweepConfig":
        for path, axis in self.space.items():
            for other in axis.when:
                _check_condition(self.space, path, other)
        return self


def is_countable(axis: Axis) -> bool:
    """Say whether a grid can list the axis: it has values, a step or whole numbers evenly spaced."""
    return axis.values is not None or (not axis.log and (axis.step is not None or axis.integer))


def condition_axis(space: Mapping[str, Axis], path: str) -> str | None:
    """Return the setting that a condition on ``path`` looks at, ``optim`` for ``optim.name``, or None."""
    if path in space:
        return path
    parent = path.removesuffix(".name")
    return parent if parent != path and parent in space else None


def _count_steps(axis: Axis) -> float:
    """Return how many steps lie between an axis's ends; 0 for listed values."""
    if axis.min is None or axis.max is None:
        return 0.0
    return (axis.max - axis.min) / (axis.step or 1.0)


def _is_told(value: Any) -> bool:
    return value is not None and value is not False and value != {}


def _check_range(low: float, high: float, *, log: bool, integer: bool, step: float | None) -> None:
    if low >= high:
        raise ValueError(f"min {low:g} must be below max {high:g}")
    if log and low <= 0:
        raise ValueError(f"log needs min above 0, not {low:g}")
    if not math.isfinite(high - low) or (high - low) / (step or 1.0) > _MOST_STEPS:
        raise ValueError(f"the range from {low:g} to {high:g} is too wide for steps of {step or 1.0:g}")
    if step is not None and step > high - low:
        raise ValueError(f"step {step:g} is more than the whole range from {low:g} to {high:g}")
    fractions = [number for number in (low, high, step) if number is not None and not float(number).is_integer()]
    if integer and fractions:
        raise ValueError(f"integer needs whole numbers, not {', '.join(f'{number:g}' for number in fractions)}")


def _check_condition(space: Mapping[str, Axis], path: str, other: str) -> None:
    seen = [path]
    waiting = [other]
    while waiting:
        looked_at = waiting.pop()
        axis = condition_axis(space, looked_at)
        if axis is None:
            raise ValueError(f"space.{path}.when: {looked_at} is not in the space; it has {', '.join(space)}")
        if axis == path:
            raise ValueError(f"space.{path}.when leads back to itself: {' -> '.join([*seen, axis])}")
        if axis not in seen:
            seen.append(axis)
            waiting.extend(space[axis].when)
