"""How good a run is, read from its folder: the metric of the weights it would be tested with."""

from collections.abc import Sequence
from pathlib import Path

import torch

from windtunnel.config.experiment import Experiment
from windtunnel.config.sweep import MetricName
from windtunnel.core.reports import EpochReport
from windtunnel.report.load import load_epochs
from windtunnel.training.early_stop import watch
from windtunnel.training.state import TrainState


def read_score(folder: Path, experiment: Experiment, metric: MetricName) -> float | None:
    """Return a run's ``metric``, or None when it never measured it.

    It is that of the epoch whose weights are kept: the last, or with early stopping the best one. Taking the best
    epoch of every run would favour runs whose curve is noisy.
    """
    epochs = load_epochs(folder / "metrics.csv")
    kept = _kept(epochs, experiment)
    values: list[float] = [value for epoch in kept if (value := getattr(epoch, metric)) is not None]
    return values[-1] if values else None


def _kept(epochs: Sequence[EpochReport], experiment: Experiment) -> Sequence[EpochReport]:
    rule = experiment.train.early_stopping
    if rule is None:
        return epochs
    state = TrainState.fresh(torch.device("cpu"))
    return [epoch for epoch in epochs if watch(rule, state, epoch)]
