"""Which cut of a report fits a budget: the first of a fixed ladder whose estimate does.

Every rung of the ladder asks for no more epochs, images, width or runs than the one before. So more budget never means
less of anything.
"""

import heapq
import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from windtunnel.config.experiment import Experiment
from windtunnel.errors import UsageError
from windtunnel.reproduction.cutting import FEW_EPOCHS, Sizes, cut_epochs, cut_experiment, cut_sizes, describe_cut
from windtunnel.reproduction.types import Cut, Limits, Plan, PlannedRun, Report, ReportRun

_SAFETY = 1.15  # a pace is that of a few updates, and machines have other things to do
_TRIAL_WARM_UP = 7  # updates that a comparison's trial spends before its clock starts
_FEWER_IMAGES = 0.93
_IMAGES_STEP = 100


@dataclass(frozen=True)
class Pace:
    """How fast this machine is with one network, measured with as many beside it as there will be.

    Args:
        train_seconds: for an image trained on, its share of the update and its augmentation included.
        evaluate_seconds: for an image predicted.
        startup_seconds: of a process from its start to its first batch.
        sizes: images of the experiment it was measured with.
    """

    train_seconds: float
    evaluate_seconds: float
    startup_seconds: float
    sizes: Sizes


Measure = Callable[[Sequence[Experiment]], Sequence[Pace]]
"""Returns the pace of each experiment's network."""


@dataclass(frozen=True)
class Slots:
    """Where runs are made.

    Args:
        device: ``cpu`` or ``cuda:N``.
        parallel: runs at a time.
        threads: CPU threads of each.
    """

    device: str = "cpu"
    parallel: int = 1
    threads: int = 1


def plan_full(report: Report, runs: Sequence[ReportRun], slots: Slots, overrides: Sequence[str] = ()) -> Plan:
    """Return the plan of the full protocol."""
    return Plan(
        report=report.id,
        budget_minutes=None,
        cut=Cut(),
        runs=tuple(PlannedRun(run.id, run.experiment) for run in runs),
        device=slots.device,
        parallel=slots.parallel,
        threads=slots.threads,
        overrides=tuple(overrides),
    )


def plan_budget(
    report: Report,
    runs: Sequence[ReportRun],
    minutes: float,
    *,
    slots: Slots,
    measure: Measure,
    overrides: Sequence[str] = (),
) -> Plan:
    """Return the plan with the most of the protocol that is expected to fit into ``minutes``.

    Raises:
        UsageError: not even the smallest cut fits; says how long that takes.
    """
    climber = _Climber(report, runs, measure)
    seconds = 0.0
    for cut in climber.list_cuts():
        each = climber.estimate(cut)
        seconds = estimate_makespan(list(each.values()), slots.parallel)
        if seconds <= 60 * minutes:
            left_out = tuple(run.id for run in runs if run.id not in each)
            return Plan(
                report=report.id,
                budget_minutes=minutes,
                cut=cut,
                runs=climber.plan(cut, each),
                left_out=left_out,
                reductions=describe_cut(cut, report.limits, climber.sizes, climber.epochs, len(left_out)),
                seconds=seconds,
                device=slots.device,
                parallel=slots.parallel,
                threads=slots.threads,
                overrides=tuple(overrides),
            )
    raise UsageError(
        f"--budget: {minutes:g} minutes are too few for {report.id}: its smallest cut is expected to take "
        f"{seconds / 60:.1f} minutes here; give --budget {math.ceil(1.1 * seconds / 60)} or more"
    )


def list_cuts(limits: Limits, epochs: float, images: int, *, has_optional: bool) -> Iterator[Cut]:
    """Yield the ladder, the full protocol first.

    Args:
        limits: how far to go.
        epochs: of the longest run.
        images: training images of the largest data set.
        has_optional: whether there are runs that may be left out.
    """
    cut, fewest = Cut(), epochs
    yield cut
    for fewer in _falling_epochs(epochs, limits.least_epochs):
        cut, fewest = Cut(epochs=fewer / epochs), fewer
        yield cut
    for less in _falling_images(images, limits.least_images):
        cut = Cut(cut.epochs, less)
        yield cut
    for width in limits.widths:
        cut = Cut(cut.epochs, cut.images, width)
        yield cut
    if has_optional:
        cut = Cut(cut.epochs, cut.images, cut.width, with_optional=False)
        yield cut
    for fewer in _falling_epochs(fewest, limits.last_epochs):
        yield Cut(fewer / epochs, cut.images, cut.width, cut.with_optional)


