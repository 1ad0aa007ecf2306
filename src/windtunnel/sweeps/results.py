"""What came of a sweep, read from its folder: every point with its runs, spread over seeds and rank.

Works on a sweep that is still going, or that was killed.
"""

import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from windtunnel.dispatch.journal import read_journal
from windtunnel.dispatch.state import RunState, replay
from windtunnel.report.load import load_epochs
from windtunnel.sweeps.definition import Definition
from windtunnel.sweeps.folder import PointRecord, SweepFolder
from windtunnel.sweeps.score import read_score
from windtunnel.training.folder import RunFolder


@dataclass(frozen=True)
class RunRow:
    """One run of a sweep.

    Args:
        id: its id, which is also its folder's name.
        seed: its seed.
        status: how it ended; ``running``, ``waiting`` or ``not started`` when it has not.
        reason: in words.
        value: the sweep's metric of the weights it kept, or None.
        epochs: epochs it has reported.
        seconds: wall clock so far, summed over its phases.
        peak_bytes: largest memory it was seen to hold, or None.
    """

    id: str
    seed: int
    status: str
    reason: str
    value: float | None
    epochs: int
    seconds: float | None
    peak_bytes: int | None


@dataclass(frozen=True)
class PointResult:
    """One point of a sweep and its runs.

    Args:
        number: its number.
        choices: dotted path -> value.
        runs: its runs, one a seed.
        refusal: why it was not run; empty when it was.
    """

    number: int
    choices: Mapping[str, Any]
    runs: tuple[RunRow, ...]
    refusal: str = ""

    @property
    def values(self) -> list[float]:
        """Metric of every finished run."""
        return [run.value for run in self.runs if run.value is not None and run.status == "finished"]

    @property
    def mean(self) -> float | None:
        """Mean over the finished runs, or None without any."""
        return statistics.fmean(self.values) if self.values else None

    @property
    def deviation(self) -> float | None:
        """Sample standard deviation over the finished runs; None for fewer than two."""
        return statistics.stdev(self.values) if len(self.values) > 1 else None

    @property
    def has_lost_seeds(self) -> bool:
        """Whether a run diverged, or was stopped early for doing badly: the others are then the lucky ones."""
        return any(run.status in ("diverged", "pruned") for run in self.runs)


@dataclass(frozen=True)
class Results:
    """A sweep's results.

    Args:
        definition: the sweep.
        points: in the order they were proposed.
    """

    definition: Definition
    points: tuple[PointResult, ...]

    @property
    def runs(self) -> list[RunRow]:
        """Every run."""
        return [run for point in self.points for run in point.runs]


def read_results(folder: SweepFolder) -> Results:
    """Return the results of the sweep in ``folder`` as they are now."""
    definition = folder.read_definition()
    states = replay(read_journal(folder.dispatch / "journal.jsonl")).runs
    points = tuple(_read_point(folder, definition, record, states) for record in folder.read_points())
    return Results(definition, points)


def rank_points(results: Results) -> list[PointResult]:
    """Return the points, best mean first; those without a finished run come last, as proposed.

    A point that lost a seed to divergence or pruning comes after those that did not, since the mean over the seeds that
    are left flatters it.
    """
    sign = -1 if results.definition.config.maximise else 1
    measured = [point for point in results.points if point.mean is not None]
    rest = [point for point in results.points if point.mean is None]
    return [*sorted(measured, key=lambda point: (point.has_lost_seeds, sign * (point.mean or 0.0))), *rest]


@dataclass(frozen=True)
class PairedDifference:
    """How a point differs from the best one, seed by seed, so that what the seeds share cancels out.

    Args:
        mean: mean of (point - best) over the seeds both have.
        deviation: sample standard deviation of the differences; None for fewer than two seeds.
        seeds: seeds both have.
    """

    mean: float
    deviation: float | None
    seeds: int


def compare_with(best: PointResult, point: PointResult) -> PairedDifference | None:
    """Return the paired difference of ``point`` to ``best``, or None when they share no finished seed."""
    first, second = _by_seed(best), _by_seed(point)
    differences = [second[seed] - first[seed] for seed in first if seed in second]
    if not differences:
        return None
    deviation = statistics.stdev(differences) if len(differences) > 1 else None
    return PairedDifference(statistics.fmean(differences), deviation, len(differences))


def _by_seed(point: PointResult) -> dict[int, float]:
    return {run.seed: run.value for run in point.runs if run.value is not None and run.status == "finished"}


def _read_point(
    folder: SweepFolder, definition: Definition, record: PointRecord, states: Mapping[str, RunState]
) -> PointResult:
    seeds: Sequence[int] = definition.seeds
    runs = tuple(
        _read_run(folder.run(job), definition, record, job, seed, states.get(job))
        for job, seed in zip(record.jobs, seeds, strict=False)
    )
    return PointResult(record.number, record.choices, runs, record.refusal)


def _read_run(
    folder: Path, definition: Definition, record: PointRecord, job: str, seed: int, state: RunState | None
) -> RunRow:
    experiment = definition.experiment(record.choices, seed=seed, name=job)
    summary = (RunFolder(folder).read_summary() or {}) if folder.exists() else {}
    seconds = summary.get("seconds")
    return RunRow(
        id=job,
        seed=seed,
        status=_status(state),
        reason=state.outcome.reason if state and state.outcome else (state.note if state else ""),
        value=read_score(folder, experiment, definition.config.metric),
        epochs=len(load_epochs(folder / "metrics.csv")),
        seconds=round(sum(seconds.values()), 1) if seconds else None,
        peak_bytes=state.peak_bytes if state else None,
    )


def _status(state: RunState | None) -> str:
    if state is None:
        return "not started"
    if state.outcome is not None:
        return state.outcome.status
    return "waiting" if state.placement is None else "running"
