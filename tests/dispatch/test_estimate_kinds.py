"""Which experiments share a trace and which do not."""

import pytest

from windtunnel.dispatch.estimate.kinds import kind_key
from windtunnel.recipes import load_experiment


def key(*overrides):
    return kind_key(load_experiment("quickstart", list(overrides)))


@pytest.mark.parametrize(
    "override",
    [
        "optim.lr=0.7",
        "optim.weight_decay=0.1",
        "seed=5",
        "name=other",
        "train.epochs=3",
        "schedule=cosine",
        "data.split.seed=4",
        "optim.momentum=0.5",
    ],
)
def test_rates_seeds_and_lengths_do_not_change_the_kind(override):
    assert key(override) == key()


@pytest.mark.parametrize(
    "override",
    [
        "data.batch_size=128",
        "model.hidden=128",
        "runtime.precision=bfloat16",
        "optim=adamw",
        "optim={name: sgd, momentum: 0.0, nesterov: false}",
        "averaging=lookahead",
        "evaluate.batch_size=10",
        "evaluate.tta=flip",
        "train.clip_norm=1.0",
        "train.accumulate=2",
        "train.validate_every=0",
        "augment=[]",
    ],
)
def test_what_changes_memory_changes_the_kind(override):
    assert key(override) != key()
