"""A sweep's study: turns a strategy's points into jobs and the jobs' outcomes into verdicts on the points."""

import hashlib
import json
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from statistics import fmean
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Literal

from windtunnel.config.experiment import Experiment
from windtunnel.config.sweep import Grid, Random
from windtunnel.dispatch.types import Job, Outcome
from windtunnel.errors import ConfigError, ModelError
from windtunnel.sweeps.definition import Definition, run_id
from windtunnel.sweeps.folder import PointRecord, SweepFolder
from windtunnel.sweeps.points import Points, Verdict
from windtunnel.sweeps.pruning import Pruning
from windtunnel.sweeps.score import read_score
from windtunnel.sweeps.space import Choices

if TYPE_CHECKING:
    from windtunnel.sweeps.feasible import Feasibility

_MOST_IN_VAIN = 100  # proposals in a row that are nothing new, after which a space counts as used up


@dataclass
class _Point:
    """A point that is run: its jobs and the proposals that turned out to be it."""

    jobs: dict[str, Experiment]
    numbers: list[int] = field(default_factory=list)
    verdict: Verdict | None = None


class Study:
    """The source of a sweep's jobs (see :class:`windtunnel.dispatch.types.JobSource`).

    Whatever was told before, or is told twice, a job is given out once and counted once: a restarted dispatcher
    replays its journal into a new study and goes on. Nothing on disk is touched before the first call.

    Args:
        definition: the sweep.
        folder: where its points and runs are kept.
    """

    def __init__(self, definition: Definition, folder: SweepFolder) -> None:
        self._definition = definition
        self._folder = folder
        self._queue: deque[Job] = deque()
        self._points: dict[str, _Point] = {}  # by what they are, so that no experiment is run twice
        self._refused: set[str] = set()
        self._keys: dict[str, str] = {}
        self._point_of: dict[str, _Point] = {}
        self._outcomes: dict[str, Outcome] = {}
        self._proposed = 0
        self._in_vain = 0

    def take(self, limit: int) -> list[Job]:
        """Return up to ``limit`` jobs not given out before."""
        while len(self._queue) < limit and not self._ends_proposing() and self._is_ready():
            self._propose()
        return [self._queue.popleft() for _ in range(min(limit, len(self._queue)))]

    def progress(self, job: str, epoch: int, metrics: dict[str, float]) -> bool:
        """Take note of an epoch's metrics and return whether the run goes on; without pruning it always does."""
        value = metrics.get(self._definition.config.metric)
        if self._pruning is None or value is None or job in self._outcomes:
            return True
        go_on = self._pruning.should_go_on(job, epoch, value)
        return go_on or self._has_trained_all(job, epoch)

    def finish(self, outcome: Outcome) -> None:
        """Take note that a job ended for good."""
        if outcome.job in self._outcomes:
            return
        self._outcomes[outcome.job] = outcome
        if self._pruning is not None:
            self._pruning.finish(outcome.job, _ENDINGS.get(outcome.status, "unknown"))
        if outcome.job in self._point_of:
            self._close_if_done(self._point_of[outcome.job])

    def is_exhausted(self) -> bool:
        """Say whether every job has been given out and no result will bring another."""
        return self._ends_proposing() and not self._queue

    @cached_property
    def _strategy(self) -> Points:
        config = self._definition.config
        context: dict[str, object] = {"space": config.space}
        if not isinstance(config.strategy, Grid | Random):
            context |= {"folder": self._folder.path, "maximise": config.maximise}
        points: Points = config.strategy.build(**context)
        return points

    @cached_property
    def _pruning(self) -> Pruning | None:
        config = self._definition.config
        if config.pruning is None:
            return None
        return Pruning(config.pruning, folder=self._folder.path, maximise=config.maximise)

    def _has_trained_all(self, job: str, epoch: int) -> bool:
        """Say whether nothing is left to save by stopping the run."""
        return job in self._point_of and epoch >= self._point_of[job].jobs[job].train.epochs

    def _ends_proposing(self) -> bool:
        strategy = self._definition.config.strategy
        if isinstance(strategy, Grid):
            return not self._strategy.has(self._proposed)
        return len(self._points) >= strategy.runs or self._in_vain >= _MOST_IN_VAIN

    def _is_ready(self) -> bool:
        waiting = sum(point.verdict is None for point in self._points.values())
        return self._strategy.is_ready(self._proposed, waiting)

    def _propose(self) -> None:
        number = self._proposed
        choices = self._strategy.propose(number)
        self._proposed += 1
        self._in_vain += 1
        try:
            key = self._identify(choices)
        except ConfigError as error:  # the ends of ranges are valid, which what lies between need not be
            self._refuse(number, choices, "; ".join(map(str, error.problems)))
            return
        if key in self._refused:
            self._strategy.tell(number, Verdict("infeasible"))
        elif key in self._points:
            self._join(number, self._points[key])
        else:
            self._admit(number, choices, key)

    def _identify(self, choices: Choices) -> str:
        """Return a digest of the experiment that ``choices`` come to; other choices may come to the same."""
        text = json.dumps(choices, sort_keys=True)
        if text not in self._keys:
            experiment = self._definition.experiment(choices, seed=self._definition.seeds[0], name="point")
            self._keys[text] = hashlib.blake2b(experiment.model_dump_json().encode(), digest_size=16).hexdigest()
        return self._keys[text]

    def _join(self, number: int, point: _Point) -> None:
        point.numbers.append(number)
        if point.verdict is not None:
            self._strategy.tell(number, point.verdict)

    def _admit(self, number: int, choices: Choices, key: str) -> None:
        experiments = self._build_experiments(number, choices)
        refusal = self._refusal(next(iter(experiments.values())))
        if refusal:
            self._refused.add(key)
            self._refuse(number, choices, refusal)
            return
        self._in_vain = 0
        self._folder.record_point(PointRecord(number, choices, tuple(experiments)))
        point = self._points[key] = _Point(experiments, [number])
        self._point_of |= dict.fromkeys(experiments, point)
        self._queue.extend(
            Job(job, experiment, self._folder.run(job))
            for job, experiment in experiments.items()
            if job not in self._outcomes
        )
        self._close_if_done(point)

    def _refuse(self, number: int, choices: Choices, reason: str) -> None:
        self._folder.record_point(PointRecord(number, choices, (), reason))
        self._strategy.tell(number, Verdict("infeasible"))

    def _build_experiments(self, number: int, choices: Choices) -> dict[str, Experiment]:
        ids = {seed: run_id(number, choices, seed) for seed in self._definition.seeds}
        return {job: self._definition.experiment(choices, seed=seed, name=job) for seed, job in ids.items()}

    @cached_property
    def _feasibility(self) -> "Feasibility":
        from windtunnel.sweeps.feasible import Feasibility

        return Feasibility(self._definition.config.constraints)

    def _refusal(self, experiment: Experiment) -> str:
        """Return why the experiment is not to be run; networks are built, and torch imported, only for a limit."""
        if self._definition.config.constraints is None and experiment.budget is None:
            return ""
        try:
            return self._feasibility.refusal(experiment)
        except ModelError as error:
            return str(error)

    def _close_if_done(self, point: _Point) -> None:
        if point.verdict is not None or not all(job in self._outcomes for job in point.jobs):
            return
        point.verdict = self._judge(point)
        for number in point.numbers:
            self._strategy.tell(number, point.verdict)

    def _judge(self, point: _Point) -> Verdict:
        statuses = {job: self._outcomes[job].status for job in point.jobs}
        if "diverged" in statuses.values():
            return Verdict("infeasible")
        told = [job for job, status in statuses.items() if status in ("finished", "pruned")]
        values = [value for job in told if (value := self._score(job, point.jobs[job])) is not None]
        if not values:
            return Verdict("unknown")
        return Verdict("pruned" if "pruned" in statuses.values() else "measured", fmean(values))

    def _score(self, job: str, experiment: Experiment) -> float | None:
        metric = self._definition.config.metric
        score = read_score(self._folder.run(job), experiment, metric)
        return score if score is not None else self._outcomes[job].summary.get("metrics", {}).get(metric)


_ENDINGS: Mapping[str, Literal["measured", "pruned"]] = {"finished": "measured", "pruned": "pruned"}


def list_jobs(definition: Definition, limit: int) -> tuple[list[Job], list[PointRecord]]:
    """Return the first jobs a sweep would give out and the points it looked at; nothing of it is kept."""
    with TemporaryDirectory() as place:
        folder = SweepFolder(Path(place))
        return Study(definition, folder).take(limit), folder.read_points()
