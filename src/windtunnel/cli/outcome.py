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
    files = {"folder": "", "picture": "curves.png", "page": "report.html"}
    places = {label: str(result.folder / name) for label, name in files.items() if (result.folder / name).exists()}
    goes_on = {"go on with": f"windtunnel resume {result.folder}"} if result.status == "interrupted" else {}
    print("\n".join(align({**describe_summary(result.summary), **places, **goes_on})))


def describe_summary(summary: Mapping[str, Any]) -> dict[str, str]:
    """Return how a run ended, label by label.

    >>> describe_summary({"status": "finished", "reason": "", "metrics": {"test_accuracy": 0.978, "test_loss": 0.07}})
    {'finished': '', 'test': 'accuracy 97.80%, loss 0.0700'}
    """
    parts = {"test": ("test", ""), "averaged": ("test", "_ema"), "validation": ("val", ""), "training": ("train", "")}
    figures = {label: _describe_part(summary["metrics"], *ends) for label, ends in parts.items()}
    return {summary["status"]: summary["reason"], **{label: text for label, text in figures.items() if text}}


def align(texts: Mapping[str, str]) -> list[str]:
    """Return one line a text, all starting in one column behind their labels.

    >>> align({"test": "97%", "training": "99%"})
    ['test:     97%', 'training: 99%']
    """
    width = max(len(label) for label in texts) + 2
    return [f"{label + ':':<{width}}{text}".rstrip() for label, text in texts.items()]


def _describe_part(metrics: Mapping[str, float], prefix: str, suffix: str) -> str:
    forms = {"accuracy": "{:.2%}", "loss": "{:.4f}"}
    return ", ".join(
        f"{name} {form.format(metrics[f'{prefix}_{name}{suffix}'])}"
        for name, form in forms.items()
        if f"{prefix}_{name}{suffix}" in metrics
    )
