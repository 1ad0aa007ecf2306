"""The reliability diagram: how often a network is right when it says it is so sure."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import PercentFormatter

from windtunnel.core.files import replacing
from windtunnel.report.theme import HouseFigure, colour, house_style

_Z = 1.96


@dataclass(frozen=True)
class ReliabilityBin:
    """Predictions of like confidence.

    Args:
        low: lower end of the bin.
        high: upper end.
        images: number of predictions, at least 1.
        confidence: their mean confidence.
        accuracy: fraction of them that is right.
    """

    low: float
    high: float
    images: int
    confidence: float
    accuracy: float


@dataclass(frozen=True)
class ReliabilityCurve:
    """One network's, or one temperature's, line in the diagram."""

    label: str
    bins: tuple[ReliabilityBin, ...]


def save_reliability(path: Path, curves: Sequence[ReliabilityCurve], *, title: str) -> None:
    """Draw the diagram into ``path`` (PNG), written whole."""
    figure = plot_reliability(curves, title=title)
    with house_style(), replacing(path) as temporary:
        figure.savefig(temporary, format="png", dpi=150)


def plot_reliability(curves: Sequence[ReliabilityCurve], *, title: str) -> Figure:
    """Draw accuracy over confidence with 95% intervals, and below it how many predictions each bin holds."""
    with house_style():
        figure = HouseFigure(figsize=(6.4, 6.4), layout="constrained")
        upper, lower = figure.subplots(2, 1, sharex=True, height_ratios=(3, 1))
        upper.plot([0, 1], [0, 1], linestyle="--", color="#767676", linewidth=1.2, label="as sure as it is right")
        for index, curve in enumerate(curves):
            _draw_accuracy(upper, curve, index)
            _draw_counts(lower, curve, index)
        upper.set(title=title, ylabel="accuracy", ylim=(-0.02, 1.02))
        upper.legend(loc="lower right")
        lower.set(xlabel="confidence (largest probability)", ylabel="images", xlim=(-0.02, 1.02), yscale="log")
        lower.set_ylim(bottom=0.7)
        upper.yaxis.set_major_formatter(PercentFormatter(1, decimals=0))
        lower.xaxis.set_major_formatter(PercentFormatter(1, decimals=0))
    return figure


def compute_interval(right: float, images: int) -> tuple[float, float]:
    """Return Wilson's 95% interval of a fraction ``right`` measured on ``images`` images.

    >>> [round(end, 3) for end in compute_interval(0.9, 100)]
    [0.826, 0.945]
    """
    spread = _Z**2 / images
    centre = (right + spread / 2) / (1 + spread)
    half = _Z * (right * (1 - right) / images + spread / (4 * images)) ** 0.5 / (1 + spread)
    return centre - half, centre + half


def _draw_accuracy(axes: Axes, curve: ReliabilityCurve, index: int) -> None:
    places = [each.confidence for each in curve.bins]
    values = [each.accuracy for each in curve.bins]
    ends = [compute_interval(each.accuracy, each.images) for each in curve.bins]
    below = [max(value - low, 0) for value, (low, _) in zip(values, ends, strict=True)]
    above = [max(high - value, 0) for value, (_, high) in zip(values, ends, strict=True)]
    axes.errorbar(
        places,
        values,
        yerr=(below, above),
        color=colour(index),
        marker="os^Dv"[index % 5],
        markersize=5,
        elinewidth=1,
        capsize=2,
        label=curve.label,
    )


def _draw_counts(axes: Axes, curve: ReliabilityCurve, index: int) -> None:
    for each in curve.bins:
        axes.plot([each.low, each.high], [each.images, each.images], color=colour(index), solid_capstyle="butt")
        axes.fill_between([each.low, each.high], [each.images] * 2, 0.7, color=colour(index), alpha=0.2, linewidth=0)
