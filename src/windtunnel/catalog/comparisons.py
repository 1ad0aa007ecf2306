"""Comparisons, ablations, times to an accuracy: what was asked, what trials gave so far, what the answer is."""

import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from windtunnel.catalog.outcomes import (
    AttemptRow,
    EffectRow,
    count_missing,
    describe_goal,
    describe_times,
    read_attempts,
    read_effects,
)
from windtunnel.catalog.reading import Meter
from windtunnel.catalog.runs import RunReader

Interval = tuple[float, float]
Kind = Literal["comparison", "ablation", "time_to"]
_KINDS: tuple[Kind, ...] = ("comparison", "ablation", "time_to")
_DAMAGED = (LookupError, TypeError, ValueError, AttributeError)  # of a file that others damaged


@dataclass(frozen=True)
class ComparisonRow:
    """What a table shows of a comparison, an ablation or a time to an accuracy.

    Args:
        id: its folder below the runs folder.
        name: its folder's own name.
        designs: names of the designs, the baseline first.
        trials: trials that have ended.
        verdict: the answer in words.
        updated: when its answer was written or its last trial ended, seconds since 1970.
    """

    id: str
    name: str
    designs: tuple[str, ...]
    trials: int
    verdict: str
    updated: float


@dataclass(frozen=True)
class DesignTrials:
    """One design's trials.

    Args:
        letter: ``A`` for the baseline, then ``B``, ``C``, ...
        name: what the user called it.
        runs: ids of its trials that have ended; times to an accuracy keep none.
        seconds: prepare and train of each.
        accuracies: of each, percent; 0 for one that diverged.
        seconds_interval: 95% interval of the mean, or None for one trial.
        accuracy_interval: likewise.
        flops: mean of training, counted; None before the answer, or where trials have none.
    """

    letter: str
    name: str
    runs: tuple[str, ...]
    seconds: tuple[float, ...]
    accuracies: tuple[float, ...]
    seconds_interval: Interval | None
    accuracy_interval: Interval | None
    flops: float | None = None

    @property
    def seconds_mean(self) -> float | None:
        """Mean time, or None without trials."""
        return statistics.fmean(self.seconds) if self.seconds else None

    @property
    def accuracy_mean(self) -> float | None:
        """Mean accuracy, or None without trials."""
        return statistics.fmean(self.accuracies) if self.accuracies else None


@dataclass(frozen=True)
class ComparisonView:
    """Everything about a comparison.

    Args:
        kind: what it is; a comparison until its answer says otherwise.
        metric: the accuracy compared.
        designs: the baseline first.
        verdicts: the answers in words; of an ablation a line an effect.
        note: how sure one may be, in words.
        effects: of an ablation's changes.
        attempts: trials of times to an accuracy.
    """

    kind: Kind
    metric: str
    designs: tuple[DesignTrials, ...]
    verdicts: tuple[str, ...]
    note: str
    effects: tuple[EffectRow, ...] = ()
    attempts: tuple[AttemptRow, ...] = ()


