"""A run's accuracy under corruption, as a picture: every corruption in every severity, and how well it was guessed."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from windtunnel.core.files import replacing
from windtunnel.errors import CheckpointError
from windtunnel.report.theme import HouseFigure, colour, house_style

_DARK_BELOW = 0.55  # of the colour range: cells darker than this carry white figures


@dataclass(frozen=True)
class ShiftTable:
    """Accuracy of each corruption (a row) in each severity (a column), percent.

    Args:
        corruptions: names of the rows, the least harmful first.
        severities: numbers of the columns.
        accuracies: a row for each corruption.
        clean: accuracy on the same images as they are.
        estimates: (estimated, measured) of the corruptions that did not choose the estimator.
        estimator: its name in words.
        error: its mean absolute error on them, points.
    """

    corruptions: tuple[str, ...]
    severities: tuple[int, ...]
    accuracies: tuple[tuple[float, ...], ...]
    clean: float
    estimates: tuple[tuple[float, float], ...]
    estimator: str
    error: float


def save_shift(folder: Path) -> Path:
    """Draw ``shift.json`` of ``folder`` into its ``shift.png`` and return that path.

    Raises:
        CheckpointError: there is no such file, or it does not hold what ``windtunnel eval --shift`` writes.
    """
    path = folder / "shift.png"
    figure = plot_shift(load_shift(folder / "shift.json"))
    with house_style(), replacing(path) as temporary:
        figure.savefig(temporary, format="png", dpi=150)
    return path


def load_shift(path: Path) -> ShiftTable:
    """Read ``shift.json``."""
    try:
        return _to_table(json.loads(path.read_text(encoding="utf-8")))
    except (OSError, ValueError, LookupError, TypeError) as error:
        raise CheckpointError(f"{path} holds no accuracies under corruption: {error!r}; measure them again") from error


def plot_shift(table: ShiftTable) -> Figure:
    """Draw a heat map of accuracies beside estimated against measured accuracy."""
    with house_style():
        figure = HouseFigure(figsize=(10.5, 0.32 * len(table.corruptions) + 1.6), layout="constrained")
        grid, scatter = figure.subplots(1, 2, width_ratios=(1.25, 1))
        _draw_grid(grid, table)
        _draw_estimates(scatter, table)
    return figure


def _to_table(shift: Mapping[str, Any]) -> ShiftTable:
    rows: Sequence[Mapping[str, Any]] = shift["corruptions"]
    by_name: dict[str, dict[int, float]] = {}
    for row in rows:
        by_name.setdefault(row["corruption"], {})[row["severity"]] = 100 * row["accuracy"]
    names = sorted(by_name, key=lambda name: -sum(by_name[name].values()))
    severities = tuple(sorted(by_name[names[0]]))
    return ShiftTable(
        corruptions=tuple(names),
        severities=severities,
        accuracies=tuple(tuple(by_name[name][severity] for severity in severities) for name in names),
        clean=100 * shift["accuracy"],
        estimates=tuple((100 * row["estimated"], 100 * row["accuracy"]) for row in rows if row["half"] == "judging"),
        estimator=str(shift["estimator"]).replace("_", " "),
        error=100 * shift["estimator_error"],
    )


def _draw_grid(axes: Axes, table: ShiftTable) -> None:
    axes.imshow(table.accuracies, cmap="cividis", vmin=0, vmax=100, aspect="auto")
    for row, line in enumerate(table.accuracies):
        for column, value in enumerate(line):
            ink = "white" if value < 100 * _DARK_BELOW else "black"
            axes.text(column, row, f"{value:.1f}", ha="center", va="center", fontsize=8, color=ink)
    axes.set_yticks(range(len(table.corruptions)), [name.replace("_", " ") for name in table.corruptions])
    axes.set_xticks(range(len(table.severities)), [str(severity) for severity in table.severities])
    axes.set(xlabel="severity", title=f"validation accuracy (%)\nwithout corruption {table.clean:.1f}")
    axes.grid(visible=False)
    axes.spines[:].set_visible(False)
    axes.tick_params(length=0)


def _draw_estimates(axes: Axes, table: ShiftTable) -> None:
    estimated, measured = zip(*table.estimates, strict=True)
    low = min(*estimated, *measured) - 2
    high = max(*estimated, *measured) + 2
    axes.plot((low, high), (low, high), color=colour(6), linewidth=1, label="exact")
    axes.scatter(estimated, measured, s=16, color=colour(0), label="held-out corruption")
    axes.set(xlabel="estimated accuracy (%)", ylabel="measured accuracy (%)", xlim=(low, high), ylim=(low, high))
    axes.set_title(f"estimated by {table.estimator}\noff by {table.error:.1f} points in the mean")
    axes.legend(loc="lower right")
