"""One run as a row of a table, read on while it trains."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from windtunnel.catalog.configs import ConfigReader, Scalar
from windtunnel.catalog.curves import MetricRows, Progress
from windtunnel.catalog.reading import Meter, Tail, parse_object
from windtunnel.core.locks import is_locked

LIVE_S = 10.0
"""A run that wrote this lately is running; later its lock is asked."""

_ASKED_AGAIN_S = 15.0
_LATELY_S, _FREE_LOOKED_AT_S = 3600.0, 5.0
_TICK_S = 2.0
_START_BYTES = 2048
_METRICS = ("train_loss", "train_accuracy", "val_loss", "val_accuracy", "val_loss_ema", "val_accuracy_ema")


@dataclass(frozen=True)
class RunRow:
    """What a table shows of a run; None and missing metrics are not known (yet).

    Args:
        id: its folder below the runs folder.
        name: its folder's own name.
        project: its experiment's project.
        parent: id of the sweep or comparison it belongs to, or None.
        status: ``running``, ``finished``, ``diverged``, ``interrupted``, in sweeps also ``pruned``, ``failed`` and
            ``cancelled``, or ``stopped``: nobody trains it and it never said that it ended.
        started: seconds since 1970.
        updated: when it last wrote, seconds since 1970.
        epoch: epochs done.
        epochs: epochs of the whole run, fractions included.
        step: optimizer updates done.
        total_steps: of the whole run.
        seconds: all its phases together once it has ended; until then the training of its epochs.
        device: in words.
        precision: number format of activations.
        parameters: of the network.
        seed: its seed.
        metrics: the last of each.
        best_val_accuracy: best of any epoch, 0..1.
    """

    id: str
    name: str
    project: str
    parent: str | None
    status: str
    started: float | None
    updated: float
    epoch: int
    epochs: float | None
    step: int
    total_steps: int | None
    seconds: float | None
    device: str
    precision: str
    parameters: int | None
    seed: int | None
    metrics: Mapping[str, float]
    best_val_accuracy: float | None


@dataclass
class RunReader:
    """Keeps the row of one run.

    Args:
        path: its folder.
        id: its folder below the runs folder.
        parent: id of its sweep or comparison, empty for none.
        meter: counts what is read.
        configs: reads its settings.
        verdict: how its sweep says it ended; empty while it does not.
        beat_step: updates its worker told the sweep's dispatcher of, 0 without.
    """

    path: Path
    id: str
    parent: str
    meter: Meter
    configs: ConfigReader
    verdict: str = ""
    beat_step: int = 0
    fields: dict[str, Scalar] = field(default_factory=dict)
    summary: dict[str, Any] = field(default_factory=dict)
    row: RunRow | None = None
    _start: dict[str, Any] = field(default_factory=dict)
    _modified_ns: int = -1
    _updated: float = 0.0
    _held: bool = False
    _asked_at: float = 0.0
    _asked_for: float = -1.0
    _known: tuple[str, float, float, int, int, int] | None = None
    _progress: Progress = field(default_factory=Progress)
    _rows: MetricRows | None = None

    def refresh(self, now: float) -> bool:
        """Read what is new and return whether the row has changed; False when the folder is gone.

        Args:
            now: seconds since 1970.
        """
        if not self.is_settled and not self._read(now):
            return False
        known = self._describe_known(now)
        if known == self._known:
            return False
        before, self._known = self.row, known
        self.row = self._make_row(status=known[0])
        return self.row != before

    @property
    def is_settled(self) -> bool:
        """Whether it ended so that nobody goes on with it."""
        return self.summary.get("status") in ("finished", "diverged")

    def _read(self, now: float) -> bool:
        state = self.meter.stat(self.path)
        if state is None:
            return False
        self._updated = self._updated or state.st_mtime
        if not self.fields:
            self.fields = self.configs.read(self.meter.read_text(f"{self.path}/config.yaml") or "")
        changed = state.st_mtime_ns != self._modified_ns
        if changed:
            self._read_summary()
            # a folder written a moment ago may change again within the same tick of its clock
            self._modified_ns = state.st_mtime_ns if now - state.st_mtime > _TICK_S else -1
        if not self._start:
            self._read_start()
        if not self.summary and (changed or self._may_write(now)):
            self._follow(now)
        return True

    def _describe_known(self, now: float) -> tuple[str, float, float, int, int, int]:
        """Return what the row depends on; it is made anew only when this changes."""
        tail = self._rows.tail if self._rows else None
        read = (tail.offset, tail.cuts) if tail else (0, 0)
        return (self._status(now), self._updated, len(self._start), *read, self.beat_step)

    def _read_summary(self) -> None:
        found = self.meter.read(f"{self.path}/summary.json")
        self.summary = (parse_object(found[0]) or {}) if found else {}
        if found:
            self._updated = found[1].st_mtime

    def _read_start(self) -> None:
        found = self.meter.read(f"{self.path}/events.jsonl", most=_START_BYTES)
        if found:
            self._start = parse_object(found[0].partition(b"\n")[0]) or {}

    def _follow(self, now: float) -> None:
        """Read on in the metrics of a run without an end, and ask who holds it once it is silent."""
        self._rows = self._rows or MetricRows(Tail(self.path / "metrics.csv", self.meter))
        anew, rows = self._rows.read()
        if anew:
            self._progress = Progress()
        self._progress.add(rows)
        self._updated = max(self._updated, self._rows.tail.modified)
        if self._is_silent(now):
            self._ask(now)

    def _is_silent(self, now: float) -> bool:
        """Say whether it has not written lately; one that wrote far ahead did before the clock was set back."""
        return abs(now - self._updated) > LIVE_S

    @property
    def _is_free(self) -> bool:
        """Whether nobody held it when it was asked after its last sign of life."""
        return not self._held and self._asked_for == self._updated

    def _may_write(self, now: float) -> bool:
        """Say whether to look at its metrics: of one that nobody has held for long only now and then.

        Not never, since there are file systems that tell every lock is free.
        """
        return not self._is_free or now - self._updated < _LATELY_S or abs(now - self._asked_at) > _FREE_LOOKED_AT_S

    def _ask(self, now: float) -> None:
        """Ask whether a process holds the run: seldom, and once it is free not again before it has written."""
        if self._is_free:
            self._asked_at = now
        elif not self._held or abs(now - self._asked_at) >= _ASKED_AGAIN_S:
            self._held = is_locked(self.path / ".lock")
            self._asked_at, self._asked_for = now, self._updated

    def _status(self, now: float) -> str:
        if self.verdict:
            return self.verdict
        if self.summary:
            return str(self.summary.get("status", "stopped"))
        return "stopped" if self._is_silent(now) and not self._held else "running"

    def _make_row(self, *, status: str) -> RunRow:
        summary, start, progress = self.summary, self._start, self._progress
        told = summary or start
        return RunRow(
            id=self.id,
            name=self.path.name,
            project=str(self.fields.get("project") or ""),
            parent=self.parent or None,
            status=status,
            started=_number(start.get("time")),
            updated=self._updated,
            epoch=math.ceil(_number(summary.get("epochs")) or progress.value("epoch") or 0),
            epochs=_number(start.get("epochs")) or _number(self.fields.get("train.epochs")),
            step=max(self._steps(), 0 if summary else self.beat_step),
            total_steps=_whole(told.get("total_steps")),
            seconds=_sum(summary.get("seconds")) if summary else progress.seconds or None,
            device=str(told.get("device") or ""),
            precision=str(told.get("precision") or ""),
            parameters=_whole(told.get("parameters")),
            seed=_whole(self.fields.get("seed")),
            metrics=_numbers(summary.get("metrics")) if summary else self._last_metrics(),
            best_val_accuracy=self._best(),
        )

    def _steps(self) -> int:
        return _whole(self.summary.get("steps")) or int(self._progress.value("step") or 0)

    def _last_metrics(self) -> dict[str, float]:
        values = {name: self._progress.value(name) for name in _METRICS}
        return {name: value for name, value in values.items() if value is not None}

    def _best(self) -> float | None:
        if not self.summary:
            return self._progress.best if math.isfinite(self._progress.best) else None
        watched = self.fields.get("train.early_stopping.metric") or "val_accuracy"
        return _number(self.summary.get("best_validation")) if "accuracy" in str(watched) else None


def _number(value: Any) -> float | None:
    return float(value) if isinstance(value, int | float) and math.isfinite(value) else None


def _whole(value: Any) -> int | None:
    return int(value) if isinstance(value, int | float) and math.isfinite(value) else None


def _numbers(values: Any) -> dict[str, float]:
    pairs = values.items() if isinstance(values, dict) else ()
    return {str(name): number for name, value in pairs if (number := _number(value)) is not None}


def _sum(values: Any) -> float | None:
    numbers = _numbers(values)
    return round(sum(numbers.values()), 3) if numbers else None
