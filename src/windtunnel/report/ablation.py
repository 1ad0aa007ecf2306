"""Picture of an ablation: the effect of each change with its interval, on accuracy and on time."""

from collections.abc import Sequence
from dataclasses import dataclass

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from windtunnel.report.labels import plain
from windtunnel.report.theme import HouseFigure, colour, house_style

_ROW_INCHES = 0.34


@dataclass(frozen=True)
class Bar:
    """One effect.

    Args:
        label: name of the change, or of both of an interaction.
        points: low, mean and high of the effect on accuracy, points.
        time_percent: likewise on time, percent more.
        is_interaction: whether it says how one change's effect depends on another's.
    """

    label: str
    points: tuple[float, float, float]
    time_percent: tuple[float, float, float]
    is_interaction: bool


def plot_effects(bars: Sequence[Bar], *, n: int, confidence: float) -> Figure:
    """Draw a forest plot: a row an effect, accuracy left and time right; rows whose interval leaves 0 out are filled.

    Args:
        bars: the effects, drawn from the top.
        n: seeds behind each.
        confidence: of the intervals, 0..1.
    """
    with house_style():
        figure = HouseFigure(figsize=(11, 1.4 + _ROW_INCHES * len(bars)), layout="constrained")
        left, right = figure.subplots(1, 2, sharey=True)
        for row, bar in enumerate(bars):
            shade = colour(1 if bar.is_interaction else 0)
            _draw(left, row, bar.points, shade)
            _draw(right, row, bar.time_percent, shade)
        left.set_yticks(range(len(bars)), [plain(bar.label) for bar in bars])
        left.set_ylim(len(bars) - 0.5, -0.5)
        left.set(xlabel="accuracy: points more with the change", title="better to the right")
        right.set(xlabel="time: percent more with the change", title="faster to the left")
        for axes in (left, right):
            axes.axvline(0, color="#555555", linewidth=1)
            axes.grid(axis="y", visible=False)
        figure.suptitle(f"{n} seeds, {100 * confidence:.4g}% t-intervals", fontsize="medium")
    return figure


def _draw(axes: Axes, row: int, interval: tuple[float, float, float], shade: str) -> None:
    low, mean, high = interval
    clear = low > 0 or high < 0
    axes.errorbar(
        mean,
        row,
        xerr=[[mean - low], [high - mean]],
        fmt="o",
        color=shade,
        markerfacecolor=shade if clear else "white",
        markersize=6,
        capsize=3,
    )
