"""Pictures of a comparison: accuracy against time with intervals, and the loss of every trial."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from windtunnel.core.files import replacing
from windtunnel.report.load import load_epochs
from windtunnel.report.theme import colour, house_style


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
        figure = Figure(figsize=(11, 4.2), layout="constrained")
        plane, losses = figure.subplots(1, 2)
        for index, cloud in enumerate(clouds):
            plane.plot(cloud.seconds, cloud.accuracies, "o", color=colour(index), alpha=0.35, markersize=5)
            _draw_cross(plane, cloud, colour(index))
            _draw_losses(losses, cloud, colour(index))
        plane.set(xlabel="prepare and train (s)", ylabel=f"{metric.replace('_', ' ')} (%)", title="accuracy and time")
        losses.set(xlabel="epoch", ylabel="training loss (nats)", title="every trial")
        plane.legend()
    return figure


def save_comparison(path: Path, figure: Figure) -> Path:
    """Write ``figure`` as PNG to ``path`` and return the path."""
    with house_style(), replacing(path) as temporary:
        figure.savefig(temporary, format="png", dpi=150)
    return path


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
        label=f"{cloud.label} (n={len(cloud.seconds)})",
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
