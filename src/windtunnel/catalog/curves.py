"""The curves of a run, read on as ``metrics.csv`` grows."""

import csv
import math
from array import array
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from windtunnel.catalog.reading import Meter, Tail

COLUMNS = (
    "epoch",
    "step",
    "seconds",
    "train_loss",
    "val_loss",
    "val_loss_ema",
    "train_accuracy",
    "val_accuracy",
    "val_accuracy_ema",
    "lr",
    "images_per_second",
    "memory_bytes",
)
WHOLE = ("epoch", "step", "memory_bytes")
"""Columns that hold whole numbers."""


@dataclass
class MetricRows:
    """The complete rows of a ``metrics.csv`` that were not seen before.

    Files of older versions have fewer columns; what is missing, empty or no number is NaN. A line with more or fewer
    cells than the header is left out.

    Args:
        tail: the file.
    """

    tail: Tail
    _header: list[str] = field(default_factory=list)

    def read(self) -> tuple[bool, list[list[float]]]:
        """Return whether the rows begin anew, and those since then, each in the order of ``COLUMNS``."""
        anew, lines = self.tail.read()
        if anew:
            self._header = []
        if lines and not self._header:
            self._header = _split(lines.pop(0))
            self._places = [self._header.index(name) if name in self._header else -1 for name in COLUMNS]
        rows = [cells for line in lines if len(cells := _split(line)) == len(self._header)]
        return anew, [[_number(row[place]) if place >= 0 else math.nan for place in self._places] for row in rows]


@dataclass
class Progress:
    """How far a run has come, from its rows alone, without keeping them.

    Args:
        last: its last row, a number for each of ``COLUMNS``; empty before the first.
        seconds: training time of all rows.
        best: best validation accuracy so far; NaN before any.
    """

    last: list[float] = field(default_factory=list)
    seconds: float = 0.0
    best: float = math.nan

    def add(self, rows: Sequence[list[float]]) -> None:
        """Take note of further rows."""
        for row in rows:
            self.last = row
            self.seconds += row[_SECONDS] if math.isfinite(row[_SECONDS]) else 0.0
            if not row[_ACCURACY] <= self.best and math.isfinite(row[_ACCURACY]):
                self.best = row[_ACCURACY]

    def value(self, name: str) -> float | None:
        """Return a figure of the last row, or None when it was not measured."""
        value = self.last[COLUMNS.index(name)] if self.last else math.nan
        return value if math.isfinite(value) else None


@dataclass(frozen=True)
class CurveSlice:
    """Rows of a run's curves.

    Args:
        first: number of the first row given, counted from 0.
        generation: changes when the run was cut back, e.g. because it went on from an older checkpoint.
        columns: for each of ``COLUMNS`` a value a row; ``seconds`` are added up from the first row of all; None where
            nothing was measured.
    """

    first: int
    generation: str
    columns: dict[str, list[float | int | None]]

    @property
    def rows(self) -> int:
        """How many rows are given."""
        return len(self.columns["epoch"])


class CurveFile:
    """Keeps the curves of one run and reads what is new."""

    def __init__(self, path: Path, meter: Meter) -> None:
        self._rows = MetricRows(Tail(path, meter))
        self._columns = {name: array("d") for name in COLUMNS}

    def slice(self, first: int = 0, generation: str = "") -> CurveSlice:
        """Return the rows from ``first`` on, after reading on.

        All are given when there are fewer than that, or when ``generation`` is told and is not the present one.
        """
        anew, rows = self._rows.read()
        if anew:
            self._columns = {name: array("d") for name in COLUMNS}
        self._append(rows)
        current = self._rows.tail.generation
        have = len(self._columns["epoch"])
        start = first if 0 <= first <= have and generation in ("", current) else 0
        columns = {name: _as_values(values[start:], name in WHOLE) for name, values in self._columns.items()}
        return CurveSlice(start, current, columns)

    def _append(self, rows: Sequence[list[float]]) -> None:
        for row in rows:
            for name, value in zip(COLUMNS, row, strict=True):
                self._columns[name].append(value)
            seconds = self._columns["seconds"]
            if len(seconds) > 1 and math.isfinite(seconds[-2]):
                seconds[-1] = seconds[-2] + (seconds[-1] if math.isfinite(seconds[-1]) else 0.0)


def _split(line: bytes) -> list[str]:
    text = line.decode("utf-8", "replace")
    return next(csv.reader([text]), []) if '"' in text else text.rstrip("\r").split(",")


def _number(text: str) -> float:
    try:
        return float(text) if text else math.nan
    except ValueError:
        return math.nan


def _as_values(values: "array[float]", whole: bool) -> list[float | int | None]:
    if whole:
        return [int(value) if math.isfinite(value) else None for value in values]
    return [value if math.isfinite(value) else None for value in values]


_SECONDS, _ACCURACY = COLUMNS.index("seconds"), COLUMNS.index("val_accuracy")
