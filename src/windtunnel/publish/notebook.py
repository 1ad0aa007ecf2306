"""Live progress in a notebook: one display that is drawn anew, with a bar, the last figures and two small curves."""

import math
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from markupsafe import Markup

from windtunnel.core.reports import EpochReport, RunInfo, StepDone
from windtunnel.errors import UsageError
from windtunnel.report.notebook import CARD
from windtunnel.report.theme import colour
from windtunnel.track.console import describe_epoch, describe_start

_REDRAW_S = 0.25
_WIDTH, _HEIGHT = 240, 70

Draw = Callable[[str], None]


class NotebookProgress:
    """A tracker that shows a run in the notebook's cell while it trains.

    >>> import windtunnel  # doctest: +SKIP
    >>> windtunnel.train(
    ...     windtunnel.load_recipe("quickstart"), trackers=[windtunnel.NotebookProgress()]
    ... )  # doctest: +SKIP
    """

    def __init__(self, draw: Draw | None = None) -> None:
        """Show the run by ``draw``, which takes HTML and replaces what it drew before; None draws into the cell.

        Raises:
            UsageError: there is no notebook to draw into.
        """
        self._draw = draw or _open_display()
        self._info: RunInfo | None = None
        self._epochs: list[EpochReport] = []
        self._messages: list[str] = []
        self._step = 0
        self._drawn_at = -math.inf

    def start(self, info: RunInfo) -> None:
        """Draw what is trained, on what."""
        self._info, self._step = info, info.start_step
        self._redraw()

    def step(self, step: StepDone) -> None:
        """Move the bar, four times a second at most."""
        self._step = step.step
        if time.monotonic() - self._drawn_at >= _REDRAW_S:
            self._redraw()

    def epoch(self, report: EpochReport) -> None:
        """Keep the epoch's figures; they are drawn with the next step, and all at the end."""
        self._epochs.append(report)
        self._step = report.step
        if time.monotonic() - self._drawn_at >= _REDRAW_S:
            self._redraw()

    def message(self, text: str) -> None:
        """Draw ``text`` under the figures."""
        self._messages.append(text)
        self._redraw()

    def finish(self, summary: Mapping[str, Any]) -> None:
        """Draw everything once more, with how it ended."""
        self._messages.append(f"{summary['status']}: {summary['reason']}")
        self._redraw()

    def _redraw(self) -> None:
        self._drawn_at = time.monotonic()
        self._draw(self._render())

    def _render(self) -> str:
        info = self._info
        if info is None:
            return str(CARD.format("\n".join(self._messages)))
        lines = [describe_start(info)]
        if self._epochs:
            lines.append(describe_epoch(self._epochs[-1], info.epochs))
        bar = Markup('<progress max="{}" value="{}" style="width: 100%"></progress>').format(
            info.total_steps, min(self._step, info.total_steps)
        )
        said = Markup("").join(Markup("<div>{}</div>").format(line) for line in [*lines, *self._messages])
        return str(CARD.format(said + bar + _draw_curves(self._epochs)))


def _open_display() -> Draw:
    """Return what replaces one output of the cell that runs now."""
    try:
        from IPython import get_ipython
        from IPython.display import HTML, display
    except ImportError as error:
        raise UsageError("NotebookProgress draws into a notebook, and IPython is not installed here") from error
    if get_ipython() is None:
        raise UsageError("NotebookProgress draws into a notebook; elsewhere use windtunnel.track.console")
    handle = display(HTML(""), display_id=True)

    def draw(text: str) -> None:
        handle.update(HTML(text))

    return draw


def _draw_curves(epochs: Sequence[EpochReport]) -> Markup:
    if len(epochs) < 2:
        return Markup("")
    accuracy = _draw_curve("accuracy", [each.train_accuracy for each in epochs], [each.val_accuracy for each in epochs])
    return _draw_curve("loss", [each.train_loss for each in epochs], [each.val_loss for each in epochs]) + accuracy


def _draw_curve(title: str, training: Sequence[float | None], validation: Sequence[float | None]) -> Markup:
    """Return two lines on a common scale; matplotlib would take longer than a fast epoch."""
    known = [value for value in (*training, *validation) if value is not None and math.isfinite(value)]
    low, high = (min(known), max(known)) if known else (0.0, 1.0)
    lines = Markup("").join(
        Markup('<polyline points="{}" fill="none" stroke="{}" stroke-width="1.5"></polyline>').format(
            _place(values, low, high), colour(index)
        )
        for index, values in enumerate((training, validation))
    )
    return Markup(
        '<svg role="img" aria-label="{0}" width="{1}" height="{2}" viewBox="0 0 {1} {2}" style="margin: 6px 12px 0 0">'
        '{3}<text x="{4}" y="12" font-size="11" fill="#59616b" text-anchor="end">{0}: {5:.4g} to {6:.4g}</text></svg>'
    ).format(title, _WIDTH, _HEIGHT, lines, _WIDTH - 2, low, high)


def _place(values: Sequence[float | None], low: float, high: float) -> str:
    across, up = _WIDTH / max(len(values) - 1, 1), (_HEIGHT - 20) / ((high - low) or 1.0)
    return " ".join(
        f"{across * index:.1f},{_HEIGHT - 2 - up * (value - low):.1f}"
        for index, value in enumerate(values)
        if value is not None and math.isfinite(value)
    )
