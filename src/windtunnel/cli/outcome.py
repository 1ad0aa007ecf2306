"""What a run that was trained or continued says on the terminal."""

import json
from collections.abc import Mapping
from typing import Any

from rich.console import Console

from windtunnel.track.base import Tracker
from windtunnel.track.console import build_console_tracker
from windtunnel.training.run import RunResult


def build_trackers(*, quiet: bool) -> list[Tracker]:
    """Return the trackers of a command: progress on standard error, or none at all."""
    return [] if quiet else [build_console_tracker(Console(stderr=True))]


def print_outcome(result: RunResult, *, as_json: bool) -> None:
    """Print how the run ended and where its files are."""
    if as_json:
        print(json.dumps({"folder": str(result.folder), **result.summary}, indent=2))
        return
    print(describe_summary(result.summary))
    for label, name in (("folder", ""), ("picture", "curves.png"), ("page", "report.html")):
        if (result.folder / name).exists():
            print(f"{label + ':':<9}{result.folder / name}")


def describe_summary(summary: Mapping[str, Any]) -> str:
    """Return how a run ended, in one line.

    >>> print(describe_summary({"status": "finished", "reason": "", "metrics": {"test_accuracy": 0.9783}}))
    finished: test accuracy 97.83%
    """
    figures = [
        f"{name.replace('_', ' ')} {f'{value:.2%}' if 'accuracy' in name else f'{value:.4f}'}"
        for name, value in summary["metrics"].items()
        if isinstance(value, float)
    ]
    said = ", ".join([summary["reason"]] * bool(summary["reason"]) + figures)
    return f"{summary['status']}: {said}" if said else str(summary["status"])
