"""Pictures of a comparison: accuracy against time with intervals, and the loss of every trial."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from windtunnel.core.files import replacing
from windtunnel.errors import CheckpointError
from windtunnel.report.labels import plain
from windtunnel.report.load import load_epochs, read_json
from windtunnel.report.settings import describe_metric
from windtunnel.report.theme import HouseFigure, colour, house_style


@dataclass(frozen=True)
class Cloud:
    """One design's trials.

    Args:
        label: its name.
        seconds: time of each trial.
        accuracies: accuracy of each, percent.
        seconds_interval: confidence interval of the mean time, or None for one trial.
        accuracy_interval: likewise, percent.
        folders: run folders of the trials.
    """

    label: str
    seconds: tuple[float, ...]
    accuracies: tuple[float, ...]
    seconds_interval: tuple[float, float] | None
    accuracy_interval: tuple[float, float] | None
    folders: tuple[Path, ...]


def plot_comparison(clouds: Sequence[Cloud], *, metric: str) -> Figure:
    """Draw accuracy against time, a point a trial and a cross of intervals a design, beside all loss curves."""
    with house_style():
        figure = HouseFigure(figsize=(11, 4.2), layout="constrained")
        plane, losses = figure.subplots(1, 2)
        _draw_plane(plane, clouds, metric)
        _draw_all_losses(losses, clouds)
        plane.set_title("accuracy and time")
        losses.set_title("every trial")
    return figure


def plot_plane(clouds: Sequence[Cloud], *, metric: str) -> Figure:
    """Draw the left half of :func:`plot_comparison` as a figure of its own."""
    with house_style():
        figure = HouseFigure(figsize=(5.0, 3.8), layout="constrained")
        _draw_plane(figure.subplots(), clouds, metric)
    return figure


def plot_losses(clouds: Sequence[Cloud]) -> Figure:
    """Draw the right half of :func:`plot_comparison` as a figure of its own."""
    with house_style():
        figure = HouseFigure(figsize=(5.0, 3.8), layout="constrained")
        _draw_all_losses(figure.subplots(), clouds)
    return figure


def load_clouds(folder: Path) -> tuple[list[Cloud], str]:
    """Return the designs of the comparison in ``folder`` and the metric they were compared by.

    Raises:
        CheckpointError: there is no comparison, or its file is damaged.
    """
    found = read_json(folder / "comparison.json")
    try:
        clouds = [_read_cloud(folder, figures, found["trials"]) for figures in found["figures"]]
        return clouds, str(found["metric"])
    except (LookupError, TypeError) as error:
        raise CheckpointError(f"{folder / 'comparison.json'} holds no finished comparison: {error!r}") from error


def save_comparison(path: Path, figure: Figure) -> Path:
    """Write ``figure`` as PNG to ``path`` and return the path."""
    with house_style(), replacing(path) as temporary:
        figure.savefig(temporary, format="png", dpi=150)
    return path


def _read_cloud(folder: Path, figures: Mapping[str, Any], trials: Sequence[Mapping[str, Any]]) -> Cloud:
    mine = [trial for trial in trials if trial["letter"] == figures["letter"]]
    return Cloud(
        label=f"{figures['letter']} {figures['name']}",
        seconds=tuple(each["seconds"].get("prepare", 0.0) + each["seconds"].get("train", 0.0) for each in mine),
        accuracies=tuple(100 * each["accuracy"] for each in mine),
        seconds_interval=_read_interval(figures["seconds"]),
        accuracy_interval=_read_interval(figures["accuracy"]),
        folders=tuple(folder / "runs" / Path(each["folder"]).name for each in mine),
    )


def _read_interval(summary: Mapping[str, float | None]) -> tuple[float, float] | None:
    low, high = summary["low"], summary["high"]
    return None if low is None or high is None else (low, high)


def _draw_plane(axes: Axes, clouds: Sequence[Cloud], metric: str) -> None:
    for index, cloud in enumerate(clouds):
        axes.plot(cloud.seconds, cloud.accuracies, "o", color=colour(index), alpha=0.35, markersize=5)
        _draw_cross(axes, cloud, colour(index))
    axes.set(xlabel="prepare and train (s)", ylabel=describe_metric(metric)[1])
    axes.legend()


def _draw_all_losses(axes: Axes, clouds: Sequence[Cloud]) -> None:
    for index, cloud in enumerate(clouds):
        _draw_losses(axes, cloud, colour(index))
    axes.set(xlabel="epoch", ylabel="training loss (nats)")
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))


def _draw_cross(axes: Axes, cloud: Cloud, shade: str) -> None:
    """Draw the means with their confidence intervals."""
    x, y = (sum(values) / len(values) for values in (cloud.seconds, cloud.accuracies))
    axes.errorbar(
        x,
        y,
        xerr=_reach(x, cloud.seconds_interval),
        yerr=_reach(y, cloud.accuracy_interval),
        fmt="D",
        color=shade,
        capsize=4,
        markersize=6,
        label=f"{plain(cloud.label)} (n={len(cloud.seconds)})",
    )


def _reach(middle: float, interval: tuple[float, float] | None) -> list[list[float]] | None:
    return None if interval is None else [[max(middle - interval[0], 0.0)], [max(interval[1] - middle, 0.0)]]


def _draw_losses(axes: Axes, cloud: Cloud, shade: str) -> None:
    for folder in cloud.folders:
        epochs = load_epochs(folder / "metrics.csv")
        axes.plot(
            [row.epoch for row in epochs],
            [row.train_loss for row in epochs],
            color=shade,
            alpha=0.6,
            linewidth=1.2,
            marker="o" if len(epochs) < 3 else "",
        )
