"""Strategies that need no results: every point of a grid, and points drawn at random."""

import itertools
from collections.abc import Iterator
from random import Random
from typing import Any

from windtunnel.sweeps.points import Verdict
from windtunnel.sweeps.space import Choices, Space, draw, list_grid


class GridPoints:
    """Every point of a grid, in order (see :class:`windtunnel.sweeps.points.Points`)."""

    def __init__(self, *, runs: int | None, space: Space) -> None:
        self._coming: Iterator[dict[str, Any]] = itertools.islice(list_grid(space), runs)
        self._listed: list[dict[str, Any]] = []

    def has(self, number: int) -> bool:
        """Say whether the grid has a point ``number``."""
        while len(self._listed) <= number and (point := next(self._coming, None)) is not None:
            self._listed.append(point)
        return number < len(self._listed)

    def is_ready(self, number: int, waiting: int) -> bool:
        """Say yes: a grid waits for nothing."""
        return True

    def propose(self, number: int) -> Choices:
        """Return the grid's point ``number``."""
        if not self.has(number):
            raise IndexError(number)
        return self._listed[number]

    def tell(self, number: int, verdict: Verdict) -> None:
        """Nothing depends on it."""


class RandomPoints:
    """Endlessly many points, each drawn from (seed, number) alone."""

    def __init__(self, *, runs: int, seed: int, space: Space) -> None:
        self._seed = seed
        self._space = space

    def has(self, number: int) -> bool:
        """Say yes: draws do not run out."""
        return True

    def is_ready(self, number: int, waiting: int) -> bool:
        """Say yes: no draw depends on another."""
        return True

    def propose(self, number: int) -> Choices:
        """Return draw ``number``."""
        return draw(self._space, Random(f"{self._seed}/{number}"))

    def tell(self, number: int, verdict: Verdict) -> None:
        """Nothing depends on it."""
