"""Learning-rate schedules: pure functions from a place in training to a multiplier of the peak rate."""

import math
from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol


class Schedule(Protocol):
    """A multiplier of the peak learning rate for every step."""

    def multiplier(self, step: int, *, total_steps: int, steps_per_epoch: int) -> float:
        """Return the multiplier for the update after ``step`` updates, ``step`` in 0 .. total_steps - 1."""


@dataclass(frozen=True, kw_only=True)
class _WarmedUp(ABC):
    warmup_epochs: float = 0.0
    warmup_from: float = 0.0

    def multiplier(self, step: int, *, total_steps: int, steps_per_epoch: int) -> float:
        """Rise from ``warmup_from`` for ``warmup_epochs``, then follow the schedule over the steps left."""
        rise = min(self.warmup_epochs * steps_per_epoch, total_steps)
        if step < rise:
            return self.warmup_from + (self.shape(0.0) - self.warmup_from) * step / rise
        return self.shape((step - rise) / max(total_steps - rise, 1))

    @abstractmethod
    def shape(self, progress: float) -> float:
        """Return the multiplier at ``progress`` in 0..1 of the steps after the warm-up."""


@dataclass(frozen=True, kw_only=True)
class Constant(_WarmedUp):
    """The peak rate throughout.

    >>> Constant().multiplier(3, total_steps=10, steps_per_epoch=5)
    1.0
    """

    def shape(self, progress: float) -> float:
        """Return 1."""
        return 1.0


@dataclass(frozen=True, kw_only=True)
class Cosine(_WarmedUp):
    """``final + (1 - final) * (1 + cos(pi * progress)) / 2``.

    >>> [round(Cosine().multiplier(step, total_steps=4, steps_per_epoch=2), 3) for step in range(4)]
    [1.0, 0.854, 0.5, 0.146]
    """

    final: float = 0.0

    def shape(self, progress: float) -> float:
        """Return the half cosine at ``progress``."""
        return self.final + (1 - self.final) * (1 + math.cos(math.pi * progress)) / 2


@dataclass(frozen=True, kw_only=True)
class PiecewiseLinear(_WarmedUp):
    """Straight lines between ``points`` of (progress, multiplier), level outside them.

    >>> rise_and_fall = PiecewiseLinear(points=[(0.0, 0.2), (0.25, 1.0), (1.0, 0.1)])
    >>> [round(rise_and_fall.multiplier(step, total_steps=4, steps_per_epoch=2), 3) for step in range(4)]
    [0.2, 1.0, 0.7, 0.4]
    """

    points: Sequence[tuple[float, float]]

    def shape(self, progress: float) -> float:
        """Return the line's height at ``progress``."""
        before, after = self.points[0], self.points[-1]
        if progress <= before[0]:
            return before[1]
        for start, end in zip(self.points, self.points[1:], strict=False):
            if progress <= end[0]:
                share = (progress - start[0]) / (end[0] - start[0])
                return start[1] + share * (end[1] - start[1])
        return after[1]
