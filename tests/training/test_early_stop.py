import math

import pytest
import torch

from windtunnel.config.run import EarlyStopping
from windtunnel.core.reports import EpochReport
from windtunnel.training.early_stop import is_exhausted, watch
from windtunnel.training.state import TrainState


def report(val_loss: float) -> EpochReport:
    return EpochReport(
        epoch=1,
        step=1,
        train_loss=1.0,
        train_accuracy=0.5,
        val_loss=val_loss,
        val_accuracy=0.5,
        lr=0.1,
        seconds=1.0,
        images_per_second=1.0,
    )


@pytest.mark.parametrize("bad", [math.nan, math.inf])
def test_a_loss_that_is_not_finite_is_never_the_best(bad: float) -> None:
    rule, state = EarlyStopping(patience=3), TrainState.fresh(torch.device("cpu"))
    assert not watch(rule, state, report(bad))
    assert watch(rule, state, report(2.0))
    assert not watch(rule, state, report(bad))
    assert (state.best_metric, state.stale_validations) == (2.0, 1)
    assert watch(rule, state, report(1.0))


def test_patience_counts_losses_that_are_not_finite() -> None:
    rule, state = EarlyStopping(patience=2), TrainState.fresh(torch.device("cpu"))
    for _ in range(2):
        assert not is_exhausted(rule, state)
        watch(rule, state, report(math.nan))
    assert is_exhausted(rule, state)
