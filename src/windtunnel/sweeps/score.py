"""How good a run is, read from its folder without torch: the metric of the weights it would be tested with."""

import math
from collections.abc import Sequence
from pathlib import Path

from windtunnel.config.experiment import Experiment
from windtunnel.config.run import EarlyStopping
from windtunnel.config.sweep import MetricName
from windtunnel.core.reports import EpochReport
from windtunnel.report.load import load_epochs


def read_score(folder: Path, experiment: Experiment, metric: MetricName) -> float | None:
    """Return a run's ``metric``, or None when it never measured it, or as no finite number.

    It is that of the epoch whose weights are kept: the last, or with early stopping the best one. Taking the best
    epoch of every run would favour runs whose curve is noisy.
    """
    epochs = load_epochs(folder / "metrics.csv")
    rule = experiment.train.early_stopping
    kept = keep_improvements(epochs, rule) if rule is not None else epochs
    values: list[float] = [value for epoch in kept if (value := getattr(epoch, metric)) is not None]
    return values[-1] if values and math.isfinite(values[-1]) else None


def keep_improvements(epochs: Sequence[EpochReport], rule: EarlyStopping) -> list[EpochReport]:
    """Return the epochs whose weights early stopping kept, as :mod:`windtunnel.training.early_stop` does."""
    sign = 1 if "accuracy" in rule.metric else -1
    kept: list[EpochReport] = []
    best = 0.0
    for epoch in epochs:
        value = getattr(epoch, rule.metric)
        if value is not None and (not kept or sign * (value - best) > rule.min_delta):
            kept.append(epoch)
            best = value
    return kept
