"""The confusion matrix as a picture: what was found in blue, what was taken for something else in red."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import LinearSegmentedColormap, Normalize, PowerNorm
from matplotlib.figure import Figure

from windtunnel.core.files import replacing
from windtunnel.report.labels import shorten
from windtunnel.report.theme import HouseFigure, colour, house_style

_MOST_NUMBERED = 20
_MOST_NAMED = 120


def save_confusion(path: Path, counts: Sequence[Sequence[int]], class_names: Sequence[str], *, title: str) -> None:
    """Draw the matrix into ``path`` (PNG), written whole."""
    figure = plot_confusion(counts, class_names, title=title)
    with house_style(), replacing(path) as temporary:
        figure.savefig(temporary, format="png", dpi=150)


def plot_confusion(counts: Sequence[Sequence[int]], class_names: Sequence[str], *, title: str) -> Figure:
    """Draw the share of each true class (row) that was taken for each class (column).

    Right answers and mistakes have a colour scale each, as the few mistakes could not be told apart on a common one.
    Up to 20 classes the cells hold the numbers of images.

    Args:
        counts: images of class ``row`` taken for class ``column``.
        class_names: a name for each class.
        title: what was measured.
    """
    cells = np.asarray(counts, dtype=np.int64)
    shares = cells / np.maximum(cells.sum(1, keepdims=True), 1)
    side = 3.6 + 0.42 * len(cells) if len(cells) <= _MOST_NUMBERED else min(4.5 + 0.105 * len(cells), 18)
    with house_style():
        figure = HouseFigure(figsize=(side + 1.2, side), layout="constrained")
        axes = figure.subplots()
        _draw_shares(figure, axes, shares)
        _name_classes(axes, class_names)
        if len(cells) <= _MOST_NUMBERED:
            _write_numbers(axes, cells, shares)
        axes.set(title=title, xlabel="predicted class", ylabel="true class")
    return figure


def _draw_shares(figure: Figure, axes: Axes, shares: np.ndarray) -> None:
    diagonal = np.eye(len(shares), dtype=bool)
    # cells without a mistake stay open, so that the grid leads the eye from a name to a cell
    mistakes = np.ma.masked_array(shares, diagonal | (shares == 0))
    worst = max(float(mistakes.filled(0).max()), 1e-9)
    right = axes.imshow(np.ma.masked_array(shares, ~diagonal), cmap=_fade_to(0), norm=Normalize(0, 1), zorder=2)
    # the square root lets single mistakes be seen beside the frequent ones
    wrong = axes.imshow(mistakes, cmap=_fade_to(1), norm=PowerNorm(0.5, 0, worst), zorder=2)
    for image, label in ((wrong, "mistaken, share of the true class"), (right, "found, share of the true class")):
        bar = figure.colorbar(image, ax=axes, shrink=0.7, aspect=30, pad=0.02, format=_format_percent)
        bar.set_label(label)
        bar.outline.set_visible(False)


def _format_percent(share: float, _place: int | None) -> str:
    return f"{100 * share:.3g}%"


def _fade_to(index: int) -> LinearSegmentedColormap:
    return LinearSegmentedColormap.from_list(f"to_{index}", ["#ffffff", colour(index)])


def _name_classes(axes: Axes, class_names: Sequence[str]) -> None:
    """Name every class where there is room, else every second, third, ... one."""
    every = -(-len(class_names) // _MOST_NAMED)
    places = range(0, len(class_names), every)
    names = [shorten(class_names[place]) for place in places]
    size = 10 if len(class_names) <= _MOST_NUMBERED else 6
    longest = max(len(name) for name in names)
    axes.set_xticks(places, names, rotation=90 if len(names) > _MOST_NUMBERED or longest > 3 else 0, fontsize=size)
    axes.set_yticks(places, names, fontsize=size)
    axes.tick_params(length=0)


def _write_numbers(axes: Axes, cells: np.ndarray, shares: np.ndarray) -> None:
    off_diagonal = np.where(np.eye(len(cells), dtype=bool), 0, shares)
    worst = max(float(off_diagonal.max()), 1e-9)
    for (row, column), number in np.ndenumerate(cells):
        depth = shares[row, column] if row == column else (shares[row, column] / worst) ** 0.5
        if number:
            ink = "white" if depth > 0.75 else "black"
            axes.text(column, row, f"{number}", ha="center", va="center", color=ink, fontsize=8)