class ComparisonReader:
    """Keeps what is known of one comparison.

    Args:
        path: its folder.
        id: its folder below the runs folder.
        meter: counts what is read.
    """

    def __init__(self, path: Path, id: str, meter: Meter) -> None:
        self.path = path
        self.id = id
        self.row: ComparisonRow | None = None
        self._meter = meter
        self._answer: dict[str, Any] = {}
        self._kind: Kind = "comparison"
        self._stamp = (-1, -1)
        self._written = 0.0
        self._ended: list[RunReader] = []

    def refresh(self, trials: Sequence[RunReader] | None) -> bool:
        """Read the answer if it is new and return whether the row has changed.

        Args:
            trials: its runs; None when they are as they were.
        """
        self._ended = [trial for trial in trials if trial.is_settled] if trials is not None else self._ended
        if not self._read_answer() and trials is None:
            return False
        before, ended = self.row, self._ended
        newest = max((trial.row.updated for trial in ended if trial.row), default=0.0)
        count = len(ended) + len(self._read_attempts())
        self.row = ComparisonRow(
            id=self.id,
            name=self.path.name,
            designs=tuple(figures["name"] for figures in self._figures) or _letters(ended),
            trials=count,
            verdict=" ".join(self._verdicts()) or f"under way: {count} trials have ended",
            updated=max(self._written, newest),
        )
        return self.row != before

    def view(self, trials: Sequence[RunReader]) -> ComparisonView:
        """Return everything there is about it; ``trials`` are its runs."""
        names = {figures["letter"]: figures["name"] for figures in self._figures}
        ended = [trial for trial in trials if trial.is_settled]
        metric = "accuracy" if self._kind == "time_to" else str(self._table.get("metric") or _guess_metric(ended))
        designs = [
            self._make_design(letter, names.get(letter, letter), metric, _of(letter, ended))
            for letter in (tuple(names) or _letters(trials))
        ]
        return ComparisonView(
            kind=self._kind,
            metric=metric,
            designs=tuple(designs),
            verdicts=tuple(self._verdicts()),
            note=self._describe(),
            effects=self._read_effects(),
            attempts=self._read_attempts(),
        )

    @property
    def _table(self) -> Mapping[str, Any]:
        """The comparison in the answer; an ablation keeps its variants' one level down."""
        table = self._answer.get("variants", self._answer)
        return table if isinstance(table, dict) else {}

    @property
    def _figures(self) -> list[dict[str, Any]]:
        listed = self._table.get("finishes" if self._kind == "time_to" else "figures")
        known = listed if isinstance(listed, list) else []
        return [each for each in known if isinstance(each, dict) and {"letter", "name"} <= each.keys()]

    def _read_answer(self) -> bool:
        for kind in _KINDS:
            path = self.path / f"{kind}.json"
            state = self._meter.stat(path)
            if state is None:
                continue
            stamp = (state.st_mtime_ns, state.st_ino)
            if stamp == self._stamp:
                return False
            self._stamp, self._written, self._kind = stamp, state.st_mtime, kind
            self._answer = self._meter.read_json(path) or {}
            return True
        return self.row is None

    def _verdicts(self) -> list[str]:
        try:
            return self._read_verdicts()
        except _DAMAGED as error:
            return [f"{self.path}: its answer cannot be read: {error!r}"]

    def _read_verdicts(self) -> list[str]:
        if self._kind == "ablation":
            return [str(effect) for effect in read_effects(self._answer)]
        if self._kind == "time_to":
            return describe_times(self._answer)
        return [answer["sentence"] for answer in self._answer.get("answers", []) if "sentence" in answer]

    def _read_effects(self) -> tuple[EffectRow, ...]:
        try:
            return read_effects(self._answer) if self._kind == "ablation" else ()
        except _DAMAGED:  # the verdict says it
            return ()

    def _read_attempts(self) -> tuple[AttemptRow, ...]:
        try:
            return read_attempts(self._answer) if self._kind == "time_to" else ()
        except _DAMAGED:  # the verdict says it
            return ()

    def _describe(self) -> str:
        try:
            return self._note()
        except _DAMAGED:
            return ""

    def _note(self) -> str:
        told = self._answer.get("rules")
        rules = told if isinstance(told, dict) else {}
        if not self._answer:
            return "Under way: intervals are the bootstrap's, and nothing is decided before the last trial."
        if self._kind == "time_to":
            left = count_missing(self._answer)
            return f"{describe_goal(self._answer)}{f' Under way: {left} trials are still to come.' if left else ''}"
        if self._kind == "ablation":
            return f"{self._answer.get('design', '').replace('_', ' ')}, t-intervals over {self._pairs} seeds"
        how = "may stop early, judged at any time" if rules.get("stop_early") else "number of trials fixed beforehand"
        return f"{self._pairs} trials of each design, {how}; error {rules.get('alpha', 0.05):g} a question"

    @property
    def _pairs(self) -> int:
        pairs = self._table.get("pairs", 0)
        return pairs if isinstance(pairs, int) else 0

    def _make_design(self, letter: str, name: str, metric: str, trials: Sequence[RunReader]) -> DesignTrials:
        seconds = tuple(_seconds(trial.summary) for trial in trials)
        accuracies = tuple(_accuracy(trial.summary, metric) for trial in trials)
        if self._kind == "time_to":
            mine = [one for one in self._read_attempts() if one.letter == letter and one.reached]
            seconds, accuracies = tuple(one.seconds for one in mine), tuple(one.accuracy for one in mine)
        figures = next((each for each in self._figures if each["letter"] == letter), {})
        return DesignTrials(
            letter=letter,
            name=name,
            runs=tuple(trial.id for trial in trials),
            seconds=seconds,
            accuracies=accuracies,
            seconds_interval=_interval(figures.get("seconds"), seconds),
            accuracy_interval=_interval(figures.get("accuracy"), accuracies),
            flops=figures.get("flops"),
        )


def _of(letter: str, trials: Sequence[RunReader]) -> list[RunReader]:
    return [trial for trial in trials if trial.path.name.rpartition("-")[2] == letter]


def _letters(trials: Sequence[RunReader]) -> tuple[str, ...]:
    return tuple(sorted({trial.path.name.rpartition("-")[2] for trial in trials}))


def _guess_metric(trials: Sequence[RunReader]) -> str:
    validated = trials and all("val_accuracy" in trial.summary.get("metrics", {}) for trial in trials)
    return "val_accuracy" if validated else "test_accuracy"


def _seconds(summary: Mapping[str, Any]) -> float:
    phases = summary.get("seconds") or {}
    return float(phases.get("prepare", 0.0)) + float(phases.get("train", 0.0))


def _accuracy(summary: Mapping[str, Any], metric: str) -> float:
    """Return a trial's accuracy as its comparison counts it, percent."""
    reached = (summary.get("metrics") or {}).get(metric) if summary.get("status") == "finished" else None
    return 100 * float(reached or 0.0)


def _interval(told: Mapping[str, Any] | None, values: Sequence[float]) -> Interval | None:
    """Return the interval in the answer if it is of as many trials, else the bootstrap's of those that there are."""
    if told and told.get("n") == len(values):
        return None if told.get("low") is None or told.get("high") is None else (told["low"], told["high"])
    if len(values) < 2:
        return None
    from windtunnel.comparison.statistics import bootstrap_interval

    return bootstrap_interval(values)
