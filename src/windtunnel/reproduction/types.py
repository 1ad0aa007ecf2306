"""What a report's module tells the machinery, and what it gets back to show.

A report is a module ``reproduction/s4.py`` with one name, ``REPORT``, listed in ``reproduction/reports.py``::

    def build_runs() -> list[ReportRun]:
        experiment = load_experiment("cifar10/slim_resnet", ["augment=s4_slim"])  # at the report's full protocol
        return [ReportRun("slim_resnet", experiment)]

    def present(found: Reproduced) -> list[Chapter]:
        lines = [Line(("slim ResNet",), theirs=(94.65,), ours=(found.percent("slim_resnet", "test_accuracy"),))]
        table = Beside("accuracy", ("network",), (Measure("test accuracy %", tolerance=0.5),), tuple(lines))
        return [Chapter("Accuracy", (table, Picture("curves", plot_curves(...), "Accuracy over epochs")))]

    REPORT = Report("S4", "Slim ResNet under 5 M parameters", build_runs, present, Limits(least_epochs=10))

The machinery (:mod:`windtunnel.reproduction.run`) cuts the runs to the budget (:mod:`windtunnel.reproduction.planner`),
trains them through the dispatcher, or in turn as trials of a comparison, hands them to ``present``, and writes
``tables.md``, ``tables.csv``, a page and the pictures. ``present`` is called again whenever a finished reproduction is
asked for, so it only reads. What needs torch or takes long, such as an evaluation with views, is done once in
``finish``, which writes files into ``found.folder``.

Experiments that a report builds never name a run's seed twice, never depend on the machine, and read the test split
(``evaluate.test``) only where the report's own table does.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from windtunnel.config.experiment import Experiment
from windtunnel.report.document import Block
from windtunnel.report.load import Run

ReportName = Literal["S0", "S1", "S2", "S3", "S4"]
_WITHOUT_EFFECT = ("runtime.", "data.source.path=", "data.placement=", "data.workers=", "evaluate.batch_size=")
Cause = Literal["none", "reduced budget", "our fix", "set by hand", "other machine", "unknown", "not run"]


@dataclass(frozen=True)
class ReportRun:
    """One run of a report.

    Args:
        id: unique in the report, fit for a folder name; how ``present`` asks for it.
        experiment: at the report's full protocol; the machinery sets its name and project.
        test_passes: forward passes over the test images besides training and validation, those of ``evaluate.tta`` and
            of ``finish`` among them; only the time is reckoned with it.
        optional: whether it may be left out where the budget is short, once everything else is cut.
    """

    id: str
    experiment: Experiment
    test_passes: float = 1.0
    optional: bool = False


@dataclass(frozen=True)
class Limits:
    """How far a report's runs may be cut, in this order: epochs, images, widths, optional runs, epochs again.

    Args:
        least_epochs: epochs of the longest run are cut down to this before images are; others in proportion.
        least_images: training images, balanced over classes, are cut down to this before widths are.
        widths: factors for narrower networks, falling, e.g. ``(0.5, 0.25)``; tried one after another.
        narrow: makes an experiment's network narrower by such a factor; needed with ``widths``.
        validation_images: the validation part of a cut run has about so many images, and at least one of each class.
        last_epochs: epochs of the longest run below which nothing is cut; 1 unless a schedule needs more.
    """

    least_epochs: float = 10.0
    least_images: int = 5000
    widths: tuple[float, ...] = ()
    narrow: Callable[[Experiment, float], Experiment] | None = None
    validation_images: int = 1000
    last_epochs: float = 1.0


@dataclass(frozen=True)
class Cut:
    """How much of the full protocol is run.

    Args:
        epochs: share of each run's epochs.
        images: training images of each run; None for all.
        width: factor of the networks' widths.
        with_optional: whether optional runs are made.
    """

    epochs: float = 1.0
    images: int | None = None
    width: float = 1.0
    with_optional: bool = True

    @property
    def is_full(self) -> bool:
        """Say whether nothing is cut."""
        return self == Cut()


@dataclass(frozen=True)
class PlannedRun:
    """A run as it is made.

    Args:
        id: the report's name for it.
        experiment: cut.
        seconds: what it is expected to take; None where no budget had to be kept.
    """

    id: str
    experiment: Experiment
    seconds: float | None = None


@dataclass(frozen=True)
class Plan:
    """What is run; frozen in ``plan.json`` when a reproduction begins.

    Args:
        report: whose.
        budget_minutes: wall clock allowed; None for the full protocol.
        cut: how much of the protocol is run.
        runs: as they are made.
        left_out: ids of optional runs that are not made.
        reductions: what was cut, a phrase each, as table heads print them; empty at full protocol.
        seconds: wall clock expected of all runs together; None without a budget.
        device: ``cpu`` or ``cuda:N``.
        parallel: runs at a time that the estimate reckons with.
        threads: CPU threads of each run.
        overrides: the user's settings on top of the report's.
    """

    report: str
    budget_minutes: float | None
    cut: Cut
    runs: tuple[PlannedRun, ...]
    left_out: tuple[str, ...] = ()
    reductions: tuple[str, ...] = ()
    seconds: float | None = None
    device: str = "cpu"
    parallel: int = 1
    threads: int = 1
    overrides: tuple[str, ...] = ()

    @property
    def other_settings(self) -> tuple[str, ...]:
        """The user's settings that make another experiment, not only other files or another way to compute it."""
        return tuple(text for text in self.overrides if not text.startswith(_WITHOUT_EFFECT))

    @property
    def head(self) -> str:
        """What every table says of the budget."""
        changed = [f"set by hand: {', '.join(self.overrides)}"] if self.overrides else []
        if not self.reductions:
            return "; ".join(["Full protocol", *changed])
        budget = "" if self.budget_minutes is None else f" to {self.budget_minutes:g} minutes"
        return "; ".join([f"Reduced{budget}: {', '.join(self.reductions)}", *changed])


