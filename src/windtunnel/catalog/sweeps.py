"""One sweep, read on while its journal grows: how far it is, what its runs are worth, what mattered."""

import math
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from windtunnel.catalog.journal import JournalReader
from windtunnel.catalog.reading import Meter, Tail, parse_object
from windtunnel.config.sweep import Tpe, is_countable
from windtunnel.dispatch.journal import is_held
from windtunnel.dispatch.launch import JobFolder
from windtunnel.dispatch.order import read_heartbeat
from windtunnel.dispatch.pool import Pool
from windtunnel.dispatch.state import RunState
from windtunnel.dispatch.types import Outcome
from windtunnel.errors import WindtunnelError
from windtunnel.sweeps.definition import Definition
from windtunnel.sweeps.folder import PointRecord, SweepFolder
from windtunnel.sweeps.results import PointResult, Results, RunRow, rank_points
from windtunnel.sweeps.score import read_score
from windtunnel.sweeps.space import count_grid

_ASKED_AGAIN_S = 3.0


@dataclass(frozen=True)
class SweepRow:
    """What a table shows of a sweep.

    Args:
        id: its folder below the runs folder.
        name: its folder's own name.
        status: ``running``, ``paused`` or ``idle``: no dispatcher works on it.
        metric: what makes a run good; empty when the definition cannot be read.
        goal: ``max`` or ``min``.
        ended: status -> runs that ended so.
        running: runs with a worker.
        waiting: runs in the queue.
        total: runs it will have, as far as that is known.
        best: best mean over seeds of any point, or None.
        updated: when its journal last grew, seconds since 1970.
        problem: why its files cannot be read; empty when they can.
    """

    id: str
    name: str
    status: str
    metric: str
    goal: str
    ended: Mapping[str, int]
    running: int
    waiting: int
    total: int | None
    best: float | None
    updated: float
    problem: str = ""


