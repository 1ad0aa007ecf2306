"""Pictures of what is at hand: run folders, loaded runs, and what the library's functions returned.

>>> import windtunnel.report
>>> figure = windtunnel.report.plot_curves(["runs/a", "runs/b"])  # doctest: +SKIP
>>> figure.savefig("curves.png")  # doctest: +SKIP
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Protocol, runtime_checkable

from matplotlib.figure import Figure

from windtunnel.errors import CheckpointError
from windtunnel.report.comparison import load_clouds
from windtunnel.report.comparison import plot_comparison as draw_comparison
from windtunnel.report.confusion import plot_confusion as draw_confusion
from windtunnel.report.curves import Panel, plot_panel
from windtunnel.report.curves import plot_curves as draw_curves
from windtunnel.report.evaluation import Evaluation, list_evaluations, load_evaluation, to_evaluation
from windtunnel.report.load import Run, load_run
from windtunnel.report.reliability import plot_reliability as draw_reliability
from windtunnel.report.settings import PointLike
from windtunnel.report.settings import plot_parallel as draw_parallel
from windtunnel.report.shift import load_shift
from windtunnel.report.shift import plot_shift as draw_shift


@runtime_checkable
class InFolder(Protocol):
    """What lies in a folder: a run's or a comparison's result."""

    @property
    def folder(self) -> Path:
        """The folder."""


@runtime_checkable
class SweepLike(Protocol):
    """What ``windtunnel.sweep`` returns."""

    def points(self) -> Sequence[PointLike]:
        """Return every point, the best first."""


RunSource = Run | InFolder | Path | str


def plot_curves(runs: RunSource | Sequence[RunSource]) -> Figure:
    """Draw loss (nats), accuracy (%) and learning rate over epochs.

    One run: a colour for each of training, validation and averaged weights. Several: a colour for each run, training
    dashed and averaged weights dotted.

    Args:
        runs: a run or several: run folders, loaded runs, or what ``windtunnel.train`` returned.

    Raises:
        CheckpointError: a folder holds no run.
    """
    return draw_curves(_load_runs(runs))


def plot_schedule(runs: RunSource | Sequence[RunSource]) -> Figure:
    """Draw the learning rate that a run, or several, had over epochs; arguments as of :func:`plot_curves`."""
    return _draw_panel(runs, "learning rate")


def plot_throughput(runs: RunSource | Sequence[RunSource]) -> Figure:
    """Draw training images a second over epochs; arguments as of :func:`plot_curves`."""
    return _draw_panel(runs, "throughput")


def plot_confusion(evaluation: object) -> Figure:
    """Draw a confusion matrix: the share of each true class, a row, that was taken for each class, a column.

    Args:
        evaluation: what ``windtunnel.evaluate`` returned, an evaluation's folder, or the folder of a run that has one.

    Raises:
        CheckpointError: there is no evaluation.
    """
    found = _find_evaluation(evaluation)
    return draw_confusion(found.confusion, [each.name for each in found.classes], title=found.title)


def plot_reliability(evaluation: object) -> Figure:
    """Draw accuracy over confidence with 95% intervals; argument as of :func:`plot_confusion`."""
    found = _find_evaluation(evaluation)
    return draw_reliability(found.curves, title=found.title)


def plot_shift(run: InFolder | Path | str) -> Figure:
    """Draw accuracy (%) under corruption beside its estimates.

    Args:
        run: a run, or its folder, whose ``shift`` folder ``windtunnel eval --shift`` wrote.

    Raises:
        CheckpointError: it was not measured.
    """
    return draw_shift(load_shift(_folder_of(run) / "shift" / "shift.json"))


def plot_comparison(comparison: InFolder | Path | str) -> Figure:
    """Draw accuracy (%) against time (s), a point a trial and a cross of intervals a design, and all loss curves.

    Args:
        comparison: what ``windtunnel.compare`` returned, or its folder.

    Raises:
        CheckpointError: the folder holds no finished comparison.
    """
    clouds, metric = load_clouds(_folder_of(comparison))
    return draw_comparison(clouds, metric=metric)


def plot_parallel(sweep: SweepLike | Sequence[PointLike], *, metric: str = "metric", maximise: bool = True) -> Figure:
    """Draw a line a point over all settings that vary, in the colour of its mean metric, the best on top.

    Args:
        sweep: what ``windtunnel.sweep`` returned, or some of its points.
        metric: name of the metric, for the colour bar.
        maximise: whether more of it is better.
    """
    points = sweep.points() if isinstance(sweep, SweepLike) else sweep
    return draw_parallel(points, metric=metric, maximise=maximise)


def _draw_panel(runs: RunSource | Sequence[RunSource], panel: Panel) -> Figure:
    return plot_panel(_load_runs(runs), panel)


def _load_runs(runs: RunSource | Sequence[RunSource]) -> list[Run]:
    if isinstance(runs, Run | InFolder | Path | str):
        return [_load_one(runs)]
    return [_load_one(run) for run in runs]


def _load_one(run: RunSource) -> Run:
    return run if isinstance(run, Run) else load_run(_folder_of(run))


def _folder_of(source: InFolder | Path | str) -> Path:
    return source.folder if isinstance(source, InFolder) else Path(source)


def _find_evaluation(source: object) -> Evaluation:
    if isinstance(source, Evaluation):
        return source
    if not isinstance(source, Path | str):
        return to_evaluation(source)
    folder = Path(source)
    if (folder / "metrics.json").is_file():
        return load_evaluation(folder)
    found = list_evaluations(folder)
    if not found:
        raise CheckpointError(f"{folder} has no evaluation; measure one: windtunnel eval {folder}")
    return load_evaluation(found[0])
