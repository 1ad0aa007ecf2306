"""A learning-rate schedule as a picture, before anything is trained."""

from collections.abc import Mapping, Sequence
from pathlib import Path

from matplotlib.figure import Figure

from windtunnel.core.files import replacing
from windtunnel.report.theme import HouseFigure, colour, house_style


def plot_schedule(epochs: Sequence[float], rates: Mapping[str, Sequence[float]], *, title: str, note: str) -> Figure:
    """Draw learning rates over epochs, one line each.

    Args:
        epochs: places in training.
        rates: label -> learning rate at each place.
        title: what the schedule belongs to.
        note: a line under the title, or ``""``.
    """
    with house_style():
        figure = HouseFigure(figsize=(6.4, 3.6), layout="constrained")
        axes = figure.subplots()
        for index, (label, values) in enumerate(rates.items()):
            axes.plot(epochs, values, color=colour(index), label=label)
        axes.set(xlabel="epoch", ylabel="learning rate", title=f"{title}\n{note}" if note else title)
        axes.set_ylim(bottom=0)
        if len(rates) > 1:
            axes.legend()
    return figure


def save_schedule(path: Path, figure: Figure) -> Path:
    """Write ``figure`` to ``path`` in the format its name ends with and return the path."""
    with house_style(), replacing(path) as temporary:
        figure.savefig(temporary, format=path.suffix.removeprefix("."), dpi=150)
    return path
