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
from windtunnel.report.theme import HouseFigure, colour, house_style

Panel = Literal["loss", "accuracy", "learning rate", "throughput", "memory"]
Part = Literal["training", "validation", "averaged weights"]
_PARTS: tuple[Part, ...] = ("training", "validation", "averaged weights")
_TOGETHER: tuple[Panel, ...] = ("loss", "accuracy", "learning rate")
_UNITS: dict[Panel, str] = {
    "loss": "loss (nats)",
    "accuracy": "accuracy (%)",
    "learning rate": "learning rate",
    "throughput": "training images a second",
    "memory": "memory (GiB)",
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
        values: loss in nats, accuracy in percent, the learning rate itself, images a second, or GiB.
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
        figure = HouseFigure(figsize=(12, 3.6), layout="constrained")
        for axes, panel in zip(figure.subplots(1, 3), _TOGETHER, strict=True):
            _draw_panel(axes, panel, runs, ())
            axes.set_title(panel)
            if len(axes.get_legend_handles_labels()[0]) > 1:
                axes.legend()
    return figure


def plot_panel(runs: Sequence[Run], panel: Panel, *, labels: Sequence[str] = ()) -> Figure:
    """Draw one panel as a figure of its own, small enough for a phone.

    Args:
        runs: a run or several.
        panel: what is drawn.
        labels: a name for each run; without any the names of their folders.
    """
    with house_style():
        alone = len(runs) == 1
        figure = HouseFigure(figsize=(4.4, 3.0 if alone else 3.2 + 0.19 * len(runs)), layout="constrained")
        axes = figure.subplots()
        _draw_panel(axes, panel, runs, labels)
        if len(axes.get_legend_handles_labels()[0]) > 1:
            _name_lines(figure, axes, alone=alone)
    return figure


def compute_series(run: Run, label: str) -> list[Series]:
    """Return the lines of one run; without a validation part there is none for it."""
    rows = run.epochs
    validated = [row for row in rows if row.val_loss is not None]
    averaged = [row for row in rows if row.val_loss_ema is not None]
    weighed = [row for row in rows if row.memory_bytes is not None]
    parts: list[tuple[Panel, Part, Sequence[EpochReport], list[float]]] = [
        ("loss", "training", rows, [row.train_loss for row in rows]),
        ("loss", "validation", validated, [row.val_loss or 0.0 for row in validated]),
        ("loss", "averaged weights", averaged, [row.val_loss_ema or 0.0 for row in averaged]),
        ("accuracy", "training", rows, [100 * row.train_accuracy for row in rows]),
        ("accuracy", "validation", validated, [100 * (row.val_accuracy or 0.0) for row in validated]),
        ("accuracy", "averaged weights", averaged, [100 * (row.val_accuracy_ema or 0.0) for row in averaged]),
        ("learning rate", "training", rows, [row.lr for row in rows]),
        ("throughput", "training", rows, [row.images_per_second for row in rows]),
        ("memory", "training", weighed, [(row.memory_bytes or 0) / 2**30 for row in weighed]),
    ]
    return [
        Series(panel, f"{label}{part}", part, tuple(row.epoch for row in where), tuple(values))
        for panel, part, where, values in parts
        if where
    ]


def _draw_panel(axes: Axes, panel: Panel, runs: Sequence[Run], labels: Sequence[str]) -> None:
    alone = len(runs) == 1
    for index, run in enumerate(runs):
        name = labels[index] if labels else run.name
        here = [series for series in compute_series(run, "") if series.panel == panel]
        main = next((series for series in here if series.part == "validation"), here[0] if here else None)
        for series in here:
            # of several runs each is named once; the kinds of lines say what was measured
            label = series.label if alone else plain(name) if series is main else ""
            line = "-" if alone or len(here) == 1 else _LINES[series.part]
            _draw_series(axes, series, label=label, line=line, shade=_shade(series, index, alone=alone))
    axes.set(xlabel="epoch", ylabel=_UNITS[panel])
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    if panel == "learning rate":  # a constant rate has no range of its own to show
        axes.set_ylim(bottom=min(0.0, axes.get_ylim()[0]))
    if not axes.has_data():
        axes.text(0.5, 0.5, "no epoch finished", ha="center", transform=axes.transAxes)


def _shade(series: Series, index: int, *, alone: bool) -> str:
    return colour(_PARTS.index(series.part)) if alone else colour(index)


def _draw_series(axes: Axes, series: Series, *, label: str, line: str, shade: str) -> None:
    marker = "o" if len(series.epochs) < 20 else ""
    axes.plot(series.epochs, series.values, color=shade, linestyle=line, marker=marker, label=label)


def _name_lines(figure: Figure, axes: Axes, *, alone: bool) -> None:
    if alone:
        axes.legend()
    else:
        figure.legend(*axes.get_legend_handles_labels(), loc="outside lower left")
