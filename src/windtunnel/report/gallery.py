"""Pictures of the mistakes a network was surest of."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from windtunnel.core.files import replacing
from windtunnel.report.labels import shorten
from windtunnel.report.theme import HouseFigure, house_style

_COLUMNS = 6


@dataclass(frozen=True)
class Mistake:
    """An image that was taken for another class.

    Args:
        image: uint8, height x width x channels (1 or 3), as the data set holds it.
        true: its class.
        predicted: the class it was taken for.
        probability: what the network gave that class, 0..1.
    """

    image: np.ndarray
    true: str
    predicted: str
    probability: float


def save_gallery(path: Path, mistakes: Sequence[Mistake], *, title: str) -> None:
    """Draw the mistakes into ``path`` (PNG), written whole."""
    figure = plot_gallery(mistakes, title=title)
    with house_style(), replacing(path) as temporary:
        figure.savefig(temporary, format="png", dpi=150)


def plot_gallery(mistakes: Sequence[Mistake], *, title: str) -> Figure:
    """Draw each mistake in its own pixels, with its class, what it was taken for and how surely."""
    rows = max(-(-len(mistakes) // _COLUMNS), 1)
    with house_style():
        height = 0.4 + 1.9 * rows
        figure = HouseFigure(figsize=(9.6, height))
        figure.suptitle(title, fontsize="medium", y=1 - 0.1 / height)
        # margins in inches over the height; fitting a layout to 24 panels would take longer than drawing them
        room = {"left": 0.01, "right": 0.99, "bottom": 0.1 / height, "top": 1 - 0.7 / height, "hspace": 0.32}
        panels = figure.subplots(rows, _COLUMNS, squeeze=False, gridspec_kw=room)
        for axes in panels.flat:
            axes.set_axis_off()
        for axes, mistake in zip(panels.flat, mistakes, strict=False):
            _draw(axes, mistake)
        if not mistakes:
            figure.text(0.5, 0.4, "no mistakes", ha="center")
    return figure


def _draw(axes: Axes, mistake: Mistake) -> None:
    image = mistake.image
    if image.shape[-1] == 1:
        axes.imshow(image[..., 0], cmap="gray", vmin=0, vmax=255, interpolation="nearest")
    else:
        axes.imshow(image, interpolation="nearest")
    caption = f"{shorten(mistake.true)}, not\n{shorten(mistake.predicted)} ({mistake.probability:.1%})"
    axes.set_title(caption, fontsize=8)
