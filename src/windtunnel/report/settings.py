"""Pictures of a sweep's settings: parallel coordinates, the metric over each setting, and what mattered."""

import json
import math
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple, Protocol

import matplotlib
import numpy as np
from matplotlib.axes import Axes
from matplotlib.collections import LineCollection
from matplotlib.colors import LinearSegmentedColormap, Normalize
from matplotlib.figure import Figure

from windtunnel.report.labels import plain, shorten
from windtunnel.report.theme import HouseFigure, colour, house_style

_LOGARITHMIC_FROM = 20  # times the smallest value that the largest is
_MOST_TICKS = 8
_AXIS_INCHES = 1.5


class PointLike(Protocol):
    """Settings and what came of them, as ``SweepResult.points()`` returns them."""

    @property
    def choices(self) -> Mapping[str, Any]:
        """Dotted path -> value."""

    @property
    def values(self) -> Sequence[float]:
        """Metric of every finished run."""

    @property
    def mean(self) -> float | None:
        """Their mean, or None without any."""


class _Scale(NamedTuple):
    """Where a setting's values lie between 0 and 1, and what stands beside some of the places."""

    places: list[float]
    ticks: list[tuple[float, str]]


def list_settings(points: Sequence[PointLike]) -> list[str]:
    """Return the settings that vary, in the order the points name them."""
    names = list(dict.fromkeys(name for point in points for name in point.choices))
    return [name for name in names if len({_key(point.choices.get(name)) for point in points}) > 1]


def plot_parallel(points: Sequence[PointLike], *, metric: str, maximise: bool = True) -> Figure:
    """Draw a line a point over all settings that vary, in the colour of its mean metric, the best on top.

    Args:
        points: points with a result are drawn.
        metric: name of the metric.
        maximise: whether more is better.
    """
    measured = [point for point in points if point.mean is not None]
    measured.sort(key=lambda point: point.mean or 0.0, reverse=not maximise)
    names = list_settings(measured)
    scale, label = describe_metric(metric)
    scores = [scale * (point.mean or 0.0) for point in measured]
    scales = [_scale([point.choices.get(name) for point in measured]) for name in names]
    with house_style():
        figure = HouseFigure(figsize=(max(1.6 + _AXIS_INCHES * len(names), 4.4), 3.6), layout="constrained")
        axes = figure.subplots()
        if len(measured) > 0 and names:
            _draw_lines(figure, axes, scales, scores, label)
        _draw_axes(axes, names, scales)
    return figure


def plot_setting(points: Sequence[PointLike], name: str, *, metric: str) -> Figure:
    """Draw the metric of every run over one setting, and the mean of each value of it.

    Args:
        points: points with a result are drawn.
        name: dotted path of the setting.
        metric: name of the metric.
    """
    measured = [point for point in points if point.values]
    values = [point.choices.get(name) for point in measured]
    with house_style():
        figure = HouseFigure(figsize=(4.4, 3.0), layout="constrained")
        axes = figure.subplots()
        numbers = [_number(value) for value in values]
        if all(number is not None for number in numbers):
            places = [number for number in numbers if number is not None]
            if _is_logarithmic(places):
                axes.set_xscale("log")
        else:
            kinds = list(dict.fromkeys(map(_text, values)))
            places = [float(kinds.index(_text(value))) for value in values]
            axes.set_xticks(range(len(kinds)), [shorten(kind) for kind in kinds])
        scale, label = describe_metric(metric)
        _draw_runs(axes, places, [[scale * value for value in point.values] for point in measured])
        axes.set(xlabel=plain(name), ylabel=label)
    return figure


def describe_metric(metric: str) -> tuple[float, str]:
    """Return what a metric is multiplied with before it is drawn, and its name with the unit.

    >>> describe_metric("val_accuracy"), describe_metric("train_loss")
    ((100.0, 'validation accuracy (%)'), (1.0, 'training loss (nats)'))
    """
    words = metric.replace("val_", "validation ").replace("train_", "training ").replace("_", " ")
    if "accuracy" in metric:
        return 100.0, f"{words} (%)"
    return 1.0, f"{words} (nats)" if "loss" in metric else words