@dataclass(frozen=True)
class Reproduced:
    """A report's runs when they have ended.

    Args:
        folder: the reproduction's folder; ``finish`` may write there.
        plan: what was run.
        runs: id -> the finished run; those that failed or were left out are not here.
        troubles: id -> why there is no finished run, in words.
        comparison: folder of the comparison for a report of trials (its ``ablation.json``); None for others.
    """

    folder: Path
    plan: Plan
    runs: Mapping[str, Run]
    troubles: Mapping[str, str] = field(default_factory=dict)
    comparison: Path | None = None

    def metric(self, run: str, name: str) -> float | None:
        """Return a figure of a run's summary, e.g. ``val_loss`` or ``test_accuracy`` (0..1); None without one."""
        value = self.runs[run].summary.get("metrics", {}).get(name) if run in self.runs else None
        return None if value is None else float(value)

    def percent(self, run: str, name: str) -> float | None:
        """Return an accuracy in percent; None without one."""
        value = self.metric(run, name)
        return None if value is None else 100 * value


@dataclass(frozen=True)
class Measure:
    """A figure that a table sets beside the report's.

    Args:
        label: with its unit, e.g. ``test %``.
        tolerance: differences up to this count as none; for accuracies what other seeds would bring.
        decimals: shown.
    """

    label: str
    tolerance: float
    decimals: int = 2


@dataclass(frozen=True)
class Explanation:
    """Why our figures are not the report's.

    Args:
        cause: ``none`` for no difference, ``other machine`` for times, ``not run`` where we have no figure.
        sentence: for people.
    """

    cause: Cause
    sentence: str


@dataclass(frozen=True)
class Line:
    """A row of figures, theirs and ours.

    Args:
        labels: a text for each heading of the table.
        theirs: the report's, one a measure; None where it has none.
        ours: one a measure; None where we have none.
        run: id of the run that ours come from, so that it can be said why there are none; empty for several runs.
        fix: what we do otherwise on purpose that moves these figures, a sentence; empty for nothing.
        why: overrides the rule (:func:`windtunnel.reproduction.beside.explain`); None takes it.
    """

    labels: tuple[str, ...]
    theirs: tuple[float | None, ...]
    ours: tuple[float | None, ...]
    run: str = ""
    fix: str = ""
    why: Explanation | None = None


@dataclass(frozen=True)
class Beside:
    """One of the report's tables with our figures beside its own and a sentence for each difference.

    Args:
        name: of the table, fit for a file name.
        headings: of the columns of labels.
        measures: of the columns of figures; each becomes three: the report's, ours, the difference.
        lines: the rows.
        caption: which of the report's tables it is; what was reduced is added by the machinery.
    """

    name: str
    headings: tuple[str, ...]
    measures: tuple[Measure, ...]
    lines: tuple[Line, ...]
    caption: str = ""


@dataclass(frozen=True)
class Chapter:
    """What stands under one heading of the page: tables beside the report's, and any block of a document."""

    title: str
    blocks: tuple[Beside | Block, ...]


@dataclass(frozen=True)
class Report:
    """One of the source reports.

    Args:
        id: its name.
        title: what it is about, in a line.
        build_runs: makes its runs at full protocol; the order is kept.
        present: makes tables and pictures of what came of them; only reads.
        limits: how far its runs may be cut.
        trials: 0 trains runs packed, once each. Above, the report measures time: each run is trained that many times
            with paired seeds, one at a time and in turn, through ``ablate``; the first run is the base.
        finish: done once, after the last run and before ``present``; writes files into the folder.
    """

    id: ReportName
    title: str
    build_runs: Callable[[], Sequence[ReportRun]]
    present: Callable[[Reproduced], Sequence[Chapter]]
    limits: Limits = Limits()
    trials: int = 0
    finish: Callable[[Reproduced], None] | None = None
