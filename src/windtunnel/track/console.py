"""Progress for people: a bar on a terminal, one line an epoch anywhere else."""

import math
import time
from collections.abc import Mapping
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, Progress, TaskID, TextColumn, TimeRemainingColumn

from windtunnel.core.reports import EpochReport, RunInfo, StepDone
from windtunnel.track.base import Tracker

_REDRAW_S = 0.1


def build_console_tracker(console: Console) -> Tracker:
    """Return the tracker that fits ``console``: a bar on a terminal, plain lines otherwise or under NO_COLOR."""
    return BarTracker(console) if console.is_terminal and not console.no_color else LineTracker(console)


class LineTracker:
    """Prints one plain line an epoch."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._epochs = 0.0

    def start(self, info: RunInfo) -> None:
        """Print what is trained, on what."""
        self._epochs = info.epochs
        self._print(describe_start(info))

    def step(self, step: StepDone) -> None:
        """Steps are not printed."""

    def epoch(self, report: EpochReport) -> None:
        """Print the epoch's figures."""
        self._print(describe_epoch(report, self._epochs))

    def message(self, text: str) -> None:
        """Print ``text``."""
        self._print(text)

    def finish(self, summary: Mapping[str, Any]) -> None:
        """Print nothing: whoever started the run says how it ended."""

    def _print(self, text: str) -> None:
        self._console.print(text, markup=False, highlight=False, soft_wrap=True)


class BarTracker:
    """Draws a bar that moves with the steps, beside the last epoch's figures and the time left."""

    def __init__(self, console: Console) -> None:
        self._progress = Progress(
            BarColumn(bar_width=16),
            TextColumn("{task.completed}/{task.total} steps"),
            TextColumn("{task.fields[figures]}"),
            TimeRemainingColumn(),
            console=console,
            auto_refresh=False,
        )
        self._task = TaskID(0)
        self._epochs = 0.0
        self._drawn_at = 0.0

    def start(self, info: RunInfo) -> None:
        """Print what is trained and start the bar."""
        self._epochs = info.epochs
        self._progress.start()
        self.message(describe_start(info))
        self._task = self._progress.add_task(info.name, total=info.total_steps, completed=info.start_step, figures="")

    def step(self, step: StepDone) -> None:
        """Move the bar, ten times a second at most."""
        now = time.monotonic()
        if now - self._drawn_at >= _REDRAW_S:
            self._drawn_at = now
            self._progress.update(self._task, completed=step.step, refresh=True)

    def epoch(self, report: EpochReport) -> None:
        """Show the epoch's figures beside the bar."""
        figures = describe_epoch_briefly(report, self._epochs)
        self._progress.update(self._task, completed=report.step, figures=figures, refresh=True)

    def message(self, text: str) -> None:
        """Print ``text`` above the bar."""
        self._progress.console.print(text, markup=False, highlight=False)

    def finish(self, summary: Mapping[str, Any]) -> None:
        """Leave the bar as it stands."""
        self._progress.refresh()
        self._progress.stop()


def describe_start(info: RunInfo) -> str:
    """Return one line on a run as it starts.

    >>> print(describe_start(RunInfo("mnist-mlp", "runs/a", "cpu", "float32", 1200, 60000, 0, 100, 5.0)))
    mnist-mlp: 1,200 parameters, 60,000 images, 5 epochs, 100 steps, float32 on cpu
    """
    resumed = f", from step {info.start_step:,}" if info.start_step else ""
    notes = "".join(f", {note}" for note in (info.team, info.placement) if note)
    return (
        f"{info.name}: {info.parameters:,} parameters, {info.train_images:,} images, {info.epochs:g} epochs, "
        f"{info.total_steps:,} steps{resumed}, {info.precision} on {info.device}{notes}"
    )


def describe_epoch(report: EpochReport, epochs: float) -> str:
    """Return one line on an epoch.

    >>> print(describe_epoch(EpochReport(2, 8, 0.5, 0.75, None, None, 0.1, 1.0, 1500.0), 5.0))
    epoch 2/5: loss 0.5000, accuracy 75.0%, 1,500 images/s
    """
    validation = ""
    if report.val_accuracy is not None and report.val_loss is not None:
        validation = f", validation loss {report.val_loss:.4f}, accuracy {report.val_accuracy:.1%}"
    if report.val_accuracy_ema is not None:
        validation += f", averaged {report.val_accuracy_ema:.1%}"
    return (
        f"epoch {report.epoch}/{math.ceil(epochs)}: loss {report.train_loss:.4f}, accuracy {report.train_accuracy:.1%}"
        f"{validation}, {report.images_per_second:,.0f} images/s"
    )


def describe_epoch_briefly(report: EpochReport, epochs: float) -> str:
    """Return the accuracies of an epoch, short enough to stand beside a bar on a narrow terminal.

    >>> print(describe_epoch_briefly(EpochReport(2, 8, 0.5, 0.75, 0.6, 0.71, 0.1, 1.0, 1500.0), 5.0))
    epoch 2/5 accuracy 75.0%, val 71.0%
    """
    validation = "" if report.val_accuracy is None else f", val {report.val_accuracy:.1%}"
    return f"epoch {report.epoch}/{math.ceil(epochs)} accuracy {report.train_accuracy:.1%}{validation}"