def plot_importance(shares: Mapping[str, float], *, explained: float) -> Figure:
    """Draw the share that each setting has in what mattered, the largest on top.

    Args:
        shares: setting -> share, 0..1.
        explained: share of the metric's variance that the model behind it explains, 0..1.
    """
    names = list(shares)
    with house_style():
        figure = HouseFigure(figsize=(5.4, 1.1 + 0.32 * len(names)), layout="constrained")
        axes = figure.subplots()
        axes.barh(range(len(names)), [100 * shares[name] for name in names], color=colour(0), height=0.6)
        axes.set_yticks(range(len(names)), [plain(name) for name in names])
        axes.set(xlabel="share of the importance (%)", xlim=(0, 100))
        axes.set_title(f"{explained:.0%} of the variance explained", loc="left")
        axes.set_ylim(len(names) - 0.5, -0.5)
        axes.grid(axis="y", visible=False)
    return figure


def _draw_lines(figure: Figure, axes: Axes, scales: Sequence[_Scale], scores: Sequence[float], label: str) -> None:
    lines = [[(float(place), scale.places[row]) for place, scale in enumerate(scales)] for row in range(len(scores))]
    if len(scales) == 1:
        lines = [[(-0.25, line[0][1]), (0.25, line[0][1])] for line in lines]
    low, high = min(scores), max(scores)
    # the ends of the scale are left out: one is hard to see on white paper, the other on a dark page
    shades = LinearSegmentedColormap.from_list("middle", matplotlib.colormaps["viridis"](np.linspace(0.15, 0.9, 64)))
    widths = np.linspace(0.8, 2.4, len(lines))
    found = axes.add_collection(
        LineCollection(
            lines, array=np.array(scores), cmap=shades, norm=Normalize(low, max(high, low + 1e-12)), linewidths=widths
        )
    )
    bar = figure.colorbar(found, ax=axes, pad=0.02, aspect=30)
    bar.set_label(label)
    bar.outline.set_visible(False)


def _draw_axes(axes: Axes, names: Sequence[str], scales: Sequence[_Scale]) -> None:
    paper = {"facecolor": "#ffffff", "edgecolor": "none", "alpha": 0.75, "pad": 1}
    for place, scale in enumerate(scales):
        axes.axvline(place, color="#555555", linewidth=0.8, zorder=3)
        for height, text in scale.ticks:
            axes.text(place + 0.03, height, plain(text), va="center", fontsize=8, bbox=paper, zorder=4)
    axes.set_xticks(range(len(names)), [plain(name) for name in names])
    axes.set(xlim=(-0.3, max(len(names) - 1, 0) + 0.6), ylim=(-0.06, 1.06))
    axes.set_yticks([])
    axes.grid(visible=False)
    axes.spines[:].set_visible(False)
    axes.tick_params(length=0)


def _draw_runs(axes: Axes, places: Sequence[float], values: Sequence[Sequence[float]]) -> None:
    for place, here in zip(places, values, strict=True):
        axes.plot([place] * len(here), here, "o", color=colour(0), alpha=0.45, markersize=4)
    means: dict[float, list[float]] = {}
    for place, here in zip(places, values, strict=True):
        means.setdefault(place, []).extend(here)
    ordered = sorted(means)
    middle = [sum(means[place]) / len(means[place]) for place in ordered]
    axes.plot(ordered, middle, "_", color=colour(1), markersize=14, markeredgewidth=2.2)


def _scale(values: Sequence[Any]) -> _Scale:
    """Lay values out: numbers by size (or its logarithm), others one above the other."""
    numbers = [_number(value) for value in values]
    known = [number for number in numbers if number is not None]
    if len(known) < len(numbers) or not known:
        kinds = sorted(set(map(_text, values)))
        step = 1 / max(len(kinds) - 1, 1)
        ticks = [(index * step, shorten(kind)) for index, kind in enumerate(kinds)]
        return _Scale([kinds.index(_text(value)) * step for value in values], ticks[:_MOST_TICKS])
    change = math.log if _is_logarithmic(known) else float
    low, high = change(min(known)), change(max(known))
    width = (high - low) or 1.0
    distinct = sorted(set(known))
    shown = distinct if len(distinct) <= _MOST_TICKS else [distinct[0], distinct[len(distinct) // 2], distinct[-1]]
    ticks = [((change(number) - low) / width, f"{number:.3g}") for number in shown]
    return _Scale([(change(number) - low) / width for number in known], ticks)


def _is_logarithmic(numbers: Sequence[float]) -> bool:
    return bool(numbers) and min(numbers) > 0 and max(numbers) / min(numbers) >= _LOGARITHMIC_FROM


def _number(value: Any) -> float | None:
    return float(value) if isinstance(value, int | float) and not isinstance(value, bool) else None


def _text(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value)


def _key(value: Any) -> str:
    return json.dumps(value, sort_keys=True, default=str)