def estimate_run(run: ReportRun, epochs: float, sizes: Sizes, pace: Pace) -> float:
    """Return the seconds of a run: its start, training, validations, and passes over the test images.

    Args:
        run: at full protocol.
        epochs: it gets.
        sizes: of its data, cut as it is.
        pace: of its network.
    """
    data, train = run.experiment.data, run.experiment.train
    batches = sizes.train / data.batch_size
    seen = data.batch_size * (max(math.floor(batches), 1) if data.drop_last else batches)
    validations = math.ceil(epochs / train.validate_every) if train.validate_every else 0
    evaluated = validations * sizes.validation + run.test_passes * sizes.test
    return pace.startup_seconds + epochs * seen * pace.train_seconds + evaluated * pace.evaluate_seconds


def estimate_makespan(seconds: Sequence[float], parallel: int) -> float:
    """Return when the last run ends if the longest start first and each takes the slot that is free first.

    >>> estimate_makespan([3.0, 2.0, 2.0], 2)
    4.0
    """
    ends = [0.0] * parallel
    for each in sorted(seconds, reverse=True):
        heapq.heapreplace(ends, ends[0] + each)
    return max(ends)


class _Climber:
    """Reckons each rung and makes its runs, measuring networks of a width when that width is come to."""

    def __init__(self, report: Report, runs: Sequence[ReportRun], measure: Measure) -> None:
        self._report = report
        self._runs = runs
        self._measure = measure
        self._paces = {1.0: measure([run.experiment for run in runs])}
        self._sizes = [pace.sizes for pace in self._paces[1.0]]
        self.sizes = max(self._sizes, key=lambda sizes: sizes.train)
        self.epochs = max(run.experiment.train.epochs for run in runs)

    def list_cuts(self) -> Iterator[Cut]:
        """Yield the report's ladder."""
        has_optional = any(run.optional for run in self._runs)
        return list_cuts(self._report.limits, self.epochs, self.sizes.train, has_optional=has_optional)

    def estimate(self, cut: Cut) -> dict[str, float]:
        """Return the seconds of each run that a rung has."""
        rows = zip(self._runs, self._sizes, self._find_paces(cut), strict=True)
        return {
            run.id: self._estimate(run, cut, sizes, pace)
            for run, sizes, pace in rows
            if cut.with_optional or not run.optional
        }

    def plan(self, cut: Cut, seconds: Mapping[str, float]) -> tuple[PlannedRun, ...]:
        """Return the runs of a rung that ``seconds`` names."""
        rows = zip(self._runs, self._cut(cut), strict=True)
        return tuple(PlannedRun(run.id, cut_run, seconds[run.id]) for run, cut_run in rows if run.id in seconds)

    def _cut(self, cut: Cut) -> list[Experiment]:
        rows = zip(self._runs, self._sizes, strict=True)
        return [cut_experiment(run.experiment, cut, self._report.limits, sizes) for run, sizes in rows]

    def _find_paces(self, cut: Cut) -> Sequence[Pace]:
        if cut.width not in self._paces:
            self._paces[cut.width] = self._measure(self._cut(cut))
        return self._paces[cut.width]

    def _estimate(self, run: ReportRun, cut: Cut, sizes: Sizes, pace: Pace) -> float:
        epochs = cut_epochs(run.experiment.train.epochs, cut.epochs)
        alone = estimate_run(run, epochs, cut_sizes(sizes, cut, self._report.limits), pace)
        if not self._report.trials:
            return _SAFETY * alone
        warm_up = _TRIAL_WARM_UP * run.experiment.data.batch_size * pace.train_seconds
        return _SAFETY * self._report.trials * (alone + warm_up)


def _falling_epochs(start: float, end: float) -> Iterator[float]:
    """Yield epochs below ``start`` down to ``end``: whole ones, and quarters where there are few."""
    step = 0.25 if start < FEW_EPOCHS and not start.is_integer() else 1.0
    count = math.ceil(start / step) - 1
    yield from (step * place for place in range(count, math.ceil(end / step) - 1, -1))


def _falling_images(start: int, end: int) -> Iterator[int]:
    """Yield numbers of images below ``start`` down to ``end``, each about a fourteenth less."""
    images = start
    while images > end:
        images = max(min(int(images * _FEWER_IMAGES) // _IMAGES_STEP * _IMAGES_STEP, images - 1), end)
        yield images
