import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from windtunnel.config.run import EarlyStopping
from windtunnel.core.reports import EpochReport
from windtunnel.recipes import load_recipe
from windtunnel.sweeps.score import keep_improvements, read_score
from windtunnel.track.files import FileTracker
from windtunnel.training.early_stop import watch
from windtunnel.training.state import TrainState


def _report(epoch, loss, accuracy):
    return EpochReport(
        epoch=epoch,
        step=epoch,
        train_loss=1.0,
        train_accuracy=0.5,
        val_loss=loss,
        val_accuracy=accuracy,
        lr=0.1,
        seconds=1.0,
        images_per_second=1.0,
    )


shares = st.none() | st.floats(0, 1)


@given(
    st.lists(st.tuples(shares, shares), max_size=12),
    st.sampled_from(["val_loss", "val_accuracy"]),
    st.sampled_from([0.0, 0.1]),
)
def test_the_kept_epochs_are_those_that_training_keeps(values, metric, min_delta):
    rule = EarlyStopping(metric=metric, min_delta=min_delta)
    epochs = [_report(epoch, *pair) for epoch, pair in enumerate(values, 1)]
    state = TrainState.fresh(torch.device("cpu"))
    assert keep_improvements(epochs, rule) == [epoch for epoch in epochs if watch(rule, state, epoch)]


def _write(folder, values):
    tracker = FileTracker(folder)
    (folder / "metrics.csv").write_text(",".join(EpochReport.__dataclass_fields__) + "\n")
    for epoch, (loss, accuracy) in enumerate(values, 1):
        tracker.epoch(_report(epoch, loss, accuracy))


def test_a_run_is_worth_its_last_epoch_not_its_best(tmp_path):
    _write(tmp_path, [(0.2, 0.9), (0.5, 0.7), (None, None)])
    experiment = load_recipe("quickstart")
    assert read_score(tmp_path, experiment, "val_accuracy") == 0.7


def test_with_early_stopping_a_run_is_worth_the_epoch_whose_weights_it_keeps(tmp_path):
    _write(tmp_path, [(0.4, 0.8), (0.2, 0.7), (0.5, 0.9)])
    experiment = load_recipe("quickstart")
    train = experiment.train.model_copy(update={"early_stopping": EarlyStopping(metric="val_loss")})
    assert read_score(tmp_path, experiment.model_copy(update={"train": train}), "val_accuracy") == 0.7


def test_a_run_that_reported_nothing_is_worth_nothing(tmp_path):
    assert read_score(tmp_path, load_recipe("quickstart"), "val_accuracy") is None


@pytest.mark.parametrize("loss", [math.nan, math.inf])
def test_a_run_whose_metric_is_no_number_is_worth_nothing(tmp_path, loss):
    """A NaN would put the table in no order, and the forest of the importances refuses it."""
    _write(tmp_path, [(0.2, 0.9), (loss, 0.1)])
    assert read_score(tmp_path, load_recipe("quickstart"), "val_loss") is None
