"""Watching a validation metric: which checkpoint is best, and when to stop."""

import math

from windtunnel.config.run import EarlyStopping, Target
from windtunnel.core.reports import EpochReport
from windtunnel.training.state import TrainState


def watch(rule: EarlyStopping | None, state: TrainState, report: EpochReport) -> bool:
    """Update ``state`` with the report's metric and return whether it is the best so far.

    Without a rule the metric is validation accuracy. Reports without a validation change nothing, and a value that is
    not finite is no improvement.
    """
    metric = rule.metric if rule else "val_accuracy"
    value: float | None = getattr(report, metric)
    if value is None:
        return False
    gain = 0.0
    if state.best_metric is not None:
        gain = value - state.best_metric if "accuracy" in metric else state.best_metric - value
    improved = math.isfinite(value) and (state.best_metric is None or gain > (rule.min_delta if rule else 0.0))
    state.stale_validations = 0 if improved else state.stale_validations + 1
    if improved:
        state.best_metric = value
    return improved


def is_reached(target: Target | None, report: EpochReport) -> bool:
    """Say whether the report's validation has reached the target accuracy."""
    value: float | None = getattr(report, target.metric) if target else None
    return target is not None and value is not None and value >= target.value


def is_exhausted(rule: EarlyStopping | None, state: TrainState) -> bool:
    """Say whether the metric has been stale for the rule's patience."""
    return rule is not None and state.stale_validations >= rule.patience
