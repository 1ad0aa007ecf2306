"""Learning-rate schedules: pure functions from a place in training to a multiplier of the peak rate."""

import math
from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, NamedTuple, Protocol


class Schedule(Protocol):
    """A multiplier of the peak learning rate for every step."""

    def multiplier(self, step: int, *, total_steps: int, steps_per_epoch: int) -> float:
        """Return the multiplier for the update after ``step`` updates, ``step`` in 0 .. total_steps - 1."""


class Place(NamedTuple):
    """A place in training, counted from the end of the warm-up.

    Args:
        progress: share of the steps that is done, 0..1.
        epoch: epochs done, fractions included.
    """

    progress: float
    epoch: float


@dataclass(frozen=True, kw_only=True)
class WarmedUp(ABC):
    """A schedule behind a linear warm-up."""

    warmup_epochs: float = 0.0
    warmup_from: float = 0.0
    interval: Literal["step", "epoch"] = "step"

    def multiplier(self, step: int, *, total_steps: int, steps_per_epoch: int) -> float:
        """Rise from ``warmup_from`` for ``warmup_epochs``, then follow the schedule over the steps left."""
        if self.interval == "epoch":
            step -= step % steps_per_epoch
        rise = min(self.warmup_epochs * steps_per_epoch, total_steps)
        if step < rise:
            return self.warmup_from + (self.value(Place(0.0, 0.0)) - self.warmup_from) * step / rise
        return self.value(Place((step - rise) / max(total_steps - rise, 1), (step - rise) / steps_per_epoch))

    @abstractmethod
    def value(self, place: Place) -> float:
        """Return the multiplier at ``place``."""


@dataclass(frozen=True, kw_only=True)
class Constant(WarmedUp):
    """The peak rate throughout.

    >>> Constant().multiplier(3, total_steps=10, steps_per_epoch=5)
    1.0
    """

    def value(self, place: Place) -> float:
        """Return 1."""
        return 1.0


@dataclass(frozen=True, kw_only=True)
class Step(WarmedUp):
    """``gamma ** floor(epoch / step_epochs)``.

    >>> [Step(step_epochs=1, gamma=0.5).multiplier(step, total_steps=6, steps_per_epoch=2) for step in range(6)]
    [1.0, 1.0, 0.5, 0.5, 0.25, 0.25]
    """

    step_epochs: float
    gamma: float

    def value(self, place: Place) -> float:
        """Return the multiplier after the drops so far."""
        return float(self.gamma ** math.floor(place.epoch / self.step_epochs + 1e-9))


@dataclass(frozen=True, kw_only=True)
class MultiStep(WarmedUp):
    """``gamma`` to the power of the milestones passed.

    >>> drops = MultiStep(milestones=[1, 3], gamma=0.1)
    >>> [drops.multiplier(epoch, total_steps=4, steps_per_epoch=1) for epoch in range(4)]
    [1.0, 0.1, 0.1, 0.010000000000000002]
    """

    milestones: Sequence[float]
    gamma: float

    def value(self, place: Place) -> float:
        """Return the multiplier after the drops so far."""
        return float(self.gamma ** sum(place.epoch >= milestone - 1e-9 for milestone in self.milestones))


@dataclass(frozen=True, kw_only=True)
class Cosine(WarmedUp):
    """``final + (1 - final) * (1 + cos(pi * t)) / 2``, t the share of the cosine's length that is done.

    >>> [round(Cosine().multiplier(step, total_steps=4, steps_per_epoch=2), 3) for step in range(4)]
    [1.0, 0.854, 0.5, 0.146]
    """

    final: float = 0.0
    t_max: float | None = None
    restart_factor: float | None = None

    def value(self, place: Place) -> float:
        """Return the half cosine's height at ``place``."""
        return self.final + (1 - self.final) * (1 + math.cos(math.pi * self._share(place))) / 2

    def _share(self, place: Place) -> float:
        if self.t_max is None:
            return place.progress
        if self.restart_factor is None:
            return min(place.epoch / self.t_max, 1.0)
        length, left = self.t_max, place.epoch
        while left >= length - 1e-9:
            left, length = left - length, length * self.restart_factor
        return max(left, 0.0) / length


@dataclass(frozen=True, kw_only=True)
class Linear(WarmedUp):
    """``1 + (final - 1) * progress``.

    >>> [Linear().multiplier(step, total_steps=4, steps_per_epoch=2) for step in range(4)]
    [1.0, 0.75, 0.5, 0.25]
    """

    final: float = 0.0

    def value(self, place: Place) -> float:
        """Return the line's height at ``place``."""
        return 1 + (self.final - 1) * place.progress


@dataclass(frozen=True, kw_only=True)
class PiecewiseLinear(WarmedUp):
    """Straight lines between ``points`` of (progress, multiplier), level outside them.

    >>> rise_and_fall = PiecewiseLinear(points=[(0.0, 0.2), (0.25, 1.0), (1.0, 0.1)])
    >>> [round(rise_and_fall.multiplier(step, total_steps=4, steps_per_epoch=2), 3) for step in range(4)]
    [0.2, 1.0, 0.7, 0.4]
    """

    points: Sequence[tuple[float, float]]

    def value(self, place: Place) -> float:
        """Return the line's height at ``place``."""
        first, last = self.points[0], self.points[-1]
        if place.progress <= first[0]:
            return first[1]
        for start, end in zip(self.points, self.points[1:], strict=False):
            if place.progress <= end[0]:
                share = (place.progress - start[0]) / (end[0] - start[0])
                return start[1] + share * (end[1] - start[1])
        return last[1]


@dataclass(frozen=True, kw_only=True)
class OneCycle(WarmedUp):
    """Cosine from ``1 / start_divisor`` to 1 over the first ``rise``, then to ``1 / (start_divisor * end_divisor)``.

    >>> [round(OneCycle(rise=0.5).multiplier(step, total_steps=4, steps_per_epoch=2), 3) for step in range(4)]
    [0.04, 0.52, 1.0, 0.5]
    """

    rise: float = 0.3
    start_divisor: float = 25.0
    end_divisor: float = 1e4

    def value(self, place: Place) -> float:
        """Return the cycle's height at ``place``."""
        start = 1 / self.start_divisor
        if place.progress < self.rise:
            return _half_cosine(start, 1.0, place.progress / self.rise)
        return _half_cosine(1.0, start / self.end_divisor, (place.progress - self.rise) / (1 - self.rise))


def sample_rates(schedule: Schedule, *, epochs: float, steps_per_epoch: int) -> tuple[list[float], list[float]]:
    """Return every step's place, in epochs, and multiplier, for a picture.

    >>> sample_rates(Linear(), epochs=1.0, steps_per_epoch=2)
    ([0.0, 0.5], [1.0, 0.5])
    """
    total = math.ceil(epochs * steps_per_epoch)
    return (
        [step / steps_per_epoch for step in range(total)],
        [schedule.multiplier(step, total_steps=total, steps_per_epoch=steps_per_epoch) for step in range(total)],
    )


def _half_cosine(start: float, end: float, share: float) -> float:
    return end + (start - end) * (1 + math.cos(math.pi * share)) / 2
