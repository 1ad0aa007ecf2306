"""The interface of everything that listens to a run."""

from collections.abc import Mapping
from typing import Any, Protocol

from windtunnel.core.reports import EpochReport, RunInfo, StepDone


class Tracker(Protocol):
    """Listens to one run. Called in this order: start, (step | epoch | message)*, finish."""

    def start(self, info: RunInfo) -> None:
        """Say that the run starts, or goes on when ``info.start_step`` is above 0."""

    def step(self, step: StepDone) -> None:
        """Take note of one update; called often, so it must be cheap."""

    def epoch(self, report: EpochReport) -> None:
        """Take note of an epoch's figures."""

    def message(self, text: str) -> None:
        """Take note of something a person should read."""

    def finish(self, summary: Mapping[str, Any]) -> None:
        """Say how the run ended; ``summary`` is what ``summary.json`` holds."""
