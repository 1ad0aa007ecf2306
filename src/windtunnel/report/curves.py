"""Learning curves of one run or of several side by side."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from windtunnel.core.files import replacing
from windtunnel.core.reports import EpochReport
from windtunnel.report.labels import plain
from windtunnel.report.load import Run, load_run
from windtunnel.report.theme import colour, house_style

Panel = Literal["loss", "accuracy", "learning rate", "throughput"]
Part = Literal["training", "validation", "averaged weights"]
_PARTS: tuple[Part, ...] = ("training", "validation", "averaged weights")
_TOGETHER: tuple[Panel, ...] = ("loss", "accuracy", "learning rate")
_UNITS: dict[Panel, str] = {
    "loss": "loss (nats)",
    "accuracy": "accuracy (%)",
    "learning rate": "learning rate",
    "throughput": "training images a second",
}
_LINES: dict[Part, str] = {"training": "--", "validation": "-", "averaged weights": ":"}


@dataclass(frozen=True)
class Series:
    """One line of a panel.

    Args:
        panel: the panel it belongs to.
        label: its text in the legend.
        part: training, validation, or validation of the averaged weights.
        epochs: where it was measured.
        values: loss in nats, accuracy in percent, the learning rate itself, or images a second.
    """

    panel: Panel
    label: str
    part: Part
    epochs: tuple[int, ...]
    values: tuple[float, ...]


def save_curves(run_dir: Path) -> Path:
    """Draw the curves of the run in ``run_dir`` into its ``curves.png`` and return that path."""
    path = run_dir / "curves.png"
    figure = plot_curves([load_run(run_dir)])
    with house_style(), replacing(path) as temporary:
        figure.savefig(temporary, format="png", dpi=150)
    return path


def plot_curves(runs: Sequence[Run]) -> Figure:
    """Draw loss, accuracy and learning rate over epochs.

    One run: a colour for each of training, validation and averaged weights. Several: a colour for each run, training
    dashed and averaged weights dotted.
    """
    with house_style():
        figure = Figure(figsize=(12, 3.6), layout="constrained")
        for axes, panel in zip(figure.subplots(1, 3), _TOGETHER, strict=True):
            _draw(axes, panel, runs)
            axes.set_title(panel)
    return figure


def plot_panel(runs: Sequence[Run], panel: Panel) -> Figure:
    """Draw one panel of :func:`plot_curves` as a figure of its own, small enough for a phone."""
    with house_style():
        figure = Figure(figsize=(4.4, 3.0), layout="constrained")
        _draw(figure.subplots(), panel, runs)
    return figure


def compute_series(run: Run, label: str) -> list[Series]:
    """Return the lines of one run; without a validation part there is none for it."""
    rows = run.epochs
    validated = [row for row in rows if row.val_loss is not None]
    averaged = [row for row in rows if row.val_loss_ema is not None]
    parts: list[tuple[Panel, Part, Sequence[EpochReport], list[float]]] = [
        ("loss", "training", rows, [row.train_loss for row in rows]),
        ("loss", "validation", validated, [row.val_loss or 0.0 for row in validated]),
        ("loss", "averaged weights", averaged, [row.val_loss_ema or 0.0 for row in averaged]),
        ("accuracy", "training", rows, [100 * row.train_accuracy for row in rows]),
        ("accuracy", "validation", validated, [100 * (row.val_accuracy or 0.0) for row in validated]),
        ("accuracy", "averaged weights", averaged, [100 * (row.val_accuracy_ema or 0.0) for row in averaged]),
        ("learning rate", "training", rows, [row.lr for row in rows]),
        ("throughput", "training", rows, [row.images_per_second for row in rows]),
    ]
    return [
        Series(panel, f"{label}{part}", part, tuple(row.epoch for row in where), tuple(values))
        for panel, part, where, values in parts
        if where
    ]


def _draw(axes: Axes, panel: Panel, runs: Sequence[Run]) -> None:
    alone = len(runs) == 1
    for index, run in enumerate(runs):
        for series in compute_series(run, "" if alone else f"{plain(run.name)}, "):
            if series.panel == panel:
                _draw_series(axes, series, index=index, alone=alone)
    axes.set(xlabel="epoch", ylabel=_UNITS[panel])
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    handles, _ = axes.get_legend_handles_labels()
    if len(handles) > 1:
        axes.legend()
    if not handles:
        axes.text(0.5, 0.5, "no epoch finished", ha="center", transform=axes.transAxes)


def _draw_series(axes: Axes, series: Series, *, index: int, alone: bool) -> None:
    axes.plot(
        series.epochs,
        series.values,
        color=colour(_PARTS.index(series.part)) if alone else colour(index),
        linestyle="-" if alone else _LINES[series.part],
        marker="o" if len(series.epochs) < 20 else "",
        label=series.label,
    )