class SweepReader:
    """Keeps what is known of one sweep.

    Args:
        path: its folder.
        id: its folder below the runs folder.
        meter: counts what is read.
    """

    def __init__(self, path: Path, id: str, meter: Meter) -> None:
        self.path = path
        self.id = id
        self.row: SweepRow | None = None
        self.points: dict[int, PointRecord] = {}
        self.journal = JournalReader(Tail(path / "dispatch" / "journal.jsonl", meter))
        self._meter = meter
        self._folder = SweepFolder(path)
        self._points = Tail(path / "points.jsonl", meter)
        self._definition: Definition | None = None
        self._defined_at = -1
        self._problem = ""
        self._scores: dict[str, tuple[Outcome, float | None]] = {}
        self._held, self._asked_at = False, 0.0
        self._told_to = (0, 0)
        self._claimed = 0
        self._best: tuple[list[int], float | None] = ([], None)

    @property
    def definition(self) -> Definition | None:
        """The sweep as defined; None when that cannot be read."""
        return self._definition

    @property
    def runs(self) -> Mapping[str, RunState]:
        """Where each run stands, by job."""
        return self.journal.state.runs

    def refresh(self, now: float) -> bool:
        """Read what is new and return whether the row has changed.

        Args:
            now: seconds since 1970.
        """
        try:
            return self._refresh(now)
        except (OSError, LookupError, TypeError, ValueError, AttributeError) as error:  # files that others damaged
            before, self.row = self.row, self._make_bare_row(f"{self.path} cannot be read: {error!r}")
            return self.row != before

    def _refresh(self, now: float) -> bool:
        anew = self._read_definition()
        anew |= self.journal.refresh()
        anew |= self._read_points()
        anew |= self._count_claims()
        self._ask(now)
        if not anew and self.row is not None and self.row.status == self._status():
            return False
        before, self.row = self.row, self._make_row()
        return self.row != before

    @property
    def threads(self) -> int | None:
        """CPU threads that every run's experiment sets; None where it leaves them to the dispatcher."""
        if self._definition is None:
            return None
        runtime: Any = self._definition.base.get("runtime") or {}
        threads = self._definition.config.fixed.get("runtime.threads", runtime.get("threads"))
        return threads if isinstance(threads, int) else None

    def run_id(self, job: str) -> str:
        """Return the id of a job's run."""
        return f"runs/{job}" if self.id == "." else f"{self.id}/runs/{job}"

    def log(self, job: str) -> Path:
        """Return the file that a job's workers print to."""
        return JobFolder(self.path / "dispatch" / "jobs" / job).log

    def take_changed(self) -> list[tuple[str, RunState]]:
        """Return the runs as they stand now if anything happened to them since this was last asked."""
        offset = (self.journal.tail.offset, self.journal.tail.cuts)
        if offset == self._told_to:
            return []
        self._told_to = offset
        return list(self.runs.items())

    def beats(self) -> dict[str, int]:
        """Return for every run with a worker here how many updates that worker told of."""
        placed = [run.id for run in self.runs.values() if run.placement is not None]
        found = {id: read_heartbeat(self.path / "dispatch" / "jobs" / id / "heartbeat.json") for id in placed}
        return {id: beat.step for id, beat in found.items() if beat is not None}

    def results(self) -> Results | None:
        """Return every point with its runs; None when the definition cannot be read."""
        if self._definition is None:
            return None
        return Results(self._definition, tuple(self._make_point(self.points[number]) for number in sorted(self.points)))

    # Reading

    def _read_definition(self) -> bool:
        state = self._meter.stat(self.path / "sweep.yaml")
        stamp = state.st_mtime_ns if state else -1
        if stamp == self._defined_at:
            return False
        self._defined_at = stamp
        try:
            self._definition, self._problem = self._folder.read_definition(), ""
        except (WindtunnelError, OSError) as error:
            self._definition, self._problem = None, str(error)
        return True

    def _read_points(self) -> bool:
        anew, lines = self._points.read()
        if anew:
            self.points = {}
        for values in filter(None, map(parse_object, lines)):
            if {"number", "choices", "jobs"} <= values.keys():
                point = PointRecord(
                    int(values["number"]), values["choices"], tuple(values["jobs"]), values.get("refusal", "")
                )
                self.points[point.number] = point
        return anew or bool(lines)

    def _count_claims(self) -> bool:
        """Count the runs that machines have pulled; return whether that changed."""
        before, pool = self._claimed, Pool(self.path / "dispatch" / "pool")
        is_shared = self._meter.stat(pool.path / "claimed") is not None
        self._claimed = sum(1 for _ in pool.claims()) if is_shared else 0
        return self._claimed != before

    def _ask(self, now: float) -> None:
        """Ask whether a dispatcher is at work: seldom, and of a sweep that is over only when its journal grew."""
        if abs(now - self._asked_at) >= _ASKED_AGAIN_S and (not self._is_over() or self._held):
            self._held, self._asked_at = is_held(self.path / "dispatch"), now

    def _is_over(self) -> bool:
        total = self._count_total()
        ended = sum(run.outcome is not None for run in self.runs.values())
        return total is not None and ended >= total

    # What it comes to

    def _status(self) -> str:
        if not self._held:
            return "idle"
        return "paused" if self.journal.state.paused else "running"

    def _make_row(self) -> SweepRow:
        runs = list(self.runs.values())
        config = self._definition.config if self._definition else None
        return SweepRow(
            id=self.id,
            name=self.path.name,
            status=self._status(),
            metric=config.metric if config else "",
            goal="" if config is None else "max" if config.maximise else "min",
            ended=dict(Counter(run.outcome.status for run in runs if run.outcome is not None)),
            running=sum(run.placement is not None for run in runs) + self._claimed,
            waiting=max(sum(run.is_waiting for run in runs) - self._claimed, 0),
            total=self._count_total(),
            best=self._find_best(),
            updated=self.journal.tail.modified or self._points.modified,
            problem=self._problem or self.journal.problem,
        )

    def _make_bare_row(self, problem: str) -> SweepRow:
        return SweepRow(self.id, self.path.name, "idle", "", "", {}, 0, 0, None, None, 0.0, problem)

    def _count_total(self) -> int | None:
        """Return how many runs there will be: those proposed, or what a search that still learns is set to."""
        if self._definition is None:
            return None
        strategy, space = self._definition.config.strategy, self._definition.config.space
        known = sum(len(point.jobs) for point in self.points.values())
        if not isinstance(strategy, Tpe):
            return known or None
        countable = all(is_countable(axis) for axis in space.values())
        points = min(strategy.runs, count_grid(space)) if countable else strategy.runs
        return max(points * len(self._definition.seeds), known)

    def _find_best(self) -> float | None:
        ended = [run.outcome.attempts for run in self.runs.values() if run.outcome]  # a run tried again has more
        if ended != self._best[0]:
            results = self.results()
            first = next(iter(rank_points(results)), None) if results else None
            self._best = (ended, first.mean if first else None)
        return self._best[1]

    def _make_point(self, point: PointRecord) -> PointResult:
        seeds = self._definition.seeds if self._definition else ()
        runs = tuple(self._make_run(point, job, seed) for job, seed in zip(point.jobs, seeds, strict=False))
        return PointResult(point.number, point.choices, runs, point.refusal)

    def _make_run(self, point: PointRecord, job: str, seed: int) -> RunRow:
        state = self.runs.get(job)
        outcome = state.outcome if state else None
        seconds = outcome.summary.get("seconds") if outcome else None
        return RunRow(
            id=job,
            seed=seed,
            status=_status_of(state),
            reason=outcome.reason if outcome else state.note if state else "",
            value=self._score(point, job, seed) if outcome else None,
            epochs=math.ceil(outcome.summary.get("epochs") or 0) if outcome else 0,
            seconds=round(sum(seconds.values()), 1) if seconds else None,
            peak_bytes=state.peak_bytes if state else None,
        )

    def _score(self, point: PointRecord, job: str, seed: int) -> float | None:
        """Return what an ended run is worth; its files are read once, and only where the journal does not say it."""
        outcome, known = self.runs[job].outcome, self._scores.get(job)
        if known is not None and known[0] is outcome:
            return known[1]
        if outcome is None or self._definition is None:
            return None
        told = outcome.summary.get("metrics", {}).get(self._definition.config.metric)
        score: float | None = told if told is not None and self._keeps_last else self._read_score(point, job, seed)
        self._scores[job] = (outcome, score)
        return score

    def _read_score(self, point: PointRecord, job: str, seed: int) -> float | None:
        assert self._definition is not None
        try:
            experiment = self._definition.experiment(point.choices, seed=seed, name=job)
            return read_score(self._folder.run(job), experiment, self._definition.config.metric)
        except (WindtunnelError, OSError):
            return None

    @property
    def _keeps_last(self) -> bool:
        """Whether every run's last weights are its result, so that its last metrics are its score."""
        assert self._definition is not None
        config = self._definition.config
        base: Any = self._definition.base.get("train") or {}
        varied = [path for path in (*config.fixed, *config.space) if path == "train" or "early_stopping" in path]
        return base.get("early_stopping") is None and not varied


def _status_of(state: RunState | None) -> str:
    if state is None:
        return "not started"
    if state.outcome is not None:
        return state.outcome.status
    return "waiting" if state.placement is None else "running"
